// SimDisk: a Disk in memory that loses what a real one may lose.
//
// Every append, truncate, sync, rename, creation and removal is a boundary with a number, and a
// crash can be asked for at any of them. After a crash the disk is down until restart(), which
// decides, from the seed, what has reached the platter:
//   - of each file, what was synced, and of the rest all, nothing, or a part that ends at any byte
//     and may have a hole of zeros in it;
//   - of each folder, what was synced, and each later creation, rename and removal or not.
// It can be full, fail a sync and flip a bit. Files from before a crash stay dead.
// Owner: the test; files must not outlive it. Threads: any.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "host/base/disk.hpp"

namespace syncline::simulation {

class SimDisk final : public Disk {
 public:
  enum class Loss : uint8_t { kKept, kLost, kTorn, kAny };

  explicit SimDisk(uint64_t seed) : random_(seed) {}

  Result<std::unique_ptr<File>> open(const std::string& path, Mode mode) override;
  Result<bool> exists(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& folder) override;
  Result<void> make_folder(const std::string& folder) override;
  Result<void> remove(const std::string& path) override;
  Result<void> replace(const std::string& path, std::string_view bytes) override;
  Result<void> sync_folder(const std::string& folder) override;

  // How many boundaries there were so far; also how many writes.
  uint64_t boundary_count() const;
  // Goes down at this boundary: a sync, rename or removal there does not happen, an append is among
  // what restart() decides about.
  void crash_at(uint64_t boundary);
  void crash();  // now
  bool is_down() const;
  void restart(Loss loss);

  // Room for that many bytes in all files; an append beyond it writes what fits and fails.
  void set_room_bytes(std::optional<uint64_t> room_bytes);
  // The sync after `count` good ones fails, once.
  void fail_sync_after(uint64_t count);
  // As if the platter had changed: a bit of the file, counted from its beginning.
  void flip_bit(const std::string& path, uint64_t bit);

  std::string contents(const std::string& path) const;  // REQUIRES: it is there
  std::vector<std::string> paths() const;
  uint64_t size_bytes() const;

 private:
  friend class SimFile;

  struct Change {  // since the last sync
    bool is_truncate = false;
    uint64_t size = 0;  // of a truncate
    std::string bytes;  // of an append
  };
  struct Inode {
    std::string bytes;    // as programs see it
    std::string durable;  // as of the last sync
    std::vector<Change> changes;
  };
  using InodePointer = std::shared_ptr<Inode>;
  using Names = std::map<std::string, InodePointer>;

  // All below: REQUIRES mutex_ held.
  uint64_t below(uint64_t limit);
  Result<void> check_up(uint64_t generation) const;
  bool pass_boundary();  // false: the machine went down here
  Result<void> append(Inode& inode, std::string_view bytes, const std::string& path);
  Result<void> truncate(Inode& inode, uint64_t size);
  Result<void> sync(Inode& inode, const std::string& path);
  Result<void> rename(const std::string& from, const std::string& to);
  uint64_t used_bytes() const;
  void settle(Inode& inode, Loss loss);
  void settle_names(Loss loss);

  mutable std::mutex mutex_;
  uint64_t random_;
  uint64_t generation_ = 1;  // raised by every crash
  bool is_down_ = false;
  uint64_t boundary_count_ = 0;
  std::optional<uint64_t> crash_at_;
  std::optional<uint64_t> room_bytes_;
  std::optional<uint64_t> good_syncs_left_;
  Names names_;
  Names durable_names_;
};

}  // namespace syncline::simulation
