// What crashes, full disks, failing syncs and flipped bits do to a journal.

#include <algorithm>
#include <map>

#include "host/journal/format_internal.hpp"
#include "host/journal/segment_reader_internal.hpp"
#include "tests/unit/journal/journal_fixture.hpp"

namespace syncline::journal {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A small run with groups of one and more lanes, commits of one and more groups, a rotation, a
// release and a clean end. Stops where the disk does.
struct SmallRun {
  static constexpr GroupNumber kReleased = 6;

  std::vector<std::string> appended;  // texts, whether or not append said that it worked
  size_t committed = 0;               // that commit said were durable

  Result<void> go(JournalStory& story) {
    SYN_TRY(story.open());
    for (int i = 0; i < 12; ++i) {
      appended.push_back("group " + std::to_string(appended.size() + 1) + std::string(60, '.'));
      const auto lane = static_cast<model::LaneIndex>(i % 3);
      SYN_TRY(story.append(
          i % 4 == 0 ? std::vector<model::LaneIndex>{lane, 7} : std::vector<model::LaneIndex>{lane},
          appended.back()));
      if (i % 3 == 1) continue;
      SYN_TRY(story.journal().commit());
      committed = appended.size();
      if (i == 8) {
        SYN_TRY(story.journal().release(kReleased));
      }
    }
    story.close();
    return success();
  }
};

void set_up(JournalStory& story) {
  story.options.segment_size_bytes = 1'300;
  story.options.heads_every_blocks = 3;
  story.options.recent_size_bytes = 0;
  story.options.retain_us = 0;
}

uint64_t boundaries_of_a_run() {
  SimDisk disk(1);
  JournalStory story(disk);
  set_up(story);
  SmallRun run;
  EXPECT_TRUE(run.go(story).has_value());
  EXPECT_EQ(run.committed, 12u);
  return disk.boundary_count();
}

// Every group that commit confirmed is there, in order; behind them whole appended groups only.
void expect_prefix(JournalStory& story, const SmallRun& run, const std::string& where) {
  const auto opened = story.open();
  ASSERT_TRUE(opened.has_value()) << where << to_string(opened.error());
  const auto texts = story.texts();
  ASSERT_TRUE(texts.has_value()) << where << to_string(texts.error());
  const size_t gone = story.first_group - 1;
  EXPECT_LE(gone, SmallRun::kReleased) << where;
  const std::vector<std::string> rest(run.appended.begin() + static_cast<ptrdiff_t>(gone),
                                      run.appended.end());
  EXPECT_GE(gone + texts.value().size(), run.committed) << where;
  ASSERT_LE(texts.value().size(), rest.size()) << where;
  EXPECT_TRUE(std::equal(texts.value().begin(), texts.value().end(), rest.begin())) << where;
  const auto audited = story.audit_all();
  EXPECT_TRUE(audited.has_value()) << where << to_string(audited.error());
}

void crash_everywhere(SimDisk::Loss loss, uint64_t seeds) {
  const uint64_t boundaries = boundaries_of_a_run();
  ASSERT_GT(boundaries, 30u);
  for (uint64_t boundary = 0; boundary <= boundaries; ++boundary) {
    for (uint64_t seed = 1; seed <= seeds; ++seed) {
      const std::string where =
          "boundary " + std::to_string(boundary) + ", seed " + std::to_string(seed) + ": ";
      SimDisk disk(seed);
      JournalStory story(disk);
      set_up(story);
      SmallRun run;
      disk.crash_at(boundary);
      const auto done = run.go(story);
      ASSERT_EQ(done.has_value() && !disk.is_down(), boundary >= boundaries) << where;
      disk.restart(loss);
      expect_prefix(story, run, where);
      if (::testing::Test::HasFailure()) return;
      // And it goes on.
      ASSERT_TRUE(story.append_and_commit({1, 7}, "after").has_value()) << where;
      ASSERT_TRUE(story.open().has_value()) << where;
      EXPECT_EQ(story.texts().value().back(), "after") << where;
    }
  }
}

TEST(JournalCrashTest, at_every_boundary_with_unsynced_writes_kept) {
  crash_everywhere(SimDisk::Loss::kKept, 1);
}
TEST(JournalCrashTest, at_every_boundary_with_unsynced_writes_lost) {
  crash_everywhere(SimDisk::Loss::kLost, 1);
}
TEST(JournalCrashTest, at_every_boundary_with_unsynced_writes_torn) {
  crash_everywhere(SimDisk::Loss::kTorn, 20);
}
TEST(JournalCrashTest, at_every_boundary_with_any_loss) {
  crash_everywhere(SimDisk::Loss::kAny, 20);
}

TEST(JournalCrashTest, again_and_again_while_it_recovers) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SimDisk disk(seed);
    JournalStory story(disk);
    set_up(story);
    SmallRun run;
    disk.crash_at(20 + seed % 23);
    ASSERT_FALSE(run.go(story).has_value() && !disk.is_down());
    for (uint64_t step = 0; step < 8; ++step) {
      disk.restart(SimDisk::Loss::kAny);
      disk.crash_at(disk.boundary_count() + step);
      static_cast<void>(story.open());
    }
    disk.restart(SimDisk::Loss::kAny);
    expect_prefix(story, run, "seed " + std::to_string(seed) + ": ");
  }
}

TEST(JournalCrashTest, a_group_cut_at_any_byte_is_cut_and_reported) {
  SimDisk disk(1);
  JournalStory story(disk);
  ASSERT_TRUE(story.open().has_value());
  ASSERT_TRUE(story.append_and_commit({1}, "kept").has_value());
  const std::string path = "journal/0000000001.segment";
  const uint64_t begin = disk.contents(path).size();
  ASSERT_TRUE(story.append({1, 2}, "torn").has_value());
  const std::string whole = disk.contents(path);
  for (uint64_t size = begin + 1; size < whole.size(); ++size) {
    SimDisk torn(1);
    ASSERT_TRUE(torn.replace(path, whole.substr(0, size)).has_value());
    JournalStory after(torn);
    ASSERT_TRUE(after.open().has_value()) << size;
    EXPECT_THAT(after.texts().value(), ElementsAre("kept"));
    EXPECT_EQ(after.report().cut_bytes, size - begin);
    EXPECT_EQ(after.report().cut_segment, path);
    EXPECT_EQ(after.report().cut_offset, begin);
  }
}

// A copy of a closed journal, to be damaged.
class DamageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    JournalStory story(disk_);
    set_up(story);
    SmallRun run;
    ASSERT_TRUE(run.go(story).has_value());
    ASSERT_TRUE(story.open().has_value());
    texts_ = story.texts().value();
    for (const std::string& path : disk_.paths()) files_[path] = disk_.contents(path);
    newest_ = std::prev(files_.find("journal/heads"))->first;
  }

  static void put(SimDisk& disk, const std::map<std::string, std::string>& files) {
    for (const auto& [path, bytes] : files) ASSERT_TRUE(disk.replace(path, bytes).has_value());
  }

  // Opens, reads everything, audits. What the first of them that fails says.
  std::optional<Error> first_complaint(const std::map<std::string, std::string>& files) {
    SimDisk disk(1);
    put(disk, files);
    JournalStory story(disk);
    set_up(story);
    const auto audited = story.audit_all();
    const auto opened = story.open();
    if (!opened.has_value()) {
      EXPECT_FALSE(audited.has_value()) << to_string(opened.error());
      return opened.error();
    }
    const auto texts = story.texts();
    if (!texts.has_value()) return texts.error();
    if (!audited.has_value()) return audited.error();
    EXPECT_EQ(texts.value(), texts_);
    return {};
  }

  SimDisk disk_{1};
  std::vector<std::string> texts_;
  std::map<std::string, std::string> files_;
  std::string newest_;  // segment; without groups yet
};

TEST_F(DamageTest, a_flipped_bit_at_any_byte_is_found_and_named) {
  ASSERT_GT(files_.size(), 3u);
  size_t flips = 0;
  for (const auto& [path, bytes] : files_) {
    for (size_t at = 0; at < bytes.size(); ++at) {
      auto flipped = files_;
      flipped[path][at] ^= static_cast<char>(1 << at % 8);
      const auto error = first_complaint(flipped);
      ASSERT_TRUE(error) << path << ", byte " << at << " was not noticed";
      EXPECT_EQ(error->code, ErrorCode::kDamaged) << path << ", byte " << at;
      EXPECT_THAT(error->what, AnyOf(HasSubstr(path), HasSubstr("heads"))) << "byte " << at;
      EXPECT_THAT(error->what, HasSubstr("offset")) << path << ", byte " << at;
      EXPECT_THAT(error->fix, HasSubstr("syncline resync")) << path << ", byte " << at;
      ++flips;
    }
  }
  EXPECT_GT(flips, 3'000u);
}

TEST_F(DamageTest, no_harm_is_no_complaint) {
  EXPECT_FALSE(first_complaint(files_));
}

TEST_F(DamageTest, a_missing_segment_is_found) {
  for (const auto& [path, bytes] : files_) {
    if (path == newest_) continue;
    auto fewer = files_;
    fewer.erase(path);
    EXPECT_TRUE(first_complaint(fewer)) << path;
  }
}

TEST_F(DamageTest, swapped_segments_are_found) {
  auto swapped = files_;
  std::swap(std::prev(swapped.find(newest_))->second, std::prev(swapped.find(newest_), 2)->second);
  EXPECT_TRUE(first_complaint(swapped));
}

TEST_F(DamageTest, a_segment_that_was_cut_anywhere_is_found) {
  const std::string path = std::prev(files_.find(newest_), 2)->first;
  for (size_t size = 0; size < files_.at(path).size(); size += 7) {
    auto cut = files_;
    cut[path].resize(size);
    EXPECT_TRUE(first_complaint(cut)) << size;
  }
}

TEST_F(DamageTest, a_cut_behind_a_signed_head_is_found) {
  // The last segments are gone and the one before looks as after a crash.
  auto cut = files_;
  std::prev(cut.find(newest_))->second.resize(kSegmentHeaderSize);
  cut.erase(newest_);
  const auto error = first_complaint(cut);
  ASSERT_TRUE(error);
  EXPECT_THAT(error->why, HasSubstr("was durable"));
}

// The journal of a process that was killed: no last record, no signed head of it.
class KilledTest : public ::testing::Test {
 protected:
  void SetUp() override {
    JournalStory story(disk_);
    ASSERT_TRUE(story.open().has_value());
    ASSERT_TRUE(story.append_and_commit({1}, "first").has_value());
    ASSERT_TRUE(story.append_and_commit({1, 2}, "second").has_value());
    bytes_ = disk_.contents(kPath);
  }
  static constexpr const char* kPath = "journal/0000000001.segment";
  static constexpr size_t kNote = 32;  // the record of durability at its end
  SimDisk disk_{1};
  std::string bytes_;
};

TEST_F(KilledTest, a_flipped_bit_in_any_committed_group_is_damage_and_no_torn_tail) {
  const size_t last_record = bytes_.size() - kNote;  // says that "second" was durable
  for (size_t at = 0; at < bytes_.size(); ++at) {
    SimDisk disk(1);
    std::string flipped = bytes_;
    flipped[at] ^= 0x10;
    ASSERT_TRUE(disk.replace(kPath, flipped).has_value());
    JournalStory story(disk);
    const auto opened = story.open();
    if (at < last_record) {
      ASSERT_FALSE(opened.has_value()) << at;
      EXPECT_EQ(opened.error().code, ErrorCode::kDamaged) << at;
      EXPECT_THAT(opened.error().what, HasSubstr(kPath)) << at;
    } else {
      ASSERT_TRUE(opened.has_value()) << at;
      EXPECT_THAT(story.texts().value(), ElementsAre("first", "second")) << at;
      EXPECT_EQ(story.report().cut_bytes, kNote) << at;
    }
  }
}

TEST_F(KilledTest, a_running_journal_can_be_audited_at_any_moment) {
  for (size_t size = bytes_.size(); size > bytes_.size() - kNote; --size) {
    SimDisk disk(1);
    ASSERT_TRUE(disk.replace(kPath, bytes_.substr(0, size)).has_value());
    JournalStory story(disk);
    const auto audited = story.audit_all();
    ASSERT_TRUE(audited.has_value()) << to_string(audited.error());
    EXPECT_EQ(audited.value().entry_count, 3u);
    EXPECT_EQ(audited.value().tail_bytes, size == bytes_.size() ? 0 : size - bytes_.size() + kNote);
  }
}

TEST(JournalFullTest, a_group_that_does_not_fit_is_left_out_and_later_ones_go_in) {
  SimDisk disk(1);
  JournalStory story(disk);
  ASSERT_TRUE(story.open().has_value());
  ASSERT_TRUE(story.append_and_commit({1}, "before").has_value());
  const uint64_t used = disk.size_bytes();
  for (uint64_t room = used; room < used + 200; room += 13) {
    disk.set_room_bytes(room);
    const auto refused = story.append({1, 2}, "does not fit");
    ASSERT_FALSE(refused.has_value()) << room;
    EXPECT_EQ(refused.error().code, ErrorCode::kStorageFull);
    EXPECT_EQ(disk.size_bytes(), used) << "the tail was not cut";
  }
  disk.set_room_bytes({});
  ASSERT_TRUE(story.append_and_commit({1, 2}, "after").has_value());
  EXPECT_THAT(story.texts().value(), ElementsAre("before", "after"));
  ASSERT_TRUE(story.open().has_value());
  EXPECT_THAT(story.texts().value(), ElementsAre("before", "after"));
  EXPECT_TRUE(story.audit_all().has_value());
}

TEST(JournalFullTest, wherever_the_disk_is_full_the_journal_goes_on_once_there_is_room) {
  for (uint64_t room = 400; room < 9'000; room += 97) {
    SimDisk disk(1);
    JournalStory story(disk);
    set_up(story);
    ASSERT_TRUE(story.open().has_value());
    disk.set_room_bytes(room);
    std::vector<std::string> expected;
    for (int i = 0; i < 20; ++i) {
      const std::string text = std::to_string(i);
      const auto committed = story.append_and_commit({1, 7}, text);
      if (committed.has_value()) {
        expected.push_back(text);
        continue;
      }
      ASSERT_EQ(committed.error().code, ErrorCode::kStorageFull);
      disk.set_room_bytes({});
    }
    EXPECT_EQ(story.texts().value(), expected) << room;
    ASSERT_TRUE(story.open().has_value()) << room;
    EXPECT_EQ(story.texts().value(), expected) << room;
    EXPECT_TRUE(story.audit_all().has_value()) << room;
  }
}

TEST(JournalSyncTest, after_a_failed_sync_nothing_works_until_a_restart) {
  SimDisk disk(1);
  JournalStory story(disk);
  ASSERT_TRUE(story.open().has_value());
  ASSERT_TRUE(story.append_and_commit({1}, "durable").has_value());
  ASSERT_TRUE(story.append({1}, "unknown").has_value());
  disk.fail_sync_after(0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(story.journal().commit().error().code, ErrorCode::kStorageSync);
    EXPECT_EQ(story.append({1}, "later").error().code, ErrorCode::kStorageSync);
    EXPECT_EQ(story.journal().release(1).error().code, ErrorCode::kStorageSync);
  }
  EXPECT_THAT(story.texts().value(), ElementsAre("durable"));
  disk.crash();
  disk.restart(SimDisk::Loss::kLost);
  ASSERT_TRUE(story.open().has_value());
  EXPECT_THAT(story.texts().value(), ElementsAre("durable"));
}

// By key: nonce, who used it.
using Nonces = std::map<std::string, std::map<uint64_t, std::string>>;

void note_nonces(SimDisk& disk, Nonces& seen) {
  const JournalKeys keys = make_journal_keys(std::string(32, 'k'));
  for (const std::string& path : disk.paths()) {
    const auto number = segment_number(path.substr(path.rfind('/') + 1));
    if (!number) continue;
    const auto reader = SegmentReader::open(disk, keys, *number).value();
    const std::string key(text_of(reader->header().data_key));
    StoredGroup group;
    while (reader->read_group(group).value() == ReadState::kRecord) {
      for (const StoredBlock& block : group.blocks) {
        // Bytes 4 and 5 of a sealed block: how many chunks, each with a nonce of its own.
        const uint64_t chunks =
            static_cast<uint8_t>(block.sealed[4]) + 256u * static_cast<uint8_t>(block.sealed[5]);
        for (uint64_t n = 0; n < chunks; ++n) {
          const auto [known, is_new] =
              seen[key].emplace(block.header.nonce_counter + n, block.sealed);
          EXPECT_TRUE(is_new || known->second == block.sealed);
        }
      }
    }
  }
}

TEST(JournalNonceTest, no_key_and_nonce_are_used_twice_over_crashes_and_full_disks) {
  SimDisk disk(5);
  Nonces seen;
  JournalStory story(disk);
  set_up(story);
  for (int round = 0; round < 40; ++round) {
    ASSERT_TRUE(story.open().has_value());
    for (int i = 0; i < 3; ++i) {
      if (round % 5 == 4) disk.set_room_bytes(disk.size_bytes() + 40);
      static_cast<void>(
          story.append_and_commit({1, 2}, std::to_string(round) + std::string(90, 'x')));
      disk.set_room_bytes({});
      static_cast<void>(story.append({3}, "not committed"));
      note_nonces(disk, seen);
    }
    disk.crash();
    disk.restart(SimDisk::Loss::kAny);
  }
  EXPECT_GE(seen.size(), 40u);
}

TEST(JournalNonceTest, no_key_and_nonce_are_used_twice_by_the_blocks_of_a_group) {
  SimDisk disk(5);
  Nonces seen;
  JournalStory story(disk);
  ASSERT_TRUE(story.open().has_value());
  ASSERT_TRUE(story.append_and_commit({1, 2, 3}, std::string(size_t{1} << 20, 'x')).has_value());
  note_nonces(disk, seen);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_GE(seen.begin()->second.size(), 3u);
}

}  // namespace
}  // namespace syncline::journal
