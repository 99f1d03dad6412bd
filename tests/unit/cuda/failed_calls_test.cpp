// The CUDA engine's host code where a call of the runtime fails, whichever it is: one error of the
// engine or none at all, and the same batch or block is right when it is tried again.
#include <string>
#include <vector>

#include "host/base/clock.hpp"
#include "host/dispatch/dispatcher.hpp"
#include "kernels/cpu/cpu_engine.hpp"
#include "kernels/cpu/seal.hpp"
#include "kernels/cuda/cuda_engine.hpp"
#include "tests/unit/cuda/judge.hpp"
#include "tests/unit/cuda/played_card.hpp"

namespace syncline::cuda {
namespace {

struct Fault {
  Call call;
  cudaError_t error;
  const char* name;
};
// Those after which the card goes on.
constexpr Fault kPassing[] = {
    {Call::kAllocate, cudaErrorMemoryAllocation, "Allocate"},
    {Call::kAllocatePinned, cudaErrorMemoryAllocation, "AllocatePinned"},
    {Call::kMemoryInfo, cudaErrorUnknown, "MemoryInfo"},
    {Call::kStream, cudaErrorMemoryAllocation, "Stream"},
    {Call::kCopy, cudaErrorInvalidValue, "Copy"},
    {Call::kClear, cudaErrorInvalidValue, "Clear"},
    {Call::kLaunch, cudaErrorLaunchOutOfResources, "Launch"},
    {Call::kQuery, cudaErrorUnknown, "Query"},
};

class PassingFaults : public testing::TestWithParam<Fault> {
 protected:
  ~PassingFaults() override { card_.fail(GetParam().call, -1, cudaSuccess); }

  // Runs a story with the first call of a kind failing, then with the second one, and so on until
  // the story has no more. How many it had.
  template <class Story>
  int for_each_call(const Story& story) {
    for (int behind = 0;; ++behind) {
      SCOPED_TRACE("behind " + std::to_string(behind) + " others");
      const int before = card_.call_count(GetParam().call);
      card_.fail(GetParam().call, behind, GetParam().error);
      story();
      if (testing::Test::HasFailure()) return behind;
      EXPECT_EQ(card_.allocation_count(), 0u);
      if (card_.call_count(GetParam().call) - before <= behind) return behind;
    }
  }

  PlayedCard& card_ = PlayedCard::get();
};

// Two tables that grow, by batches that grow: what was taken has to be taken anew.
TEST_P(PassingFaults, OfRowsAreOneErrorAndTheSameBatchIsRightThen) {
  const int call_count = for_each_call([this] {
    const auto engine = std::move(make_cuda_engine().value());
    Judge judge(*engine);
    Tracked tables[2];
    int error_count = 0;
    for (const uint32_t row_count : {20u, 20u, 300u, 300u}) {
      for (Tracked& tracked : tables) {
        judge.next_batch(row_count);
        const auto done = judge.judge(tracked);
        if (done.has_value()) {
          ASSERT_NO_FATAL_FAILURE(judge.expect_judged_right(tracked));
          continue;
        }
        if (done.error().code == ErrorCode::kEngineNotReady) {  // no room for a table, or a slot
          EXPECT_EQ(GetParam().error, cudaErrorMemoryAllocation);
        } else {
          expect_engine_error(done.error());
        }
        ++error_count;
        ASSERT_NO_FATAL_FAILURE(judge.expect_right(tracked));
      }
    }
    EXPECT_LE(error_count, 1);
  });
  EXPECT_GT(call_count, 2);
}

std::string words(size_t size) {
  std::string out;
  for (size_t i = 0; out.size() < size; ++i) out += "paid " + std::to_string(i * 7919 % 1000);
  out.resize(size);
  return out;
}

// The first block among it, at which the engine is held against the CPU.
TEST_P(PassingFaults, OfBlocksAreOneErrorAndTheSameBlockIsRightThen) {
  const std::string small = words(500);
  const std::string large = words(300'000);
  const std::vector<engine::ColumnView> columns = {{0, 0, small}, {1, 0, large}, {2, 0, ""}};
  engine::SealKey key;
  key.key.fill(3);
  std::array<uint8_t, 32> digest{};
  const auto expect_same = [&](const Result<std::vector<engine::ColumnBytes>>& opened) {
    ASSERT_TRUE(opened.has_value()) << to_string(opened.error());
    ASSERT_EQ(opened.value().size(), columns.size());
    for (size_t i = 0; i < columns.size(); ++i)
      ASSERT_EQ(opened.value()[i].bytes, columns[i].bytes);
  };
  const std::string by_cpu = cpu::seal_block(columns, key, "block").value().bytes;
  const int call_count = for_each_call([&] {
    const auto engine = std::move(make_cuda_engine().value());
    int error_count = 0;
    auto sealed = engine->seal(columns, key, "block");
    const auto expect_right_error = [](const Error& error) {
      if (GetParam().error == cudaErrorMemoryAllocation &&
          error.code == ErrorCode::kEngineNotReady) {
        return;
      }
      expect_engine_error(error);
    };
    if (!sealed.has_value()) {
      expect_right_error(sealed.error());
      ++error_count;
      sealed = engine->seal(columns, key, "block");
      ASSERT_TRUE(sealed.has_value()) << to_string(sealed.error());
    }
    expect_same(cpu::open_block(sealed.value().bytes, key, "block", digest));
    auto opened = engine->open(by_cpu, key, "block", digest);
    if (!opened.has_value()) {
      expect_right_error(opened.error());
      ++error_count;
      opened = engine->open(by_cpu, key, "block", digest);
    }
    expect_same(opened);
    EXPECT_LE(error_count, 1);
  });
  // Only tables ask how much memory is left.
  if (GetParam().call != Call::kMemoryInfo) {
    EXPECT_GT(call_count, 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Card, PassingFaults, testing::ValuesIn(kPassing),
                         [](const auto& instance) { return instance.param.name; });

// By the dispatcher: nothing is lost, one warning, one fault.
TEST(FailedCalls, TheCpuTakesOverWhatTheCardFailedAt) {
  for (const Call call : {Call::kAllocate, Call::kLaunch, Call::kCopy, Call::kQuery}) {
    SCOPED_TRACE(static_cast<int>(call));
    std::vector<std::unique_ptr<engine::Engine>> engines;
    engines.push_back(std::move(make_cuda_engine().value()));
    engines.push_back(cpu::make_cpu_engine());
    int warning_count = 0;
    const auto on_fault = [&](const std::string& engine, const std::string& /*fault*/) {
      EXPECT_EQ(engine, "cuda");
      ++warning_count;
    };
    const auto dispatcher = std::move(
        dispatch::Dispatcher::make(std::move(engines), "cuda", system_clock(), on_fault).value());
    Judge judge(*dispatcher);
    Tracked tracked;
    PlayedCard::get().fail(call, 0, cudaErrorUnknown);
    for (int round = 0; round < 5; ++round) {
      judge.next_batch(100);
      ASSERT_NO_FATAL_FAILURE(judge.expect_right(tracked));
    }
    EXPECT_EQ(warning_count, 1);
    EXPECT_EQ(dispatcher->report()[0].faults_total, 1u);
    EXPECT_GT(dispatcher->report()[1].batches_total, 0u);
  }
}

}  // namespace
}  // namespace syncline::cuda
