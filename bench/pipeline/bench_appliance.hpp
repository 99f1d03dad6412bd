// A whole appliance between two systems in memory, on a folder of its own: the real journal with
// fsync, the RocksDB shadow, the CPU engine, all of the runtime's threads.
//
// Threads: one. What fails ends the program with the error's words: a bench has nobody to tell.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "bench/pipeline/memory_system.hpp"
#include "host/app/runtime.hpp"

namespace syncline::bench {

[[noreturn]] void give_up(const Error& error);

template <class Value>
Value demand(Result<Value>&& result) {
  if (!result) give_up(result.error());
  return std::move(result).value();
}
inline void demand(Result<void>&& result) {
  if (!result) give_up(result.error());
}

// A temporary folder, removed with all in it.
class BenchFolder {
 public:
  BenchFolder();
  ~BenchFolder();
  BenchFolder(const BenchFolder&) = delete;
  BenchFolder& operator=(const BenchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class BenchAppliance {
 public:
  // Both systems hold the same records; when it returns they have been read and are live.
  explicit BenchAppliance(size_t record_count);
  ~BenchAppliance();
  BenchAppliance(const BenchAppliance&) = delete;
  BenchAppliance& operator=(const BenchAppliance&) = delete;

  // The users of both systems change these records; returns when all of it was accepted,
  // delivered and confirmed, and both systems hold the same.
  void change(std::span<const uint32_t> left_keys, std::span<const uint32_t> right_keys);
  app::Status status() const { return runtime_->status(); }

 private:
  app::RuntimeSystem make_system(const std::string& name, MemorySystem& memory) const;
  void open_storage();

  BenchFolder folder_;
  model::Schema schema_ = memory_schema();
  core::Rules rules_;
  MemorySystem left_;
  MemorySystem right_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Disk> disk_;
  std::unique_ptr<dispatch::Dispatcher> dispatcher_;
  std::unique_ptr<WorkPool> pool_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<state::Shadow> shadow_;
  std::unique_ptr<app::Runtime> runtime_;
};

}  // namespace syncline::bench
