// What a marked transaction has room for yet. A server's cost of a transaction is paid for by more
// rows where nobody waits for them: entries of a first sync.
//
// Threads: values. Errors: none.
#pragma once

#include "host/delivery/pending.hpp"

namespace syncline::delivery {

inline bool is_of_first_sync(const model::Entry& entry) {
  return entry.commit_time_us <= 0;
}

class Room {
 public:
  // entries_max: of those that somebody waits for; of a first sync's, `share` times as many.
  Room(size_t entries_max, size_t share) : share_(share), left_(entries_max * share) {}

  bool is_full() const { return left_ < share_; }

  // How many of a flow's entries go now: up to one that was refused.
  size_t take(const Flow& flow) {
    size_t count = 0;
    while (!is_full() && count < flow.entries.size() &&
           flow.entries[count].state != PendingState::kRefused) {
      left_ -= is_of_first_sync(*flow.entries[count++].entry) ? 1 : share_;
    }
    return count;
  }

 private:
  size_t share_;
  size_t left_;
};

}  // namespace syncline::delivery
