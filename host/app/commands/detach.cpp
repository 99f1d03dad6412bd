#include <algorithm>
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

// What keeps datasets from being synced, in this system or in others, is not in the way of this: it
// may be why somebody gives a system up.
Result<ExitStatus> run_detach(const Arguments& arguments) {
  SYN_TRY(const config::Config config, read_config(arguments));
  const auto settings =
      std::ranges::find(config.systems, arguments.system, &config::SystemSettings::name);
  if (settings == config.systems.end()) {
    return fail(ErrorCode::kInvalidArgument, "the config has no system '" + arguments.system + "'",
                "", "name one that [systems] lists");
  }
  SYN_TRY(const BlueprintSystem system, bare_system(config, *settings));
  SYN_TRY(const auto lock, refuse_running(config.appliance.data));
  SYN_TRY(const auto made, make_system(settings->kind, system.ports, system_clock()));
  if (!arguments.is_yes) {
    print(
        arguments, boost::json::object{{"would_detach", arguments.system}},
        "would remove everything of ours from '" + arguments.system + "'; with --yes it is done\n");
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

}  // namespace syncline::app
