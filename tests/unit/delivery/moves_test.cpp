// What a transaction takes while rows wait whose keys changed.
#include "host/delivery/moves.hpp"

#include <gtest/gtest.h>

#include "host/delivery/transaction.hpp"

namespace syncline::delivery {
namespace {

using model::EntryKind;

constexpr size_t kLanes = 4;
constexpr model::SystemId kTarget = 7;

class Moved : public testing::Test {
 protected:
  static model::LaneIndex lane_of(const std::string& key) {
    return model::lane_of(model::hash_key(key), kLanes);
  }
  // A key of this lane that was not given before.
  std::string key_in(model::LaneIndex lane) {
    while (true) {
      std::string key = "k" + std::to_string(next_key_++);
      if (lane_of(key) == lane) return key;
    }
  }
  void accept(EntryKind kind, const std::string& key) {
    auto group = std::make_shared<journal::Group>();
    add(*group, kind, key);
    commit(group);
  }
  void add(journal::Group& group, EntryKind kind, const std::string& key,
           const std::string& with = "") {
    auto frame = std::make_shared<model::Frame>();
    frame->lane = lane_of(key);
    model::Entry& entry = frame->entries.emplace_back();
    entry.dataset = 1;
    entry.sequence = ++sequences_[frame->lane];
    entry.key = key;
    entry.key_hash = model::hash_key(key);
    entry.kind = kind;
    entry.targets = {kTarget};
    if (!with.empty()) entry.moved_with = model::hash_key(with);
    group.frames.push_back(std::move(frame));
  }
  void commit(const std::shared_ptr<journal::Group>& group) {
    group->number = ++group_;
    pending_.add(group);
  }
  void move(const std::string& from, const std::string& to) {
    auto group = std::make_shared<journal::Group>();
    add(*group, EntryKind::kDelete, from, to);
    add(*group, EntryKind::kPut, to, from);
    commit(group);
  }
  void fill(model::LaneIndex lane, size_t count) {
    for (size_t i = 0; i < count; ++i) accept(EntryKind::kPut, key_in(lane));
  }
  Taken take(size_t entries_max) {
    const auto may_go = [this](const FlowId& id) { return id.second != blocked_; };
    return take_whole_groups(pending_.flows(), entries_max, may_go);
  }

  static model::Schema schema_of_one() {
    model::Schema schema;
    schema.dataset = 1;
    schema.stream = 1;
    return schema;
  }

  const model::Schema schema_ = schema_of_one();
  Pending pending_{kTarget, {&schema_}};
  std::map<model::LaneIndex, model::Sequence> sequences_;
  journal::GroupNumber group_ = 0;
  size_t next_key_ = 0;
  model::LaneIndex blocked_ = kLanes;
};

TEST_F(Moved, both_ends_of_a_move_go_together) {
  fill(1, 5);
  for (size_t i = 0; i < 3; ++i) move(key_in(0), key_in(1));
  EXPECT_EQ(pending_.moved_count(), 6u);
  EXPECT_EQ(take(1), (Taken{{{1, 1}, 1}}));
  EXPECT_EQ(take(5), (Taken{{{1, 1}, 5}}));
  EXPECT_EQ(take(6), (Taken{{{1, 0}, 1}, {{1, 1}, 6}}));
  EXPECT_EQ(take(9), (Taken{{{1, 0}, 2}, {{1, 1}, 7}}));
  EXPECT_EQ(take(99), (Taken{{{1, 0}, 3}, {{1, 1}, 8}}));
  pending_.finish({1, 0}, 3);
  pending_.finish({1, 1}, 7);
  EXPECT_EQ(pending_.moved_count(), 1u);
  pending_.set_aside({1, 1});
  EXPECT_EQ(pending_.moved_count(), 0u);
}

TEST_F(Moved, what_may_not_go_stays) {
  const std::string from = key_in(0);
  move(from, key_in(1));
  fill(0, 1);
  blocked_ = 1;
  EXPECT_EQ(take(9), (Taken{{{1, 0}, 2}}));
  blocked_ = 0;
  EXPECT_EQ(take(9), (Taken{{{1, 1}, 1}}));
  blocked_ = kLanes;
  pending_.refuse({1, 0}, {pending_.flows().at({1, 0}).entries[0].entry});
  EXPECT_EQ(take(9), (Taken{{{1, 1}, 1}}));
}

}  // namespace
}  // namespace syncline::delivery
