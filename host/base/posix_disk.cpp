#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/disk.hpp"

namespace syncline {
namespace {

// Owns one file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;

  int get() const { return number_; }
  bool is_open() const { return number_ >= 0; }

 private:
  int number_;
};

std::string reason(int error) {
  return std::generic_category().message(error);
}

auto storage_error(int error, const std::string& what) {
  if (error == ENOSPC || error == EDQUOT) {
    return fail(ErrorCode::kStorageFull, what, reason(error),
                "make room on that disk, or raise the quota; nothing that was confirmed is lost");
  }
  const bool is_a_right = error == EACCES || error == EPERM || error == EROFS;
  return fail(ErrorCode::kStorageOpen, what, reason(error),
              is_a_right ? "give the user that Syncline runs as the right to read and write there"
                         : "check the path, the mount and the disk's health");
}

auto sync_error(int error, const std::string& what) {
  return fail(ErrorCode::kStorageSync, what, reason(error),
              "check the disk's health (dmesg, smartctl), then start again: Syncline goes on from "
              "what the disk confirmed");
}

Result<void> write_all(int descriptor, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return storage_error(errno, "cannot write " + path);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return success();
}

Result<uint64_t> size_of(int descriptor, const std::string& path) {
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) return storage_error(errno, "cannot examine " + path);
  return static_cast<uint64_t>(status.st_size);
}

class PosixFile final : public File {
 public:
  PosixFile(Descriptor descriptor, std::string path, uint64_t size)
      : descriptor_(std::move(descriptor)), path_(std::move(path)), size_(size) {}

  Result<void> append(std::string_view bytes) override {
    const Result<void> written = write_all(descriptor_.get(), bytes, path_);
    if (written.has_value()) {
      size_ += bytes.size();
      return success();
    }
    const Result<uint64_t> now = size_of(descriptor_.get(), path_);
    if (now.has_value()) size_ = now.value();
    return written;
  }

  Result<void> sync() override {
    if (::fdatasync(descriptor_.get()) != 0) return sync_error(errno, "cannot sync " + path_);
    return success();
  }

  Result<std::string> read(uint64_t offset, size_t size) override {
    std::string bytes(size, '\0');
    size_t done = 0;
    while (done < size) {
      const ssize_t count = ::pread(descriptor_.get(), bytes.data() + done, size - done,
                                    static_cast<off_t>(offset + done));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return storage_error(errno, "cannot read " + path_);
      if (count == 0) break;
      done += static_cast<size_t>(count);
    }
    bytes.resize(done);
    return bytes;
  }

  Result<void> truncate(uint64_t size) override {
    if (::ftruncate(descriptor_.get(), static_cast<off_t>(size)) != 0) {
      return storage_error(errno, "cannot truncate " + path_);
    }
    size_ = size;
    return success();
  }

  uint64_t size() const override { return size_; }

 private:
  const Descriptor descriptor_;
  const std::string path_;
  uint64_t size_;
};

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

class PosixDisk final : public Disk {
 public:
  PosixDisk(Descriptor root, std::string folder)
      : root_(std::move(root)), folder_(std::move(folder)) {}

  Result<std::unique_ptr<File>> open(const std::string& path, Mode mode) override {
    const int flags = mode == Mode::kRead ? O_RDONLY : O_RDWR | O_CREAT | O_APPEND;
    Descriptor descriptor(::openat(root_.get(), path.c_str(), flags | O_CLOEXEC, 0600));
    if (!descriptor.is_open()) return storage_error(errno, "cannot open " + full(path));
    SYN_TRY(const uint64_t size, size_of(descriptor.get(), full(path)));
    return std::make_unique<PosixFile>(std::move(descriptor), full(path), size);
  }

  Result<bool> exists(const std::string& path) override {
    if (::faccessat(root_.get(), path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return storage_error(errno, "cannot examine " + full(path));
  }

  Result<std::vector<std::string>> list(const std::string& folder) override {
    std::vector<std::string> names;
    const int descriptor =
        ::openat(root_.get(), folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0 && errno == ENOENT) return names;
    if (descriptor < 0) return storage_error(errno, "cannot list " + full(folder));
    DIR* const stream = ::fdopendir(descriptor);
    if (stream == nullptr) {
      const int error = errno;
      ::close(descriptor);
      return storage_error(error, "cannot list " + full(folder));
    }
    errno = 0;
    while (const dirent* item = ::readdir(stream)) {
      const std::string_view name = item->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    const int error = errno;
    ::closedir(stream);
    if (error != 0) return storage_error(error, "cannot list " + full(folder));
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<void> make_folder(const std::string& folder) override {
    for (size_t end = folder.find('/');; end = folder.find('/', end + 1)) {
      const std::string part = folder.substr(0, end);
      if (!part.empty() && ::mkdirat(root_.get(), part.c_str(), 0700) == 0) {
        SYN_TRY(sync_folder(parent_of(part)));
      } else if (!part.empty() && errno != EEXIST) {
        return storage_error(errno, "cannot make the folder " + full(part));
      }
      if (end == std::string::npos) return success();
    }
  }

  Result<void> remove(const std::string& path) override {
    if (::unlinkat(root_.get(), path.c_str(), 0) != 0) {
      return storage_error(errno, "cannot remove " + full(path));
    }
    return success();
  }

  Result<void> replace(const std::string& path, std::string_view bytes) override {
    const std::string aside = path + ".new";
    const Result<void> done = replace_by(aside, path, bytes);
    if (!done.has_value()) ::unlinkat(root_.get(), aside.c_str(), 0);
    return done;
  }

  Result<void> sync_folder(const std::string& folder) override {
    const Descriptor descriptor(
        ::openat(root_.get(), folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!descriptor.is_open()) return storage_error(errno, "cannot open " + full(folder));
    if (::fsync(descriptor.get()) != 0) return sync_error(errno, "cannot sync " + full(folder));
    return success();
  }

 private:
  std::string full(const std::string& path) const { return folder_ + "/" + path; }

  Result<void> replace_by(const std::string& aside, const std::string& path,
                          std::string_view bytes) {
    const Descriptor descriptor(
        ::openat(root_.get(), aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!descriptor.is_open()) return storage_error(errno, "cannot open " + full(aside));
    SYN_TRY(write_all(descriptor.get(), bytes, full(aside)));
    if (::fsync(descriptor.get()) != 0) return sync_error(errno, "cannot sync " + full(aside));
    if (::renameat(root_.get(), aside.c_str(), root_.get(), path.c_str()) != 0) {
      return storage_error(errno, "cannot rename " + full(aside));
    }
    return sync_folder(parent_of(path));
  }

  const Descriptor root_;
  const std::string folder_;
};

class FlockFolderLock final : public FolderLock {
 public:
  explicit FlockFolderLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

 private:
  const Descriptor descriptor_;  // closing it lets the lock go
};

std::string holder_of(int descriptor) {
  char text[32] = {};
  const ssize_t count = ::pread(descriptor, text, sizeof text - 1, 0);
  const std::string pid(text, count > 0 ? std::strspn(text, "0123456789") : 0);
  return pid.empty() ? "another process" : "process " + pid;
}

}  // namespace

Result<std::unique_ptr<Disk>> make_posix_disk(const std::string& folder) {
  Descriptor root(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.is_open()) return storage_error(errno, "cannot open the folder " + folder);
  return std::make_unique<PosixDisk>(std::move(root), folder);
}

Result<std::unique_ptr<FolderLock>> lock_folder(const std::string& folder) {
  const std::string path = folder + "/lock";
  Descriptor descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!descriptor.is_open()) return storage_error(errno, "cannot open " + path);
  if (::flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return storage_error(errno, "cannot lock " + path);
    return fail(ErrorCode::kStorageLocked, "the data folder " + folder + " is in use",
                holder_of(descriptor.get()) + " holds its lock",
                "stop that appliance first, or give this one a data folder of its own");
  }
  if (::ftruncate(descriptor.get(), 0) != 0) return storage_error(errno, "cannot write " + path);
  SYN_TRY(write_all(descriptor.get(), std::to_string(::getpid()) + "\n", path));
  return std::make_unique<FlockFolderLock>(std::move(descriptor));
}

}  // namespace syncline
