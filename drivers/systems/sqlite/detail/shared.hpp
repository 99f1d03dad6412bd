// What the source and the target of one system share inside this process.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "host/ports/system.hpp"

namespace syncline::sqlite {

struct Shared {
  ports::SystemConfig config;
  std::string path;

  // Every dataset is read by scans: no triggers, no change table.
  bool is_scan = false;

  // Held for a write transaction, so that the two never meet as strangers at SQLite's lock.
  std::mutex writing;
  // Rows of syncline_changes up to here are durable on our side.
  std::atomic<int64_t> acknowledged_id = 0;
  // Rows below this one are gone from the table.
  std::atomic<int64_t> first_kept_id = 0;
};

// What starts this system anew.
inline std::string resync_command(const Shared& shared) {
  return "`syncline resync --system " + shared.config.name + " --yes`";
}

// How long a transaction of ours waits for a lock that a user holds.
inline constexpr int kLockWaitMs = 25;
inline constexpr int kInstallWaitMs = 2000;

}  // namespace syncline::sqlite
