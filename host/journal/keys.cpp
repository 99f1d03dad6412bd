#include "host/journal/keys.hpp"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/assert.hpp"
#include "host/journal/crypto_internal.hpp"

namespace syncline::journal {
namespace {

constexpr size_t kMasterKeySize = 32;

std::string reason(int error) {
  return std::generic_category().message(error);
}

auto key_error(const std::string& what, std::string why, std::string fix) {
  return fail(ErrorCode::kKeyFile, what, std::move(why), std::move(fix));
}

Result<std::string> read_key(int descriptor, const std::string& path) {
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) {
    return key_error("cannot examine the key file " + path, reason(errno), "check the path");
  }
  if (!S_ISREG(status.st_mode)) {
    return key_error(path + " is not a key file", "it is not a regular file",
                     "name the key file itself in the config");
  }
  if ((status.st_mode & 077) != 0) {
    return key_error("the key file " + path + " can be used by others",
                     "its mode gives rights to group or others", "chmod 600 " + path);
  }
  std::string key(kMasterKeySize, '\0');
  const ssize_t count = ::pread(descriptor, key.data(), key.size(), 0);
  if (count < 0)
    return key_error("cannot read the key file " + path, reason(errno), "check the disk");
  if (status.st_size != kMasterKeySize || static_cast<size_t>(count) != kMasterKeySize) {
    return key_error("the key file " + path + " is damaged",
                     "it has " + std::to_string(status.st_size) + " bytes instead of 32",
                     "restore it from your backup; without it this data folder cannot be read");
  }
  return key;
}

Result<void> write_key(const std::string& path, std::string_view key) {
  const int descriptor =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) {
    return key_error("cannot create the key file " + path, reason(errno),
                     "make the folder writable for the user that Syncline runs as");
  }
  const bool is_written =
      ::fchmod(descriptor, 0600) == 0 &&
      ::write(descriptor, key.data(), key.size()) == static_cast<ssize_t>(key.size()) &&
      ::fsync(descriptor) == 0;
  const int error = errno;
  ::close(descriptor);
  if (is_written) return success();
  ::unlink(path.c_str());
  return key_error("cannot write the key file " + path, reason(error),
                   "make room on that disk and start again");
}

Result<void> sync_folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool is_synced = descriptor >= 0 && ::fsync(descriptor) == 0;
  const int error = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (is_synced) return success();
  return fail(ErrorCode::kStorageSync, "cannot sync the folder " + folder, reason(error),
              "check the disk's health and start again");
}

// Written aside and linked to its name, so that a crash leaves a whole key file or none, and a key
// file that is already there is never touched.
Result<void> create_key(const std::string& path, Random& random) {
  std::string key(kMasterKeySize, '\0');
  random.fill({reinterpret_cast<uint8_t*>(key.data()), key.size()});
  const std::string aside = path + "." + std::to_string(::getpid()) + ".new";
  ::unlink(aside.c_str());
  SYN_TRY(write_key(aside, key));
  const bool is_linked = ::link(aside.c_str(), path.c_str()) == 0 || errno == EEXIST;
  const int error = errno;
  ::unlink(aside.c_str());
  if (is_linked) return sync_folder_of(path);
  return key_error("cannot create the key file " + path, reason(error),
                   "make the folder writable for the user that Syncline runs as");
}

}  // namespace

Result<std::string> load_master_key(const std::string& path, KeyUse use, Random& random) {
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT && use == KeyUse::kMustExist) {
    return key_error("the key file " + path + " is missing",
                     "the data folder is not new, so a new key could not read it",
                     "restore the key file from your backup; if it is lost for good, start with an "
                     "empty data folder and run syncline plan");
  }
  if (descriptor < 0 && errno == ENOENT) {
    SYN_TRY(create_key(path, random));
    descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  }
  if (descriptor < 0) {
    return key_error("cannot open the key file " + path, reason(errno),
                     "give the user that Syncline runs as the right to read it");
  }
  auto key = read_key(descriptor, path);
  ::close(descriptor);
  return key;
}

std::string derive_key(std::string_view master_key, std::string_view label, size_t size_bytes) {
  SYN_ASSERT(size_bytes <= 255 * 32);
  return hkdf_sha256(master_key, label, size_bytes);
}

}  // namespace syncline::journal
