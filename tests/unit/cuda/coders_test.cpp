// Which coder a card's blocks are made by, on a card and with an nvCOMP that the host plays.
#include "kernels/cuda/coders.hpp"

#include <array>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cpu/seal.hpp"
#include "tests/unit/bodies/zstd_frames.hpp"
#include "tests/unit/cuda/played_nvcomp.hpp"

#ifdef SYN_HAVE_NVCOMP
#include <nvcomp/version.h>
#include <nvcomp/zstd.h>
#endif

namespace syncline::cuda {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// A trial's runs of one coder, and the blocks that are checked before the first one.
constexpr int kTrialCalls = 4;
constexpr int kCheckCalls = 2;

class CodersTest : public testing::Test {
 protected:
  void use(const PlayedNvcomp& nvcomp) {
    engine_ = std::move(
        make_cuda_engine(
            {.find_nvcomp = [&nvcomp] { return &nvcomp; },
             .sample_count = 6,
             .on_warning = [this](const std::string& what) { warnings_.push_back(what); }})
            .value());
  }
  void expect_sealed() {
    const std::vector<engine::ColumnView> columns = {{0, 0, words_}, {1, 0, noise_}};
    const auto sealed = engine_->seal(columns, {}, "block");
    ASSERT_TRUE(sealed.has_value()) << to_string(sealed.error());
    const auto opened = cpu::open_block(sealed.value().bytes, {}, "block", digest_);
    ASSERT_TRUE(opened.has_value()) << to_string(opened.error());
    for (size_t i = 0; i < columns.size(); ++i) {
      ASSERT_TRUE(opened.value()[i].bytes == columns[i].bytes) << "column " << i;
    }
  }
  std::string variants() { return engine_->describe().variants; }

  const std::string words_ = bodies::words_of(300'000, 1);
  const std::string noise_ = bodies::noise_of(90'000, 2, 6);
  std::array<uint8_t, 32> digest_{};
  std::vector<std::string> warnings_;
  std::unique_ptr<engine::Engine> engine_;
};

TEST_F(CodersTest, AFasterNvcompIsTakenAndNamed) {
  const PlayedNvcomp nvcomp;
  use(nvcomp);
  EXPECT_THAT(variants(), Not(HasSubstr("nvcomp"))) << "nothing is measured before the first block";
  EXPECT_EQ(nvcomp.call_count(), 0);
  ASSERT_NO_FATAL_FAILURE(expect_sealed());
  EXPECT_THAT(variants(), HasSubstr("seal sm_80+nvcomp, open sm_80"));
  const int calls = nvcomp.call_count();
  ASSERT_NO_FATAL_FAILURE(expect_sealed());
  EXPECT_EQ(nvcomp.call_count(), calls + 1) << "it is measured once";
  EXPECT_THAT(warnings_, IsEmpty());
}

// A copy from other memory keeps the caller waiting.
TEST_F(CodersTest, WhatABlockNeedsGoesToTheCardFromPinnedMemory) {
  const PlayedNvcomp nvcomp;
  use(nvcomp);
  const int before = PlayedCard::get().pageable_copy_count();
  ASSERT_NO_FATAL_FAILURE(expect_sealed());
  EXPECT_EQ(PlayedCard::get().pageable_copy_count(), before);
}

TEST_F(CodersTest, WhereThereIsNoneOursIsUsed) {
  engine_ = std::move(make_cuda_engine({.find_nvcomp = [] {
                        return static_cast<const Nvcomp*>(nullptr);
                      }}).value());
  ASSERT_NO_FATAL_FAILURE(expect_sealed());
  EXPECT_THAT(variants(), HasSubstr("seal sm_80, open"));
}

// It was measured and found wanting: no trouble of anybody's.
class WorseCoder : public CodersTest, public testing::WithParamInterface<NvcompFault> {};

TEST_P(WorseCoder, IsNotTaken) {
  const PlayedNvcomp nvcomp(GetParam());
  use(nvcomp);
  ASSERT_NO_FATAL_FAILURE(expect_sealed());
  EXPECT_THAT(variants(), HasSubstr("seal sm_80, open"));
  EXPECT_THAT(warnings_, IsEmpty());
  EXPECT_LE(nvcomp.call_count(), kTrialCalls);
}
INSTANTIATE_TEST_SUITE_P(Faults, WorseCoder,
                         testing::Values(NvcompFault::kSlow, NvcompFault::kLarge,
                                         NvcompFault::kRefuses, NvcompFault::kSaysNoRoom,
                                         NvcompFault::kBadStatus, NvcompFault::kNoContentSize,
                                         NvcompFault::kVaries));

TEST_F(CodersTest, FramesThatOpenToOtherBytesAreFoundBeforeTheFirstBlock) {
  const PlayedNvcomp nvcomp(NvcompFault::kWrongContent);
  use(nvcomp);
  ASSERT_NO_FATAL_FAILURE(expect_sealed());
  EXPECT_THAT(variants(), HasSubstr("seal sm_80, open"));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("nvCOMP is not used any more")));
}

// Then ours makes the block, and all behind it: with one warning, and no fault of the engine.
class LaterFault : public CodersTest, public testing::WithParamInterface<NvcompFault> {};

TEST_P(LaterFault, ReturnsToOursForGood) {
  const PlayedNvcomp nvcomp(GetParam(), kTrialCalls + kCheckCalls + 1);
  use(nvcomp);
  ASSERT_NO_FATAL_FAILURE(expect_sealed());
  EXPECT_THAT(variants(), HasSubstr("+nvcomp"));
  ASSERT_NO_FATAL_FAILURE(expect_sealed());
  EXPECT_THAT(variants(), Not(HasSubstr("+nvcomp")));
  const int calls = nvcomp.call_count();
  ASSERT_NO_FATAL_FAILURE(expect_sealed());
  EXPECT_EQ(nvcomp.call_count(), calls);
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("nvCOMP is not used any more")));
}
INSTANTIATE_TEST_SUITE_P(Faults, LaterFault,
                         testing::Values(NvcompFault::kRefuses, NvcompFault::kSaysNoRoom,
                                         NvcompFault::kBadStatus));

// Ours takes over in the middle of a block then, so it was held against the CPU before any block.
TEST_F(CodersTest, OursIsCheckedEvenWhereNvcompIsTakenFirst) {
  const PlayedNvcomp nvcomp(NvcompFault::kBadStatus, kTrialCalls + kCheckCalls + 1);
  PlayedCard::get().is_coding_wrongly = true;
  use(nvcomp);
  const std::vector<engine::ColumnView> columns = {{0, 0, words_}};
  for (int i = 0; i < 3; ++i) {
    const auto sealed = engine_->seal(columns, {}, "block");
    if (!sealed.has_value()) continue;
    EXPECT_TRUE(cpu::open_block(sealed.value().bytes, {}, "block", digest_).has_value());
  }
  PlayedCard::get().is_coding_wrongly = false;
}

TEST_F(CodersTest, WhatFailsOnTheCardWhileItIsMeasuredIsNotTriedAgain) {
  const PlayedNvcomp nvcomp(NvcompFault::kFailsOnCard);
  use(nvcomp);
  const std::vector<engine::ColumnView> columns = {{0, 0, words_}};
  EXPECT_FALSE(engine_->seal(columns, {}, "block").has_value());
  EXPECT_EQ(nvcomp.call_count(), 1);
  for (int i = 0; i < 2; ++i) ASSERT_NO_FATAL_FAILURE(expect_sealed());
  EXPECT_EQ(nvcomp.call_count(), 1);
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("nvCOMP is not used")));
}

// What takes the card with it is the card's failure; the next block is ours all the same.
TEST_F(CodersTest, WhatFailsOnTheCardIsNotTriedAgainByNvcomp) {
  const PlayedNvcomp nvcomp;
  use(nvcomp);
  ASSERT_NO_FATAL_FAILURE(expect_sealed());
  const std::vector<engine::ColumnView> columns = {{0, 0, words_}};
  PlayedCard::get().fail(Call::kQuery, 1, cudaErrorLaunchOutOfResources);
  EXPECT_FALSE(engine_->seal(columns, {}, "block").has_value());
  const int calls = nvcomp.call_count();
  ASSERT_NO_FATAL_FAILURE(expect_sealed());
  EXPECT_EQ(nvcomp.call_count(), calls);
}

#ifdef SYN_HAVE_NVCOMP

// The library's symbols, as dlsym would find them.
struct PlayedLibrary {
  static inline uint32_t version = NVCOMP_VER;
  static inline size_t alignment = 4;
  static inline std::string missing;

  static nvcompStatus_t properties(nvcompProperties_t* out) {
    *out = {version, 13000};
    return nvcompSuccess;
  }
  static nvcompStatus_t alignments(nvcompBatchedZstdCompressOpts_t /*options*/,
                                   nvcompAlignmentRequirements_t* out) {
    *out = {4, alignment, 1};
    return nvcompSuccess;
  }
  static nvcompStatus_t frame_size(size_t size, nvcompBatchedZstdCompressOpts_t /*options*/,
                                   size_t* out) {
    *out = size + 5;
    return size == 0 ? nvcompErrorInvalidValue : nvcompSuccess;
  }
  static void* find(const char* name) {
    if (missing == name) return nullptr;
    const std::string symbol = name;
    if (symbol == "nvcompGetProperties") return reinterpret_cast<void*>(&properties);
    if (symbol == "nvcompBatchedZstdCompressGetRequiredAlignments") {
      return reinterpret_cast<void*>(&alignments);
    }
    return reinterpret_cast<void*>(&frame_size);  // the others are never called here
  }
};

class LibraryTest : public testing::Test {
 protected:
  LibraryTest() {
    PlayedLibrary::version = NVCOMP_VER;
    PlayedLibrary::alignment = 4;
    PlayedLibrary::missing.clear();
  }
};

TEST_F(LibraryTest, OfTheHeadersVersionIsLoaded) {
  const auto loaded = Nvcomp::load(&PlayedLibrary::find);
  ASSERT_NE(loaded, nullptr);
  EXPECT_EQ(loaded->frame_size_max(100).value(), 105u);
  EXPECT_FALSE(loaded->frame_size_max(0).has_value());
}

TEST_F(LibraryTest, OfAnotherVersionIsNot) {
  PlayedLibrary::version = NVCOMP_VER - 1000;
  EXPECT_EQ(Nvcomp::load(&PlayedLibrary::find), nullptr);
}

TEST_F(LibraryTest, WithoutASymbolIsNot) {
  for (const char* name :
       {"nvcompGetProperties", "nvcompBatchedZstdCompressGetRequiredAlignments",
        "nvcompBatchedZstdCompressGetMaxOutputChunkSize", "nvcompBatchedZstdCompressGetTempSize",
        "nvcompBatchedZstdDecompressGetTempSize", "nvcompBatchedZstdCompressAsync",
        "nvcompBatchedZstdDecompressAsync"}) {
    PlayedLibrary::missing = name;
    EXPECT_EQ(Nvcomp::load(&PlayedLibrary::find), nullptr) << name;
  }
}

TEST_F(LibraryTest, ThatWantsMoreAlignmentThanPiecesHaveIsNot) {
  PlayedLibrary::alignment = 32;
  EXPECT_EQ(Nvcomp::load(&PlayedLibrary::find), nullptr);
}

#endif

}  // namespace
}  // namespace syncline::cuda
