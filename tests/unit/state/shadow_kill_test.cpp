// What SIGKILL leaves of the shadow on disk: of each lane exactly the frames up to some number.
#include <random>

#include <gtest/gtest.h>
#include <signal.h>
#include <time.h>

#include "tests/unit/state/shadow_fixture.hpp"

namespace syncline::state {
namespace {

constexpr uint32_t kSeed = 20261123;
constexpr int kKills = 12;

std::unique_ptr<Shadow> open(const std::string& folder) {
  ShadowOptions options;
  options.lane_count = kTestLanes;
  options.waiting_images_max = 12;
  options.memory_limit_bytes = 40'000;
  return open_rocksdb_shadow(folder, options).value();
}

// Each lane says in items which of its frames is about to be applied, and which has been.
constexpr uint64_t kItemEvery = 32;
std::string before_item(size_t lane) {
  return "before/" + std::to_string(lane);
}
std::string after_item(size_t lane) {
  return "after/" + std::to_string(lane);
}

// Goes on from where the folder stands, flushing now and then. Beside it a thread waits until so
// many frames are applied and kills the process, wherever the others are then.
void work_until_killed(const std::string& folder, uint64_t frame_count) {
  const auto shadow = open(folder);
  std::array<uint64_t, kTestLanes> numbers{};
  for (size_t lane = 0; lane < kTestLanes; ++lane) {
    numbers[lane] = shadow->applied(static_cast<model::LaneIndex>(lane)).value();
  }
  std::atomic<uint64_t> done = 0;
  std::thread killer([&done, frame_count] {
    for (uint64_t seen = 0; seen < frame_count; seen = done) done.wait(seen);
    kill(getpid(), SIGKILL);
  });
  std::mt19937 random(static_cast<uint32_t>(numbers[0] + numbers[1] + frame_count));
  while (true) {
    const auto lane = static_cast<model::LaneIndex>(random() % kTestLanes);
    ++numbers[lane];
    if (numbers[lane] % kItemEvery == 0) {
      shadow->put_item(before_item(lane), std::to_string(numbers[lane])).value();
    }
    shadow->apply(seeded_frame(kSeed, lane, numbers[lane])).value();
    if (numbers[lane] % kItemEvery == 0) {
      shadow->put_item(after_item(lane), std::to_string(numbers[lane])).value();
    }
    if (random() % 200 == 0) shadow->flush().value();
    ++done;
    done.notify_one();
  }
}

// Returns how many frames of all lanes the folder holds.
uint64_t expect_exact_prefixes(const std::string& folder) {
  const auto shadow = open(folder);
  ShadowModel model;
  uint64_t sum = 0;
  for (size_t i = 0; i < kTestLanes; ++i) {
    const auto lane = static_cast<model::LaneIndex>(i);
    const uint64_t applied = shadow->applied(lane).value();
    for (uint64_t n = 1; n <= applied; ++n) model.take_over(*seeded_frame(kSeed, lane, n));
    const std::string before = shadow->get_item(before_item(lane)).value();
    const std::string after = shadow->get_item(after_item(lane)).value();
    EXPECT_GE(before.empty() ? 0 : std::stoull(before), applied / kItemEvery * kItemEvery);
    EXPECT_LE(after.empty() ? 0 : std::stoull(after), applied);
    sum += applied;
  }
  EXPECT_EQ(everything(*shadow), model.records());
  return sum;
}

TEST(ShadowDeathTest, AKillLeavesAnExactPrefixOfEachLane) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a process of its own, not a copy of this one
  // The killed process begins this test anew: it must find the same folder.
  const char* inherited = getenv("SHADOW_KILL_TEST_FOLDER");
  std::unique_ptr<TemporaryFolder> own;
  if (inherited == nullptr) {
    own = std::make_unique<TemporaryFolder>();
    setenv("SHADOW_KILL_TEST_FOLDER", own->path().c_str(), 1);
  }
  const std::string folder = own != nullptr ? own->path() : inherited;
  std::mt19937 random(kSeed);
  uint64_t frames_kept = 0;
  for (int i = 0; i < kKills; ++i) {
    const uint64_t frame_count = 1 + random() % 1'000;
    EXPECT_EXIT(work_until_killed(folder, frame_count), testing::KilledBySignal(SIGKILL), "");
    if (own == nullptr) continue;
    const uint64_t now = expect_exact_prefixes(folder);
    EXPECT_GE(now, frames_kept);
    frames_kept = now;
  }
  EXPECT_GT(frames_kept, 100u);
  unsetenv("SHADOW_KILL_TEST_FOLDER");
}

}  // namespace
}  // namespace syncline::state
