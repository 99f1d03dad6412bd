// The decoder against libzstd: every level and size it makes, and frames that were broken.
#include "kernels/bodies/zstd_decode.h"

#include <gtest/gtest.h>

#include "tests/unit/bodies/zstd_frames.hpp"

namespace syncline::bodies {
namespace {

constexpr uint32_t kWidths[] = {1, 3, 32};

void expect_opened(const std::string& frame, const std::string& content) {
  syn_zstd_frame parsed{};
  ASSERT_EQ(syn_zstd_walk(bytes_of(frame), frame.size(), &parsed), SYN_ZSTD_OK);
  ASSERT_EQ(parsed.size, frame.size());
  ASSERT_EQ(parsed.content_size, content.size());
  for (const uint32_t width : kWidths) {
    const Opened opened = open_by_body(frame, width, content.size());
    ASSERT_EQ(opened.status, SYN_ZSTD_OK) << "width " << width;
    ASSERT_TRUE(opened.bytes == content) << "width " << width;
  }
}

TEST(ZstdDecode, EveryLevelOfLibzstd) {
  for (const size_t size : {1000u, 200000u}) {
    for (const Content& content : contents_of(size)) {
      for (int level = -7; level <= 19; ++level) {
        SCOPED_TRACE(content.name + ", " + std::to_string(size) + ", level " +
                     std::to_string(level));
        expect_opened(frame_of(content.bytes, level), content.bytes);
      }
    }
  }
}

TEST(ZstdDecode, EverySmallSize) {
  for (size_t size = 0; size <= 1100; size += size < 300 ? 1 : 7) {
    for (const Content& content : contents_of(size)) {
      SCOPED_TRACE(content.name + ", " + std::to_string(size));
      for (const int level : {1, 3, 19})
        expect_opened(frame_of(content.bytes, level), content.bytes);
    }
  }
}

TEST(ZstdDecode, FramesOfManyBlocks) {
  for (const Content& content : contents_of(1 << 20)) {
    for (const int level : {-5, 1, 3, 9, 15}) {
      SCOPED_TRACE(content.name + ", level " + std::to_string(level));
      expect_opened(frame_of(content.bytes, level, true), content.bytes);
    }
  }
}

// What libzstd says of a frame whose content should be just so long.
bool opens_by_libzstd(const std::string& frame, size_t content_size, std::string& out) {
  out.assign(content_size, '\0');
  const size_t size = ZSTD_decompress(out.data(), out.size(), frame.data(), frame.size());
  return ZSTD_isError(size) == 0 && size == content_size;
}

struct Tally {
  uint64_t both = 0;
  uint64_t neither = 0;
  uint64_t strict = 0;
};

// A broken frame is opened by both to the same bytes, or by neither; where only libzstd opens it,
// the decoder says that it is being stricter.
void expect_same_verdict(const std::string& frame, size_t content_size, Tally& tally) {
  std::string wanted;
  const bool is_opened = opens_by_libzstd(frame, content_size, wanted);
  syn_zstd_frame parsed{};
  uint32_t walked = syn_zstd_walk(bytes_of(frame), frame.size(), &parsed);
  // libzstd would go on with the next frame.
  if (walked == SYN_ZSTD_OK && parsed.size != frame.size()) walked = SYN_ZSTD_UNSUPPORTED;
  const Opened opened = open_by_body(frame, 1, content_size);
  const Opened beside = open_by_body(frame, 32, content_size);
  ASSERT_EQ(opened.status, beside.status);
  const bool is_same = opened.status == SYN_ZSTD_OK && walked == SYN_ZSTD_OK;
  if (is_opened && !is_same) {
    ASSERT_TRUE(opened.status == SYN_ZSTD_STRICT || opened.status == SYN_ZSTD_UNSUPPORTED ||
                walked == SYN_ZSTD_UNSUPPORTED)
        << "status " << opened.status << ", walked " << walked;
    ++tally.strict;
    return;
  }
  ASSERT_EQ(is_opened, is_same) << "status " << opened.status;
  if (is_same) {
    ASSERT_TRUE(opened.bytes == wanted);
    ASSERT_TRUE(beside.bytes == wanted);
  }
  ++(is_same ? tally.both : tally.neither);
}

TEST(ZstdDecode, BrokenFramesAreJudgedAsLibzstdJudges) {
  std::mt19937_64 random(20);
  Tally tally;
  for (const size_t size : {40u, 300u, 3000u, 20000u, 150000u}) {
    for (const Content& content : contents_of(size)) {
      for (const int level : {-3, 1, 5, 19}) {
        const std::string frame = frame_of(content.bytes, level);
        const int rounds = size > 10000 ? 20 : 200;
        for (int i = 0; i < rounds; ++i) {
          const std::string hostile = broken(frame, random);
          expect_same_verdict(hostile, size, tally);
          if (HasFatalFailure()) {
            FAIL() << content.name << ", " << size << ", level " << level << ", round " << i;
          }
        }
      }
    }
  }
  // The corpus must reach both verdicts, or it proves nothing; and strictness stays the exception.
  EXPECT_GT(tally.both, 1000u);
  EXPECT_GT(tally.neither, 1000u);
  EXPECT_LT(tally.strict * 20, tally.neither);
}

}  // namespace
}  // namespace syncline::bodies
