// Trips that come again go as CUDA graphs, and whatever they refer to stays right.
#include "kernels/cuda/graphs.hpp"

#include <gtest/gtest.h>

#include "kernels/cuda/cuda_engine.hpp"
#include "kernels/cuda/memory.hpp"
#include "tests/unit/cuda/judge.hpp"
#include "tests/unit/cuda/played_card.hpp"

namespace syncline::cuda {
namespace {

class GraphsTest : public testing::Test {
 protected:
  // A batch of other values, whose arena has another size.
  void fingerprint(uint32_t row_count, uint32_t length_max = kShape.length_max) {
    conformance::BatchShape shape = kShape;
    shape.row_count = row_count;
    shape.length_max = length_max;
    conformance::RawBatch batch = conformance::random_batch(shape, random_);
    engine::Fingerprints out;
    const auto done = engine_->fingerprint(batch.view(), secret_, out);
    ASSERT_TRUE(done.has_value()) << to_string(done.error());
    ASSERT_EQ(out.cells, contract::reference_fingerprint(batch.view(), secret_.data()).cells);
  }
  void expect_counts(uint64_t captures, uint64_t launches) {
    const GraphCounts now = graph_counts();
    EXPECT_EQ(now.captures - before_.captures, captures);
    EXPECT_EQ(now.launches - before_.launches, launches);
    before_ = now;
  }
  // The first is seen, the second is captured and sent.
  void warm_up(uint32_t row_count) {
    for (int i = 0; i < 2; ++i) ASSERT_NO_FATAL_FAILURE(fingerprint(row_count));
    expect_counts(1, 1);
  }

  PlayedCard& card_ = PlayedCard::get();
  std::unique_ptr<engine::Engine> engine_ = std::move(make_cuda_engine().value());
  GraphCounts before_ = graph_counts();
  std::mt19937_64 random_{5};
  engine::Secret secret_{};
};

TEST_F(GraphsTest, AShapeIsCapturedOnceAndSentFromThenOn) {
  for (int i = 0; i < 20; ++i) ASSERT_NO_FATAL_FAILURE(fingerprint(60));
  expect_counts(1, 19);
}

TEST_F(GraphsTest, DetectGoesByAGraphToo) {
  Judge judge(*engine_);
  Tracked tracked;
  judge.next_batch(60);
  for (int i = 0; i < 2; ++i) ASSERT_NO_FATAL_FAILURE(judge.expect_right(tracked));
  before_ = graph_counts();
  for (int i = 0; i < 10; ++i) {
    judge.next_batch(60);
    ASSERT_NO_FATAL_FAILURE(judge.expect_right(tracked));
  }
  EXPECT_GE(graph_counts().launches - before_.launches, 16u) << "but where the input grew";
}

TEST_F(GraphsTest, AWarmEngineTakesNoMemory) {
  Judge judge(*engine_);
  Tracked tracked;
  judge.next_batch(60);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(judge.judge(tracked).has_value());
  const uint64_t held = allocations();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(judge.judge(tracked).has_value());
  EXPECT_EQ(allocations(), held);
}

TEST_F(GraphsTest, AnotherSecretOrABufferThatMovedIsCapturedAnew) {
  ASSERT_NO_FATAL_FAILURE(warm_up(60));
  secret_[7] = 1;
  ASSERT_NO_FATAL_FAILURE(warm_up(60));
  ASSERT_NO_FATAL_FAILURE(fingerprint(10'000));
  expect_counts(0, 0);
  ASSERT_NO_FATAL_FAILURE(warm_up(60));
}

TEST_F(GraphsTest, AsManyRowsOfAnotherSizeAreAnotherShape) {
  ASSERT_NO_FATAL_FAILURE(fingerprint(60, 2'000));
  ASSERT_NO_FATAL_FAILURE(warm_up(60));
  for (int i = 0; i < 5; ++i) ASSERT_NO_FATAL_FAILURE(fingerprint(60, 2'000));
  EXPECT_GE(card_.graph_count(), 2u);
}

TEST_F(GraphsTest, AnotherTableIsAnotherShape) {
  Judge judge(*engine_);
  Tracked one;
  Tracked other;
  judge.next_batch(60);
  for (Tracked* tracked : {&one, &other}) {
    ASSERT_NO_FATAL_FAILURE(judge.expect_right(*tracked));
    ASSERT_NO_FATAL_FAILURE(judge.expect_right(*tracked));
  }
  for (int i = 0; i < 6; ++i) {
    ASSERT_NO_FATAL_FAILURE(judge.expect_right(i % 2 == 0 ? one : other));
  }
}

TEST_F(GraphsTest, ANinthShapeTakesThePlaceOfTheOneThatWasUsedLeastLately) {
  for (uint32_t row_count = 1; row_count <= Graphs::kCount; ++row_count) {
    ASSERT_NO_FATAL_FAILURE(warm_up(row_count));
  }
  ASSERT_NO_FATAL_FAILURE(fingerprint(1));
  expect_counts(0, 1);
  ASSERT_NO_FATAL_FAILURE(warm_up(9));
  ASSERT_NO_FATAL_FAILURE(fingerprint(1));
  ASSERT_NO_FATAL_FAILURE(fingerprint(9));
  expect_counts(0, 2);
  ASSERT_NO_FATAL_FAILURE(fingerprint(2));
  expect_counts(0, 0);
  EXPECT_EQ(card_.graph_count(), Graphs::kCount);
}

TEST_F(GraphsTest, ShapesThatNeverComeAgainPushNoGraphOut) {
  ASSERT_NO_FATAL_FAILURE(warm_up(60));
  for (uint32_t row_count = 1; row_count < 40; ++row_count) {
    ASSERT_NO_FATAL_FAILURE(fingerprint(row_count));
  }
  expect_counts(0, 0);
  ASSERT_NO_FATAL_FAILURE(fingerprint(60));
  expect_counts(0, 1);
}

// To capture costs more than a launch saves.
TEST_F(GraphsTest, WhereRowCountsVaryCapturesStop) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 600; ++i) ASSERT_NO_FATAL_FAILURE(fingerprint(1 + random() % 24));
  const uint64_t captures = graph_counts().captures - before_.captures;
  const uint64_t launches = graph_counts().launches - before_.launches;
  EXPECT_LE(captures, Graphs::kCount + launches / Graphs::kLaunchesWorth + 1);
  EXPECT_GT(launches, 50u) << "those that are kept are sent";
}

TEST_F(GraphsTest, ByCommandThereIsNone) {
  engine_ = std::move(make_cuda_engine({.trips = Trips::kByCommand}).value());
  for (int i = 0; i < 5; ++i) ASSERT_NO_FATAL_FAILURE(fingerprint(60));
  expect_counts(0, 0);
}

// What fails while a trip is captured or sent as a graph is no fault of the engine.
class CaptureFaults : public GraphsTest, public testing::WithParamInterface<Call> {};

TEST_P(CaptureFaults, TheTripGoesByCommandAndSoDoAllBehindIt) {
  ASSERT_NO_FATAL_FAILURE(fingerprint(60));
  card_.fail(GetParam(), 0, cudaErrorNotSupported);
  for (int i = 0; i < 4; ++i) ASSERT_NO_FATAL_FAILURE(fingerprint(60));
  EXPECT_EQ(graph_counts().launches, before_.launches);
  EXPECT_EQ(card_.graph_count(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Calls, CaptureFaults,
                         testing::Values(Call::kBeginCapture, Call::kEndCapture, Call::kInstantiate,
                                         Call::kLaunchGraph, Call::kCopy, Call::kLaunch));

}  // namespace
}  // namespace syncline::cuda
