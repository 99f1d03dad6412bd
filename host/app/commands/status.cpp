#include <csignal>
#include <cstdio>
#include <ctime>

#include <boost/json/serialize.hpp>

#include "host/app/command_support.hpp"
#include "host/app/render.hpp"

namespace syncline::app {
namespace {

constexpr long kRefreshNs = 500'000'000;
constexpr const char* kClearScreen = "\x1b[H\x1b[2J";

Result<boost::json::object> ask_status(const Arguments& arguments) {
  SYN_TRY(const auto data, ask(arguments, {{"command", "status"}}));
  return data.get_object();
}

}  // namespace

Result<ExitStatus> run_status(const Arguments& arguments) {
  SYN_TRY(const auto status, ask_status(arguments));
  print(arguments, status, status_text(status));
  return ExitStatus::kOk;
}

Result<ExitStatus> run_lag(const Arguments& arguments) {
  SYN_TRY(const auto status, ask_status(arguments));
  print(arguments, status.at("systems"), lag_text(status));
  return ExitStatus::kOk;
}

// Until interrupted, or for as long as --for says; with --json one object a line.
Result<ExitStatus> run_top(const Arguments& arguments) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const int64_t deadline_us = system_clock().steady_us() + arguments.for_us;
  while (true) {
    SYN_TRY(const auto status, ask_status(arguments));
    if (arguments.is_json) {
      std::printf("%s\n", boost::json::serialize(status).c_str());
    } else {
      std::printf("%s%s", kClearScreen, status_text(status).c_str());
    }
    std::fflush(stdout);
    if (arguments.for_us > 0 && system_clock().steady_us() >= deadline_us) break;
    const timespec wait{0, kRefreshNs};
    if (sigtimedwait(&signals, nullptr, &wait) > 0) break;
  }
  return ExitStatus::kOk;
}

}  // namespace syncline::app
