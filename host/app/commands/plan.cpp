#include <algorithm>

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

struct Findings {
  json::array list;
  std::string text;
  bool is_stopped = false;
};

Findings tell(const std::vector<SystemFinding>& found) {
  Findings findings;
  for (const SystemFinding& finding : found) {
    const std::string severity = severity_name(finding.finding.severity);
    findings.is_stopped =
        findings.is_stopped || finding.finding.severity == ports::Severity::kStops;
    findings.list.push_back(json::object{{"system", finding.system},
                                         {"dataset", finding.finding.dataset},
                                         {"severity", severity},
                                         {"what", finding.finding.what},
                                         {"fix", finding.finding.fix}});
    findings.text += severity + ": " + finding.system +
                     (finding.finding.dataset.empty() ? "" : "." + finding.finding.dataset) + ": " +
                     finding.finding.what +
                     (finding.finding.fix.empty() ? "" : "\n    " + finding.finding.fix) + "\n";
  }
  return findings;
}

// Whether what stops it is said already.
bool is_told(const std::vector<SystemFinding>& found, const std::string& dataset) {
  return std::ranges::any_of(found, [&](const SystemFinding& finding) {
    return finding.finding.dataset == dataset &&
           finding.finding.severity == ports::Severity::kStops;
  });
}

Result<std::vector<ComparedDataset>> compare_what_can_be(const Arguments& arguments,
                                                         const Blueprint& blueprint,
                                                         std::vector<SystemFinding>& found) {
  ComparisonOptions options;
  options.is_progress_shown = !arguments.is_json;
  options.on_error = [&](const std::string& dataset, const Error& error) {
    if (is_told(found, dataset)) return;
    SystemFinding& finding = found.emplace_back();
    finding.system = "all";
    finding.finding = {ports::Severity::kStops, dataset, error.what + ": " + error.why, error.fix};
  };
  SYN_TRY(auto compared, compare_systems(blueprint, options));
  SYN_TRY(const auto collisions, find_collisions(compared, blueprint));
  found.insert(found.end(), collisions.begin(), collisions.end());
  return compared;
}

}  // namespace

// What the first sync would do: per dataset, whose rows win, and what each system would be given.
Result<ExitStatus> run_plan(const Arguments& arguments) {
  const Drafted drafted = draft_blueprint(arguments.config, system_clock());
  const Blueprint& blueprint = drafted.blueprint;
  if (blueprint.config == nullptr) return first_error(drafted);
  std::vector<SystemFinding> found = find_in_systems(blueprint);
  std::vector<ComparedDataset> compared;
  if (drafted.errors.empty()) {
    SYN_TRY(compared, compare_what_can_be(arguments, blueprint, found));
  }
  Findings findings = tell(found);
  std::string& text = findings.text;
  for (const std::string& note : blueprint.notes) text += "note: " + note + "\n";
  json::array datasets;
  for (const ComparedDataset& dataset : compared) {
    datasets.push_back(plan_to_json(dataset, blueprint));
    text += plan_text(dataset, blueprint);
  }
  print(arguments, json::object{{"findings", std::move(findings.list)}, {"datasets", datasets}},
        text);
  if (!drafted.errors.empty()) return first_error(drafted);
  return findings.is_stopped ? ExitStatus::kDifferent : ExitStatus::kOk;
}

}  // namespace syncline::app
