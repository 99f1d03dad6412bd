#include "host/app/engines.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "host/app/command_support.hpp"
#include "host/app/render.hpp"

namespace syncline::app {
namespace {

namespace json = boost::json;

struct Shown {
  json::array data;
  std::string text;
};

std::string why_absent(const Engines::Absent& absent) {
  return "not there: " + absent.error.what + ": " + absent.error.why;
}

json::value known_or_null(bool is_known, double value) {
  return is_known ? json::value(value) : json::value(nullptr);
}

std::string cost_text(const dispatch::StageCost& cost) {
  if (!cost.is_measured) return "not measured";
  if (cost.bytes_per_us == 0) {
    return fmt::format("{:8.2f} us, and too little a byte to be measured", cost.fixed_us);
  }
  return fmt::format("{:8.2f} us + {:8.1f} MB/s", cost.fixed_us, cost.bytes_per_us);
}

// Null: not with engine = "auto".
json::value takes_from(const dispatch::Dispatcher& dispatcher, engine::Stage stage,
                       const std::string& engine) {
  for (const dispatch::Share& share : dispatch::shares_of(dispatcher, stage)) {
    if (share.engine == engine) return share.from_bytes;
  }
  return nullptr;
}

void show_engine(const dispatch::EngineReport& report, const dispatch::Dispatcher& dispatcher,
                 Shown& shown) {
  json::object stages;
  shown.text += report.description.name + ": " + report.description.device + "\n  " +
                report.description.variants + "\n";
  if (report.description.is_only_forced) {
    shown.text += "  on the cpu's own cores: only if forced, by engine = \"" +
                  report.description.name + "\"\n";
  }
  for (size_t i = 0; i < engine::kStageCount; ++i) {
    const std::string name(engine::stage_name(static_cast<engine::Stage>(i)));
    const dispatch::StageCost& cost = report.cost[i];
    if (!report.description.has_stage[i]) {
      stages[name] = nullptr;
      shown.text += "  " + name + ": not on this engine\n";
      continue;
    }
    stages[name] = json::object{
        {"fixed_us", known_or_null(cost.is_measured, cost.fixed_us)},
        {"bytes_per_us", known_or_null(cost.bytes_per_us > 0, cost.bytes_per_us)},
        {"takes_from_bytes",
         takes_from(dispatcher, static_cast<engine::Stage>(i), report.description.name)}};
    shown.text += fmt::format("  {:<12} {}\n", name, cost_text(cost));
  }
  json::object one{{"name", report.description.name},
                   {"is_there", true},
                   {"device", report.description.device},
                   {"variants", report.description.variants},
                   {"stages", std::move(stages)}};
  if (report.is_out_of_service) {
    one["fault"] = report.last_fault;
    shown.text += "  out of service: " + report.last_fault + "\n";
  }
  shown.data.push_back(std::move(one));
}

// Where the crossover between engines lies.
void show_shares(const dispatch::Dispatcher& dispatcher, Shown& shown) {
  shown.text += "with engine = \"auto\" a batch goes to\n";
  for (size_t i = 0; i < engine::kStageCount; ++i) {
    const auto stage = static_cast<engine::Stage>(i);
    std::string told;
    for (const dispatch::Share& share : dispatch::shares_of(dispatcher, stage)) {
      told += told.empty() ? share.engine
                           : ", from " + size_text(share.from_bytes) + " on " + share.engine;
    }
    shown.text += fmt::format("  {:<12} {}\n", engine::stage_name(stage), told);
  }
}

void show_absent(const Engines::Absent& absent, Shown& shown) {
  const std::string why = absent.error.what + ": " + absent.error.why;
  shown.data.push_back(json::object{
      {"name", absent.name}, {"is_there", false}, {"why", why}, {"fix", absent.error.fix}});
  shown.text += absent.name + ": " + why_absent(absent) + "\n    " + absent.error.fix + "\n";
}

void explain_stage(const dispatch::Explanation& explanation,
                   const std::vector<Engines::Absent>& absent, Shown& shown) {
  const std::string stage(engine::stage_name(explanation.stage));
  shown.text += stage + ": " + explanation.chosen + " (" + explanation.why + ")\n";
  json::array engines;
  for (const auto& candidate : explanation.candidates) {
    json::object one{{"name", candidate.name}, {"predicted_us", nullptr}};
    std::string told = candidate.remark;
    if (candidate.predicted_us >= 0) {
      one["predicted_us"] = candidate.predicted_us;
      told = fmt::format("{:.1f} us{}{}", candidate.predicted_us, told.empty() ? "" : ", ", told);
    }
    if (!candidate.remark.empty()) one["remark"] = candidate.remark;
    engines.push_back(std::move(one));
    shown.text += fmt::format("  {:<12} {}\n", candidate.name, told);
  }
  for (const Engines::Absent& one : absent) {
    const std::string remark = why_absent(one);
    engines.push_back(
        json::object{{"name", one.name}, {"predicted_us", nullptr}, {"remark", remark}});
    shown.text += fmt::format("  {:<12} {}\n", one.name, remark);
  }
  shown.data.push_back(json::object{{"stage", stage},
                                    {"bytes", explanation.bytes},
                                    {"chosen", explanation.chosen},
                                    {"why", explanation.why},
                                    {"engines", std::move(engines)}});
}

}  // namespace

Result<ExitStatus> run_engines(const Arguments& arguments) {
  Engines engines = make_engines(EngineScope::kAll);
  SYN_TRY(const auto dispatcher,
          dispatch::Dispatcher::make(std::move(engines.there), "auto", system_clock()));
  dispatcher->calibrate();
  Shown shown;
  if (arguments.explain_bytes > 0) {
    const auto bytes = static_cast<double>(arguments.explain_bytes);
    shown.text = "a batch whose stage works on " + size_text(bytes) +
                 ", with engine = \"auto\" and nothing else going on\n";
    for (const auto& explanation : dispatcher->explain(bytes)) {
      explain_stage(explanation, engines.absent, shown);
    }
  } else {
    for (const auto& report : dispatcher->report()) {
      show_engine(report, *dispatcher, shown);
    }
    for (const Engines::Absent& absent : engines.absent) show_absent(absent, shown);
    show_shares(*dispatcher, shown);
  }
  print(arguments, shown.data, shown.text);
  return ExitStatus::kOk;
}

}  // namespace syncline::app
