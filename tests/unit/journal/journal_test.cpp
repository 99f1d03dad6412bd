#include "host/journal/journal.hpp"

#include <numeric>
#include <thread>

#include "tests/unit/journal/journal_fixture.hpp"

namespace syncline::journal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class JournalTest : public ::testing::Test {
 protected:
  void open() {
    const auto opened = story_.open();
    ASSERT_TRUE(opened.has_value()) << to_string(opened.error());
  }
  void commit(const std::vector<model::LaneIndex>& lanes, const std::string& text) {
    const auto committed = story_.append_and_commit(lanes, text);
    ASSERT_TRUE(committed.has_value()) << to_string(committed.error());
  }

  SimDisk disk_{1};
  JournalStory story_{disk_};
};

TEST_F(JournalTest, readers_see_a_group_only_once_it_is_committed) {
  open();
  ASSERT_EQ(story_.append({3, 1}, "first").value(), 1u);
  EXPECT_THAT(story_.texts().value(), IsEmpty());
  ASSERT_EQ(story_.journal().commit().value(), 1u);
  EXPECT_THAT(story_.texts().value(), ElementsAre("first"));
}

TEST_F(JournalTest, one_sync_commits_many_groups) {
  open();
  const uint64_t before = disk_.boundary_count();
  for (const char* text : {"a", "b", "c"}) ASSERT_TRUE(story_.append({1}, text).has_value());
  ASSERT_EQ(story_.journal().commit().value(), 3u);
  // Three writes, one sync, one note of durability.
  EXPECT_EQ(disk_.boundary_count() - before, 5u);
  EXPECT_THAT(story_.texts().value(), ElementsAre("a", "b", "c"));
}

TEST_F(JournalTest, a_commit_with_nothing_appended_writes_nothing) {
  open();
  commit({1}, "a");
  const uint64_t before = disk_.boundary_count();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(story_.journal().commit().value(), 1u);
  EXPECT_EQ(disk_.boundary_count(), before);
}

TEST_F(JournalTest, a_group_comes_back_frame_by_frame_in_lane_order) {
  open();
  commit({5, 2, 9}, "group");
  open();
  const auto groups = story_.read_from(1).value();
  ASSERT_EQ(groups.size(), 1u);
  ASSERT_EQ(groups[0]->frames.size(), 3u);
  EXPECT_EQ(*groups[0]->frames[0], *make_frame(2, 1, "group"));
  EXPECT_EQ(*groups[0]->frames[1], *make_frame(5, 1, "group"));
  EXPECT_EQ(*groups[0]->frames[2], *make_frame(9, 1, "group"));
}

TEST_F(JournalTest, small_frames_of_many_lanes_share_a_block) {
  open();
  std::vector<model::LaneIndex> lanes(64);
  std::iota(lanes.begin(), lanes.end(), model::LaneIndex{0});
  commit(lanes, "group");
  EXPECT_EQ(story_.audit_all().value().block_count, 1u);
}

TEST_F(JournalTest, large_frames_have_blocks_of_their_own_that_come_back_in_order) {
  open();
  const std::string large(size_t{1} << 20, 'x');
  commit({4, 1, 2, 8}, large);
  open();
  EXPECT_EQ(story_.audit_all().value().block_count, 4u);
  const auto groups = story_.read_from(1).value();
  std::vector<model::LaneIndex> lanes;
  for (const auto& frame : groups[0]->frames) lanes.push_back(frame->lane);
  EXPECT_THAT(lanes, ElementsAre(1, 2, 4, 8));
}

TEST_F(JournalTest, an_audit_misses_a_frame_of_any_lane_of_a_block) {
  open();
  const auto append = [&](const std::vector<model::FramePointer>& frames) {
    ASSERT_TRUE(story_.journal().append(frames).has_value());
    ASSERT_TRUE(story_.journal().commit().has_value());
  };
  append({make_frame(1, 1, "a"), make_frame(2, 1, "a"), make_frame(3, 1, "a")});
  ASSERT_TRUE(story_.audit_all().has_value());
  append({make_frame(1, 2, "b"), make_frame(2, 3, "b"), make_frame(3, 2, "b")});
  const auto audited = story_.audit_all();
  ASSERT_FALSE(audited.has_value());
  EXPECT_THAT(audited.error().why, HasSubstr("frames of lane 2 are missing"));
}

TEST_F(JournalTest, a_reopened_journal_goes_on_where_it_ended) {
  for (int run = 0; run < 4; ++run) {
    open();
    EXPECT_EQ(story_.report().last_group, static_cast<uint64_t>(run));
    EXPECT_EQ(story_.report().cut_bytes, 0u);
    commit({1, 2}, std::to_string(run));
  }
  EXPECT_THAT(story_.texts().value(), ElementsAre("0", "1", "2", "3"));
}

TEST_F(JournalTest, runs_without_groups_leave_no_segments) {
  for (int run = 0; run < 5; ++run) open();
  commit({1}, "a");
  story_.close();
  EXPECT_EQ(disk_.paths().size(), 2u);  // heads and one segment
}

TEST_F(JournalTest, segments_end_at_their_size_and_readers_cross_them) {
  story_.options.segment_size_bytes = 4'000;
  story_.options.recent_size_bytes = 0;
  open();
  std::vector<std::string> expected;
  for (int i = 0; i < 60; ++i) {
    expected.push_back(std::to_string(i));
    commit({static_cast<model::LaneIndex>(i % 3)}, expected.back());
  }
  EXPECT_GT(story_.journal().stats().segment_count, 3u);
  EXPECT_EQ(story_.texts().value(), expected);
  open();
  EXPECT_EQ(story_.texts().value(), expected);
  EXPECT_EQ(story_.audit_all().value().block_count, 60u);
}

TEST_F(JournalTest, a_reader_that_falls_behind_memory_reads_on_from_the_segments) {
  story_.options.recent_size_bytes = 3'000;
  open();
  const auto cursor = story_.journal().open_cursor(0).value();
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 10; ++i) commit({1}, std::to_string(round * 10 + i));
    for (int i = 0; i < 9 + round % 2; ++i) {
      const auto group = cursor->next();
      ASSERT_TRUE(group.has_value()) << to_string(group.error());
      EXPECT_EQ(group.value()->number, cursor->position());
      EXPECT_EQ(group.value()->frames[0]->entries[0].key, std::to_string(cursor->position() - 1));
    }
  }
}

TEST_F(JournalTest, readers_on_threads_follow_appends_and_commits) {
  story_.options.segment_size_bytes = 20'000;
  story_.options.recent_size_bytes = 10'000;
  open();
  constexpr uint64_t kGroups = 400;
  const auto follow = [&](GroupNumber after) {
    const auto cursor = story_.journal().open_cursor(after).value();
    while (cursor->position() < kGroups) {
      const auto group = cursor->next();
      ASSERT_TRUE(group.has_value()) << to_string(group.error());
      if (group.value() == nullptr) {
        std::this_thread::yield();
        continue;
      }
      ASSERT_EQ(group.value()->frames[0]->entries[0].key, std::to_string(cursor->position()));
    }
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) readers.emplace_back(follow, 0);
  std::thread committer([&] {
    while (story_.journal().commit().value() < kGroups) std::this_thread::yield();
  });
  for (uint64_t i = 1; i <= kGroups; ++i) {
    ASSERT_TRUE(story_.append({1, 2}, std::to_string(i)).has_value());
  }
  committer.join();
  for (std::thread& reader : readers) reader.join();
}

TEST_F(JournalTest, released_segments_go_once_they_are_old) {
  story_.options.segment_size_bytes = 1'000;
  open();
  for (int i = 0; i < 30; ++i) commit({1}, std::to_string(i));
  ASSERT_TRUE(story_.journal().release(20).has_value());
  EXPECT_EQ(story_.read_from(1).value().size(), 30u) << "too young to go";
  story_.clock.advance_us(story_.options.retain_us);
  ASSERT_TRUE(story_.journal().release(20).has_value());

  const auto behind = story_.journal().open_cursor(0);
  ASSERT_FALSE(behind.has_value());
  EXPECT_EQ(behind.error().code, ErrorCode::kDamaged);
  EXPECT_THAT(behind.error().why, HasSubstr("was released"));
  EXPECT_THAT(behind.error().fix, HasSubstr("syncline resync"));
  EXPECT_EQ(story_.read_from(21).value().size(), 10u);
  open();
  EXPECT_EQ(story_.read_from(21).value().size(), 10u);
  EXPECT_TRUE(story_.audit_all().has_value());
}

TEST_F(JournalTest, beyond_its_limit_segments_go_young) {
  story_.options.segment_size_bytes = 1'000;
  story_.options.limit_bytes = 5'000;
  open();
  for (int i = 0; i < 60; ++i) commit({1}, std::to_string(i));
  ASSERT_GT(story_.journal().stats().size_bytes, 5'000u);
  ASSERT_TRUE(story_.journal().release(60).has_value());
  EXPECT_LE(story_.journal().stats().size_bytes, 5'000u);
}

TEST_F(JournalTest, the_current_segment_is_never_released) {
  open();
  commit({1}, "a");
  story_.clock.advance_us(story_.options.retain_us * 2);
  ASSERT_TRUE(story_.journal().release(1).has_value());
  EXPECT_THAT(story_.texts().value(), ElementsAre("a"));
}

TEST_F(JournalTest, heads_are_signed_by_number_of_blocks_and_by_time) {
  story_.options.heads_every_blocks = 10;
  open();
  for (int i = 0; i < 20; ++i) commit({1, 2}, "x");
  EXPECT_EQ(story_.audit_all().value().signed_head_count, 2u);
  commit({1}, "y");
  story_.clock.advance_us(story_.options.heads_every_us);
  commit({1}, "z");
  EXPECT_EQ(story_.audit_all().value().signed_head_count, 3u);
}

TEST_F(JournalTest, heads_of_released_segments_go_with_them) {
  story_.options.heads_every_blocks = 1;
  story_.options.segment_size_bytes = 20'000;
  open();
  for (int i = 0; i < 1'200; ++i) commit({1}, std::to_string(i));
  const size_t before = disk_.contents("journal/heads").size();
  EXPECT_GE(before, 1'200u * 160);
  story_.clock.advance_us(story_.options.retain_us * 2);
  ASSERT_TRUE(story_.journal().release(1'200).has_value());
  const size_t after = disk_.contents("journal/heads").size();
  EXPECT_LT(after, before / 10);
  commit({1}, "more");
  EXPECT_EQ(disk_.contents("journal/heads").size(), after + 160);
  EXPECT_EQ(story_.audit_all().value().signed_head_count, (after + 160) / 160);
  story_.first_group = 1'200;
  open();
  EXPECT_EQ(story_.report().last_group, 1'201u);
  commit({1}, "and more");
  EXPECT_TRUE(story_.audit_all().has_value());
}

TEST_F(JournalTest, a_head_that_is_missing_behind_the_last_release_is_found) {
  story_.options.heads_every_blocks = 1;
  open();
  for (int i = 0; i < 5; ++i) commit({1}, std::to_string(i));
  story_.close();
  std::string heads = disk_.contents("journal/heads");
  heads.erase(2 * 160, 160);
  ASSERT_TRUE(disk_.replace("journal/heads", heads).has_value());
  EXPECT_EQ(story_.audit_all().error().code, ErrorCode::kDamaged);
  EXPECT_EQ(story_.open().error().code, ErrorCode::kDamaged);
}

TEST_F(JournalTest, the_head_names_all_that_is_committed) {
  open();
  const std::string before = story_.journal().head();
  ASSERT_TRUE(story_.append({1}, "a").has_value());
  EXPECT_EQ(story_.journal().head(), before);
  ASSERT_TRUE(story_.journal().commit().has_value());
  EXPECT_NE(story_.journal().head(), before);
  const std::string head = story_.journal().head();
  EXPECT_EQ(story_.audit_all().value().head, head);
  open();
  EXPECT_EQ(story_.journal().head(), head);
}

TEST_F(JournalTest, another_key_file_is_told_from_damage) {
  open();
  commit({1}, "a");
  story_.close();
  story_.key = std::string(32, 'x');
  const auto opened = story_.open();
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::kKeyFile);
}

TEST_F(JournalTest, what_was_sealed_cannot_be_read_from_the_disk) {
  open();
  commit({1}, "a secret that nobody else may read");
  for (const std::string& path : disk_.paths()) {
    EXPECT_EQ(disk_.contents(path).find("a secret"), std::string::npos);
  }
}

TEST_F(JournalTest, stats_count_what_is_there) {
  open();
  commit({1, 2}, std::string(5'000, 'x'));
  const Stats stats = story_.journal().stats();
  EXPECT_EQ(stats.segment_count, 1u);
  EXPECT_EQ(stats.appended, 1u);
  EXPECT_EQ(stats.committed, 1u);
  EXPECT_GT(stats.frame_bytes_total, 10'000u);
  EXPECT_LT(stats.sealed_bytes_total, stats.frame_bytes_total);
  EXPECT_EQ(stats.size_bytes, disk_.contents("journal/0000000001.segment").size());
}

}  // namespace
}  // namespace syncline::journal
