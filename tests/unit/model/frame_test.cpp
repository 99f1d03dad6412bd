#include "host/model/frame.hpp"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace syncline::model {
namespace {

// Frames of few datasets, fields, versions and values, so that everything repeats.
class FrameMaker {
 public:
  explicit FrameMaker(uint64_t seed) : random_(seed) {}

  std::vector<FramePointer> frames(size_t count, size_t parts_max) {
    std::vector<FramePointer> out;
    for (size_t i = 0; i < count; ++i) {
      auto frame = std::make_shared<Frame>();
      frame->lane = 5;
      frame->number = 100 + i;
      frame->time_us = static_cast<int64_t>(random_());
      fill(*frame, parts_max);
      out.push_back(std::move(frame));
    }
    return out;
  }

  uint64_t below(uint64_t limit) { return random_() % limit; }
  std::string text() { return std::string(below(4) * below(12), static_cast<char>(below(256))); }
  KeyHash hash() { return {below(4) << 60, below(3)}; }

  Version version() {
    Version version;
    if (below(6) == 0) return version;
    version.policy_number = static_cast<uint32_t>(below(2));
    version.time_us = static_cast<int64_t>(below(5)) - 2;
    version.origin = static_cast<SystemId>(1 + below(3));
    for (size_t i = below(6) == 0 ? 1 + below(kRankStepsMax) : 0; i > 0; --i) {
      version.path.push_back({static_cast<int64_t>(random_()), static_cast<uint32_t>(below(9))});
    }
    if (below(9) == 0) version.correction_round = static_cast<uint32_t>(1 + below(3));
    if (below(9) == 0) version.corrector = static_cast<SystemId>(random_());
    return version;
  }

  std::vector<EntryCell> cells() {
    std::vector<EntryCell> out;
    for (FieldIndex field = 1; field < 6; ++field) {
      if (below(2) == 0) continue;
      EntryCell cell;
      cell.field = static_cast<FieldIndex>(below(20) == 0 ? 65'535 : field);
      cell.state = static_cast<CellState>(below(3));
      cell.bytes = text();
      cell.version = version();
      cell.base = version();
      cell.fingerprint = random_();
      out.push_back(std::move(cell));
    }
    return out;
  }

  Entry entry() {
    Entry entry;
    entry.dataset = static_cast<DatasetId>(1 + below(3));
    entry.sequence = random_();
    entry.key_hash = hash();
    entry.key = text();
    entry.kind = static_cast<EntryKind>(1 + below(5));
    entry.generation = below(5);
    entry.cells = cells();
    for (size_t i = below(3); i > 0; --i) entry.targets.push_back(static_cast<SystemId>(i));
    entry.origin = static_cast<SystemId>(below(4));
    entry.commit_time_us = static_cast<int64_t>(random_());
    if (below(3) == 0) entry.moved_with = hash();
    return entry;
  }

  RecordImage record(const Frame& frame) {
    RecordImage record;
    record.dataset = static_cast<DatasetId>(1 + below(3));
    record.key_hash = hash();
    record.key = text();
    record.cells = cells();
    if (!frame.entries.empty() && below(3) != 0) {
      const Entry& entry = frame.entries[below(frame.entries.size())];
      record.dataset = entry.dataset;
      record.key_hash = entry.key_hash;
      record.key = entry.key;
      if (below(3) != 0) record.cells = entry.cells;
    }
    record.state = text();
    record.is_full = below(2) == 0;
    return record;
  }

  ConflictSide side() {
    return {static_cast<SystemId>(below(9)), version(), static_cast<CellState>(below(3)), text()};
  }
  Conflict conflict() {
    Conflict conflict{1,
                      hash(),
                      text(),
                      3,
                      ConflictType::kUpdateExists,
                      ConflictOutcome::kHeld,
                      side(),
                      side(),
                      text(),
                      static_cast<int64_t>(random_())};
    conflict.type = static_cast<ConflictType>(1 + below(7));
    conflict.outcome = static_cast<ConflictOutcome>(1 + below(5));
    return conflict;
  }

  void fill(Frame& frame, size_t parts_max) {
    for (size_t i = below(parts_max); i > 0; --i) frame.entries.push_back(entry());
    for (size_t i = below(parts_max); i > 0; --i) frame.records.push_back(record(frame));
    for (size_t i = below(3); i > 0; --i) frame.conflicts.push_back(conflict());
    for (size_t i = below(3); i > 0; --i) {
      frame.confirmations.push_back({7, 8, static_cast<uint32_t>(below(3)), random_()});
      frame.skips.push_back({9, 1, hash(), text(), random_(), text()});
      frame.locals.push_back({2, hash(), static_cast<FieldIndex>(below(9)), 4});
      frame.deltas.push_back({1, 2, text()});
      frame.progress.push_back({3, {text()}, text()});
    }
  }

 private:
  std::mt19937_64 random_;
};

void expect_same(std::span<const FramePointer> left, std::span<const FramePointer> right) {
  ASSERT_EQ(left.size(), right.size());
  for (size_t i = 0; i < left.size(); ++i) EXPECT_EQ(*left[i], *right[i]) << "frame " << i;
}

TEST(FrameTest, no_frames_are_no_frames) {
  EXPECT_TRUE(decode_frames(encode_frames({})).value().empty());
}

TEST(FrameTest, a_frame_with_only_a_position_survives) {
  auto frame = std::make_shared<Frame>();
  frame->lane = 65'535;
  frame->number = ~uint64_t{0};
  frame->time_us = -1;
  frame->progress.push_back({1, {"position"}, ""});
  const std::vector<FramePointer> frames{frame};
  expect_same(frames, decode_frames(encode_frames(frames)).value());
}

RC_GTEST_PROP(FrameTest, any_frames_survive_a_round_trip, (uint64_t seed)) {
  FrameMaker maker(seed);
  const auto frames = maker.frames(maker.below(6), 1 + maker.below(30));
  const auto decoded = decode_frames(encode_frames(frames));
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(decoded.value().size() == frames.size());
  for (size_t i = 0; i < frames.size(); ++i) RC_ASSERT(*decoded.value()[i] == *frames[i]);
}

TEST(FrameTest, many_entries_have_columns_of_their_own_per_field) {
  FrameMaker maker(3);
  const auto frames = maker.frames(4, 400);
  const auto columns = encode_frames(frames);
  EXPECT_THAT(columns, ::testing::Contains(::testing::Field(&Column::id, ::testing::Ge(1000))));
  expect_same(frames, decode_frames(columns).value());
}

TEST(FrameTest, the_same_frames_give_the_same_bytes) {
  const auto left = encode_frames(FrameMaker(11).frames(5, 50));
  const auto right = encode_frames(FrameMaker(11).frames(5, 50));
  ASSERT_EQ(left.size(), right.size());
  for (size_t i = 0; i < left.size(); ++i) EXPECT_EQ(left[i].bytes, right[i].bytes);
}

TEST(FrameTest, a_record_that_repeats_its_entry_costs_little) {
  auto frame = std::make_shared<Frame>();
  Entry entry;
  entry.dataset = 1;
  entry.key = "a key";
  entry.cells.edit().push_back({1, CellState::kValue, std::string(1'000, 'x'), {}, {}, 1});
  RecordImage record{1, entry.key_hash, entry.key, "state", entry.cells, false};
  frame->entries.push_back(entry);
  frame->records.push_back(record);
  size_t size = 0;
  for (const Column& column : encode_frames(std::vector<FramePointer>{frame})) {
    size += column.bytes.size();
  }
  EXPECT_LT(size, 1'200u);
}

// Bends the columns in one of the ways that damage or malice can.
void bend(std::vector<Column>& columns, FrameMaker& maker) {
  const size_t index = maker.below(columns.size());
  std::string& bytes = columns[index].bytes;
  switch (maker.below(6)) {
    case 0:
      bytes[maker.below(bytes.size())] ^= static_cast<char>(1 << maker.below(8));
      break;
    case 1:
      bytes.resize(maker.below(bytes.size()));
      break;
    case 2:
      bytes.append(bytes);
      break;
    case 3:
      columns.erase(columns.begin() + static_cast<ptrdiff_t>(index));
      break;
    case 4:
      columns[index].id = static_cast<uint16_t>(maker.below(1'100));
      break;
    default:
      bytes[maker.below(bytes.size())] = static_cast<char>(0xff);
      break;
  }
}

RC_GTEST_PROP(FrameTest, bent_columns_are_refused_or_are_frames, (uint64_t seed)) {
  FrameMaker maker(seed);
  const auto original = encode_frames(maker.frames(1 + maker.below(3), 1 + maker.below(100)));
  for (int round = 0; round < 20; ++round) {
    auto columns = original;
    for (size_t i = 1 + maker.below(2); i > 0 && !columns.empty(); --i) {
      bend(columns, maker);
      std::erase_if(columns, [](const Column& column) { return column.bytes.empty(); });
    }
    const auto decoded = decode_frames(columns);
    if (!decoded.has_value()) RC_ASSERT(decoded.error().code == ErrorCode::kDamaged);
  }
}

TEST(FrameTest, counts_without_bytes_behind_them_are_refused) {
  // One frame that claims four billion confirmations, and nothing else.
  std::string bytes;
  ByteWriter out(bytes);
  out.u8(1);
  out.varint(1);
  out.varint(0);
  out.varint(1);
  out.varint(0);
  for (const uint64_t count : {0, 0, 0, 1, 0, 0, 0, 0}) out.varint(count * 0xffffffffu);
  const std::vector<Column> columns{{1, ColumnType::kBytes, bytes}};
  EXPECT_EQ(decode_frames(columns).error().code, ErrorCode::kDamaged);
}

TEST(FrameTest, a_frame_is_empty_only_without_any_part) {
  Frame frame;
  EXPECT_TRUE(frame.is_empty());
  frame.progress.push_back({});
  EXPECT_FALSE(frame.is_empty());
}

}  // namespace
}  // namespace syncline::model
