// A stage's costs where several threads use them at once. What they make of calls is the
// dispatcher's test.
#include "host/dispatch/cost_model.hpp"

#include <thread>

#include <gtest/gtest.h>

namespace syncline::dispatch {
namespace {

// Runs an action while another thread observes calls of 100 bytes that take 10 us, again and again.
template <class Action>
void beside_calls(CostModel& model, const Action& action) {
  std::atomic<bool> has_begun = false;
  std::atomic<bool> is_over = false;
  std::thread calls([&] {
    while (!is_over) {
      model.observe(100, 10);
      has_begun = true;
    }
  });
  while (!has_begun) std::this_thread::yield();
  action();
  is_over = true;
  calls.join();
}

constexpr int kRounds = 50;

TEST(CostModel, ACalibrationIsLearntWhateverCallsAreBeingFitted) {
  for (int round = 0; round < kRounds; ++round) {
    CostModel model;
    const SizeCost sizes[] = {{1e3, 11, 16}, {1e6, 1010, 16}};  // 10 us and 1 us a kilobyte
    beside_calls(model, [&] { model.learn(sizes); });
    ASSERT_NEAR(model.predict_us(64e6), 64'000, 6'400) << "round " << round;
  }
}

TEST(CostModel, ARestartForgetsWhateverCallsAreBeingFitted) {
  for (int round = 0; round < kRounds; ++round) {
    CostModel model;
    const SizeCost before[] = {{100, 5000, 1e300}};  // more than calls can make up for in a round
    model.learn(before);
    beside_calls(model, [&] {
      model.restart();
      for (int i = 0; i < 100; ++i) model.observe(100, 10);
    });
    ASSERT_NEAR(model.predict_us(100), 10, 1) << "round " << round;
  }
}

}  // namespace
}  // namespace syncline::dispatch
