// How much one poll reads, and what is never cut.
#include "drivers/systems/postgres/detail/place.hpp"
#include "tests/unit/postgres/log_fixture.hpp"

namespace syncline::postgres {
namespace {

using testing::Each, testing::HasSubstr, testing::IsEmpty, testing::SizeIs, testing::StartsWith;

class Bounds : public Log {
 protected:
  // A marked transaction with that many records of ours.
  void apply_many(int count) {
    std::vector<std::string> puts;
    for (int i = 1; i <= count; ++i) {
      puts.push_back("put " + std::to_string(i) + " name=a mail=" + std::string(60, 'x') +
                     std::to_string(i));
    }
    apply(puts);
  }
  ports::PollResult poll_result(size_t row_limit) {
    auto polled = system_.source->poll(*sink_, row_limit, kPollMs);
    expect_ok(polled);
    return polled ? std::move(polled).value() : ports::PollResult{};
  }
  // Polls until one has shown something.
  std::vector<std::string> next_lines() {
    std::vector<std::string> lines;
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (lines.empty() && std::chrono::steady_clock::now() < deadline) lines = poll();
    return lines;
  }
  void expect_ours(std::vector<std::string> lines, size_t count) {
    ASSERT_THAT(lines, SizeIs(count + 1));
    EXPECT_EQ(marker(1), lines[0]);
    lines.erase(lines.begin());
    EXPECT_THAT(lines, Each(StartsWith("ours insert ")));
  }
};

TEST_F(Bounds, AMarkedTransactionPassesInOnePollHoweverLarge) {
  start_customers();
  Limits limits = small();
  limits.part_bytes = 20'000;
  open_with(limits);
  apply_many(2500);
  user_.run("INSERT INTO customer VALUES (9000, 'next', NULL)");
  expect_ours(next_lines(), 2500);
  EXPECT_THAT(take(1), Each(HasSubstr("9000")));
}

TEST_F(Bounds, AMarkedTransactionBehindAUsersIsNotCutWhereThePollEnds) {
  start_customers();
  open_with(small());
  user_.run(insert(5001, 5990, "a"));
  apply_many(1500);
  std::vector<std::string> lines = next_lines();
  ASSERT_LE(990U, lines.size());
  lines.erase(lines.begin(), lines.begin() + 990);
  expect_ours(lines.empty() ? next_lines() : lines, 1500);
}

// A journal of a version that cut them.
TEST_F(Bounds, AMarkedTransactionOfWhichAPartIsDurableComesWholeAgain) {
  start_customers();
  open_with(small());
  drain();
  Place place = *place_of(sink_->position);
  apply_many(1500);
  take(1501);
  place.part = {place_of(sink_->position)->lsn, 700};
  open_with(small(), position_of(place));
  expect_ours(next_lines(), 1500);
}

TEST_F(Bounds, SmallTransactionsOfManyBytesAreSeveralPolls) {
  start_customers();
  open_with(small());
  drain();
  const model::Position before = sink_->position;
  for (int i = 1; i <= 60; ++i) {
    user_.run("INSERT INTO customer VALUES (" + std::to_string(i) + ", repeat('x', 100000), NULL)");
  }
  open_with(small(), before);
  size_t row_count = 0;
  size_t poll_count = 0;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (row_count < 60 && std::chrono::steady_clock::now() < deadline) {
    const ports::PollResult result = poll_result(1000);
    EXPECT_GE(12U, result.row_count);
    row_count += result.row_count;
    if (result.row_count > 0) ++poll_count;
  }
  EXPECT_EQ(60U, row_count);
  EXPECT_LE(5U, poll_count);
}

TEST_F(Bounds, RejectedRowsCountTowardsThePoll) {
  user_.run("CREATE TABLE visit(id bigint PRIMARY KEY, day date)");
  start({make_schema("visit", "id:int64 day:date")});
  open_with(small());
  user_.run("INSERT INTO visit SELECT g, 'infinity' FROM generate_series(1, 3500) g");
  size_t rejected_count = 0;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (rejected_count < 3500 && std::chrono::steady_clock::now() < deadline) {
    const ports::PollResult result = poll_result(1000);
    EXPECT_GE(1000U, result.rejected.size());
    EXPECT_EQ(rejected_count + result.rejected.size() < 3500 && !result.rejected.empty(),
              result.has_more);
    rejected_count += result.rejected.size();
  }
  EXPECT_EQ(3500U, rejected_count);
}

// The rest of a record under a new key stands in a table that somebody has locked.
TEST_F(Bounds, WhatIsPassedOverIsNeitherReadAgainNorReadAtOnce) {
  start_customers();
  user_.run("ALTER TABLE customer DROP CONSTRAINT customer_mail_key");
  user_.run("ALTER TABLE customer ALTER mail SET STORAGE EXTERNAL");
  open_with(small());
  user_.run(
      "INSERT INTO customer SELECT g, 'a', repeat('x', 3000) FROM generate_series(1, 3500) g");
  take(3500);
  const Place before = *place_of(sink_->position);
  user_.run("UPDATE customer SET id = id + 10000");
  take(3500);
  Place place = before;
  place.part = {place_of(sink_->position)->lsn, 3000};
  open_with(small(), position_of(place));
  user_.run("SET idle_in_transaction_session_timeout = '10s'");
  user_.run("BEGIN; LOCK TABLE customer IN ACCESS EXCLUSIVE MODE");
  size_t more_count = 0;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (more_count < 3 && std::chrono::steady_clock::now() < deadline) {
    const ports::PollResult result = poll_result(1000);
    EXPECT_EQ(0U, result.row_count);
    if (result.has_more) ++more_count;
  }
  EXPECT_EQ(3U, more_count);
  EXPECT_THAT(sink_->take(), IsEmpty());
  user_.run("COMMIT");
  const auto rest = take(500);
  ASSERT_THAT(rest, SizeIs(500));
  EXPECT_THAT(rest[0], HasSubstr("update 13001 "));
  EXPECT_THAT(rest[499], HasSubstr("update 13500 "));
}

// Fifty milliseconds pass with every look at it: a source looks now and then.
class HastyClock final : public Clock {
 public:
  int64_t now_us() override { return system_clock().now_us(); }
  int64_t steady_us() override { return steady_us_ += 50'000; }

 private:
  int64_t steady_us_ = 1'000'000;
};

TEST_F(Bounds, APollEndsAtItsDeadlineWhileTransactionsKeepComing) {
  start_customers();
  HastyClock clock;
  open_with(small());
  drain();
  const model::Position before = sink_->position;
  for (int i = 1; i <= 600; ++i) {
    user_.run("INSERT INTO customer VALUES (" + std::to_string(i) + ", 'a', NULL)");
  }
  open_with(small(), before, clock);
  size_t row_count = 0;
  size_t more_count = 0;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (row_count < 600 && std::chrono::steady_clock::now() < deadline) {
    const ports::PollResult result = poll_result(1000);
    EXPECT_GE(300U, result.row_count);
    row_count += result.row_count;
    if (result.has_more) ++more_count;
  }
  EXPECT_EQ(600U, row_count);
  EXPECT_LE(1U, more_count);
  system_.source.reset();
}

TEST_F(Bounds, WideRowsComeAFewAtATime) {
  start_customers();
  user_.run(
      "INSERT INTO customer SELECT g, repeat('x', 100000), NULL FROM generate_series(1, 300) g");
  expect_a_few_at_a_time(chunk_sizes(), 128);
  expect_a_few_at_a_time(poll_sizes(300), 256);
}

}  // namespace
}  // namespace syncline::postgres
