// Delivery over a real journal: entries of two datasets, a stream each, in four lanes.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "host/delivery/delivery.hpp"
#include "tests/unit/journal/journal_fixture.hpp"

namespace syncline::delivery {

inline constexpr model::SystemId kTarget = 2;
inline constexpr model::DatasetId kCustomer = 11, kProduct = 12;

class Delivering : public testing::Test {
 protected:
  Delivering() {
    for (const model::DatasetId dataset : {kCustomer, kProduct}) {
      model::Schema& schema = dataset == kCustomer ? customer_ : product_;
      schema.dataset = schema.stream = dataset;
      schema.key_count = 1;
      schema.fields = {{"id", {model::TypeKind::kText, 0, 0, 0}, false}};
    }
    journal::OpenReport report;
    journal_ = std::move(journal::open_journal(disk_, clock_, random_, journal::cpu_dispatcher(),
                                               std::string(32, 'k'), {}, report))
                   .value();
  }

  // Begins at what the journal holds behind `after`.
  void start(Options options, std::vector<ports::Target*> targets, journal::GroupNumber after = 0) {
    options.target = kTarget;
    options.lane_count = 4;
    options.schemas = {&customer_, &product_};
    delivery_ = std::make_unique<Delivery>(options, std::move(targets), *journal_, clock_, random_);
    ASSERT_TRUE(delivery_->open(after));
  }

  // One group with one entry.
  void accept(model::DatasetId dataset, model::LaneIndex lane) {
    auto frame = std::make_shared<model::Frame>();
    frame->lane = lane;
    frame->number = ++frames_[lane];
    model::Entry entry;
    entry.dataset = dataset;
    const auto& schema = dataset == kCustomer ? customer_ : product_;
    entry.sequence = ++sequences_[std::pair(schema.stream, lane)];
    entry.key = std::to_string(entry.sequence);
    entry.key_hash = {static_cast<uint64_t>(lane), entry.sequence};
    entry.kind = model::EntryKind::kPut;
    entry.generation = 1;
    entry.targets = {kTarget};
    frame->entries.push_back(std::move(entry));
    commit(std::move(frame));
  }

  // What the target refused, as the pipeline journals it. Returns how many.
  size_t journal_skips() {
    const std::vector<model::Skip> skips = delivery_->take_skips();
    for (const model::Skip& skip : skips) {
      auto frame = std::make_shared<model::Frame>();
      frame->lane = static_cast<model::LaneIndex>(skip.key_hash.high);
      frame->number = ++frames_[frame->lane];
      frame->skips.push_back(skip);
      commit(std::move(frame));
    }
    return skips.size();
  }

  void commit(model::FramePointer frame) {
    const std::vector<model::FramePointer> frames = {std::move(frame)};
    ASSERT_TRUE(journal_->append(frames));
    ASSERT_TRUE(journal_->commit());
  }

  void run(size_t turns = 50) {
    for (size_t i = 0; i < turns; ++i) {
      const auto worked = delivery_->run_once();
      ASSERT_TRUE(worked.has_value());
    }
  }

  bool is_done() const { return delivery_->cursor() == journal_->stats().committed; }

  simulation::SimDisk disk_{1};
  journal::FakeClock clock_;
  journal::SeededRandom random_{3};
  model::Schema customer_, product_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<Delivery> delivery_;
  std::map<model::LaneIndex, uint64_t> frames_;
  std::map<std::pair<model::DatasetId, model::LaneIndex>, model::Sequence> sequences_;
};

}  // namespace syncline::delivery
