#include <cstdio>
#include <ctime>

#include <boost/json/array.hpp>

#include "host/app/command_support.hpp"
#include "host/app/comparison.hpp"
#include "host/app/daemon.hpp"
#include "host/app/render.hpp"

namespace syncline::app {
namespace {

namespace json = boost::json;

// What still differs goes to the appliance, which reads it anew and delivers what is accepted.
Result<void> repair(const Arguments& arguments, const ComparedDataset& compared) {
  json::array keys;
  for (const compare::Difference& difference : compared.comparison.differences) {
    keys.emplace_back(to_hex(difference.key));
  }
  SYN_TRY(ask(arguments, {{"command", "repair"}, {"dataset", compared.dataset}, {"keys", keys}}));
  return success();
}

}  // namespace

Result<ExitStatus> run_verify(const Arguments& arguments) {
  SYN_TRY(const Blueprint blueprint, make_blueprint(arguments.config, system_clock()));
  ComparisonOptions options;
  options.dataset = arguments.dataset;
  options.settle_us = arguments.settle_us;
  options.is_progress_shown = !arguments.is_json;
  SYN_TRY(auto compared, compare_systems(blueprint, options));
  if (arguments.is_repair) {
    for (const ComparedDataset& dataset : compared) {
      if (dataset.comparison.differences.empty()) continue;
      SYN_TRY(repair(arguments, dataset));
    }
    SYN_TRY(compared, compare_systems(blueprint, options));
  }
  const json::object data = comparison_to_json(compared, blueprint);
  print(arguments, data, comparison_text(compared, blueprint));
  return data.at("is_equal").get_bool() ? ExitStatus::kOk : ExitStatus::kDifferent;
}

}  // namespace syncline::app
