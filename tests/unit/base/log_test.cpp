#include "host/base/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace syncline {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(LogTest, lines_below_the_level_are_dropped) {
  const auto log = make_stderr_log(LogLevel::kWarning);
  ::testing::internal::CaptureStderr();
  log->info("quiet");
  log->warning("loud");
  log->set_level(LogLevel::kDebug);
  log->debug("detail");
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, Not(HasSubstr("quiet")));
  EXPECT_THAT(text, HasSubstr("warning loud\n"));
  EXPECT_THAT(text, HasSubstr("debug detail\n"));
}

TEST(LogTest, a_message_with_braces_is_printed_as_it_is) {
  const auto log = make_stderr_log(LogLevel::kInfo);
  ::testing::internal::CaptureStderr();
  log->info("{} {0} {bad");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("{} {0} {bad\n"));
}

TEST(LogTest, an_error_is_printed_with_its_code_and_fix) {
  const auto log = make_stderr_log(LogLevel::kInfo);
  ::testing::internal::CaptureStderr();
  log->error(Error{ErrorCode::kDamaged, "segment 3", "a wrong tag", "run syncline resync"});
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, HasSubstr("SYN-4005"));
  EXPECT_THAT(text, HasSubstr("run syncline resync"));
}

TEST(LogTest, levels_are_known_by_name) {
  EXPECT_EQ(parse_log_level("warning").value(), LogLevel::kWarning);
  EXPECT_EQ(parse_log_level("loud").error().code, ErrorCode::kConfigValue);
}

}  // namespace
}  // namespace syncline
