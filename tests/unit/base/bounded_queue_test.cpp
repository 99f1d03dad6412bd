#include "host/base/bounded_queue.hpp"

#include <algorithm>
#include <memory>
#include <thread>

#include <gtest/gtest.h>

namespace syncline {
namespace {

TEST(BoundedQueueTest, a_full_queue_keeps_the_item_with_its_writer) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  ASSERT_EQ(queue.push(std::make_unique<int>(1), 0), QueueState::kDone);
  auto second = std::make_unique<int>(2);
  EXPECT_EQ(queue.push(std::move(second), 1'000), QueueState::kTimeout);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(*second, 2);
}

TEST(BoundedQueueTest, sizes_are_bounded_by_their_sum_and_one_item) {
  BoundedQueue<int> queue(8, 100);
  EXPECT_EQ(queue.push(1, 0, 60), QueueState::kDone);
  EXPECT_EQ(queue.push(2, 0, 500), QueueState::kDone);
  EXPECT_EQ(queue.push(3, 0, 0), QueueState::kTimeout);
  int item = 0;
  EXPECT_EQ(queue.pop(item, 0), QueueState::kDone);
  EXPECT_EQ(queue.push(3, 0, 0), QueueState::kTimeout) << "what is left is still too much";
  EXPECT_EQ(queue.pop(item, 0), QueueState::kDone);
  EXPECT_EQ(queue.push(3, 0, 0), QueueState::kDone);
}

TEST(BoundedQueueTest, an_empty_queue_times_out) {
  BoundedQueue<int> queue(1);
  int item = 0;
  EXPECT_EQ(queue.pop(item, 1'000), QueueState::kTimeout);
}

TEST(BoundedQueueTest, after_close_what_is_inside_still_comes_out) {
  BoundedQueue<int> queue(2);
  ASSERT_EQ(queue.push(7, 0), QueueState::kDone);
  queue.close();
  EXPECT_EQ(queue.push(8, 0), QueueState::kClosed);
  int item = 0;
  EXPECT_EQ(queue.pop(item, 0), QueueState::kDone);
  EXPECT_EQ(item, 7);
  EXPECT_EQ(queue.pop(item, 0), QueueState::kClosed);
}

TEST(BoundedQueueTest, close_wakes_a_waiting_reader_and_a_waiting_writer) {
  BoundedQueue<int> empty(1);
  BoundedQueue<int> full(1);
  ASSERT_EQ(full.push(1, 0), QueueState::kDone);
  std::thread reader([&] {
    int item = 0;
    EXPECT_EQ(empty.pop(item, 60'000'000), QueueState::kClosed);
  });
  std::thread writer([&] { EXPECT_EQ(full.push(2, 60'000'000), QueueState::kClosed); });
  empty.close();
  full.close();
  reader.join();
  writer.join();
}

TEST(BoundedQueueTest, pop_many_takes_what_is_there_up_to_its_limit) {
  BoundedQueue<int> queue(8);
  for (int i = 0; i < 5; ++i) ASSERT_EQ(queue.push(int{i}, 0), QueueState::kDone);
  std::vector<int> items;
  ASSERT_EQ(queue.pop_many(items, 3, 0), QueueState::kDone);
  ASSERT_EQ(queue.pop_many(items, 3, 0), QueueState::kDone);
  EXPECT_EQ(items, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(BoundedQueueTest, many_writers_and_readers_lose_and_repeat_nothing) {
  constexpr int kPerWriter = 5'000;
  BoundedQueue<int> queue(16);
  std::vector<std::thread> writers;
  for (int w = 0; w < 3; ++w) {
    writers.emplace_back([&queue, w] {
      for (int i = 0; i < kPerWriter; ++i) {
        EXPECT_EQ(queue.push(w * kPerWriter + i, 60'000'000), QueueState::kDone);
      }
    });
  }
  std::vector<std::vector<int>> seen(2);
  std::vector<std::thread> readers;
  for (auto& mine : seen) {
    readers.emplace_back([&queue, &mine] {
      int item = 0;
      while (queue.pop(item, 60'000'000) == QueueState::kDone) mine.push_back(item);
    });
  }
  for (std::thread& writer : writers) writer.join();
  queue.close();
  for (std::thread& reader : readers) reader.join();
  std::vector<int> all = seen[0];
  all.insert(all.end(), seen[1].begin(), seen[1].end());
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), 3u * kPerWriter);
  for (int i = 0; i < 3 * kPerWriter; ++i) ASSERT_EQ(all[static_cast<size_t>(i)], i);
}

}  // namespace
}  // namespace syncline
