#include "host/model/version.hpp"

#include <limits>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace syncline::model {
namespace {

Version any_version() {
  Version version;
  version.policy_number = *rc::gen::arbitrary<uint32_t>();
  for (size_t steps = *rc::gen::inRange<size_t>(0, kRankStepsMax + 1); steps > 0; --steps) {
    version.path.push_back({*rc::gen::arbitrary<int64_t>(), *rc::gen::arbitrary<uint32_t>()});
  }
  version.time_us = *rc::gen::arbitrary<int64_t>();
  version.origin = *rc::gen::arbitrary<uint32_t>();
  version.correction_round = *rc::gen::inRange<uint32_t>(0, 4);
  version.corrector = *rc::gen::arbitrary<uint32_t>();
  return version;
}

std::string encoded(const Version& version) {
  std::string bytes;
  ByteWriter out(bytes);
  encode(version, out);
  return bytes;
}

RC_GTEST_PROP(Version, comes_back_as_it_was, ()) {
  const Version version = any_version();
  const std::string bytes = encoded(version);
  ByteReader in(bytes);
  RC_ASSERT(decode_version(in) == version);
  RC_ASSERT(in.ok() && in.at_end());
}

RC_GTEST_PROP(Version, a_cut_leaves_the_reader_not_ok, ()) {
  const std::string bytes = encoded(any_version());
  const std::string cut = bytes.substr(0, *rc::gen::inRange<size_t>(0, bytes.size()));
  ByteReader in(cut);
  decode_version(in);
  RC_ASSERT(!in.ok());
}

RC_GTEST_PROP(Version, corrections_lie_between_a_write_and_what_follows_it, ()) {
  const Version write{1, {}, *rc::gen::inRange<int64_t>(0, 5), 3, 0, 0};
  Version corrected = write;
  corrected.correction_round = *rc::gen::inRange<uint32_t>(1, 4);
  corrected.corrector = *rc::gen::arbitrary<uint32_t>();
  Version next = write;
  ++next.time_us;
  RC_ASSERT(write < corrected && corrected < next);
  RC_ASSERT(write.is_same_write(corrected));
  RC_ASSERT(!corrected.is_same_write(next));
  RC_ASSERT(corrected.compare_write(next) == std::strong_ordering::less);
}

TEST(Version, is_ordered_member_by_member) {
  const Version ordered[] = {
      {},
      {0, {}, 9, 1, 0, 0},
      {1, {}, 1, 1, 0, 0},
      {1, {}, 1, 2, 0, 0},
      {1, {}, 1, 2, 1, 0},
      {1, {}, 2, 1, 0, 0},
      {1, {{5, 1}}, 1, 1, 0, 0},
      {1, {{5, 1}, {2, 1}}, 1, 1, 0, 0},
      {1, {{5, 1}, {3, 1}}, 1, 1, 0, 0},
      {1, {{5, 2}}, 1, 1, 0, 0},
      {2, {}, 0, 1, 0, 0},
  };
  for (size_t i = 1; i < std::size(ordered); ++i) {
    EXPECT_LT(ordered[i - 1], ordered[i]) << i;
    EXPECT_TRUE(ordered[i - 1].compare_write(ordered[i]) <= 0) << i;
  }
  EXPECT_TRUE(ordered[0].is_none());
  EXPECT_FALSE(ordered[1].is_none());
}

TEST(Version, of_newest_takes_few_bytes) {
  EXPECT_LE(encoded({1, {}, 1'700'000'000'000'000, 0x80000001, 0, 0}).size(), 13u);
}

TEST(Version, what_is_no_version_is_refused) {
  std::string too_long;
  ByteWriter out(too_long);
  out.varint(1 << 2 | 1);
  out.u8(kRankStepsMax + 1);
  for (size_t i = 0; i < 40; ++i) out.u8(0);
  ByteReader in(too_long);
  decode_version(in);
  EXPECT_FALSE(in.ok());
  std::string too_large;
  ByteWriter large(too_large);
  large.varint(uint64_t{1} << 40);
  for (size_t i = 0; i < 40; ++i) large.u8(0);
  ByteReader large_in(too_large);
  decode_version(large_in);
  EXPECT_FALSE(large_in.ok());
}

TEST(Version, reads_well) {
  EXPECT_EQ(describe({1, {}, 1'795'422'720'000'001, 7, 0, 0}, "erp"),
            "2026-11-23T08:32:00.000001Z erp");
  EXPECT_EQ(describe({1, {}, -1, 7, 2, 9}, "erp"), "1969-12-31T23:59:59.999999Z erp, correction 2");
  EXPECT_EQ(describe({0, {}, 3, 7, 0, 0}, "erp"), "first sync, erp");
  EXPECT_EQ(describe({}, ""), "none");
}

}  // namespace
}  // namespace syncline::model
