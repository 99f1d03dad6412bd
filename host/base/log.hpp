// Log: one line per event on standard error, for people and for journald.
//
// An instance, handed to whoever stops an error's way up; nothing below logs. Messages never hold
// secrets or record values. Threads: any. Errors: none; a line that cannot be written is dropped.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "host/base/error.hpp"
#include "host/base/result.hpp"

namespace syncline {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError, kOff };

// "debug", "info", "warning", "error", "off". Errors: kConfigValue.
Result<LogLevel> parse_log_level(std::string_view text);

class Log {
 public:
  virtual ~Log() = default;
  virtual void write(LogLevel level, std::string_view message) = 0;
  virtual void set_level(LogLevel level) = 0;

  void debug(std::string_view message) { write(LogLevel::kDebug, message); }
  void info(std::string_view message) { write(LogLevel::kInfo, message); }
  void warning(std::string_view message) { write(LogLevel::kWarning, message); }
  void error(std::string_view message) { write(LogLevel::kError, message); }
  void error(const Error& what) { write(LogLevel::kError, to_string(what)); }
};

// Writes lines of `level` and above to standard error.
std::unique_ptr<Log> make_stderr_log(LogLevel level);

}  // namespace syncline
