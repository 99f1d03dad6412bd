#include "host/core/record.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace syncline::core {
namespace {

model::Version any_version() {
  model::Version version;
  version.policy_number = *rc::gen::inRange<uint32_t>(0, 3);
  for (int steps = *rc::gen::inRange(0, 3); steps > 0; --steps) {
    version.path.push_back({*rc::gen::arbitrary<int64_t>(), *rc::gen::inRange<uint32_t>(1, 9)});
  }
  version.time_us = *rc::gen::inRange<int64_t>(0, 4);
  version.origin = *rc::gen::inRange<uint32_t>(0, 4);
  version.correction_round = *rc::gen::inRange<uint32_t>(0, 3);
  if (version.origin == 0) return {};
  return version;
}

std::vector<model::Version> any_versions() {
  std::vector<model::Version> versions(*rc::gen::inRange<size_t>(0, 12));
  for (model::Version& version : versions) version = any_version();
  return versions;
}

InFlight any_in_flight(model::Sequence sequence) {
  InFlight write;
  write.sequence = sequence;
  constexpr model::EntryKind kKinds[] = {model::EntryKind::kSet, model::EntryKind::kPut,
                                         model::EntryKind::kDelete, model::EntryKind::kInsert};
  write.kind = kKinds[*rc::gen::inRange(0, 4)];
  write.generation = *rc::gen::inRange<uint64_t>(0, 1000);
  write.is_skipped = *rc::gen::arbitrary<bool>();
  write.cells.resize(*rc::gen::inRange<size_t>(0, 4));
  for (SentCell& cell : write.cells) {
    cell = {*rc::gen::arbitrary<uint16_t>(), any_version(), *rc::gen::arbitrary<uint64_t>()};
  }
  return write;
}

RecordState any_record() {
  RecordState record;
  record.generation = *rc::gen::inRange<uint64_t>(0, 1 << 20);
  record.cells = any_versions();
  for (uint32_t system = 1; system <= *rc::gen::inRange<uint32_t>(0, 4); ++system) {
    SystemView& view = record.make_view(system * 1000, system);
    view.generation = *rc::gen::inRange<uint64_t>(0, 9);
    view.is_read = *rc::gen::arbitrary<bool>();
    view.cells = any_versions();
    for (model::Sequence sequence = 1; sequence < *rc::gen::inRange<uint64_t>(0, 5); ++sequence) {
      view.flight.push_back(any_in_flight(sequence * 300));
    }
  }
  record.met.resize(*rc::gen::inRange<size_t>(0, 3));
  for (Met& met : record.met) met = {*rc::gen::arbitrary<uint16_t>(), any_version()};
  for (uint32_t system = 1; system <= *rc::gen::inRange<uint32_t>(0, 3); ++system) {
    record.keys.push_back({system, *rc::gen::arbitrary<std::string>()});
  }
  for (uint32_t system = 1; system <= *rc::gen::inRange<uint32_t>(0, 3); ++system) {
    if (*rc::gen::arbitrary<bool>()) record.set_apart(system * 7);
  }
  return record;
}

RC_GTEST_PROP(Record, comes_back_as_it_was, ()) {
  const RecordState record = any_record();
  const auto decoded = decode_record(encode(record));
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(decoded.value() == record);
}

RC_GTEST_PROP(Record, damage_is_an_error_or_a_record_and_never_more, ()) {
  std::string bytes = encode(any_record());
  const size_t at = *rc::gen::inRange<size_t>(0, bytes.size());
  bytes[at] = static_cast<char>(*rc::gen::arbitrary<uint8_t>());
  const auto decoded = decode_record(bytes);
  if (!decoded) RC_ASSERT(decoded.error().code == ErrorCode::kDamaged);
}

RC_GTEST_PROP(Record, a_cut_is_an_error, ()) {
  const std::string bytes = encode(any_record());
  const size_t size = *rc::gen::inRange<size_t>(0, bytes.size());
  RC_ASSERT(!decode_record(bytes.substr(0, size)).has_value());
}

TEST(Record, a_cut_before_its_keys_is_no_record_without_keys) {
  RecordState record;
  record.make_view(1, 1).generation = 1;
  const std::string without = encode(record);
  record.keys.push_back({7, "ann@x"});
  const std::string bytes = encode(record);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_record(bytes.substr(0, size))) << size;
  }
  EXPECT_TRUE(decode_record(without));
}

TEST(Record, what_no_lane_writes_is_damage) {
  EXPECT_FALSE(decode_record(""));
  EXPECT_FALSE(decode_record(encode({}) + "x"));
  EXPECT_FALSE(decode_record(std::string("\x02\xff\xff\xff\xff\x0f", 6)));  // versions without end
  EXPECT_FALSE(decode_record(std::string("\x02\x00\xff\xff\x7f", 5)));      // cells without end
  EXPECT_FALSE(decode_record(std::string("\x02\x00\x01\x01", 4)));          // no such version
  EXPECT_FALSE(decode_record(std::string("\x01\x00\x00\x01\x00\x00", 6)));  // keys, but none
  RecordState unsorted;
  unsorted.views.resize(2);
  unsorted.views[0].system = 9;
  EXPECT_FALSE(decode_record(encode(unsorted)));
  RecordState repeated;
  repeated.make_view(1, 1).flight = {InFlight{.sequence = 7, .cells = {}},
                                     InFlight{.sequence = 7, .cells = {}}};
  EXPECT_FALSE(decode_record(encode(repeated)));
  RecordState noted;
  noted.make_view(1, 1).flight = {InFlight{.kind = model::EntryKind::kNote, .cells = {}}};
  EXPECT_FALSE(decode_record(encode(noted)));
}

TEST(Record, at_rest_takes_few_bytes) {
  const model::Version made{1, {}, 1'700'000'000'000'000, 0x80000001, 0, 0};
  const model::Version changed{1, {}, 1'700'000'100'000'000, 0x90000001, 0, 0};
  RecordState record;
  record.generation = 1;
  record.cells.assign(8, made);
  EXPECT_LE(encode(record).size(), 20u);
  record.cells[3] = changed;
  EXPECT_LE(encode(record).size(), 33u);
}

TEST(Record, more_versions_than_a_nibble_names) {
  RecordState record;
  for (int64_t time = 1; time <= 40; ++time) record.cells.push_back({1, {}, time, 7, 0, 0});
  EXPECT_EQ(decode_record(encode(record)).value(), record);
}

TEST(Record, views_are_kept_by_system) {
  RecordState record;
  record.make_view(5, 1).generation = 1;
  record.make_view(2, 1);
  EXPECT_EQ(record.make_view(5, 1).generation, 1u);
  EXPECT_EQ(record.views.size(), 2u);
  EXPECT_EQ(record.views[0].system, 2u);
  EXPECT_EQ(record.view(3), nullptr);
}

TEST(Record, only_a_full_write_behind_a_skipped_one_takes_its_place) {
  SystemView view;
  const auto add = [&](model::EntryKind kind, bool is_skipped) {
    view.flight.push_back({.kind = kind, .cells = {}, .is_skipped = is_skipped});
  };
  add(model::EntryKind::kPut, false);
  EXPECT_FALSE(view.needs_full_write());
  add(model::EntryKind::kSet, true);
  EXPECT_TRUE(view.needs_full_write());
  add(model::EntryKind::kSet, false);
  EXPECT_TRUE(view.needs_full_write());
  add(model::EntryKind::kDelete, false);
  EXPECT_FALSE(view.needs_full_write());
}

ConfirmedUpTo up_to(model::Sequence sequence) {
  return [sequence](model::SystemId, uint32_t epoch) { return epoch == 1 ? sequence : 0; };
}

TEST(Record, what_is_confirmed_is_not_stored) {
  RecordState record;
  record.generation = 1;
  record.cells.resize(2);
  const std::string at_rest = encode(record);
  record.make_view(7, 1).flight = {InFlight{.sequence = 3, .cells = {}},
                                   InFlight{.sequence = 5, .cells = {}}};
  const std::string stored = encode(record);
  EXPECT_EQ(shortened(stored, up_to(4)), "");
  EXPECT_EQ(shortened(stored, up_to(5)), at_rest);
  EXPECT_EQ(shortened(at_rest, up_to(5)), "");
  record.views[0].epoch = 2;  // of another epoch
  EXPECT_EQ(shortened(encode(record), up_to(5)), "");
}

TEST(Record, a_skipped_write_and_the_mark_of_a_first_sync_stay_stored) {
  RecordState record;
  record.generation = 1;
  record.make_view(7, 1).flight = {InFlight{.sequence = 3, .cells = {}, .is_skipped = true}};
  EXPECT_EQ(shortened(encode(record), up_to(5)), "");
  record.views[0].flight[0].is_skipped = false;
  record.views[0].is_read = true;
  const RecordState left = decode_record(shortened(encode(record), up_to(5))).value();
  ASSERT_EQ(left.views.size(), 1u);
  EXPECT_TRUE(left.views[0].is_read);
  EXPECT_FALSE(left.views[0].is_in_flight());
}

}  // namespace
}  // namespace syncline::core
