#include <boost/json/array.hpp>

#include "host/app/command_support.hpp"
#include "host/app/systems.hpp"

namespace syncline::app {

Result<ExitStatus> run_detach(const Arguments& arguments) {
  SYN_TRY(const Blueprint blueprint, make_blueprint(arguments.config, system_clock()));
  for (const BlueprintSystem& system : blueprint.systems) {
    if (system.settings->name != arguments.system) continue;
    if (control(blueprint.config->appliance.data, {{"command", "at_rest"}})) {
      return fail(ErrorCode::kUsage, "the appliance is running",
                  "it would miss what is removed under it", "stop it first");
    }
    SYN_TRY(const auto made, make_system(system.settings->kind, system.ports, system_clock()));
    if (!arguments.is_yes) {
      print(arguments, boost::json::object{{"would_detach", arguments.system}},
            "would remove everything of ours from '" + arguments.system +
                "'; with --yes it is done\n");
      return ExitStatus::kOk;
    }
    SYN_TRY(const auto removed, made.catalog->detach());
    boost::json::array list;
    std::string text;
    for (const std::string& name : removed) {
      list.emplace_back(name);
      text += "removed " + name + "\n";
    }
    print(arguments, boost::json::object{{"removed", list}},
          text.empty() ? "nothing of ours was there\n" : text);
    return ExitStatus::kOk;
  }
  return fail(ErrorCode::kInvalidArgument, "the config has no system '" + arguments.system + "'",
              "", "name one that [systems] lists");
}

}  // namespace syncline::app
