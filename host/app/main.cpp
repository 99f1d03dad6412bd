// The last place an error comes to.
#include <cstdio>
#include <exception>

#include "host/app/arguments.hpp"

namespace {

int run(int argc, const char* const* argv) {
  const syncline::app::Parsed parsed = syncline::app::parse_command_line(argc, argv);
  if (!parsed.arguments) return parsed.exit_status;
  const auto command = syncline::app::find_command(parsed.arguments->command);
  const auto done = command(*parsed.arguments);
  if (done) return static_cast<int>(done.value());
  std::fprintf(stderr, "syncline: %s\n", syncline::to_string(done.error()).c_str());
  return static_cast<int>(syncline::exit_status(done.error().code));
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
