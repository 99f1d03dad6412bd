// Tables that are looked at now and then beside the log, without waiting for when that is due.
#pragma once

#include <string>
#include <vector>

#include "tests/unit/postgres/log_fixture.hpp"

namespace syncline::postgres {

// The machine's, but what is due later can be due now.
class SkipClock final : public Clock {
 public:
  int64_t now_us() override { return system_clock().now_us(); }
  int64_t steady_us() override { return system_clock().steady_us() + skipped_us_; }
  void skip_seconds(int64_t seconds) { skipped_us_ += seconds * 1'000'000; }

 private:
  int64_t skipped_us_ = 0;
};

class Looked : public Log {
 protected:
  ~Looked() override { system_ = {}; }  // before its clock
  // What the table has once it is asked to be read, which is soon.
  std::vector<std::string> read_behind(const std::string& sql) {
    user_.run(sql);
    rescans_.clear();
    clock_.skip_seconds(6);
    poll_until([this] { return !rescans_.empty(); });
    EXPECT_THAT(rescans_, testing::ElementsAre(schemas_[0].dataset));
    return snapshot();
  }
  void expect_nothing_to_read() {
    rescans_.clear();
    clock_.skip_seconds(6);
    take_for(500);
    EXPECT_THAT(rescans_, testing::IsEmpty());
  }

  // What the table has once another appliance's life has begun, which asks for it to be read.
  std::vector<std::string> read_at_next_start(const std::string& sql) {
    stop_and(sql);
    poll_until([this] { return !rescans_.empty(); });
    EXPECT_THAT(rescans_, testing::ElementsAre(schemas_[0].dataset));
    return snapshot();
  }
  void expect_nothing_to_read_after(const std::string& sql) {
    stop_and(sql);
    expect_nothing_to_read();
  }
  void stop_and(const std::string& sql) {
    take_for(200);
    const std::string layout = source_->layout();
    EXPECT_NE("", layout);
    system_.source.reset();
    user_.run(sql);
    rescans_.clear();
    make_source(small(), clock_);
    source_->compare_with(layout);
    expect_ok(source_->open(sink_->position));
  }

  SkipClock clock_;
};

}  // namespace syncline::postgres
