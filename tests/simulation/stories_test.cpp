// Whole runs that are told, not rolled: each with the one fault or promise it is named by.
#include <gtest/gtest.h>

#include "tests/simulation/world.hpp"

namespace syncline::simulation {
namespace {

constexpr int64_t kTenMinutesUs = 600 * kSecondUs;
constexpr int kRounds = 20;

class Simulation : public testing::Test {
 protected:
  ~Simulation() override {
    for (const Violation& violation : report_.violations()) {
      ADD_FAILURE() << violation.promise << ": " << violation.what;
    }
  }

  // REQUIRES: one of them is called first.
  void make(Plan plan) { world_ = std::make_unique<World>(std::move(plan), report_); }
  void begin(Plan plan) {
    make(std::move(plan));
    ASSERT_TRUE(world_->start());
  }
  void settle() { ASSERT_TRUE(world_->settle()); }

  model::Cell value(size_t field, int64_t tag) const {
    return make_value(world_->plan().datasets[0].kind(field), tag, 0);
  }
  int64_t insert(size_t system, const std::string& key) {
    const int64_t tag = world_->next_tag();
    user(system, {UserVerb::kInsert, {0, key}, {value(0, tag), value(1, tag)}});
    return tag;
  }
  int64_t update(size_t system, const std::string& key, size_t field) {
    const int64_t tag = world_->next_tag();
    UserOp op{UserVerb::kUpdate, {0, key}, {}};
    op.cells[field] = value(field, tag);
    user(system, op);
    return tag;
  }
  void remove(size_t system, const std::string& key) {
    user(system, {UserVerb::kDelete, {0, key}, {}});
  }
  void move(size_t system, const std::string& key, const std::string& new_key) {
    UserOp op{UserVerb::kMove, {0, key}, {}};
    op.new_key = new_key;
    user(system, op);
  }
  void user(size_t system, const UserOp& op) {
    world_->system(system).user_transaction({&op, 1});
    world_->clock().advance(kSecondUs);
  }

  void expect_everywhere(const std::string& key, size_t field, int64_t tag) {
    for (const auto& system : world_->systems()) {
      const StoredRow* row = system->row({0, key});
      ASSERT_NE(row, nullptr) << system->plan().name;
      EXPECT_EQ((*row)[field].tag, tag) << system->plan().name;
    }
  }
  uint64_t marked_commits() const {
    uint64_t count = 0;
    for (const auto& system : world_->systems()) count += system->marked_commits;
    return count;
  }

  Report report_;
  std::unique_ptr<World> world_;
};

// Appliances, of which the first and the last are linked too where there are three.
class Idle : public Simulation, public testing::WithParamInterface<size_t> {};

TEST_P(Idle, ten_thousand_seconds_cause_no_write) {
  Plan plan = make_calm_plan(3, GetParam());
  if (GetParam() == 3) plan.links.emplace_back(0, 2);
  plan.systems[1].rounding = Rounding::kQuarter;  // what it corrects must come to rest as well
  begin(std::move(plan));
  for (const size_t system : {0u, 1u, 2u}) insert(system, "k" + std::to_string(system));
  settle();
  const uint64_t writes = marked_commits();
  const int64_t begin_us = world_->clock().true_us();
  world_->stay_idle();
  EXPECT_GE(world_->clock().true_us() - begin_us, 10'000 * kSecondUs);
  EXPECT_GT(writes, 0u);
  EXPECT_EQ(marked_commits(), writes);
}

INSTANTIATE_TEST_SUITE_P(Appliances, Idle, testing::Values(1, 2, 3));

struct Skews {
  int64_t first_us;
  int64_t second_us;
};

class Clocks : public Simulation, public testing::WithParamInterface<std::tuple<Skews, size_t>> {};

// Rows move on by one key, back, and leave a key that is taken again, each in one transaction:
// every system keeps in each what it alone holds.
class Chains : public Simulation, public testing::WithParamInterface<size_t> {};

TEST_P(Chains, keep_what_only_a_system_holds) {
  Plan plan = make_calm_plan(3, GetParam());
  plan.systems[1].log_style = LogStyle::kNet;
  begin(std::move(plan));
  for (const char* key : {"1", "2", "3"}) insert(0, key);
  settle();
  const auto kept_at = [this](const std::string& keys) {
    std::vector<int64_t> kept;
    for (const auto& system : world_->systems()) {
      for (const char key : keys) {
        const StoredRow* row = system->row({0, std::string(1, key)});
        kept.push_back(row == nullptr ? 0 : row->kept);
      }
    }
    return kept;
  };
  const auto move_all = [this](size_t system, const std::vector<std::string>& moves) {
    std::vector<UserOp> ops;
    for (const std::string& each : moves) {
      ops.push_back({UserVerb::kMove, {0, each.substr(0, 1)}, {}});
      ops.back().new_key = each.substr(1);
    }
    world_->system(system).user_transaction(ops);
    world_->clock().advance(kSecondUs);
  };
  const auto first = kept_at("123");
  for (const size_t system : {0u, 1u}) {
    move_all(system, {"34", "23", "12"});
    settle();
    EXPECT_EQ(kept_at("234"), first);
    EXPECT_EQ(kept_at("1"), std::vector<int64_t>(3, 0));
    move_all(system, {"21", "32", "43"});
    settle();
    EXPECT_EQ(kept_at("123"), first);
    move_all(system, {"34", "23", "12"});
    move_all(system, {"21", "32", "43"});
    settle();
    EXPECT_EQ(kept_at("123"), first);
    move_all(system, {"1x", "2y", "3z", "x3", "y1", "z2"});
    move_all(system, {"3a", "2b", "1c", "a1", "b3", "c2"});  // before that has come anywhere
    settle();
    EXPECT_EQ(kept_at("123"), first);
    move_all(system, {"36"});
    const int64_t tag = insert(system, "3");
    settle();
    EXPECT_EQ(kept_at("126"), first);
    expect_everywhere("3", 0, tag);
    remove(system, "3");
    move_all(system, {"63"});
    settle();
    EXPECT_EQ(kept_at("123"), first);
  }
  world_->check();
}

INSTANTIATE_TEST_SUITE_P(Appliances, Chains, testing::Values(1, 2));

// Two systems, each of whose users have seen the other's update when they make their own.
TEST_P(Clocks, ten_minutes_apart_the_later_update_wins) {
  const auto& [skews, appliance_count] = GetParam();
  Plan plan = make_calm_plan(2, appliance_count);
  plan.systems[0].skew_us = skews.first_us;
  plan.systems[1].skew_us = skews.second_us;
  begin(std::move(plan));
  insert(0, "k");
  settle();
  for (int round = 0; round < kRounds; ++round) {
    const int64_t later = update(round % 2, "k", 0);
    settle();
    expect_everywhere("k", 0, later);
  }
  world_->check();
  EXPECT_EQ(world_->figures().conflicts, 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Alternating, Clocks,
    testing::Combine(testing::Values(Skews{kTenMinutesUs, 0}, Skews{0, kTenMinutesUs},
                                     Skews{-kTenMinutesUs, 0}, Skews{0, -kTenMinutesUs},
                                     Skews{kTenMinutesUs / 2, -kTenMinutesUs / 2}),
                     testing::Values(1, 2)));

// Whoever has not seen the other's update is outdone by the clock, and by it alone.
TEST_F(Simulation, true_ties_are_decided_by_time) {
  begin(make_calm_plan(2));
  insert(0, "k");
  settle();
  update(0, "k", 0);
  const int64_t newer = update(1, "k", 0);
  settle();
  expect_everywhere("k", 0, newer);
  EXPECT_EQ(world_->observer().conflict_count, 1u);
}

// The seed that was a false alarm: what a reader of states forgot in a crash, and then could not
// see any more, has replaced nothing.
TEST_F(Simulation, an_update_hidden_by_a_delete_replaced_nothing) {
  Plan plan = make_calm_plan(2);
  plan.systems[0].log_style = LogStyle::kNet;
  plan.datasets[0].deletes = core::DeletePolicy::kUpdateWins;
  begin(std::move(plan));
  const int64_t first = insert(1, "k");
  settle();
  update(0, "k", 0);
  ASSERT_TRUE(world_->appliance().capture(0, 10).has_value());
  world_->lose(SimDisk::Loss::kLost);
  world_->crash();
  remove(0, "k");
  const int64_t unseen = update(1, "k", 1);
  settle();
  expect_everywhere("k", 0, first);
  expect_everywhere("k", 1, unseen);
  world_->check();
}

// Nobody may look the other way: the same, but read and committed in time.
TEST_F(Simulation, an_update_that_was_read_did_replace) {
  Plan plan = make_calm_plan(2);
  plan.systems[0].log_style = LogStyle::kNet;
  plan.datasets[0].deletes = core::DeletePolicy::kUpdateWins;
  begin(std::move(plan));
  insert(1, "k");
  settle();
  const int64_t read = update(0, "k", 0);
  ASSERT_TRUE(world_->appliance().capture(0, 10).has_value());
  ASSERT_TRUE(world_->appliance().commit().has_value());
  world_->lose(SimDisk::Loss::kLost);
  world_->crash();
  remove(0, "k");
  const int64_t unseen = update(1, "k", 1);
  settle();
  expect_everywhere("k", 0, read);
  expect_everywhere("k", 1, unseen);
  world_->check();
}

TEST_F(Simulation, a_cut_link_heals_and_both_sides_agree) {
  begin(make_calm_plan(2, 2));
  insert(0, "k");
  settle();
  world_->network().cut(0, 1, world_->clock().steady_us() + kTenMinutesUs);
  const int64_t older = update(0, "k", 0);
  const int64_t newer = update(1, "k", 0);
  for (int round = 0; round < kRounds; ++round) world_->work_once();
  EXPECT_EQ((*world_->system(0).row({0, "k"}))[0].tag, older);
  EXPECT_EQ((*world_->system(1).row({0, "k"}))[0].tag, newer);
  world_->network().mend();
  settle();
  expect_everywhere("k", 0, newer);
  world_->check();
  EXPECT_EQ(world_->figures().conflicts, 2u);  // each appliance met it
}

TEST_F(Simulation, what_was_deleted_behind_a_cut_link_does_not_come_back) {
  begin(make_calm_plan(2, 2));
  insert(0, "k");
  settle();
  world_->network().cut(0, 1, world_->clock().steady_us() + kTenMinutesUs);
  remove(0, "k");
  for (int round = 0; round < kRounds; ++round) world_->work_once();
  world_->crash(0);
  world_->crash(1);
  world_->network().mend();
  settle();
  for (const auto& system : world_->systems()) EXPECT_EQ(system->row({0, "k"}), nullptr);
  const int64_t again = insert(1, "k");
  settle();
  expect_everywhere("k", 0, again);
  world_->check();
}

TEST_F(Simulation, a_row_whose_key_changes_keeps_what_is_not_synced) {
  begin(make_calm_plan(3, 2));
  const int64_t made = insert(0, "k");
  settle();
  std::vector<int64_t> kept;
  for (const auto& system : world_->systems()) kept.push_back(system->row({0, "k"})->kept);
  move(1, "k", "l");
  move(1, "l", "m");
  settle();
  expect_everywhere("m", 0, made);
  for (const auto& system : world_->systems()) {
    EXPECT_EQ(system->row({0, "m"})->kept, kept[system->index()]) << system->plan().name;
    EXPECT_EQ(system->row({0, "k"}), nullptr) << system->plan().name;
  }
  world_->check();
}

// Lost in the middle of batches, hanging, full, and back: the journal is the one that the CPU
// writes.
TEST_F(Simulation, a_device_that_fails_and_comes_back_changes_nothing) {
  const auto head_with = [this](bool has_device) {
    Plan plan = make_calm_plan(3);
    plan.seed = 7;
    plan.appliances[0].has_device = has_device;
    plan.faults.device = 0.3;
    begin(std::move(plan));
    for (int round = 0; round < 10 * kRounds; ++round) {
      const std::string key = "k" + std::to_string(round % 9);
      const size_t system = static_cast<size_t>(round) % 3;
      if (round < 9) insert(system, key);
      if (round >= 9) update(system, key, static_cast<size_t>(round) % 2);
      world_->work_once();
      if (round % 50 == 49) world_->crash();
      EXPECT_TRUE(world_->start());
    }
    settle();
    world_->check();
    world_->restart_cleanly();
    world_->check_audit();
    const RunFigures figures = world_->figures();
    EXPECT_EQ(figures.device_faults > 20, has_device) << figures.device_faults;
    EXPECT_EQ(figures.device_batches > 100, has_device) << figures.device_batches;
    return world_->appliance().head();
  };
  EXPECT_EQ(head_with(true), head_with(false));
}

TEST_F(Simulation, two_rows_of_a_number_stay_until_one_gets_another) {
  Plan plan = make_calm_plan(3);
  plan.datasets[0].insert_exists = core::InsertExists::kQuarantine;
  begin(std::move(plan));
  const int64_t first = insert(0, "k");
  const int64_t second = insert(1, "k");
  settle();
  EXPECT_EQ((*world_->system(0).row({0, "k"}))[0].tag, first);
  EXPECT_EQ((*world_->system(1).row({0, "k"}))[0].tag, second);
  EXPECT_EQ(world_->observer().apart.size(), 1u);
  world_->check();
  move(1, "k", "l");
  settle();
  expect_everywhere("k", 0, first);
  expect_everywhere("l", 0, second);
  EXPECT_TRUE(world_->observer().apart.empty());
  world_->check();
}

// One run, cut at each write, sync, rename and removal in turn, each time with all, nothing and a
// torn part of what was not synced; by itself, and linked to another appliance.
class CrashAtEveryBoundary : public Simulation,
                             public testing::WithParamInterface<std::tuple<SimDisk::Loss, size_t>> {
 protected:
  // Users at both systems, with lanes, conflicts, deletes and checkpoints. False: it crashed.
  bool work(int round) {
    const std::string key = "k" + std::to_string(round % 3);
    if (world_->system(0).row({0, key}) == nullptr) {
      insert(0, key);
    } else {
      update(0, key, 0);
    }
    if (world_->system(1).row({0, key}) != nullptr) {
      round % 4 == 3 ? remove(1, key) : static_cast<void>(update(1, key, round % 2));
    }
    world_->work_once();
    update(0, key + "b", 0);
    insert(0, key + "b");
    // The checkpoint finds something that no commit has made durable.
    static_cast<void>(world_->appliance().capture(0, 50));
    static_cast<void>(world_->appliance().checkpoint(2));
    return !world_->disk().is_down();
  }
  // The number of boundaries passed; crashes at one of them, if it is among them.
  uint64_t run(uint64_t boundary) {
    Plan plan = make_calm_plan(2, std::get<1>(GetParam()));
    plan.journal.segment_size_bytes = 4u << 10;
    plan.journal.retain_us = 0;
    make(std::move(plan));
    world_->lose(std::get<0>(GetParam()));
    world_->disk().crash_at(boundary);
    for (int round = 0; round < 12; ++round) {
      if (!world_->start()) continue;
      if (!work(round)) world_->crash();
    }
    EXPECT_TRUE(world_->settle());
    world_->check();
    world_->restart_cleanly();
    const uint64_t count = world_->disk().boundary_count();
    world_->check_audit();
    world_.reset();
    return count;
  }
};

std::string loss_name(const testing::TestParamInfo<std::tuple<SimDisk::Loss, size_t>>& made) {
  static const char* const kNames[] = {"kept", "lost", "torn"};
  const auto& [loss, appliance_count] = made.param;
  return std::string(kNames[static_cast<size_t>(loss)]) +
         (appliance_count > 1 ? "_linked" : "_alone");
}

TEST_P(CrashAtEveryBoundary, nothing_is_lost_or_done_twice) {
  const uint64_t count = run(~uint64_t{0});
  ASSERT_GT(count, 100u);
  for (uint64_t boundary = 0; boundary < count && report_.is_clean(); ++boundary) {
    SCOPED_TRACE("crashed at boundary " + std::to_string(boundary));
    run(boundary);
  }
}

INSTANTIATE_TEST_SUITE_P(Losses, CrashAtEveryBoundary,
                         testing::Combine(testing::Values(SimDisk::Loss::kKept,
                                                          SimDisk::Loss::kLost,
                                                          SimDisk::Loss::kTorn),
                                          testing::Values(1, 2)),
                         loss_name);

}  // namespace
}  // namespace syncline::simulation
