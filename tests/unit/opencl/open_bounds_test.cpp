// Opening's kernel touches nothing outside the bytes that it was given, whatever these say: it runs
// on a processor, in memory whose ends border on closed pages (guarded_memory.hpp), over hostile
// and cut frames. Kernels bent by a byte must be noticed. What lies in a group's own memory is held
// in bounds by the sanitizers, where the bodies run as C++ (tests/unit/bodies).
#include <gtest/gtest.h>

#include "kernels/bodies/frames.h"
#include "tests/unit/bodies/zstd_frames.hpp"
#include "tests/unit/opencl/bounds_fixture.hpp"

namespace syncline::opencl {
namespace {

constexpr size_t kContentSizeMax = 150'000;

// A frame whose header says another size: of those where two bytes say it, less 256.
std::string saying(std::string frame, size_t content_size) {
  EXPECT_EQ(static_cast<uint8_t>(frame[4]) >> 6, 1);
  const auto said = static_cast<uint16_t>(content_size - 256);
  std::memcpy(&frame[5], &said, sizeof said);
  return frame;
}

class FrameBounds : public BoundsTest {
 protected:
  void SetUp() override {
    BoundsTest::SetUp();
    if (IsSkipped()) return;
    input_ = std::make_unique<Guarded>(context_.get(), sizeof(syn_frame_place), 0);
    sealed_ = std::make_unique<Guarded>(context_.get(), 0, ZSTD_compressBound(kContentSizeMax));
    contents_ = std::make_unique<Guarded>(context_.get(), sizeof(uint32_t), kContentSizeMax);
    scratch_ = std::make_unique<Guarded>(context_.get(), 0, SYN_DECODER_SCRATCH_SIZE);
  }

  bodies::Opened open(const std::string& frame, size_t content_size, Edge edge) {
    const syn_frame_place place = {sealed_->put(edge, frame), static_cast<uint32_t>(frame.size()),
                                   contents_->place(edge, content_size),
                                   static_cast<uint32_t>(content_size)};
    std::memcpy(input_->front(), &place, sizeof place);
    run("decompress_frames", cl_uint{1}, input_->memory(), sealed_->memory(), contents_->memory(),
        scratch_->memory());
    bodies::Opened out;
    std::memcpy(&out.status, contents_->front(), sizeof out.status);
    if (out.status == SYN_ZSTD_OK) out.bytes = contents_->take(edge, content_size);
    return out;
  }

  // What the body gives as C++, and what the CPU's engine would, where the kernel gives anything.
  void expect_as_cpu(const std::string& frame, size_t content_size) {
    const bodies::Opened wanted = bodies::open_by_body(frame, GetParam(), content_size);
    for (const Edge edge : kEdges) {
      const bodies::Opened opened = open(frame, content_size, edge);
      ASSERT_EQ(Guards::take_touches(), 0);
      ASSERT_EQ(opened.status, wanted.status);
      ASSERT_TRUE(opened.bytes == wanted.bytes);
    }
    ++(wanted.status == SYN_ZSTD_OK ? opened_count_ : refused_count_);
    syn_zstd_frame walked{};
    if (wanted.status != SYN_ZSTD_OK ||
        syn_zstd_walk(bodies::bytes_of(frame), frame.size(), &walked) != SYN_ZSTD_OK) {
      return;
    }
    std::string plain(content_size, '\0');
    const size_t size = ZSTD_decompress(plain.data(), plain.size(), frame.data(), walked.size);
    // A checksum that does not match is the host's to find.
    ASSERT_TRUE(walked.has_checksum != 0 || size == content_size);
    ASSERT_TRUE(ZSTD_isError(size) != 0 || wanted.bytes == plain);
  }

  // How often a bent program touches what it may not, over the frames of a corpus.
  int touches_of(const std::vector<std::pair<std::string, size_t>>& frames) {
    int count = 0;
    for (const auto& [frame, content_size] : frames) {
      for (const Edge edge : kEdges) {
        open(frame, content_size, edge);
        count += Guards::take_touches();
      }
    }
    return count;
  }

  std::unique_ptr<Guarded> input_;
  std::unique_ptr<Guarded> sealed_;
  std::unique_ptr<Guarded> contents_;
  std::unique_ptr<Guarded> scratch_;
  uint64_t opened_count_ = 0;
  uint64_t refused_count_ = 0;
};

TEST_P(FrameBounds, HostileFrames) {
  build();
  std::mt19937_64 random(77);
  for (const size_t size :
       {size_t{40}, size_t{300}, size_t{3000}, size_t{20000}, kContentSizeMax}) {
    for (const bodies::Content& content : bodies::contents_of(size)) {
      for (const int level : {-3, 1, 5, 19}) {
        const std::string frame = bodies::frame_of(content.bytes, level);
        const int rounds = size > 10000 ? 20 : 150;
        for (int i = 0; i < rounds; ++i) {
          SCOPED_TRACE(content.name + ", " + std::to_string(size) + ", level " +
                       std::to_string(level) + ", round " + std::to_string(i));
          expect_as_cpu(i == 0 ? frame : bodies::broken(frame, random), size);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
  EXPECT_GT(opened_count_, 1000u);
  EXPECT_GT(refused_count_, 5000u);
}

TEST_P(FrameBounds, FramesCutAtEveryByte) {
  build();
  for (const char* const name : {"words", "rows", "zeros", "bytes"}) {
    for (const bodies::Content& content : bodies::contents_of(400)) {
      if (content.name != name) continue;
      const std::string frame = bodies::frame_of(content.bytes, 3);
      for (size_t size = 1; size < frame.size(); ++size) {
        SCOPED_TRACE(content.name + " cut to " + std::to_string(size));
        expect_as_cpu(frame.substr(0, size), content.bytes.size());
        if (HasFatalFailure()) return;
      }
    }
  }
  EXPECT_EQ(opened_count_, 0u);
  EXPECT_GT(refused_count_, 300u);
}

// A frame whose content is said to be one byte shorter or longer than it is.
TEST_P(FrameBounds, ContentsOfAnotherSizeThanTheirPlace) {
  build();
  for (const bodies::Content& content : bodies::contents_of(3000)) {
    const std::string frame = bodies::frame_of(content.bytes, 3);
    for (const size_t size : {2999u, 3001u}) {
      SCOPED_TRACE(content.name + ", " + std::to_string(size));
      expect_as_cpu(frame, size);
      expect_as_cpu(saying(frame, size), size);  // its header agrees, its blocks do not
    }
  }
  EXPECT_EQ(opened_count_, 0u);
}

// One byte too many, read or written, before or behind: what the tests above would see.
class BentFrames : public FrameBounds {
 protected:
  // Whole ones, ones that are cut by a byte, and ones that say that they hold a byte less.
  static std::vector<std::pair<std::string, size_t>> frames_to_show() {
    std::vector<std::pair<std::string, size_t>> out;
    for (const bodies::Content& content : bodies::contents_of(3000)) {
      const std::string frame = bodies::frame_of(content.bytes, 3);
      out.emplace_back(frame, content.bytes.size());
      out.emplace_back(frame.substr(0, frame.size() - 1), content.bytes.size());
      out.emplace_back(saying(frame, content.bytes.size() - 1), content.bytes.size() - 1);
    }
    return out;
  }
};

TEST_P(BentFrames, AreNoticed) {
  const Bend bends[] = {{"a match reads from a byte before its content",
                         "SYN_GLOBAL const uint8_t* from = to - copy.offset;",
                         "SYN_GLOBAL const uint8_t* from = to - copy.offset - 1;"},
                        {"a short match is copied to a byte behind its place",
                         "for (uint32_t byte = 0; byte < copy.match_length; ++byte) to[",
                         "for (uint32_t byte = 0; byte <= copy.match_length; ++byte) to["},
                        {"a plain block writes a byte behind its content",
                         "for (uint32_t i = lane; i < d->block_size; i += width)",
                         "for (uint32_t i = lane; i <= d->block_size; i += width)"},
                        {"a stream of bits reads a byte behind its frame",
                         "if (size == 0 || bytes[size - 1] == 0) return 0;",
                         "if (size == 0 || bytes[size] == 255 || bytes[size - 1] == 0) return 0;"},
                        {"a block may be a byte longer than its frame",
                         "syn_zstd_block_bytes(head) > in.size - d->at) return;",
                         "syn_zstd_block_bytes(head) > in.size - d->at + 1) return;"},
                        {"a content may be a byte longer than its place",
                         "if (copy.literal_length > in.output_size - d->cursor.produced) {",
                         "if (copy.literal_length > in.output_size - d->cursor.produced + 1) {"}};
  const auto frames = frames_to_show();
  for (const Bend& bend : bends) {
    build_bent(bend, {"decompress_frames"});
    if (HasFatalFailure()) return;
    EXPECT_GT(touches_of(frames), 0) << bend.what;
  }
}

INSTANTIATE_TEST_SUITE_P(Groups, FrameBounds, testing::Values(1u, 32u), width_name);
INSTANTIATE_TEST_SUITE_P(Groups, BentFrames, testing::Values(1u), width_name);

}  // namespace
}  // namespace syncline::opencl
