// All of the file system that the journal and the state need, behind one interface: the machine's
// own (posix_disk) and the simulator's, which loses and tears what was not synced.
//
// Paths are relative to the folder the Disk was opened on, with '/' between parts.
// Threads: a Disk may be used from several threads; a File from one at a time, but for sync(),
// which may run beside append() and covers what was appended before it began.
// Errors: kStorageFull when there is no room, kStorageSync when a sync fails (the process must
// stop: it is never retried), kStorageOpen for everything else.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.hpp"

namespace syncline {

class File {
 public:
  virtual ~File() = default;
  // Appends all of it or fails; after a failure the tail is unknown and must be truncated.
  virtual Result<void> append(std::string_view bytes) = 0;
  // Durable when it returns (fdatasync).
  virtual Result<void> sync() = 0;
  // Reads up to size bytes at offset; shorter only at the end of the file.
  virtual Result<std::string> read(uint64_t offset, size_t size) = 0;
  virtual Result<void> truncate(uint64_t size) = 0;
  virtual uint64_t size() const = 0;
};

class Disk {
 public:
  virtual ~Disk() = default;
  enum class Mode { kRead, kAppend };
  // kAppend creates the file (mode 0600) if it is not there.
  virtual Result<std::unique_ptr<File>> open(const std::string& path, Mode mode) = 0;
  virtual Result<bool> exists(const std::string& path) = 0;
  // Names in a folder, sorted; empty if the folder is not there.
  virtual Result<std::vector<std::string>> list(const std::string& folder) = 0;
  virtual Result<void> make_folder(const std::string& folder) = 0;
  virtual Result<void> remove(const std::string& path) = 0;
  // Whole file, atomically and durably: write aside, fsync, rename, fsync of the folder.
  virtual Result<void> replace(const std::string& path, std::string_view bytes) = 0;
  // Makes creations, renames and removals inside the folder durable.
  virtual Result<void> sync_folder(const std::string& folder) = 0;

  Result<std::string> read_all(const std::string& path);
};

// REQUIRES: folder exists. Errors: kStorageOpen.
Result<std::unique_ptr<Disk>> make_posix_disk(const std::string& folder);

// Holds an exclusive advisory lock on <folder>/lock until destroyed. Errors: kStorageLocked, naming
// the process that holds it.
class FolderLock {
 public:
  virtual ~FolderLock() = default;
};
Result<std::unique_ptr<FolderLock>> lock_folder(const std::string& folder);

}  // namespace syncline
