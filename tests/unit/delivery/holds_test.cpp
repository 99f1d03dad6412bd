// What of a target's work waits, and that the rest goes on: over a real journal, to a target that
// refuses on demand.
#include <map>
#include <set>

#include "tests/unit/delivery/delivery_fixture.hpp"

namespace syncline::delivery {
namespace {

// Takes all, but of datasets in `refused`, of flows whose rows somebody holds, of `poison`, and of
// those in `needy` before there is a product.
class PickyTarget final : public ports::Target {
 public:
  Result<void> open() override { return success(); }
  Result<void> open_epoch(uint32_t, std::span<const model::StreamId>, size_t) override {
    return success();
  }
  Result<std::vector<ports::Checkpoint>> probe(uint32_t) override {
    std::vector<ports::Checkpoint> checkpoints;
    checkpoints.reserve(applied.size());
    for (const auto& [flow, sequence] : applied) {
      checkpoints.push_back({flow.first, flow.second, sequence});
    }
    return checkpoints;
  }
  Result<ports::ApplyResult> apply(const ports::WriteBatch& batch) override {
    ++tries;
    ports::ApplyResult result;
    for (const ports::RecordWrite& write : batch.writes) {
      if (!refused.contains(write.dataset) || !result.stopped.empty()) continue;
      result.stopped.push_back({write.dataset, {ErrorCode::kSystemSchema, "no table", "", ""}});
    }
    if (!result.stopped.empty()) {
      ++stops;
      return result;
    }
    for (const ports::MarkerMove& move : batch.moves) {
      if (!held.contains({move.stream, move.lane})) continue;
      return fail(ErrorCode::kSystemBusy, "a row is held", "", "");
    }
    for (size_t i = 0; i < batch.writes.size(); ++i) {
      if (!poison.contains({batch.writes[i].dataset, std::string(batch.writes[i].key)})) continue;
      ++poisonings;
      const ports::Poison found{i, {ErrorCode::kSystemRefused, "a check says no", "", ""}};
      if (result.poison) result.other_poisons.push_back(found);
      if (!result.poison) result.poison = found;
      if (!tells_all) break;
    }
    if (result.poison) return result;
    for (size_t i = 0; i < batch.writes.size(); ++i) {
      const auto& write = batch.writes[i];
      if (!poison_needs.contains({write.dataset, std::string(write.key)})) continue;
      const Error error{ErrorCode::kSystemRefused, "it needs what never comes", "", ""};
      if (result.poison) result.other_poisons.push_back({i, error, true});
      if (!result.poison) result.poison = {i, error, true};
      if (!tells_all) break;
    }
    if (result.poison) return result;
    for (size_t i = 0; i < batch.writes.size(); ++i) {
      if (!needy.contains(batch.writes[i].dataset) || written[kProduct] > 0) continue;
      ++needs;
      result.poison = {i, {ErrorCode::kSystemRefused, "it needs a product", "", ""}, true};
      return result;
    }
    for (const ports::MarkerMove& move : batch.moves) {
      EXPECT_EQ(applied[std::pair(move.stream, move.lane)], move.previous);
      applied[std::pair(move.stream, move.lane)] = move.next;
    }
    for (const ports::RecordWrite& write : batch.writes) ++written[write.dataset];
    return result;
  }

  std::set<model::DatasetId> refused;
  std::set<std::pair<model::StreamId, model::LaneIndex>> held;
  std::set<std::pair<model::DatasetId, std::string>> poison;
  std::set<std::pair<model::DatasetId, std::string>> poison_needs;
  std::set<model::DatasetId> needy;
  bool tells_all = false;  // not only the first
  std::map<std::pair<model::StreamId, model::LaneIndex>, model::Sequence> applied;
  std::map<model::DatasetId, size_t> written;
  size_t tries = 0, stops = 0, poisonings = 0, needs = 0;
};

class Holding : public Delivering {
 protected:
  void start(size_t pending_max = 1000, size_t batch_max = 2048, journal::GroupNumber after = 0) {
    Options options;
    options.pending_entries_max = pending_max;
    options.batch_entries_max = batch_max;
    options.refused = refused_before_;
    Delivering::start(options, {&target_}, after);
  }

  PickyTarget target_;
  std::map<std::pair<model::StreamId, model::LaneIndex>, std::vector<model::Sequence>>
      refused_before_;
};

TEST_F(Holding, ADatasetThatTheTargetCannotTakeHoldsUpNoOther) {
  start();
  target_.refused = {kCustomer};
  for (int i = 0; i < 10; ++i) {
    accept(kCustomer, 1);
    accept(kProduct, 2);
  }
  run();
  EXPECT_EQ(10U, target_.written[kProduct]);
  EXPECT_EQ(0U, target_.written[kCustomer]);
  EXPECT_EQ("SYN-3003: no table", delivery_->stats().stopped.at(kCustomer).substr(0, 18));
  EXPECT_FALSE(delivery_->stats().is_retrying);
  EXPECT_FALSE(is_done());
  target_.refused.clear();
  clock_.advance_us(10'000'000);
  run();
  EXPECT_EQ(10U, target_.written[kCustomer]);
  EXPECT_TRUE(delivery_->stats().stopped.empty());
  EXPECT_TRUE(is_done());
}

TEST_F(Holding, ItIsTriedAgainAtGrowingDistances) {
  start();
  target_.refused = {kCustomer};
  accept(kCustomer, 1);
  for (int i = 0; i < 1000; ++i) {
    run(1);
    clock_.advance_us(100'000);
  }
  EXPECT_GE(target_.tries, 20U);
  EXPECT_LE(target_.tries, 60U);
}

TEST_F(Holding, WhatWaitsIsReadAgainWhereItWouldFillWhatIsReadAhead) {
  start(20);
  target_.refused = {kCustomer};
  for (int i = 0; i < 100; ++i) accept(kCustomer, static_cast<model::LaneIndex>(i % 4));
  for (int i = 0; i < 100; ++i) {
    accept(kProduct, static_cast<model::LaneIndex>(i % 4));
    if (i % 9 == 0) accept(kCustomer, 3);
    run(2);
    EXPECT_LE(delivery_->stats().pending_entries, 20U);
    clock_.advance_us(700'000);
  }
  run();
  EXPECT_EQ(100U, target_.written[kProduct]);
  EXPECT_EQ(0U, target_.written[kCustomer]);
  EXPECT_EQ(0U, delivery_->cursor());  // the journal keeps it
  target_.refused.clear();
  clock_.advance_us(10'000'000);
  run(200);
  EXPECT_EQ(112U, target_.written[kCustomer]);
  EXPECT_TRUE(is_done());
  accept(kCustomer, 0);
  run();
  EXPECT_EQ(113U, target_.written[kCustomer]);
}

TEST_F(Holding, APausedStreamLeavesRoomForTheOthersAndGoesOnWhereItWas) {
  start(20);
  delivery_->pause(kCustomer);
  for (int i = 0; i < 50; ++i) accept(kCustomer, 1);
  for (int i = 0; i < 50; ++i) accept(kProduct, 1);
  run();
  EXPECT_EQ(50U, target_.written[kProduct]);
  delivery_->resume(kCustomer);
  run();
  EXPECT_EQ(50U, target_.written[kCustomer]);
  EXPECT_TRUE(is_done());
}

// A first sync that runs ahead waits for what can go, and not for what cannot.
TEST_F(Holding, WhatATargetIsBehindWithIsToldApartFromWhatWaits) {
  start(20, 5);
  delivery_->pause(kCustomer);
  for (int i = 0; i < 50; ++i) accept(kCustomer, 1);
  for (int i = 0; i < 50; ++i) accept(kProduct, 1);
  for (int i = 0; i < 50 && target_.written[kProduct] < 10; ++i) run(1);
  EXPECT_EQ(0U, delivery_->stats().cursor);
  EXPECT_EQ(50U + target_.written[kProduct], delivery_->stats().cursor_moving);
  run();
  EXPECT_EQ(0U, delivery_->stats().cursor);
  EXPECT_EQ(journal_->stats().committed, delivery_->stats().cursor_moving);
  delivery_->resume(kCustomer);
  run(1);
  EXPECT_GT(50U, delivery_->stats().cursor_moving);
  run();
  EXPECT_EQ(journal_->stats().committed, delivery_->stats().cursor_moving);
}

TEST_F(Holding, AStoppedStreamIsNotWaitedForWhileItIsTriedAgain) {
  start(20);
  target_.refused = {kCustomer};
  for (int i = 0; i < 50; ++i) accept(kCustomer, 1);
  for (int i = 0; i < 20; ++i) {
    run(1);
    clock_.advance_us(700'000);
  }
  EXPECT_EQ(0U, delivery_->stats().cursor);
  EXPECT_EQ(journal_->stats().committed, delivery_->stats().cursor_moving);
}

TEST_F(Holding, ARowThatSomebodyHoldsDelaysItsOwnFlow) {
  start();
  target_.held = {{kCustomer, 1}};
  for (model::LaneIndex lane = 0; lane < 4; ++lane) {
    accept(kCustomer, lane);
    accept(kProduct, lane);
  }
  for (int i = 0; i < 40; ++i) {
    run(1);
    clock_.advance_us(50'000);
  }
  EXPECT_EQ(4U, target_.written[kProduct]);
  EXPECT_EQ(3U, target_.written[kCustomer]);
  for (int i = 0; i < 40; ++i) {  // the others are not slowed down
    accept(kProduct, 1);
    run(2);
    clock_.advance_us(50'000);
  }
  EXPECT_EQ(44U, target_.written[kProduct]);
  target_.held.clear();
  for (int i = 0; i < 10; ++i) {
    clock_.advance_us(5'000'000);
    run(1);
  }
  EXPECT_EQ(4U, target_.written[kCustomer]);
  EXPECT_TRUE(is_done());
}

TEST_F(Holding, ARecordThatNeedsAnotherWaitsForIt) {
  start();
  target_.needy = {kCustomer};
  for (int i = 0; i < 3; ++i) accept(kCustomer, 1);
  run();
  EXPECT_EQ(1U, target_.needs);
  EXPECT_FALSE(is_done());
  accept(kProduct, 2);
  run();
  EXPECT_EQ(1U, target_.written[kProduct]);
  clock_.advance_us(100'000);
  run();
  EXPECT_EQ(3U, target_.written[kCustomer]);
  EXPECT_EQ(0U, journal_skips());
  EXPECT_TRUE(is_done());
}

TEST_F(Holding, ARecordThatNeedsAnotherIsRefusedInTheEndAndThoseBehindItAtOnce) {
  start();
  target_.needy = {kCustomer};
  for (int i = 0; i < 3; ++i) accept(kCustomer, 1);
  for (int i = 0; i < 29; ++i) {
    run(2);
    clock_.advance_us(1'000'000);
  }
  EXPECT_EQ(0U, journal_skips());
  EXPECT_LE(target_.needs, 40U);
  clock_.advance_us(10'000'000);
  for (int i = 0; i < 3; ++i) {
    run();
    EXPECT_EQ(1U, journal_skips());
  }
  run();
  EXPECT_EQ(3U, delivery_->stats().entries_skipped_total);
  EXPECT_TRUE(is_done());
}

TEST_F(Holding, OrphansAmongOthersAreWaitedForOnceAndAgainMuchLater) {
  start();
  target_.poison_needs = {{kCustomer, "2"}, {kCustomer, "4"}, {kCustomer, "6"}, {kCustomer, "9"}};
  for (int i = 0; i < 8; ++i) accept(kCustomer, 1);
  const auto skips_within = [this](int seconds) {
    size_t skips = 0;
    for (int i = 0; i < seconds; ++i) {
      run(2);
      skips += journal_skips();
      clock_.advance_us(1'000'000);
    }
    return skips;
  };
  EXPECT_EQ(0U, skips_within(29));
  EXPECT_EQ(3U, skips_within(20));
  EXPECT_TRUE(is_done());
  clock_.advance_us(3'600'000'000);
  accept(kCustomer, 1);
  EXPECT_EQ(0U, skips_within(29));
  EXPECT_EQ(1U, skips_within(20));
}

TEST_F(Holding, OrphansThatAreToldAtOnceAreRefusedAtOnceInTheEnd) {
  start();
  target_.tells_all = true;
  for (int key = 1; key <= 9; ++key) target_.poison_needs.emplace(kCustomer, std::to_string(key));
  for (int i = 0; i < 9; ++i) accept(kCustomer, static_cast<model::LaneIndex>(1 + i % 2));
  for (int i = 0; i < 29; ++i) {
    run(2);
    EXPECT_EQ(0U, journal_skips());
    clock_.advance_us(1'000'000);
  }
  size_t skips = 0;
  const size_t tries = target_.tries;
  for (int i = 0; i < 20; ++i) {
    run(2);
    skips += journal_skips();
    clock_.advance_us(1'000'000);
  }
  EXPECT_EQ(9U, skips);
  EXPECT_LE(target_.tries, tries + 8);
  EXPECT_TRUE(is_done());
}

TEST_F(Holding, AStreamThatIsStoppedWithARefusedEntryLeavesRoomForTheOthers) {
  start(20);
  target_.poison = {{kCustomer, "1"}};
  accept(kCustomer, 1);
  run();
  delivery_->pause(kCustomer);
  for (int i = 0; i < 50; ++i) accept(kCustomer, 1);
  for (int i = 0; i < 50; ++i) accept(kProduct, 1);
  EXPECT_EQ(1U, journal_skips());
  run();
  EXPECT_EQ(50U, target_.written[kProduct]);
  EXPECT_EQ(0U, delivery_->cursor());
  delivery_->resume(kCustomer);
  run();
  EXPECT_EQ(50U, target_.written[kCustomer]);
  EXPECT_EQ(1U, target_.poisonings);
  EXPECT_TRUE(is_done());
}

TEST_F(Holding, AFlowGoesOnBehindARefusedEntryHoweverMuchWaitsThere) {
  start(20);
  target_.poison = {{kCustomer, "1"}, {kCustomer, "60"}};
  for (int i = 0; i < 100; ++i) {
    accept(kCustomer, 1);
    accept(kProduct, 2);
  }
  run();
  EXPECT_EQ(1U, journal_skips());
  run(200);
  EXPECT_EQ(1U, journal_skips());
  run(200);
  EXPECT_EQ(0U, journal_skips());
  EXPECT_EQ(2U, target_.poisonings);
  EXPECT_EQ(2U, delivery_->stats().entries_skipped_total);
  EXPECT_EQ(98U, target_.written[kCustomer]);
  EXPECT_EQ(100U, target_.written[kProduct]);
  EXPECT_TRUE(is_done());
}

TEST_F(Holding, AllThatATargetNamesInOneTryIsSetApartAndTheRestGoesInTheNext) {
  start();
  target_.tells_all = true;
  target_.poison = {{kCustomer, "2"}, {kCustomer, "4"}};
  for (int i = 0; i < 8; ++i) {
    accept(kCustomer, static_cast<model::LaneIndex>(1 + i % 2));
    accept(kProduct, 3);
  }
  run();
  EXPECT_EQ(2U, target_.tries);  // what stands before them goes at once
  EXPECT_EQ(4U, journal_skips());
  run();
  EXPECT_EQ(3U, target_.tries);
  EXPECT_EQ(8U, target_.written[kProduct]);
  EXPECT_EQ(4U, target_.written[kCustomer]);
  EXPECT_EQ(4U, delivery_->stats().entries_skipped_total);
  EXPECT_TRUE(is_done());
}

TEST_F(Holding, AnEntryThatWasSkippedIsNotTriedAgainWhereItIsReadAgain) {
  for (const bool is_new : {false, true}) {
    start(20, 2048, journal_->stats().committed);
    const std::string key = std::to_string(sequences_[std::pair(kCustomer, 1)] + 1);
    target_.poison = {{kCustomer, key}};
    target_.poisonings = target_.written[kCustomer] = target_.written[kProduct] = 0;
    const journal::GroupNumber before = delivery_->cursor();
    accept(kCustomer, 1);
    run();
    delivery_->pause(kCustomer);
    for (int i = 0; i < 100; ++i) accept(kProduct, 1);
    EXPECT_EQ(1U, journal_skips());
    run();
    for (int i = 0; i < 50; ++i) accept(kCustomer, 1);
    run();
    if (is_new) start(20, 2048, before);
    delivery_->pause(kCustomer);
    for (int i = 0; i < 50; ++i) accept(kProduct, 1);
    run();
    EXPECT_EQ(150U, target_.written[kProduct]);
    delivery_->resume(kCustomer);
    run();
    EXPECT_EQ(1U, target_.poisonings);
    EXPECT_EQ(0U, journal_skips());
    EXPECT_EQ(50U, target_.written[kCustomer]);
    EXPECT_TRUE(is_done());
  }
}

// By itself, or behind another write, it might pass: then the core would take for a user's what the
// target holds of it.
TEST_F(Holding, WhatWasSkippedBeforeAStartIsNotWrittenBeforeItsSkipIsMet) {
  start();
  target_.poison = {{kCustomer, "1"}};
  accept(kCustomer, 1);
  run();
  for (int i = 0; i < 200; ++i) accept(kProduct, 2);
  EXPECT_EQ(1U, journal_skips());
  target_.poison.clear();
  refused_before_[std::pair(kCustomer, 1)] = {1};
  accept(kCustomer, 1);
  start();
  run();
  EXPECT_EQ(1U, target_.written[kCustomer]);
  EXPECT_EQ(200U, target_.written[kProduct]);
  EXPECT_EQ(1U, delivery_->stats().entries_skipped_total);
  EXPECT_TRUE(is_done());
}

TEST_F(Holding, WhatWasRefusedBeforeAStartAndIsNeverReadHoldsUpNothing) {
  refused_before_[std::pair(kCustomer, 1)] = {1000};
  start(20);
  delivery_->pause(kProduct);
  delivery_->pause(kCustomer);
  for (int i = 0; i < 100; ++i) {
    accept(kProduct, 1);
    accept(kCustomer, 1);
  }
  run();
  delivery_->resume(kCustomer);
  run(200);
  EXPECT_EQ(100U, target_.written[kCustomer]);
  delivery_->resume(kProduct);
  run(200);
  EXPECT_TRUE(is_done());
}

TEST_F(Holding, WhatWaitsBehindAHeldRowLeavesRoomForTheOthers) {
  start(20);
  target_.held = {{kCustomer, 1}};
  for (int i = 0; i < 50; ++i) accept(kCustomer, 1);
  for (int i = 0; i < 50; ++i) {
    accept(kCustomer, 2);
    accept(kProduct, 1);
  }
  for (int i = 0; i < 200; ++i) {
    run(1);
    EXPECT_LE(delivery_->stats().pending_entries, 20U);
    clock_.advance_us(50'000);
  }
  EXPECT_EQ(50U, target_.written[kProduct]);
  EXPECT_EQ(50U, target_.written[kCustomer]);  // of the other lane
  EXPECT_EQ(0U, delivery_->cursor());
  target_.held.clear();
  for (int i = 0; i < 50; ++i) {
    clock_.advance_us(5'000'000);
    run(1);
  }
  EXPECT_EQ(100U, target_.written[kCustomer]);
  EXPECT_TRUE(is_done());
}

TEST_F(Holding, AStopEndsOnlyWithTheEntriesThatItMet) {
  product_.stream = kCustomer;
  start(1000, 1);  // so that what the target takes of the stream is not always with the rest
  target_.refused = {kCustomer};
  accept(kCustomer, 1);
  for (int i = 0; i < 1000; ++i) {
    if (i % 10 == 0) accept(kProduct, 2);
    run(1);
    if (target_.stops > 0) {
      EXPECT_TRUE(delivery_->stats().stopped.contains(kCustomer));
    }
    clock_.advance_us(100'000);
  }
  EXPECT_GE(target_.stops, 20U);
  EXPECT_LE(target_.stops, 60U);
  EXPECT_GE(target_.written[kProduct], 20U);
  target_.refused.clear();
  clock_.advance_us(10'000'000);
  run(200);
  EXPECT_EQ(1U, target_.written[kCustomer]);
  EXPECT_TRUE(delivery_->stats().stopped.empty());
  EXPECT_TRUE(is_done());
}

}  // namespace
}  // namespace syncline::delivery
