#include "host/base/log.hpp"

#include <string>

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace syncline {
namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

class StderrLog final : public Log {
 public:
  explicit StderrLog(LogLevel level)
      : logger_("syncline", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    logger_.set_pattern("%Y-%m-%dT%H:%M:%S.%f%z %l %v");
    logger_.flush_on(spdlog::level::debug);
    set_level(level);
  }

  void write(LogLevel level, std::string_view message) override {
    logger_.log(spdlog_level(level), spdlog::string_view_t(message.data(), message.size()));
  }
  void set_level(LogLevel level) override { logger_.set_level(spdlog_level(level)); }

 private:
  spdlog::logger logger_;
};

}  // namespace

Result<LogLevel> parse_log_level(std::string_view text) {
  if (text == "debug") return LogLevel::kDebug;
  if (text == "info") return LogLevel::kInfo;
  if (text == "warning") return LogLevel::kWarning;
  if (text == "error") return LogLevel::kError;
  if (text == "off") return LogLevel::kOff;
  return fail(ErrorCode::kConfigValue, "unknown log level \"" + std::string(text) + "\"", "",
              "use debug, info, warning, error or off");
}

std::unique_ptr<Log> make_stderr_log(LogLevel level) {
  return std::make_unique<StderrLog>(level);
}

}  // namespace syncline
