// What the config asks of scans and polls, and what plan says of them.
#include "drivers/scan/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/scan/findings.hpp"

namespace syncline::scan {
namespace {

using testing::HasSubstr, testing::Not;

class ScanSettings : public testing::Test {
 protected:
  ScanSettings() {
    schema_.name = "customer";
    ports::DatasetMapping& mapping = config_.datasets.emplace_back();
    mapping.schema = &schema_;
    mapping.table = "customer";
    mapping.columns = {"id", "name"};
    mapping.capture = ports::Capture::kPoll;
    mapping.poll_by = "changed_at";
  }
  ports::DatasetMapping& mapping() { return config_.datasets[0]; }
  std::string told() {
    std::vector<ports::Finding> findings;
    find_unseen(mapping(), findings);
    PollColumn column;
    column.mapping = &mapping();
    column.type = "timestamp";
    column.kind = PollColumn::Kind::kClock;
    column.is_indexed = true;
    column.is_zoneless = is_zoneless_;
    find_poll(column, "", findings);
    std::string text;
    for (const ports::Finding& finding : findings) text += finding.what + "\n" + finding.fix + "\n";
    return text;
  }

  model::Schema schema_;
  ports::SystemConfig config_;
  bool is_zoneless_ = false;
};

TEST_F(ScanSettings, APollColumnThatOtherSystemsWriteIsRefused) {
  EXPECT_TRUE(is_scanned(config_, "a database").has_value());
  mapping().columns.emplace_back("changed_at");
  const auto refused = is_scanned(config_, "a database");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(ErrorCode::kConfigValue, refused.error().code);
  EXPECT_THAT(refused.error().fix, HasSubstr("exclude = [\"changed_at\"]"));
  mapping().direction = ports::Direction::kFrom;  // nobody writes to it
  EXPECT_TRUE(is_scanned(config_, "a database").has_value());
}

TEST_F(ScanSettings, PlanSaysWhatARowFilterLeavesOut) {
  EXPECT_THAT(told(), Not(HasSubstr("`where`")));
  mapping().where = "region = 'CH'";
  EXPECT_THAT(told(), HasSubstr("goes to quarantine"));
  EXPECT_THAT(told(), HasSubstr("does not see records that leave `where`"));
  mapping().capture = ports::Capture::kScan;
  EXPECT_THAT(told(), Not(HasSubstr("that leave `where`")));
}

TEST_F(ScanSettings, PlanSaysThatAClockWithoutAZoneIsSetBackInAutumn) {
  EXPECT_THAT(told(), Not(HasSubstr("autumn")));
  is_zoneless_ = true;
  EXPECT_THAT(told(), HasSubstr("autumn"));
  mapping().overlap_us = 3'600'000'000;
  EXPECT_THAT(told(), Not(HasSubstr("autumn")));
}

}  // namespace
}  // namespace syncline::scan
