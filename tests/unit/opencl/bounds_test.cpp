// The kernels of open touch nothing outside the bytes that they were given, whatever these say:
// each kernel runs on a processor, in memory whose ends border on closed pages
// (guarded_memory.hpp), over hostile and cut frames and over records of every length. Kernels bent
// by a byte must be noticed. What lies in a group's own memory is held in bounds by the sanitizers,
// where the bodies run as C++ (tests/unit/bodies). Skips, and says so, where there is no processor
// that OpenCL runs on.
#include <gtest/gtest.h>

#include "kernels/bodies/frames.h"
#include "kernels/bodies/gcm_group.h"
#include "kernels/cpu/aes_gcm.hpp"
#include "kernels/opencl/program.hpp"
#include "tests/unit/bodies/zstd_frames.hpp"
#include "tests/unit/opencl/guarded_memory.hpp"

namespace syncline::opencl {
namespace {

using Edge = Guarded::Edge;

constexpr Edge kEdges[] = {Edge::kBegin, Edge::kEnd};
constexpr size_t kContentSizeMax = 150'000;

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  EXPECT_EQ(text.find(from, at + 1), std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

// A frame whose header says another size: of those where two bytes say it, less 256.
std::string saying(std::string frame, size_t content_size) {
  EXPECT_EQ(static_cast<uint8_t>(frame[4]) >> 6, 1);
  const auto said = static_cast<uint16_t>(content_size - 256);
  std::memcpy(&frame[5], &said, sizeof said);
  return frame;
}

// A kernel's text, and what stands there instead.
struct Bend {
  const char* what;
  const char* from;
  const char* to;
};

class BoundsTest : public testing::TestWithParam<uint32_t> {
 protected:
  void SetUp() override {
    cl_platform_id platform = nullptr;
    if (clGetPlatformIDs(1, &platform, nullptr) != CL_SUCCESS ||
        clGetDeviceIDs(platform, CL_DEVICE_TYPE_CPU, 1, &device_, nullptr) != CL_SUCCESS) {
      GTEST_SKIP() << "no processor that OpenCL runs on";
    }
    context_ = Context(clCreateContext(nullptr, 1, &device_, nullptr, nullptr, nullptr));
    queue_ = Queue(clCreateCommandQueue(context_.get(), device_, 0, nullptr));
    Guards::forget_all();
    Guards::watch();
  }

  // The engine's program, or one whose text was bent.
  void build(const std::string& source = kKernelSource) {
    const char* text = source.c_str();
    program_ = Program(clCreateProgramWithSource(context_.get(), 1, &text, nullptr, nullptr));
    const std::string options = "-cl-std=CL1.2 -DSYN_GROUP_WIDTH=" + std::to_string(GetParam());
    ASSERT_EQ(clBuildProgram(program_.get(), 1, &device_, options.c_str(), nullptr, nullptr),
              CL_SUCCESS);
  }

  // One group. Arguments are numbers and buffers, as clSetKernelArg takes them.
  template <class... Arguments>
  void run(const char* name, const Arguments&... arguments) {
    const Kernel kernel(clCreateKernel(program_.get(), name, nullptr));
    cl_uint index = 0;
    const bool are_taken =
        ((clSetKernelArg(kernel.get(), index++, sizeof arguments, &arguments) == CL_SUCCESS) &&
         ...);
    ASSERT_TRUE(are_taken);
    const size_t width = GetParam();
    ASSERT_EQ(clEnqueueNDRangeKernel(queue_.get(), kernel.get(), 1, nullptr, &width, &width, 0,
                                     nullptr, nullptr),
              CL_SUCCESS);
    ASSERT_EQ(clFinish(queue_.get()), CL_SUCCESS);
  }

  cl_device_id device_ = nullptr;
  Context context_;
  Queue queue_;
  Program program_;
};

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
                         "if (copy.literal_length > in.output_size - d->produced) {",
                         "if (copy.literal_length > in.output_size - d->produced + 1) {"}};
  const auto frames = frames_to_show();
  for (const Bend& bend : bends) {
    build(replaced(kKernelSource, bend.from, bend.to));
    if (HasFatalFailure()) return;
    EXPECT_GT(touches_of(frames), 0) << bend.what;
  }
}

class RecordBounds : public BoundsTest {
 protected:
  static constexpr size_t kSizeMax = 3000;

  void SetUp() override {
    BoundsTest::SetUp();
    if (IsSkipped()) return;
    input_ = std::make_unique<Guarded>(context_.get(), sizeof(syn_gcm_record), kSizeMax);
    sealed_ = std::make_unique<Guarded>(context_.get(), SYN_TAG_SIZE, kSizeMax);
    from_ = std::make_unique<Guarded>(context_.get(), 0, kSizeMax);
    key_ = std::make_unique<Guarded>(context_.get(), sizeof(syn_gcm_key), 0);
    plain_key_.fill(0x2a);
    syn_gcm_prepare(plain_key_.data(), reinterpret_cast<syn_gcm_key*>(key_->front()));
  }

  struct Result {
    std::string tag;
    std::string plain;
  };
  Result open(const std::string& sealed, const std::string& additional, Edge edge) {
    syn_gcm_record record{};
    record.additional_at = input_->put(edge, additional);
    record.additional_size = static_cast<uint32_t>(additional.size());
    record.input_at = from_->put(edge, sealed);
    record.output_at = sealed_->place(edge, sealed.size());
    record.size = static_cast<uint32_t>(sealed.size());
    std::memcpy(record.nonce, nonce_.data(), nonce_.size());
    std::memcpy(input_->front(), &record, sizeof record);
    run("run_records", cl_uint{1}, cl_uint{SYN_GCM_OPEN}, key_->memory(), input_->memory(),
        cl_ulong{0}, from_->memory(), sealed_->memory());
    return {std::string(reinterpret_cast<const char*>(sealed_->front()), SYN_TAG_SIZE),
            sealed_->take(edge, sealed.size())};
  }
  // As the CPU's engine seals it.
  Result sealed_by_cpu(const std::string& plain, const std::string& additional) {
    Result out{std::string(SYN_TAG_SIZE, '\0'), std::string(plain.size(), '\0')};
    EXPECT_TRUE(cpu::aes_gcm().encrypt({plain_key_, nonce_, additional, bodies::bytes_of(plain),
                                        plain.size(), reinterpret_cast<uint8_t*>(out.plain.data())},
                                       reinterpret_cast<uint8_t*>(out.tag.data())));
    return out;
  }

  std::array<uint8_t, 32> plain_key_{};
  cpu::Nonce nonce_{1, 2, 3};
  std::unique_ptr<Guarded> input_;
  std::unique_ptr<Guarded> sealed_;
  std::unique_ptr<Guarded> from_;
  std::unique_ptr<Guarded> key_;
};

TEST_P(RecordBounds, RecordsOfEveryLength) {
  build();
  for (size_t size = 0; size <= kSizeMax; size += size < 600 ? 1 : 97) {
    const std::string plain = bodies::noise_of(size, size, 8);
    const std::string additional = bodies::noise_of(size * 7 % 130, size + 1, 8);
    const Result sealed = sealed_by_cpu(plain, additional);
    for (const Edge edge : kEdges) {
      SCOPED_TRACE(size);
      const Result opened = open(sealed.plain, additional, edge);
      ASSERT_EQ(Guards::take_touches(), 0);
      ASSERT_TRUE(opened.tag == sealed.tag);
      ASSERT_TRUE(opened.plain == plain);
    }
  }
}

// The host compares the tag that a record must have with the one that it came with.
TEST_P(RecordBounds, AnotherRecordHasAnotherTag) {
  build();
  for (const size_t size : {1u, 15u, 16u, 17u, 500u, 512u}) {
    const std::string additional = bodies::noise_of(40, size, 8);
    const Result sealed = sealed_by_cpu(bodies::noise_of(size, size, 8), additional);
    for (size_t bit = 0; bit < size * 8; bit += size < 20 ? 1 : 61) {
      std::string flipped = sealed.plain;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
      const Edge edge = kEdges[bit % 2];
      ASSERT_FALSE(open(flipped, additional, edge).tag == sealed.tag);
      ASSERT_FALSE(open(sealed.plain, additional + "x", edge).tag == sealed.tag);
      ASSERT_EQ(Guards::take_touches(), 0);
    }
    ASSERT_FALSE(open(sealed.plain.substr(1), additional, Edge::kEnd).tag == sealed.tag);
    ASSERT_EQ(Guards::take_touches(), 0);
  }
}

class BentRecords : public RecordBounds {};

TEST_P(BentRecords, AreNoticed) {
  const Bend bends[] = {
      {"a last block reads a byte too many",
       "if (4 * word + i < count) value |= (uint32_t)bytes[4 * word + i] << (8 * i);",
       "if (4 * word + i < count + 1) value |= (uint32_t)bytes[4 * word + i] << (8 * i);"},
      {"a last block writes a byte too many", "if (4 * word + i >= count) continue;",
       "if (4 * word + i >= count + 1) continue;"},
      {"a tag is a word longer", "for (uint32_t i = 0; i < 4; ++i) view.tag[i] = words[i];",
       "for (uint32_t i = 0; i < 5; ++i) view.tag[i] = words[i % 4];"}};
  for (const Bend& bend : bends) {
    build(replaced(kKernelSource, bend.from, bend.to));
    if (HasFatalFailure()) return;
    open(std::string(77, 'x'), "additional", Edge::kEnd);
    EXPECT_GT(Guards::take_touches(), 0) << bend.what;
  }
}

const auto kName = [](const auto& instance) { return "Width" + std::to_string(instance.param); };
INSTANTIATE_TEST_SUITE_P(Groups, FrameBounds, testing::Values(1u, 32u), kName);
INSTANTIATE_TEST_SUITE_P(Groups, RecordBounds, testing::Values(1u, 32u), kName);
INSTANTIATE_TEST_SUITE_P(Groups, BentFrames, testing::Values(1u), kName);
INSTANTIATE_TEST_SUITE_P(Groups, BentRecords, testing::Values(1u), kName);

}  // namespace
}  // namespace syncline::opencl
