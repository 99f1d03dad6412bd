#include "host/app/engines.hpp"

#include <cstdio>

#include <boost/json/array.hpp>

#include "host/app/command_support.hpp"
#include "host/dispatch/dispatcher.hpp"

namespace syncline::app {

namespace json = boost::json;

Result<ExitStatus> run_engines(const Arguments& arguments) {
  SYN_TRY(const auto dispatcher,
          dispatch::Dispatcher::make(make_engines(), "auto", system_clock()));
  dispatcher->calibrate();
  json::array engines;
  std::string text;
  for (const dispatch::EngineReport& report : dispatcher->report()) {
    json::object stages;
    text += report.description.name + ": " + report.description.device + "\n  " +
            report.description.variants + "\n";
    for (size_t i = 0; i < engine::kStageCount; ++i) {
      const std::string name(engine::stage_name(static_cast<engine::Stage>(i)));
      const dispatch::StageCost& cost = report.cost[i];
      if (!report.description.has_stage[i]) {
        stages[name] = nullptr;
        text += "  " + name + ": not on this engine\n";
        continue;
      }
      stages[name] = json::object{{"fixed_us", cost.fixed_us}, {"bytes_per_us", cost.bytes_per_us}};
      char line[160];
      std::snprintf(line, sizeof line, "  %-12s %8.2f us + %8.1f MB/s\n", name.c_str(),
                    cost.fixed_us, cost.bytes_per_us);
      text += line;
    }
    engines.push_back(json::object{{"name", report.description.name},
                                   {"device", report.description.device},
                                   {"variants", report.description.variants},
                                   {"stages", std::move(stages)}});
  }
  print(arguments, engines, text);
  return ExitStatus::kOk;
}

}  // namespace syncline::app
