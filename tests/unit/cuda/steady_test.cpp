// In a steady state the engine takes no memory, on the card or pinned.
#include <gtest/gtest.h>

#include "kernels/cuda/cuda_engine.hpp"
#include "tests/unit/device/steady_rounds.hpp"

namespace syncline::cuda {
namespace {

TEST(CudaSteadyState, TakesNoMemory) {
  const auto engine = std::move(make_cuda_engine().value());
  device::SteadyRounds rounds(*engine);
  const uint64_t before = allocations();
  ASSERT_NO_FATAL_FAILURE(rounds.run(20));
  const uint64_t warm = allocations();
  EXPECT_GT(warm, before + 4) << "of tables' lanes too";
  ASSERT_NO_FATAL_FAILURE(rounds.run(20));
  EXPECT_EQ(allocations(), warm);
}

}  // namespace
}  // namespace syncline::cuda
