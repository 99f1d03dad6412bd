// Which records hang on which parents, against a plain map; and what a poll that failed takes back.
#include "drivers/systems/mariadb/detail/children.hpp"

#include <algorithm>
#include <map>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace syncline::mariadb {
namespace {

using testing::ElementsAre, testing::IsEmpty, testing::UnorderedElementsAreArray;

model::KeyHash hash_of(uint64_t number) {
  return {number, number * 0x9E3779B97F4A7C15ULL};
}

// parents: one a link; 0: none.
ChildRecord record_of(uint64_t id, const std::vector<uint64_t>& parents) {
  ChildRecord record{std::to_string(id), "", {}};
  for (const uint64_t parent : parents) {
    const auto state = parent == 0 ? ParentRef::State::kNone : ParentRef::State::kKnown;
    record.parents.push_back({state, false, hash_of(parent)});
  }
  return record;
}

class ChildrenTest : public testing::Test {
 protected:
  using Plain = std::map<uint64_t, std::vector<uint64_t>>;  // a record's parents

  void put(uint64_t id, const std::vector<uint64_t>& parents) {
    children_.put(hash_of(id), record_of(id, parents), Children::Origin::kLog);
    plain_[id] = parents;
  }
  void remove(uint64_t id) {
    children_.remove(hash_of(id));
    plain_.erase(id);
  }
  void expect_as(const Plain& plain) const {
    EXPECT_EQ(plain.size(), children_.size());
    for (size_t link = 0; link < 2; ++link) {
      for (uint64_t parent = 1; parent < 8; ++parent) {
        std::vector<model::KeyHash> wanted;
        for (const auto& [id, parents] : plain) {
          if (parents[link] == parent) wanted.push_back(hash_of(id));
        }
        EXPECT_THAT(children_.of(link, hash_of(parent), Children::Which::kAll),
                    UnorderedElementsAreArray(wanted));
      }
    }
  }

  Children children_{2};
  Plain plain_;
};

TEST_F(ChildrenTest, WhatAFailedPollChangedIsTakenBack) {
  std::mt19937 random(7);
  for (int round = 0; round < 200 && !HasFailure(); ++round) {
    const Plain before = plain_;
    for (uint64_t change = random() % 12; change > 0; --change) {
      const uint64_t id = 1 + random() % 20;
      if (random() % 3 == 0) {
        remove(id);
      } else {
        put(id, {random() % 8, random() % 8});
      }
    }
    expect_as(plain_);
    if (random() % 2 == 0) {
      children_.commit();
      continue;
    }
    children_.roll_back();
    plain_ = before;
    expect_as(plain_);
  }
}

TEST_F(ChildrenTest, WhatWasLoadedIsToldApartUntilTheLogTellsOfIt) {
  children_.put(hash_of(1), record_of(1, {5, 0}), Children::Origin::kLoaded);
  EXPECT_THAT(children_.of(0, hash_of(5), Children::Which::kTold), IsEmpty());
  put(1, {5, 0});
  EXPECT_THAT(children_.of(0, hash_of(5), Children::Which::kTold), ElementsAre(hash_of(1)));
  children_.roll_back();
  EXPECT_THAT(children_.of(0, hash_of(5), Children::Which::kTold), IsEmpty());
  EXPECT_THAT(children_.of(0, hash_of(5), Children::Which::kAll), ElementsAre(hash_of(1)));
}

TEST_F(ChildrenTest, RecordsWhoseParentIsNotClearAreCounted) {
  ChildRecord unknown = record_of(1, {0, 3});
  unknown.parents[0].state = ParentRef::State::kUnknown;
  ChildRecord vague = record_of(2, {4, 3});
  vague.parents[0].is_vague = true;
  children_.put(hash_of(1), unknown, Children::Origin::kLog);
  children_.put(hash_of(2), vague, Children::Origin::kLog);
  EXPECT_EQ(2U, children_.unclear_count(0));
  EXPECT_EQ(0U, children_.unclear_count(1));
  children_.remove(hash_of(1));
  EXPECT_EQ(1U, children_.unclear_count(0));
  children_.roll_back();
  EXPECT_EQ(0U, children_.unclear_count(0));
}

}  // namespace
}  // namespace syncline::mariadb
