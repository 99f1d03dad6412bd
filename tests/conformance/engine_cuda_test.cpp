// That what the rows of the CUDA engine force is what ran, on a card: our coder or nvCOMP's, graphs
// or single commands. Skips, and says so, where there is none.
#include <gtest/gtest.h>

#include "kernels/cuda/cuda_engine.hpp"
#include "tests/conformance/engines_under_test.hpp"
#include "tests/conformance/random_batch.hpp"

namespace syncline::conformance {
namespace {

class CudaRows : public testing::Test {
 protected:
  void SetUp() override {
    const auto made = cuda::make_cuda_engine();
    if (!made.has_value()) GTEST_SKIP() << to_string(made.error());
  }
  static std::string variants_after_a_block(engine::Engine& engine) {
    const std::string bytes(200'000, 'x');
    const std::vector<engine::ColumnView> columns = {{0, 0, bytes}};
    const auto sealed = engine.seal(columns, {}, "block");
    EXPECT_TRUE(sealed.has_value()) << to_string(sealed.error());
    return engine.describe().variants;
  }
  // Of the same batch, some times.
  static uint64_t launches_of(engine::Engine& engine) {
    std::mt19937_64 random(1);
    RawBatch batch = random_batch({.row_count = 60, .value_count = 5}, random);
    engine::Fingerprints out;
    const uint64_t before = cuda::graph_launches();
    for (int i = 0; i < 10; ++i) {
      const auto done = engine.fingerprint(batch.view(), {}, out);
      EXPECT_TRUE(done.has_value()) << to_string(done.error());
    }
    return cuda::graph_launches() - before;
  }
};

TEST_F(CudaRows, OurCoderRanWhereItIsForced) {
  const auto engine = std::move(cuda::make_cuda_engine({.coder = cuda::Coder::kOurs}).value());
  EXPECT_EQ(variants_after_a_block(*engine).find("nvcomp"), std::string::npos);
}

TEST_F(CudaRows, NvcompRanWhereItIsForced) {
  const auto made = cuda::make_cuda_engine({.coder = cuda::Coder::kNvcomp});
  if (!made.has_value()) GTEST_SKIP() << to_string(made.error());
  EXPECT_NE(variants_after_a_block(*made.value()).find("+nvcomp"), std::string::npos);
}

TEST_F(CudaRows, SmallBatchesThatComeAgainWentAsGraphs) {
  const auto as_graphs = std::move(cuda::make_cuda_engine().value());
  EXPECT_GE(launches_of(*as_graphs), 8u);
  const auto by_command =
      std::move(cuda::make_cuda_engine({.trips = cuda::Trips::kByCommand}).value());
  EXPECT_EQ(launches_of(*by_command), 0u);
}

}  // namespace
}  // namespace syncline::conformance
