#include "host/app/command_support.hpp"

#include <cstdio>

namespace syncline::app {

void print(const Arguments& arguments, const boost::json::value& data, const std::string& text) {
  const std::string out = arguments.is_json ? pretty(data) + "\n" : text;
  std::fwrite(out.data(), 1, out.size(), stdout);
  std::fflush(stdout);
}

Result<config::Config> read_config(const Arguments& arguments) {
  return config::first_error_or_config(config::load_config(arguments.config, offer()));
}

Result<boost::json::value> ask(const Arguments& arguments, const boost::json::object& request) {
  SYN_TRY(const config::Config config, read_config(arguments));
  return control(config.appliance.data, request);
}

Result<boost::json::value> ask_or_look(const Arguments& arguments,
                                       const boost::json::object& request, const Look& look) {
  auto answer = ask(arguments, request);
  if (answer || answer.error().code != ErrorCode::kNotRunning) return answer;
  SYN_TRY(const Blueprint blueprint, make_blueprint_to_run(arguments.config, system_clock()));
  const auto log = make_stderr_log(LogLevel::kWarning);
  SYN_TRY(const auto storage, Storage::open(*blueprint.config, Storage::Mode::kLook, system_clock(),
                                            system_random(), *log));
  return look(storage->shadow(), blueprint);
}

}  // namespace syncline::app
