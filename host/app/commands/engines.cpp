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

// All engines of this machine, measured by this process.
struct Measured {
  std::unique_ptr<dispatch::Dispatcher> dispatcher;
  std::vector<Engines::Absent> absent;
};

Result<Measured> measure() {
  Engines engines = make_engines(EngineScope::kAll);
  SYN_TRY(auto dispatcher,
          dispatch::Dispatcher::make(std::move(engines.there), "auto", system_clock()));
  dispatcher->calibrate();
  return Measured{std::move(dispatcher), std::move(engines.absent)};
}

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
    shown.text +=
        "  out of service for " + stages_out_text(report) + ": " + report.last_fault + "\n";
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

void add_absent(const std::vector<Engines::Absent>& absent, json::array& explanations) {
  for (json::value& explanation : explanations) {
    for (const Engines::Absent& one : absent) {
      explanation.at("engines").as_array().push_back(
          json::object{{"name", one.name}, {"predicted_us", nullptr}, {"remark", why_absent(one)}});
    }
  }
}

// A running appliance's dispatcher has met other batches, and may be at work: it says what it would
// do. Where none answers, this process measures for itself.
Result<ExitStatus> explain(const Arguments& arguments) {
  const auto bytes = static_cast<double>(arguments.explain_bytes);
  const std::string batch = "a batch whose stage works on " + size_text(bytes);
  const auto asked = ask(arguments, {{"command", "explain"}, {"bytes", arguments.explain_bytes}});
  if (asked && asked.value().is_array() && !asked.value().get_array().empty()) {
    const json::array& explanations = asked.value().get_array();
    const json::object& first = explanations.front().get_object();
    print(arguments, explanations,
          "the running appliance '" + std::string(first.at("appliance").get_string()) +
              "' would do this now with " + batch + "\n" + explanations_text(explanations));
    return ExitStatus::kOk;
  }
  SYN_TRY(Measured measured, measure());
  json::array explanations = explanations_to_json(measured.dispatcher->explain(bytes), "");
  add_absent(measured.absent, explanations);
  const std::string why = asked ? "it is of another version" : asked.error().what;
  print(arguments, explanations,
        batch +
            ", with engine = \"auto\" and nothing else going on\n(measured just now; no running "
            "appliance explains it: " +
            why + ")\n" + explanations_text(explanations));
  return ExitStatus::kOk;
}

}  // namespace

Result<ExitStatus> run_engines(const Arguments& arguments) {
  if (arguments.explain_bytes > 0) return explain(arguments);
  SYN_TRY(const Measured measured, measure());
  Shown shown;
  for (const auto& report : measured.dispatcher->report()) {
    show_engine(report, *measured.dispatcher, shown);
  }
  for (const Engines::Absent& absent : measured.absent) show_absent(absent, shown);
  show_shares(*measured.dispatcher, shown);
  print(arguments, shown.data, shown.text);
  return ExitStatus::kOk;
}

}  // namespace syncline::app
