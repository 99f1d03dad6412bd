#include "host/app/command_support.hpp"

namespace syncline::app {

Result<ExitStatus> run_reload(const Arguments& arguments) {
  SYN_TRY(const auto data, ask(arguments, {{"command", "reload"}, {"yes", arguments.is_yes}}));
  print(arguments, data, "reloaded\n");
  return ExitStatus::kOk;
}

}  // namespace syncline::app
