// The kernel that encrypts and decrypts touches nothing outside what it was given: records of every
// length, sealed in place and opened, in memory that borders on closed pages. Kernels bent by a
// byte must be noticed.
#include <gtest/gtest.h>

#include "kernels/bodies/gcm_group.h"
#include "kernels/cpu/aes_gcm.hpp"
#include "tests/unit/bodies/zstd_frames.hpp"
#include "tests/unit/opencl/bounds_fixture.hpp"

namespace syncline::opencl {
namespace {

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
    std::string bytes;
  };
  Result open(const std::string& sealed, const std::string& additional, Edge edge) {
    const uint32_t from = from_->put(edge, sealed);
    const uint32_t to = sealed_->place(edge, sealed.size());
    return run_record(SYN_GCM_OPEN, *from_, from, to, sealed.size(), additional, edge);
  }
  // In place, as blocks are.
  Result seal(const std::string& plain, const std::string& additional, Edge edge) {
    const uint32_t at = sealed_->put(edge, plain);
    return run_record(SYN_GCM_SEAL, *sealed_, at, at, plain.size(), additional, edge);
  }
  Result run_record(uint32_t direction, const Guarded& from, uint32_t input_at, uint32_t output_at,
                    size_t size, const std::string& additional, Edge edge) {
    syn_gcm_record record{};
    record.additional_at = input_->put(edge, additional);
    record.additional_size = static_cast<uint32_t>(additional.size());
    record.input_at = input_at;
    record.output_at = output_at;
    record.size = static_cast<uint32_t>(size);
    std::memcpy(record.nonce, nonce_.data(), nonce_.size());
    std::memcpy(input_->front(), &record, sizeof record);
    run("run_records", cl_uint{1}, cl_uint{direction}, key_->memory(), input_->memory(),
        cl_ulong{0}, from.memory(), sealed_->memory());
    return {std::string(reinterpret_cast<const char*>(sealed_->front()), SYN_TAG_SIZE),
            sealed_->take(edge, size)};
  }
  // As the CPU's engine seals it.
  Result sealed_by_cpu(const std::string& plain, const std::string& additional) {
    Result out{std::string(SYN_TAG_SIZE, '\0'), std::string(plain.size(), '\0')};
    EXPECT_TRUE(cpu::aes_gcm().encrypt({plain_key_, nonce_, additional, bodies::bytes_of(plain),
                                        plain.size(), reinterpret_cast<uint8_t*>(out.bytes.data())},
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
      const Result opened = open(sealed.bytes, additional, edge);
      ASSERT_TRUE(opened.tag == sealed.tag);
      ASSERT_TRUE(opened.bytes == plain);
      const Result again = seal(plain, additional, edge);
      ASSERT_TRUE(again.tag == sealed.tag);
      ASSERT_TRUE(again.bytes == sealed.bytes);
      ASSERT_EQ(Guards::take_touches(), 0);
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
      std::string flipped = sealed.bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
      const Edge edge = kEdges[bit % 2];
      ASSERT_FALSE(open(flipped, additional, edge).tag == sealed.tag);
      ASSERT_FALSE(open(sealed.bytes, additional + "x", edge).tag == sealed.tag);
      ASSERT_EQ(Guards::take_touches(), 0);
    }
    ASSERT_FALSE(open(sealed.bytes.substr(1), additional, Edge::kEnd).tag == sealed.tag);
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
    build_bent(bend, {"run_records"});
    if (HasFatalFailure()) return;
    open(std::string(77, 'x'), "additional", Edge::kEnd);
    EXPECT_GT(Guards::take_touches(), 0) << bend.what << ", opening";
    seal(std::string(77, 'x'), "additional", Edge::kEnd);
    EXPECT_GT(Guards::take_touches(), 0) << bend.what << ", sealing";
  }
}

INSTANTIATE_TEST_SUITE_P(Groups, RecordBounds, testing::Values(1u, 32u), width_name);
INSTANTIATE_TEST_SUITE_P(Groups, BentRecords, testing::Values(1u), width_name);

}  // namespace
}  // namespace syncline::opencl
