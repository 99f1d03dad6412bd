// A target that is written through several connections: what goes side by side, what is met there
// and does not count, and connections that come and go.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>

#include "tests/unit/delivery/delivery_fixture.hpp"

namespace syncline::delivery {
namespace {

constexpr std::chrono::seconds kPatience{10};

// What all connections write to.
struct Database {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::pair<model::StreamId, model::LaneIndex>, model::Sequence> applied;
  std::map<std::string, size_t> written;  // how often, by dataset and key
  size_t transactions = 0, inside = 0, inside_most = 0;
  size_t wanted_inside = 0;             // apply waits until so many are
  std::set<std::string> parents_first;  // keys that are refused until a transaction has all of them
  std::set<std::string> poison;
};

std::string name_of(const ports::RecordWrite& write) {
  return std::to_string(write.dataset) + "/" + std::string(write.key);
}

class Line final : public ports::Target {
 public:
  explicit Line(Database& database) : database_(database) {}

  Result<void> open() override {
    ++opened_count;
    if (is_refused) return fail(ErrorCode::kSystemOpen, "too many connections", "", "");
    is_open = true;
    return success();
  }
  Result<void> open_epoch(uint32_t, std::span<const model::StreamId>, size_t) override {
    return success();
  }
  Result<std::vector<ports::Checkpoint>> probe(uint32_t) override {
    for (Line* other : others) other->is_open = false;
    SYN_TRY(open());
    std::vector<ports::Checkpoint> checkpoints;
    checkpoints.reserve(database_.applied.size());
    for (const auto& [flow, sequence] : database_.applied) {
      checkpoints.push_back({flow.first, flow.second, sequence});
    }
    return checkpoints;
  }
  Result<ports::ApplyResult> apply(const ports::WriteBatch& batch) override {
    if (!is_open) return fail(ErrorCode::kSystemOpen, "not connected", "", "");
    std::unique_lock lock(database_.mutex);
    ++database_.inside;
    database_.inside_most = std::max(database_.inside_most, database_.inside);
    database_.changed.notify_all();
    database_.changed.wait_for(lock, kPatience,
                               [this] { return database_.inside_most >= database_.wanted_inside; });
    --database_.inside;
    if (auto refused = find_refused(batch)) {
      return ports::ApplyResult{
          0, ports::Poison{*refused, {ErrorCode::kSystemRefused, "no", "", ""}}, {}};
    }
    for (const ports::MarkerMove& move : batch.moves) {
      EXPECT_EQ(database_.applied[std::pair(move.stream, move.lane)], move.previous);
      database_.applied[std::pair(move.stream, move.lane)] = move.next;
    }
    for (const ports::RecordWrite& write : batch.writes) ++database_.written[name_of(write)];
    ++database_.transactions;
    if (std::exchange(breaks_after_commit, false)) {
      is_open = false;
      return fail(ErrorCode::kSystemOpen, "the connection broke off", "", "");
    }
    return ports::ApplyResult{batch.writes.size(), {}, {}};
  }

  std::vector<Line*> others;
  bool is_refused = false, is_open = false, breaks_after_commit = false;
  size_t opened_count = 0;

 private:
  std::optional<size_t> find_refused(const ports::WriteBatch& batch) const {
    std::set<std::string> here;
    for (const ports::RecordWrite& write : batch.writes) here.insert(name_of(write));
    const bool has_all = std::includes(here.begin(), here.end(), database_.parents_first.begin(),
                                       database_.parents_first.end());
    for (size_t i = 0; i < batch.writes.size(); ++i) {
      const std::string name = name_of(batch.writes[i]);
      if (database_.poison.contains(name)) return i;
      if (database_.parents_first.contains(name) && !has_all) return i;
    }
    return std::nullopt;
  }

  Database& database_;
};

class WritersTest : public Delivering {
 protected:
  // worker_count: of the pool; 0: one after another.
  void start(size_t worker_count = 0) {
    first_.others = {&second_};
    pool_.emplace(worker_count);
    Options options;
    options.share_entries_min = 2;
    options.pool = &*pool_;
    Delivering::start(options, {&first_, &second_});
  }

  // One entry in each of the four lanes of a dataset.
  void accept_in_all_lanes(model::DatasetId dataset) {
    for (model::LaneIndex lane = 0; lane < 4; ++lane) accept(dataset, lane);
  }

  Database database_;
  Line first_{database_}, second_{database_};
  std::optional<WorkPool> pool_;
};

TEST_F(WritersTest, lanes_are_written_side_by_side) {
  database_.wanted_inside = 2;
  accept_in_all_lanes(kCustomer);
  start(1);
  run();
  EXPECT_EQ(2U, database_.inside_most);
  EXPECT_EQ(2U, database_.transactions);
  EXPECT_EQ(2U, delivery_->stats().connections);
  EXPECT_TRUE(is_done());
}

TEST_F(WritersTest, little_goes_through_one) {
  accept(kCustomer, 0);
  accept(kCustomer, 1);
  accept(kCustomer, 2);
  start();
  run();
  EXPECT_EQ(1U, database_.transactions);
  EXPECT_TRUE(is_done());
}

TEST_F(WritersTest, what_is_refused_side_by_side_is_tried_together) {
  for (model::LaneIndex lane = 0; lane < 4; ++lane)
    accept(lane % 2 == 0 ? kCustomer : kProduct, lane);
  database_.parents_first = {"11/1", "12/1"};  // in even and odd lanes: neither share has both
  start();
  run();
  EXPECT_EQ(0U, journal_skips());
  EXPECT_TRUE(is_done());
  EXPECT_EQ(2U, database_.written["11/1"]);  // of two lanes
  EXPECT_EQ(1U, database_.transactions);
}

TEST_F(WritersTest, what_is_refused_together_too_is_reported_once) {
  accept_in_all_lanes(kCustomer);
  accept_in_all_lanes(kProduct);
  database_.poison = {"12/1"};
  start();
  run();
  EXPECT_EQ(4U, journal_skips());  // the record of this key in each lane
  run();
  EXPECT_EQ(0U, journal_skips());
  EXPECT_EQ(4U, database_.written["11/1"]);
  EXPECT_EQ(0U, database_.written["12/1"]);
  EXPECT_TRUE(is_done());
}

TEST_F(WritersTest, a_connection_that_cannot_be_had_is_done_without_and_tried_again) {
  second_.is_refused = true;
  accept_in_all_lanes(kCustomer);
  start();
  run();
  EXPECT_TRUE(is_done());
  EXPECT_EQ(1U, database_.transactions);
  EXPECT_EQ(1U, delivery_->stats().connections);
  EXPECT_FALSE(delivery_->stats().is_retrying);
  second_.is_refused = false;
  accept_in_all_lanes(kCustomer);
  run();
  EXPECT_EQ(1U, second_.opened_count);  // not at every turn
  clock_.advance_us(31'000'000);
  accept_in_all_lanes(kCustomer);
  run();
  EXPECT_EQ(2U, delivery_->stats().connections);
  EXPECT_EQ(4U, database_.transactions);
}

TEST_F(WritersTest, a_commit_whose_answer_is_lost_is_found_and_not_done_again) {
  accept_in_all_lanes(kCustomer);
  start();
  second_.breaks_after_commit = true;
  run(1);
  EXPECT_EQ(2U, database_.transactions);
  EXPECT_FALSE(is_done());
  clock_.advance_us(10'000'000);
  run();
  EXPECT_TRUE(is_done());
  EXPECT_EQ(2U, database_.transactions);
  EXPECT_TRUE(second_.is_open);
}

TEST_F(WritersTest, what_makes_a_record_and_ends_it_is_delivered_without_a_write) {
  auto frame = std::make_shared<model::Frame>();
  frame->number = ++frames_[frame->lane];
  for (const model::EntryKind kind : {model::EntryKind::kInsert, model::EntryKind::kDelete}) {
    model::Entry& entry = frame->entries.emplace_back();
    entry.dataset = kCustomer;
    entry.sequence = frame->entries.size();
    entry.key = "1";
    entry.kind = kind;
    entry.targets = {kTarget};
  }
  commit(std::move(frame));
  start();
  run();
  const Stats stats = delivery_->stats();
  EXPECT_EQ(2U, stats.entries_read_total);
  EXPECT_EQ(2U, stats.entries_delivered_total);
  EXPECT_EQ(2U, stats.entries_superseded_total);
  EXPECT_EQ(0U, stats.rows_written_total);
}

}  // namespace
}  // namespace syncline::delivery
