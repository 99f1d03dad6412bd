#include "host/base/work_pool.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <vector>

#include <gtest/gtest.h>

namespace syncline {
namespace {

TEST(WorkPoolTest, every_piece_is_done_once_in_every_round) {
  for (const size_t worker_count : {0, 1, 3}) {
    WorkPool pool(worker_count);
    for (size_t round = 0; round < 2000; ++round) {
      const size_t count = round % 7;
      std::vector<std::atomic<int>> done(count);
      pool.run(count, [&](size_t i) { ++done[i]; });
      for (const std::atomic<int>& times : done) ASSERT_EQ(times, 1) << worker_count;
    }
  }
}

// Each piece ends only when the other has begun.
TEST(WorkPoolTest, pieces_go_side_by_side) {
  WorkPool pool(1);
  std::mutex mutex;
  std::condition_variable begun;
  int begun_count = 0;
  pool.run(2, [&](size_t) {
    std::unique_lock lock(mutex);
    ++begun_count;
    begun.notify_all();
    EXPECT_TRUE(begun.wait_for(lock, std::chrono::seconds(60), [&] { return begun_count == 2; }));
  });
}

}  // namespace
}  // namespace syncline
