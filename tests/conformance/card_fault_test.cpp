// A kernel that touches what it must not ends the process's context on a card: batches are the
// CPU's then, and the card is started anew or says clearly that it cannot be. In a program of its
// own, for that of the engines' suite. Skips, and says so, where there is no card.
#include <cstdio>
#include <random>

#include <gtest/gtest.h>

#include "host/base/clock.hpp"
#include "host/dispatch/dispatcher.hpp"
#include "kernels/contract/reference.hpp"
#include "kernels/cpu/cpu_engine.hpp"
#include "kernels/cuda/cuda_engine.hpp"
#include "kernels/cuda/kernels.hpp"
#include "tests/conformance/random_batch.hpp"

namespace syncline::conformance {
namespace {

class CardFault : public testing::Test {
 protected:
  void SetUp() override {
    auto made = cuda::make_cuda_engine();
    if (!made.has_value()) GTEST_SKIP() << "no card: " << to_string(made.error());
    card_ = made.value().get();
    std::vector<std::unique_ptr<engine::Engine>> engines;
    engines.push_back(std::move(made.value()));
    engines.push_back(cpu::make_cpu_engine());
    const auto on_fault = [this](const std::string& /*engine*/, const std::string& fault) {
      faults_.push_back(fault);
    };
    dispatcher_ = std::move(
        dispatch::Dispatcher::make(std::move(engines), "cuda", system_clock(), on_fault).value());
  }
  // By an engine or the dispatcher.
  template <class Stages>
  Result<void> fingerprint(Stages& stages) {
    RawBatch batch = random_batch({.row_count = 100, .value_count = 5}, random_);
    engine::Fingerprints out;
    SYN_TRY(stages.fingerprint(batch.view(), secret_, out));
    EXPECT_EQ(out.cells, contract::reference_fingerprint(batch.view(), secret_.data()).cells);
    return success();
  }
  // It reads at address 0.
  static void fault_on_card() {
    const cuda::SizesWork wild{
        .count = 1, .to_sizes = nullptr, .statuses = nullptr, .sizes = nullptr};
    EXPECT_EQ(cuda::launch_take_sizes(wild, nullptr), cudaSuccess);
  }

  std::mt19937_64 random_{1};
  engine::Secret secret_{};
  engine::Engine* card_ = nullptr;
  std::vector<std::string> faults_;
  std::unique_ptr<dispatch::Dispatcher> dispatcher_;
};

TEST_F(CardFault, IsTheCpusBatchAndThenTheCardIsRightOrSaysWhy) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(fingerprint(*dispatcher_).has_value());
  EXPECT_EQ(dispatcher_->report()[0].batches_total, 3u);
  fault_on_card();
  for (int i = 0; i < 5; ++i) {
    const auto done = fingerprint(*dispatcher_);
    ASSERT_TRUE(done.has_value()) << to_string(done.error());
  }
  EXPECT_EQ(faults_.size(), 1u);
  EXPECT_GT(dispatcher_->report()[1].batches_total, 0u);
  Result<void> again = success();
  for (int i = 0; i < 5; ++i) {
    again = fingerprint(*card_);
    if (again.has_value()) break;
    EXPECT_EQ(again.error().code, ErrorCode::kEngine);
    EXPECT_TRUE(again.error().what.starts_with("cuda: ")) << to_string(again.error());
    EXPECT_FALSE(again.error().why.empty()) << to_string(again.error());
  }
  std::printf("after the fault the card %s\n",
              again.has_value() ? "is right again" : to_string(again.error()).c_str());
}

}  // namespace
}  // namespace syncline::conformance
