// The last place an error comes to.
#include <cstdio>
#include <exception>

#include "host/app/arguments.hpp"
#include "host/app/control.hpp"

namespace {

int run(int argc, const char* const* argv) {
  const syncline::app::Parsed parsed = syncline::app::parse_command_line(argc, argv);
  if (!parsed.arguments) return parsed.exit_status;
  const auto command = syncline::app::find_command(parsed.arguments->command);
  const auto done = command(*parsed.arguments);
  if (done) return static_cast<int>(done.value());
  const syncline::Error& error = done.error();
  const std::string told = parsed.arguments->is_json
                               ? syncline::app::pretty(syncline::app::error_to_json(error))
                               : "syncline: " + syncline::to_string(error);
  std::fprintf(stderr, "%s\n", told.c_str());
  return static_cast<int>(syncline::exit_status(error.code));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "syncline: SYN-1000: an unexpected exception: %s. Fix: report it\n",
                 error.what());
  }
  return static_cast<int>(syncline::ExitStatus::kInternal);
}
