#include "host/base/disk.hpp"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DiskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/syncline-disk-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    auto disk = make_posix_disk(folder_);
    ASSERT_TRUE(disk.has_value());
    disk_ = std::move(disk).value();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<File> open(const std::string& path, Disk::Mode mode) {
    auto file = disk_->open(path, mode);
    EXPECT_TRUE(file.has_value());
    return std::move(file).value();
  }

  std::string folder_;
  std::unique_ptr<Disk> disk_;
};

TEST_F(DiskTest, appended_bytes_are_read_back_by_another_handle) {
  const auto file = open("a", Disk::Mode::kAppend);
  ASSERT_TRUE(file->append("hello ").has_value());
  ASSERT_TRUE(file->append("world").has_value());
  ASSERT_TRUE(file->sync().has_value());
  EXPECT_EQ(file->size(), 11u);
  EXPECT_EQ(open("a", Disk::Mode::kRead)->read(6, 100).value(), "world");
  EXPECT_EQ(disk_->read_all("a").value(), "hello world");
}

TEST_F(DiskTest, appends_go_on_behind_a_truncated_tail_and_a_reopened_file) {
  ASSERT_TRUE(open("a", Disk::Mode::kAppend)->append("abcdef").has_value());
  const auto file = open("a", Disk::Mode::kAppend);
  EXPECT_EQ(file->size(), 6u);
  ASSERT_TRUE(file->truncate(2).has_value());
  ASSERT_TRUE(file->append("Z").has_value());
  EXPECT_EQ(disk_->read_all("a").value(), "abZ");
}

TEST_F(DiskTest, files_are_for_their_owner_only) {
  open("a", Disk::Mode::kAppend);
  ASSERT_TRUE(disk_->replace("b", "x").has_value());
  for (const char* name : {"/a", "/b"}) {
    struct stat status{};
    ASSERT_EQ(::stat((folder_ + name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
  }
}

TEST_F(DiskTest, replace_leaves_the_new_bytes_and_nothing_aside) {
  ASSERT_TRUE(disk_->make_folder("x/y").has_value());
  ASSERT_TRUE(disk_->replace("x/y/table", "one").has_value());
  ASSERT_TRUE(disk_->replace("x/y/table", "two").has_value());
  EXPECT_EQ(disk_->read_all("x/y/table").value(), "two");
  EXPECT_THAT(disk_->list("x/y").value(), ElementsAre("table"));
}

TEST_F(DiskTest, folders_are_made_with_their_parents_and_listed_in_order) {
  ASSERT_TRUE(disk_->make_folder("p/q").has_value());
  ASSERT_TRUE(disk_->make_folder("p/q").has_value());
  for (const char* name : {"p/q/b", "p/q/a"}) open(name, Disk::Mode::kAppend);
  EXPECT_THAT(disk_->list("p/q").value(), ElementsAre("a", "b"));
  EXPECT_THAT(disk_->list("nowhere").value(), IsEmpty());
}

TEST_F(DiskTest, remove_takes_a_file_away) {
  open("a", Disk::Mode::kAppend);
  EXPECT_TRUE(disk_->exists("a").value());
  ASSERT_TRUE(disk_->remove("a").has_value());
  EXPECT_FALSE(disk_->exists("a").value());
  EXPECT_EQ(disk_->remove("a").error().code, ErrorCode::kStorageOpen);
}

TEST_F(DiskTest, a_missing_file_is_named) {
  const auto file = disk_->open("gone", Disk::Mode::kRead);
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code, ErrorCode::kStorageOpen);
  EXPECT_THAT(file.error().what, HasSubstr(folder_ + "/gone"));
}

TEST_F(DiskTest, a_missing_folder_is_named) {
  const auto disk = make_posix_disk(folder_ + "/nowhere");
  ASSERT_FALSE(disk.has_value());
  EXPECT_THAT(disk.error().what, HasSubstr("nowhere"));
}

TEST_F(DiskTest, no_room_is_storage_full) {
  // /dev/full answers every write with ENOSPC.
  std::error_code error;
  std::filesystem::create_symlink("/dev/full", folder_ + "/full", error);
  ASSERT_FALSE(error);
  const auto written = open("full", Disk::Mode::kAppend)->append("x");
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().code, ErrorCode::kStorageFull);
}

TEST_F(DiskTest, a_sync_that_fails_is_storage_sync) {
  // A pipe cannot be synced: the kernel refuses fdatasync.
  ASSERT_EQ(::mkfifo((folder_ + "/pipe").c_str(), 0600), 0);
  const auto synced = open("pipe", Disk::Mode::kAppend)->sync();
  ASSERT_FALSE(synced.has_value());
  EXPECT_EQ(synced.error().code, ErrorCode::kStorageSync);
}

TEST_F(DiskTest, a_second_lock_names_the_process_that_holds_the_first) {
  auto first = lock_folder(folder_);
  ASSERT_TRUE(first.has_value());
  const auto second = lock_folder(folder_);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kStorageLocked);
  EXPECT_THAT(second.error().why, HasSubstr("process " + std::to_string(::getpid())));
}

TEST_F(DiskTest, a_lock_is_free_once_its_holder_is_gone) {
  {
    auto first = lock_folder(folder_);
  }
  EXPECT_TRUE(lock_folder(folder_).has_value());
}

}  // namespace
}  // namespace syncline
