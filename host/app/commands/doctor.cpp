#include <thread>

#include <boost/json/array.hpp>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "host/app/command_support.hpp"
#include "host/app/comparison.hpp"
#include "host/app/engines.hpp"
#include "host/app/render.hpp"
#include "host/app/systems.hpp"

namespace syncline::app {
namespace {

namespace json = boost::json;

constexpr uint64_t kFreeBytesMin = 1ull << 30;

struct Report {
  json::array findings;
  std::string text;
  bool is_bad = false;

  void add(const std::string& severity, const std::string& about, const std::string& what,
           const std::string& fix) {
    findings.push_back(
        json::object{{"severity", severity}, {"about", about}, {"what", what}, {"fix", fix}});
    text += severity + ": " + about + ": " + what + (fix.empty() ? "" : "\n    " + fix) + "\n";
    is_bad = is_bad || severity == "stops";
  }
  void add_stop(const Error& error) {
    add("stops", code_text(error.code), error.what + (error.why.empty() ? "" : ": " + error.why),
        error.fix);
  }
};

void look_at_machine(Report& report) {
  utsname machine{};
  uname(&machine);
  const auto pages = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES));
  const auto page_size = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  report.add("ok", "machine",
             std::string(machine.sysname) + " " + machine.release + ", " +
                 std::to_string(std::thread::hardware_concurrency()) + " cores, " +
                 size_text(static_cast<double>(pages * page_size)),
             "");
}

void look_at_parts(const Engines& engines, Report& report) {
  for (const auto& engine : engines.there) {
    const engine::Description description = engine->describe();
    report.add("ok", "engine " + description.name,
               description.device + ", " + description.variants +
                   (description.is_only_forced ? "; on the cpu's own cores: only if forced" : ""),
               "");
  }
  for (const Engines::Absent& absent : engines.absent) {
    report.add("note", "engine " + absent.name, absent.error.what + ": " + absent.error.why,
               absent.error.fix);
  }
  report.add("note", "engine xrt", "not built into this version", "");
  std::string kinds;
  for (const SystemRow& row : system_table())
    kinds += (kinds.empty() ? "" : ", ") + std::string(row.kind);
  report.add("ok", "systems", "this version speaks: " + kinds, "");
  report.add("note", "wires", "no link between appliances is built into this version", "");
}

// The one that the config asks for.
void look_at_engine(const config::Config& config, const Engines& engines, Report& report) {
  for (const Engines::Absent& absent : engines.absent) {
    if (absent.name == config.appliance.engine) report.add_stop(absence(absent));
  }
}

void look_at_data(const config::Config& config, Report& report) {
  struct statvfs space{};
  if (statvfs(config.appliance.data.c_str(), &space) != 0) {
    report.add("note", "data folder", config.appliance.data + " is not there yet",
               "`syncline run` makes it");
    return;
  }
  const uint64_t free = static_cast<uint64_t>(space.f_bavail) * space.f_frsize;
  const std::string text = config.appliance.data + " has " + size_text(static_cast<double>(free));
  if (free < kFreeBytesMin) {
    report.add("warning", "data folder", text + " left", "free some, or move the data folder");
  } else {
    report.add("ok", "data folder", text + " left", "");
  }
}

// What keeps a running appliance from a system, or a dataset there: it alone knows where it was in
// that system's log. Nothing is said where none runs.
void look_at_running(const Arguments& arguments, Report& report) {
  const auto status = ask(arguments, {{"command", "status"}});
  if (!status) return;
  const auto tell = [&](const std::string& about, const json::object& of, const char* state) {
    if (!of.contains("error")) return;
    const bool is_stopped = of.at(state).as_string() == "stopped";
    report.add(is_stopped ? "stops" : "warning", about, of.at("error").as_string().c_str(), "");
  };
  for (const json::value& one : status.value().at("systems").as_array()) {
    const json::object& system = one.as_object();
    const std::string name = system.at("name").as_string().c_str();
    tell(name, system, "state");
    for (const json::value& dataset : system.at("datasets").as_array()) {
      tell(name + "." + dataset.at("name").as_string().c_str(), dataset.as_object(), "phase");
    }
  }
}

}  // namespace

Result<ExitStatus> run_doctor(const Arguments& arguments) {
  Report report;
  look_at_machine(report);
  const Engines engines = make_engines(EngineScope::kAll);
  look_at_parts(engines, report);
  Drafted drafted = draft_blueprint(arguments.config, system_clock());
  for (const Error& error : drafted.errors) report.add_stop(error);
  if (drafted.blueprint.config != nullptr) {
    look_at_engine(*drafted.blueprint.config, engines, report);
    look_at_data(*drafted.blueprint.config, report);
    for (const SystemFinding& finding : find_in_systems(drafted.blueprint)) {
      const auto severity = finding.finding.severity;
      report.add(
          severity == ports::Severity::kStops     ? "stops"
          : severity == ports::Severity::kWarning ? "warning"
                                                  : "note",
          finding.system + (finding.finding.dataset.empty() ? "" : "." + finding.finding.dataset),
          finding.finding.what, finding.finding.fix);
    }
    look_at_running(arguments, report);
  }
  print(arguments, json::object{{"findings", report.findings}, {"is_ready", !report.is_bad}},
        report.text);
  return report.is_bad ? ExitStatus::kDifferent : ExitStatus::kOk;
}

}  // namespace syncline::app
