// A journal on a simulated disk, with verbs for its stories.
#pragma once

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/journal/journal.hpp"
#include "kernels/cpu/cpu_engine.hpp"
#include "tests/simulation/sim_disk.hpp"

namespace syncline::journal {

using simulation::SimDisk;

class FakeClock final : public Clock {
 public:
  int64_t now_us() override { return now_us_; }
  int64_t steady_us() override { return now_us_; }
  void advance_us(int64_t us) { now_us_ += us; }

 private:
  int64_t now_us_ = 1'700'000'000'000'000;
};

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : random_(seed) {}
  void fill(std::span<uint8_t> bytes) override {
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random_());
  }

 private:
  std::mt19937_64 random_;
};

inline dispatch::Dispatcher& cpu_dispatcher() {
  static const auto dispatcher = [] {
    std::vector<std::unique_ptr<engine::Engine>> engines;
    engines.push_back(cpu::make_cpu_engine());
    return dispatch::Dispatcher::make(std::move(engines), "auto", system_clock()).value();
  }();
  return *dispatcher;
}

// Frame `number` of a lane, with a text by which it can be told.
inline model::FramePointer make_frame(model::LaneIndex lane, uint64_t number,
                                      const std::string& text) {
  auto frame = std::make_shared<model::Frame>();
  frame->lane = lane;
  frame->number = number;
  frame->time_us = static_cast<int64_t>(number);
  model::Entry entry;
  entry.dataset = 7;
  entry.sequence = number;
  entry.key = text;
  entry.cells.edit().push_back({1, model::CellState::kValue, text, {}, {}, number});
  frame->entries.push_back(std::move(entry));
  return frame;
}

// One journal and its appender, which numbers the frames of each lane.
class JournalStory {
 public:
  explicit JournalStory(SimDisk& disk) : disk_(disk) {}

  Result<void> open() {
    journal_.reset();
    report_ = {};
    SYN_TRY(journal_, open_journal(disk_, clock, random_, cpu_dispatcher(), key, options, report_));
    while (first_group <= report_.last_group &&
           !journal_->open_cursor(first_group - 1).has_value()) {
      ++first_group;
    }
    // The lanes learn where they are from the journal, as a restart does.
    next_frame_.clear();
    SYN_TRY(const auto groups, read_from(first_group));
    for (const GroupPointer& group : groups) {
      for (const auto& frame : group->frames) next_frame_[frame->lane] = frame->number + 1;
    }
    return success();
  }
  void close() { journal_.reset(); }

  // A group with one frame for each of these lanes.
  Result<GroupNumber> append(const std::vector<model::LaneIndex>& lanes, const std::string& text) {
    std::vector<model::FramePointer> frames;
    for (const model::LaneIndex lane : lanes) {
      const uint64_t number = next_frame_.try_emplace(lane, 1).first->second;
      frames.push_back(make_frame(lane, number, text));
    }
    SYN_TRY(const GroupNumber group, journal_->append(frames));
    for (const model::LaneIndex lane : lanes) ++next_frame_[lane];
    return group;
  }
  Result<GroupNumber> append_and_commit(const std::vector<model::LaneIndex>& lanes,
                                        const std::string& text) {
    SYN_TRY(append(lanes, text));
    return journal_->commit();
  }

  Result<std::vector<GroupPointer>> read_from(GroupNumber first) {
    SYN_TRY(auto cursor, journal_->open_cursor(first - 1));
    std::vector<GroupPointer> groups;
    for (;;) {
      SYN_TRY(GroupPointer group, cursor->next());
      if (group == nullptr) return groups;
      groups.push_back(std::move(group));
    }
  }
  // The texts of all committed groups, each once.
  Result<std::vector<std::string>> texts() {
    SYN_TRY(const auto groups, read_from(first_group));
    std::vector<std::string> out;
    for (const GroupPointer& group : groups) {
      EXPECT_EQ(group->number, first_group + out.size());
      for (const auto& frame : group->frames) {
        EXPECT_EQ(frame->entries[0].key, group->frames[0]->entries[0].key);
      }
      out.push_back(group->frames[0]->entries[0].key);
    }
    return out;
  }
  Result<AuditReport> audit_all() { return audit(disk_, cpu_dispatcher(), key); }

  Journal& journal() { return *journal_; }
  const OpenReport& report() const { return report_; }
  bool is_open() const { return journal_ != nullptr; }

  FakeClock clock;
  Options options;
  std::string key = std::string(32, 'k');
  GroupNumber first_group = 1;  // the first that was not released before open()

 private:
  SimDisk& disk_;
  SeededRandom random_{1};
  OpenReport report_;
  std::unique_ptr<Journal> journal_;
  std::map<model::LaneIndex, uint64_t> next_frame_;
};

}  // namespace syncline::journal
