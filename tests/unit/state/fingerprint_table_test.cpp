#include "host/state/fingerprint_table.hpp"

#include <cstring>
#include <filesystem>
#include <map>
#include <random>

#include <gtest/gtest.h>
#include <stdlib.h>

namespace syncline::state {
namespace {

constexpr size_t kFields = 8;

std::string head(uint8_t kind, uint64_t key) {
  std::string record(1, static_cast<char>(kind));
  record.append(reinterpret_cast<const char*>(&key), sizeof key);
  return record;
}

std::string cell(uint64_t value) {
  return std::string(reinterpret_cast<const char*>(&value), SYN_CELL_SIZE);
}

std::string put(uint64_t key, uint64_t value, size_t fields = kFields) {
  std::string record = head(SYN_DELTA_PUT, key);
  for (size_t i = 0; i < fields; ++i) record += cell(value + i);
  return record;
}

syn_hash128 hash_of(uint64_t key) {
  return {key, 0};
}

// A table beside a map of what it must hold, one lane.
class Pair {
 public:
  explicit Pair(uint64_t seed) : random_(seed) {}

  void put_random(size_t count) {
    std::string delta;
    for (size_t i = 0; i < count; ++i) {
      const uint64_t key = random_() | 2;
      model_[key] = i + 5;
      delta += put(key, i + 5);
    }
    ASSERT_TRUE(table.apply(0, delta).has_value());
  }
  void remove_random(size_t count) {
    std::string delta;
    for (size_t i = 0; i < count && !model_.empty(); ++i) {
      auto victim = model_.lower_bound(random_());
      if (victim == model_.end()) victim = model_.begin();
      delta += head(SYN_DELTA_REMOVE, victim->first);
      model_.erase(victim);
    }
    ASSERT_TRUE(table.apply(0, delta).has_value());
  }
  void expect_equal() const {
    ASSERT_EQ(table.record_count(), model_.size());
    for (const auto& [key, value] : model_) {
      ASSERT_TRUE(table.contains(0, hash_of(key)));
      ASSERT_EQ(first_cell(key), value);
    }
  }
  uint64_t first_cell(uint64_t key) const {
    const engine::TableLaneRef lane = table.ref().lanes[0];
    uint64_t slot = syn_home_line(key, lane.line_count) * SYN_SLOTS_PER_LINE;
    while (lane.keys[slot] != key) slot = (slot + 1) % (lane.line_count * SYN_SLOTS_PER_LINE);
    uint64_t value = 0;
    std::memcpy(&value, lane.cells + slot * kFields * SYN_CELL_SIZE, SYN_CELL_SIZE);
    return value;
  }
  uint64_t random() { return random_(); }

  FingerprintTable table{kFields, 1};

 private:
  std::mt19937_64 random_;
  std::map<uint64_t, uint64_t> model_;
};

class Folder {
 public:
  Folder() {
    char path[] = "/tmp/syn-table-XXXXXX";
    path_ = mkdtemp(path);
    disk = make_posix_disk(path_).value();
  }
  ~Folder() { std::filesystem::remove_all(path_); }

  std::unique_ptr<Disk> disk;

 private:
  std::string path_;
};

TEST(FingerprintTable, HoldsWhatWasPutAndRemovedAtEveryLoad) {
  Pair pair(1);
  for (int round = 0; round < 60; ++round) {
    pair.put_random(pair.random() % 400);
    pair.remove_random(pair.random() % 350);
    pair.expect_equal();
  }
}

TEST(FingerprintTable, RemovalsInFullLinesCutNoKeyOffFromItsHome) {
  Pair pair(2);
  pair.put_random(5000);
  for (int round = 0; round < 50; ++round) {
    pair.remove_random(100);
    pair.expect_equal();
  }
}

TEST(FingerprintTable, KeysThatAllBelongInOneLineFindRoomAroundTheEnd) {
  FingerprintTable table(kFields, 1);
  std::string delta;
  for (uint64_t i = 0; i < 40; ++i) delta += put(~uint64_t{0} - i, 7);  // the last line
  ASSERT_TRUE(table.apply(0, delta).has_value());
  for (uint64_t i = 0; i < 40; i += 2) {
    ASSERT_TRUE(table.apply(0, head(SYN_DELTA_REMOVE, ~uint64_t{0} - i)).has_value());
  }
  EXPECT_EQ(table.record_count(), 20u);
  for (uint64_t i = 0; i < 40; ++i) {
    EXPECT_EQ(table.contains(0, hash_of(~uint64_t{0} - i)), i % 2 == 1) << i;
  }
}

TEST(FingerprintTable, TakesSixtyFiveBytesARecordAtEverySize) {
  FingerprintTable table(kFields, 1);
  std::mt19937_64 random(3);
  for (int step = 0; step < 400; ++step) {
    std::string delta;
    for (int i = 0; i < 500; ++i) delta += put(random() | 2, 9);
    ASSERT_TRUE(table.apply(0, delta).has_value());
    if (step < 10) continue;
    const auto size = static_cast<double>(table.size_bytes());
    ASSERT_LE(size / static_cast<double>(table.record_count()), 65.0) << table.record_count();
  }
}

TEST(FingerprintTable, ReservedRoomIsNotGrown) {
  FingerprintTable table(kFields, 4);
  table.reserve(100000);
  const uint64_t before = table.ref().lanes[0].line_count;
  std::mt19937_64 random(4);
  std::string delta;
  for (int i = 0; i < 25000; ++i) delta += put(random() | 2, 9);
  ASSERT_TRUE(table.apply(0, delta).has_value());
  EXPECT_EQ(table.ref().lanes[0].line_count, before);
}

TEST(FingerprintTable, AChangeTouchesOnlyItsCells) {
  Pair pair(5);
  ASSERT_TRUE(pair.table.apply(0, put(77, 100)).has_value());
  const std::string bitmap(1, '\x02');
  ASSERT_TRUE(pair.table.apply(0, head(SYN_DELTA_CHANGE, 77) + bitmap + cell(999)).has_value());
  EXPECT_EQ(pair.first_cell(77), 100u);
  const engine::TableLaneRef lane = pair.table.ref().lanes[0];
  uint64_t second = 0;
  std::memcpy(&second, lane.cells + SYN_CELL_SIZE, SYN_CELL_SIZE);
  EXPECT_NE(second, 101u);
}

TEST(FingerprintTable, ADeltaThatIsNotOneChangesNothing) {
  FingerprintTable table(kFields, 1);
  const std::string good = put(5, 1);
  for (const std::string& bad :
       {good + good.substr(0, 20), good + std::string("\x09garbage!", 9), good + head(1, 0),
        good + head(SYN_DELTA_CHANGE, 6) + "\xff" + cell(1)}) {
    const auto outcome = table.apply(0, bad);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().code, ErrorCode::kDamaged);
    EXPECT_EQ(table.record_count(), 0u);
  }
  EXPECT_FALSE(table.apply(1, good).has_value()) << "there is no second lane";
}

TEST(FingerprintTable, ASweepFindsExactlyTheKeysNobodyMet) {
  Pair pair(6);
  std::string delta;
  for (uint64_t key = 1; key <= 1000; ++key) delta += put(key << 50 | key, key);
  ASSERT_TRUE(pair.table.apply(0, delta).has_value());
  pair.table.begin_sweep();
  EXPECT_EQ(pair.table.ref().is_sweeping, 1u);
  std::string met;
  for (uint64_t key = 1; key <= 1000; key += 2) met += head(SYN_DELTA_SEEN, key << 50 | key);
  for (uint64_t key = 5001; key <= 6000; ++key) met += put(key << 50 | key, key);  // it grows
  met += head(SYN_DELTA_CHANGE, 2ull << 50 | 2) + std::string(1, '\x01') + cell(3);
  ASSERT_TRUE(pair.table.apply(0, met).has_value());
  const FingerprintTable::Unseen unseen = pair.table.unseen(0);
  EXPECT_EQ(unseen.key_bits.size(), 499u);
  ASSERT_TRUE(pair.table.apply(0, unseen.delta).has_value());
  pair.table.end_sweep();
  EXPECT_EQ(pair.table.ref().is_sweeping, 0u);
  EXPECT_EQ(pair.table.record_count(), 1501u);
  EXPECT_TRUE(pair.table.contains(0, hash_of(2ull << 50 | 2)));
  EXPECT_FALSE(pair.table.contains(0, hash_of(4ull << 50 | 4)));
}

TEST(FingerprintTable, ASavedLaneComesBackWithItsFrameNumber) {
  Folder folder;
  Pair pair(7);
  pair.put_random(3000);
  ASSERT_TRUE(pair.table.save(*folder.disk, "lane", 0, 42).has_value());
  const FingerprintTable saved = std::exchange(pair.table, FingerprintTable(kFields, 1));
  const auto loaded = pair.table.load(*folder.disk, "lane", 0);
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded.value(), 42u);
  pair.expect_equal();
}

TEST(FingerprintTable, NoFileIsAnEmptyLaneAtFrameZero) {
  Folder folder;
  FingerprintTable table(kFields, 2);
  ASSERT_TRUE(table.apply(1, put(5, 1)).has_value());
  const auto loaded = table.load(*folder.disk, "absent", 1);
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded.value(), 0u);
  EXPECT_EQ(table.record_count(1), 0u);
}

TEST(FingerprintTable, EveryFlippedBitAndEveryCutIsFound) {
  Folder folder;
  FingerprintTable table(1, 1);
  ASSERT_TRUE(table.apply(0, put(5, 1, 1) + put(uint64_t{6} << 60, 2, 1)).has_value());
  ASSERT_TRUE(table.save(*folder.disk, "lane", 0, 3).has_value());
  const std::string good = folder.disk->read_all("lane").value();
  const auto expect_damaged = [&](const std::string& bytes) {
    ASSERT_TRUE(folder.disk->replace("lane", bytes).has_value());
    const auto loaded = table.load(*folder.disk, "lane", 0);
    ASSERT_FALSE(loaded.has_value());
    EXPECT_EQ(loaded.error().code, ErrorCode::kDamaged);
    EXPECT_EQ(table.record_count(), 0u);
  };
  for (size_t bit = 0; bit < good.size() * 8; bit += 5) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    expect_damaged(bad);
  }
  for (size_t size = 0; size < good.size(); ++size) expect_damaged(good.substr(0, size));
}

TEST(FingerprintTable, AFileOfAnotherLaneOrSchemaIsRefused) {
  Folder folder;
  FingerprintTable table(kFields, 2);
  ASSERT_TRUE(table.save(*folder.disk, "lane", 0, 3).has_value());
  EXPECT_FALSE(table.load(*folder.disk, "lane", 1).has_value());
  FingerprintTable other(kFields + 1, 2);
  EXPECT_FALSE(other.load(*folder.disk, "lane", 0).has_value());
}

const engine::TableLaneLog& log_of(const FingerprintTable& table, size_t lane = 0) {
  return *table.ref().lanes[lane].log;
}

TEST(FingerprintTable, ALogThatNobodyFollowsKeepsNumbersOnly) {
  FingerprintTable table(kFields, 1);
  ASSERT_TRUE(table.apply(0, put(5, 1) + put(6, 2)).has_value());
  EXPECT_EQ(log_of(table).end, 2u);
  EXPECT_EQ(log_of(table).first, 2u);
  EXPECT_TRUE(log_of(table).bytes.empty());
}

TEST(FingerprintTable, AFollowedLogHoldsTheDeltasRecordByRecord) {
  FingerprintTable table(kFields, 1);
  log_of(table).is_followed = true;
  const std::string delta = put(5, 1) + head(SYN_DELTA_REMOVE, 5) + put(6, 2);
  ASSERT_TRUE(table.apply(0, delta).has_value());
  ASSERT_TRUE(table.apply(0, head(SYN_DELTA_SEEN, 6)).has_value());  // changes nothing
  const uint32_t size = SYN_DELTA_HEAD_SIZE + kFields * SYN_CELL_SIZE;
  EXPECT_EQ(log_of(table).bytes, delta);
  EXPECT_EQ(log_of(table).offsets, (std::vector<uint32_t>{0, size, size + SYN_DELTA_HEAD_SIZE}));
  EXPECT_EQ(log_of(table).first, 0u);
  EXPECT_EQ(log_of(table).end, 3u);
}

TEST(FingerprintTable, ALogIsBoundedAndKeepsTheLatest) {
  FingerprintTable table(kFields, 1);
  log_of(table).is_followed = true;
  for (uint64_t key = 1; key <= 20'000; ++key) {
    log_of(table).is_followed = true;  // as a copy does with every update
    ASSERT_TRUE(table.apply(0, put(key, key)).has_value());
    ASSERT_LE(log_of(table).bytes.size(), 256u << 10);
  }
  const engine::TableLaneLog& log = log_of(table);
  EXPECT_EQ(log.end, 20'000u);
  EXPECT_EQ(log.first, log.end - log.offsets.size());
  EXPECT_GT(log.offsets.size(), 1000u);
  EXPECT_EQ(log.bytes.substr(log.offsets.back()), put(20'000, 20'000));
}

TEST(FingerprintTable, ALogThatNobodyFollowsAnyMoreIsNoLongerKept) {
  FingerprintTable table(kFields, 1);
  const size_t size_before = table.size_bytes();
  log_of(table).is_followed = true;
  uint64_t key = 1;
  for (; key <= 20'000; ++key) ASSERT_TRUE(table.apply(0, put(key % 7 + 1, key)).has_value());
  EXPECT_TRUE(log_of(table).bytes.empty());
  EXPECT_EQ(log_of(table).first, log_of(table).end);
  EXPECT_LT(table.size_bytes(), size_before + 4096) << "its memory is given back";
  log_of(table).is_followed = true;  // a copy that comes again starts where the lane is now
  const uint64_t number = log_of(table).end;
  ASSERT_TRUE(table.apply(0, put(3, key)).has_value());
  EXPECT_EQ(log_of(table).first, number);
  EXPECT_EQ(log_of(table).bytes, put(3, key));
}

TEST(FingerprintTable, WhatIsNoDeltaMakesCopiesStartAgain) {
  Folder folder;
  FingerprintTable table(kFields, 1);
  log_of(table).is_followed = true;
  ASSERT_TRUE(table.apply(0, put(5, 1)).has_value());
  ASSERT_TRUE(table.save(*folder.disk, "lane", 0, 3).has_value());
  const uint64_t before = log_of(table).end;
  table.clear(0);
  EXPECT_GT(log_of(table).first, before);
  const uint64_t cleared = log_of(table).end;
  ASSERT_TRUE(table.load(*folder.disk, "lane", 0).has_value());
  EXPECT_GT(log_of(table).first, cleared);
  EXPECT_NE(table.ref().id, FingerprintTable(kFields, 1).ref().id);
}

}  // namespace
}  // namespace syncline::state
