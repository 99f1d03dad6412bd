#include "host/journal/keys.hpp"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

namespace syncline::journal {
namespace {

using ::testing::HasSubstr;

class KeysTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/syncline-keys-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    path_ = folder_ + "/master.key";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& bytes, mode_t mode) {
    std::ofstream(path_) << bytes;
    ASSERT_EQ(::chmod(path_.c_str(), mode), 0);
  }
  Error refusal(KeyUse use) {
    const auto key = load_master_key(path_, use, system_random());
    EXPECT_FALSE(key.has_value());
    return key.has_value() ? Error{} : key.error();
  }

  std::string folder_;
  std::string path_;
};

TEST_F(KeysTest, the_first_run_creates_a_key_that_later_runs_load) {
  const auto first = load_master_key(path_, KeyUse::kCreateIfNew, system_random());
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first.value().size(), 32u);
  EXPECT_EQ(load_master_key(path_, KeyUse::kMustExist, system_random()).value(), first.value());
  EXPECT_EQ(load_master_key(path_, KeyUse::kCreateIfNew, system_random()).value(), first.value());
}

TEST_F(KeysTest, the_key_file_is_for_its_owner_only_whatever_the_umask_and_nothing_is_left_aside) {
  const mode_t mask = ::umask(0);
  ASSERT_TRUE(load_master_key(path_, KeyUse::kCreateIfNew, system_random()).has_value());
  ::umask(mask);
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(KeysTest, two_new_folders_get_different_keys) {
  const auto first = load_master_key(path_, KeyUse::kCreateIfNew, system_random());
  const auto second = load_master_key(path_ + "2", KeyUse::kCreateIfNew, system_random());
  EXPECT_NE(first.value(), second.value());
}

TEST_F(KeysTest, a_lost_key_file_is_never_replaced_by_a_new_key) {
  const Error error = refusal(KeyUse::kMustExist);
  EXPECT_EQ(error.code, ErrorCode::kKeyFile);
  EXPECT_THAT(error.fix, HasSubstr("backup"));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(KeysTest, a_key_file_that_others_can_read_is_refused_with_the_command_that_mends_it) {
  for (const mode_t mode : {0640, 0604, 0660, 0644}) {
    write(std::string(32, 'k'), mode);
    const Error error = refusal(KeyUse::kCreateIfNew);
    EXPECT_EQ(error.code, ErrorCode::kKeyFile);
    EXPECT_EQ(error.fix, "chmod 600 " + path_);
  }
}

TEST_F(KeysTest, a_key_file_of_a_wrong_size_is_refused_and_kept) {
  for (const size_t size : {0, 31, 33}) {
    write(std::string(size, 'k'), 0600);
    const Error error = refusal(KeyUse::kCreateIfNew);
    EXPECT_EQ(error.code, ErrorCode::kKeyFile);
    EXPECT_THAT(error.why, HasSubstr(std::to_string(size) + " bytes"));
    EXPECT_EQ(std::filesystem::file_size(path_), size);
  }
}

TEST_F(KeysTest, a_folder_is_no_key_file) {
  ASSERT_TRUE(std::filesystem::create_directory(path_));
  EXPECT_EQ(refusal(KeyUse::kCreateIfNew).code, ErrorCode::kKeyFile);
}

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

TEST(DeriveKeyTest, is_hkdf_sha256_by_its_published_vector) {
  // RFC 5869, A.3: no salt, no info.
  EXPECT_EQ(derive_key(std::string(22, '\x0b'), "", 42),
            from_hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b"
                     "61a96c8"));
}

TEST(DeriveKeyTest, labels_and_master_keys_give_different_keys) {
  const std::string master(32, 'm');
  EXPECT_NE(derive_key(master, "a", 32), derive_key(master, "b", 32));
  EXPECT_NE(derive_key(master, "a", 32), derive_key(std::string(32, 'n'), "a", 32));
  EXPECT_EQ(derive_key(master, "a", 255 * 32).substr(0, 32), derive_key(master, "a", 32));
}

}  // namespace
}  // namespace syncline::journal
