#include <filesystem>

#include <boost/json/array.hpp>

#include "host/app/command_support.hpp"
#include "host/app/systems.hpp"
#include "host/base/disk.hpp"

namespace syncline::app {
namespace {

// Whether it answers says nothing: at its start, and while it is busy, it does not.
Result<std::unique_ptr<FolderLock>> refuse_running(const std::string& folder) {
  std::error_code code;
  if (!std::filesystem::is_directory(folder, code)) return std::unique_ptr<FolderLock>();
  auto lock = lock_folder(folder);
  if (lock || lock.error().code != ErrorCode::kStorageLocked) return lock;
  return fail(ErrorCode::kUsage, "the appliance is running",
              "it would miss what is removed under it: " + lock.error().what, "stop it first");
}

}  // namespace

Result<ExitStatus> run_detach(const Arguments& arguments) {
  SYN_TRY(const Blueprint blueprint, make_blueprint(arguments.config, system_clock()));
  for (const BlueprintSystem& system : blueprint.systems) {
    if (system.settings->name != arguments.system) continue;
    SYN_TRY(const auto lock, refuse_running(blueprint.config->appliance.data));
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
