#include "host/app/command_support.hpp"

namespace syncline::app {
namespace {

Result<ExitStatus> send(const Arguments& arguments, const char* command) {
  const std::string name = arguments.names.empty() ? "" : arguments.names.front();
  const bool is_approving = arguments.is_approving_deletes;
  if (is_approving && name.empty()) {
    return fail(ErrorCode::kUsage, "--approve-deletes needs a dataset", "",
                "name one that `syncline status` shows as held");
  }
  SYN_TRY(
      const auto data,
      ask(arguments, {{"command", command}, {"name", name}, {"approve_deletes", is_approving}}));
  if (is_approving) {
    print(arguments, data, "approved the deletes of " + name + "\n");
    return ExitStatus::kOk;
  }
  print(arguments, data, std::string(command) + "d " + (name.empty() ? "everything" : name) + "\n");
  return ExitStatus::kOk;
}

}  // namespace

Result<ExitStatus> run_pause(const Arguments& arguments) {
  return send(arguments, "pause");
}

Result<ExitStatus> run_resume(const Arguments& arguments) {
  return send(arguments, "resume");
}

}  // namespace syncline::app
