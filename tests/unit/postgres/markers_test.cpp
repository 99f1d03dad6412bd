// Checkpoint rows: what moving one costs, and those that an earlier version made; and the session
// that moves them.
#include "tests/unit/postgres/postgres_fixture.hpp"

namespace syncline::postgres {
namespace {

constexpr model::Sequence kMovesPerBucket = 4;
constexpr model::Sequence kStep = 4096 / kMovesPerBucket;
constexpr const char* kRows = "SELECT count(*), max(seq) FROM syncline.syncline_checkpoint";

class Markers : public PostgresTest {
 protected:
  // Lane 0, so many times; nothing else is written.
  void move(size_t times, model::Sequence step) {
    for (size_t i = 0; i < times; ++i, at_ += step) {
      const ports::WriteBatch batch{kEpoch, {{schemas_[0].stream, 0, at_, at_ + step}}, {}};
      const auto applied = system_.target->apply(batch);
      ASSERT_TRUE(applied.has_value()) << applied.error().what;
    }
  }
  uint64_t blocks_read() const {
    return std::stoull(
        user_.ask("SELECT heap_blks_hit FROM pg_statio_user_tables WHERE relname = "
                  "'syncline_checkpoint'"));
  }
  void reopen() {
    system_ = make_postgres(config_, system_clock()).value();
    expect_ok(system_.target->open());
    expect_ok(system_.target->open_epoch(kEpoch, std::vector{schemas_[0].stream}, 4));
    const auto probed = system_.target->probe(kEpoch);
    ASSERT_TRUE(probed.has_value());
    ASSERT_EQ(4U, probed.value().size());
    EXPECT_EQ(at_, probed.value()[0].applied);
  }

  model::Sequence at_ = 0;
};

// How many pages of the table are looked at: they are counted when a session ends.
TEST_F(Markers, AMoveCostsNoMoreHoweverLongAnOldSnapshotIsHeld) {
  constexpr size_t kMoves = 4000;
  constexpr uint64_t kBlocksPerMoveMax = 12;
  start_customers();
  User holder(database_);
  holder.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
  move(kMoves, kStep);
  system_ = {};
  EXPECT_GT(kMoves * kBlocksPerMoveMax, blocks_read());
  holder.run("COMMIT");
}

TEST_F(Markers, ALaneKeepsOneRowWhenItsEpochIsOpenedAgain) {
  start_customers();
  move(kMovesPerBucket * 3, kStep);
  reopen();
  EXPECT_EQ("4|12288", user_.ask(kRows));
  move(1, 1);
}

TEST_F(Markers, ATableOfAnEarlierVersionIsMendedAndItsRowsGoOn) {
  start_customers();
  move(kMovesPerBucket * 3, kStep);
  system_ = {};
  user_.run(
      "ALTER TABLE syncline.syncline_checkpoint DROP COLUMN bucket, ADD CONSTRAINT renamed PRIMARY "
      "KEY (appliance, system, epoch, stream, lane); ALTER TABLE syncline.syncline_checkpoint "
      "REPLICA IDENTITY USING INDEX renamed");
  reopen();
  move(kMovesPerBucket, kStep);
  EXPECT_EQ("4|16384", user_.ask(kRows));
}

// Where a statement of ours has no index to go by, the planner's cost is one that is compiled for.
TEST_F(Markers, NoStatementOfOursIsCompiled) {
  start_customers(", jit text DEFAULT current_setting('jit')");
  apply({"put 1 name=Ann mail=NULL"});
  EXPECT_EQ("off", user_.ask("SELECT jit FROM customer"));
}

}  // namespace
}  // namespace syncline::postgres
