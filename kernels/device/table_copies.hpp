// The copies of fingerprint tables in a device's memory.
//
// When that is used up, copies that were not used for a while make room; one that has no room all
// the same is refused, for a while (table_copy.hpp). Slots come before copies: no batch goes
// without them, and what they have taken they keep.
// Owner: the engine. Threads: any. Errors: none.
#pragma once

#include <list>
#include <memory>
#include <mutex>

#include "kernels/device/table_copy.hpp"

namespace syncline::device {

class TableCopies {
 public:
  static constexpr size_t kCopyCountMax = 256;

  explicit TableCopies(Graveyard& graveyard) : graveyard_(graveyard) {}

  // Shared, so that a copy that is dropped meanwhile lives on for whoever uses it; the last one to
  // let it go buries it.
  std::shared_ptr<TableCopy> find(const engine::TableRef& table, Device& device);
  // Drops the copy used least lately, of those that nobody asked for while this one was refused for
  // some batches: tables that are in use by turns never drive each other out. False: there is none.
  bool drop_idle_for(const TableCopy& refused);
  // Drops the copy used least lately, whoever uses it: a slot comes first.
  void drop_oldest();
  void refuse(TableCopy& copy, const engine::TableRef& table);
  void drop(const TableCopy& copy);
  void drop_all();

 private:
  struct Held {
    std::shared_ptr<TableCopy> copy;
    uint64_t turn = 0;  // when it was asked for last
  };

  Graveyard& graveyard_;
  std::mutex mutex_;
  std::list<Held> copies_;  // the latest first
  uint64_t turns_ = 0;
};

}  // namespace syncline::device
