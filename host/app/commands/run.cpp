#include "host/app/arguments.hpp"
#include "host/app/daemon.hpp"

namespace syncline::app {

Result<ExitStatus> run_run(const Arguments& arguments) {
  SYN_TRY(const LogLevel level, parse_log_level(arguments.log_level));
  const auto log = make_stderr_log(level);
  SYN_TRY(run_daemon({arguments.config, arguments.engine}, *log));
  return ExitStatus::kOk;
}

}  // namespace syncline::app
