#include <span>
#include <utility>

#include <boost/json/array.hpp>

#include "host/app/command_support.hpp"
#include "host/app/comparison.hpp"
#include "host/app/daemon.hpp"
#include "host/app/render.hpp"

namespace syncline::app {
namespace {

namespace json = boost::json;

// Of one request: the appliance holds that many records of each system at a time.
constexpr size_t kRepairedAtOnce = 256;
constexpr size_t kRepairedBytesAtOnce = 256u << 10;  // of their keys

// What still differs goes to the appliance, which reads it anew and delivers what is accepted.
Result<void> repair(const Arguments& arguments, const std::string& dataset,
                    std::span<const compare::Difference> left) {
  json::array keys;
  size_t size_bytes = 0;
  const auto ask_for_those = [&]() -> Result<void> {
    if (keys.empty()) return success();
    const json::object request{
        {"command", "repair"}, {"dataset", dataset}, {"keys", std::exchange(keys, {})}};
    size_bytes = 0;
    SYN_TRY(ask(arguments, request));
    return success();
  };
  for (const compare::Difference& difference : left) {
    const std::string key = to_hex(difference.key);
    if (keys.size() == kRepairedAtOnce || size_bytes + key.size() > kRepairedBytesAtOnce) {
      SYN_TRY(ask_for_those());
    }
    size_bytes += key.size();
    keys.emplace_back(key);
  }
  return ask_for_those();
}

}  // namespace

Result<ExitStatus> run_verify(const Arguments& arguments) {
  SYN_TRY(const Blueprint blueprint, make_blueprint(arguments.config, system_clock()));
  ComparisonOptions options;
  options.dataset = arguments.dataset;
  options.settle_us = arguments.settle_us;
  options.is_progress_shown = !arguments.is_json;
  ComparisonOptions first = options;
  if (arguments.is_repair) {
    first.on_different = [&](const std::string& dataset,
                             std::span<const compare::Difference> left) -> Result<compare::Then> {
      SYN_TRY(repair(arguments, dataset, left));
      return compare::Then::kGoOn;
    };
  }
  SYN_TRY(auto compared, compare_systems(blueprint, first));
  if (arguments.is_repair) {
    SYN_TRY(compared, compare_systems(blueprint, options));
  }
  const json::object data = comparison_to_json(compared, blueprint);
  print(arguments, data, comparison_text(compared, blueprint));
  return data.at("is_equal").get_bool() ? ExitStatus::kOk : ExitStatus::kDifferent;
}

}  // namespace syncline::app
