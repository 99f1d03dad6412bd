#include "host/app/command_support.hpp"

namespace syncline::app {
namespace {

Result<ExitStatus> send(const Arguments& arguments, const char* command) {
  const std::string name = arguments.names.empty() ? "" : arguments.names.front();
  SYN_TRY(const auto data, ask(arguments, {{"command", command}, {"name", name}}));
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
