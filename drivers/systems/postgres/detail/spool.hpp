// The changes of one transaction, in order, until it commits: in memory up to a bound that all open
// transactions share, beyond it in a file without a name, which goes with the process.
//
// Owner: the budget outlives its spools. Threads: one at a time. Errors: kStorageFull and
// kStorageOpen (the folder cannot be written).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "host/base/result.hpp"

namespace syncline::postgres {

struct SpoolBudget {
  std::string folder;  // empty: the machine's folder for such files
  size_t memory_max = size_t{32} << 20;
  size_t memory_used = 0;      // what is allocated
  uint64_t written_bytes = 0;  // to files, ever
};

class Spool {
 public:
  explicit Spool(SpoolBudget& budget) : budget_(&budget) {}
  ~Spool();
  Spool(Spool&& other) noexcept;
  Spool& operator=(Spool&& other) noexcept;

  // tag: a word of the caller's; handed back with it.
  Result<void> add(uint64_t tag, std::string_view bytes);

  struct Record {
    uint64_t tag = 0;
    std::string_view bytes;
    size_t end = 0;  // where the next one begins
  };
  // The record that begins at `offset`; valid until the next call. REQUIRES: one does.
  Result<Record> at(size_t offset);

  size_t size() const { return in_file_ + memory_.size(); }

 private:
  Result<void> move_to_file();
  Result<void> read(size_t offset, size_t size);
  bool is_in_window(size_t offset, size_t size) const;
  void count_memory();
  void release();

  SpoolBudget* budget_;
  std::string memory_;
  size_t counted_ = 0;  // of the budget
  std::string window_;  // of the file
  size_t window_begin_ = 0;
  size_t in_file_ = 0;
  int file_ = -1;
};

}  // namespace syncline::postgres
