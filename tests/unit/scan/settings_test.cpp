// What a config may not ask of a system whose tables are scanned or polled.
#include "drivers/scan/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace syncline::scan {
namespace {

using testing::HasSubstr;

class Settings : public testing::Test {
 protected:
  Settings() {
    schema_.name = "customer";
    config_.name = "shop";
    ports::DatasetMapping mapping;
    mapping.schema = &schema_;
    mapping.columns = {"id", "name"};
    mapping.capture = ports::Capture::kScan;
    config_.datasets = {mapping, mapping};
  }
  std::string error() const {
    const auto found = is_scanned(config_, "a database");
    return found ? "" : to_string(found.error());
  }

  model::Schema schema_;
  ports::SystemConfig config_;
};

TEST_F(Settings, scans_and_polls_go_together) {
  config_.datasets[1].capture = ports::Capture::kPoll;
  config_.datasets[1].poll_by = "changed_at";
  EXPECT_TRUE(is_scanned(config_, "a database").value());
  for (auto& mapping : config_.datasets) mapping.capture = ports::Capture::kLog;
  EXPECT_FALSE(is_scanned(config_, "a database").value());
}

TEST_F(Settings, a_log_and_a_scan_do_not) {
  config_.datasets[1].capture = ports::Capture::kLog;
  EXPECT_THAT(error(), HasSubstr("system shop mixes capture"));
}

TEST_F(Settings, one_connection_writes_what_is_scanned) {
  config_.write_connections = 4;
  EXPECT_THAT(error(), HasSubstr("system shop has `write_connections` = 4"));
  for (auto& mapping : config_.datasets) mapping.capture = ports::Capture::kLog;
  EXPECT_EQ("", error());
}

TEST_F(Settings, a_log_is_not_filtered) {
  config_.datasets[0].capture = ports::Capture::kLog;
  config_.datasets[0].where = "region = 'CH'";
  EXPECT_THAT(error(), HasSubstr("dataset customer: `where` is set"));
}

TEST_F(Settings, a_poll_goes_by_a_column_that_others_do_not_write) {
  for (auto& mapping : config_.datasets) mapping.capture = ports::Capture::kPoll;
  EXPECT_THAT(error(), HasSubstr("`poll_by` is missing"));
  for (auto& mapping : config_.datasets) mapping.poll_by = "name";
  EXPECT_THAT(error(), HasSubstr("`poll_by` names name, which is synced"));
}

}  // namespace
}  // namespace syncline::scan
