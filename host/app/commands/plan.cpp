#include <boost/json/array.hpp>

#include "host/app/command_support.hpp"
#include "host/app/comparison.hpp"
#include "host/app/systems.hpp"

namespace syncline::app {
namespace {

namespace json = boost::json;

const char* severity_name(ports::Severity severity) {
  switch (severity) {
    case ports::Severity::kNote:
      return "note";
    case ports::Severity::kWarning:
      return "warning";
    case ports::Severity::kStops:
      return "stops";
  }
  return "note";
}

}  // namespace

// What the first sync would do: per dataset, whose rows win, and what each system would be given.
Result<ExitStatus> run_plan(const Arguments& arguments) {
  SYN_TRY(const Blueprint blueprint, make_blueprint(arguments.config, system_clock()));
  SYN_TRY(auto found, find_in_systems(blueprint));
  ComparisonOptions options;
  options.is_progress_shown = !arguments.is_json;
  SYN_TRY(const auto compared, compare_systems(blueprint, options));
  SYN_TRY(const auto collisions, find_collisions(compared, blueprint));
  found.insert(found.end(), collisions.begin(), collisions.end());
  json::array findings;
  std::string text;
  bool is_stopped = false;
  for (const SystemFinding& finding : found) {
    const std::string severity = severity_name(finding.finding.severity);
    is_stopped = is_stopped || finding.finding.severity == ports::Severity::kStops;
    findings.push_back(json::object{{"system", finding.system},
                                    {"dataset", finding.finding.dataset},
                                    {"severity", severity},
                                    {"what", finding.finding.what},
                                    {"fix", finding.finding.fix}});
    text += severity + ": " + finding.system +
            (finding.finding.dataset.empty() ? "" : "." + finding.finding.dataset) + ": " +
            finding.finding.what +
            (finding.finding.fix.empty() ? "" : "\n    " + finding.finding.fix) + "\n";
  }
  for (const std::string& note : blueprint.notes) text += "note: " + note + "\n";
  json::array datasets;
  for (const ComparedDataset& dataset : compared) {
    datasets.push_back(plan_to_json(dataset, blueprint));
    text += plan_text(dataset, blueprint);
  }
  print(arguments, json::object{{"findings", findings}, {"datasets", datasets}}, text);
  return is_stopped ? ExitStatus::kDifferent : ExitStatus::kOk;
}

}  // namespace syncline::app
