#include "host/app/resync.hpp"

#include "host/app/command_support.hpp"

namespace syncline::app {

Result<ExitStatus> run_resync(const Arguments& arguments) {
  if (!arguments.is_yes) {
    print(arguments, boost::json::object{{"would_resync", arguments.system}},
          "would start '" + arguments.system +
              "' anew: its rows are compared by key with what is accepted, what differs is written "
              "to it;\n`syncline plan` shows how much that is; with --yes it is done\n");
    return ExitStatus::kOk;
  }
  const auto answer = ask(arguments, {{"command", "resync"}, {"system", arguments.system}});
  if (!answer && answer.error().code != ErrorCode::kNotRunning) return answer.error();
  const char* when = "its first sync is done\n";
  if (!answer) {
    SYN_TRY(const Blueprint blueprint, make_blueprint_to_run(arguments.config, system_clock()));
    const auto log = make_stderr_log(LogLevel::kWarning);
    SYN_TRY(const auto storage, Storage::open(*blueprint.config, Storage::Mode::kLook,
                                              system_clock(), system_random(), *log));
    SYN_TRY(prepare_resync(*storage, blueprint, arguments.system, system_clock()));
    when = "it starts anew with the next `syncline run`\n";
  }
  print(arguments, boost::json::object{{"resynced", arguments.system}},
        arguments.system + ": " + when);
  return ExitStatus::kOk;
}

}  // namespace syncline::app
