// What is on its way to one system in one (stream, lane), by sequence, with fingerprints of what
// each write sets: enough to know most of them again in the system's log without their records.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "host/core/record.hpp"
#include "host/model/entry.hpp"

namespace syncline::core {

struct SentPrint {
  model::FieldIndex field = 0;
  uint64_t fingerprint = 0;
};

class Flow {
 public:
  struct Write {
    model::Sequence sequence = 0;
    RecordId record;
    uint64_t values = 0;     // a bit for each value field that it sets
    uint16_t key_count = 0;  // of its dataset: where the value fields begin
    model::EntryKind kind = model::EntryKind::kSet;
    bool is_skipped = false;  // waits in quarantine: no marker shows it
  };

  // prints_max: so many fingerprints it may hold. Of a put or set beyond that only the sequence is
  // kept: its record knows the rest.
  void add(const model::Entry& entry, size_t key_count, size_t prints_max);
  // What a lane's state kept of them: the sequences of puts and sets, and the deletes.
  void restore(model::Sequence sequence) { unknown_.push_back(sequence); }
  void restore_delete(model::Sequence sequence, const RecordId& record);
  void skip(model::Sequence sequence);
  void confirm(model::Sequence sequence);
  void clear();  // a new epoch: nothing is on its way, nothing is confirmed

  model::Sequence confirmed() const { return confirmed_; }
  void set_confirmed(model::Sequence sequence) { confirmed_ = sequence; }
  size_t size() const { return writes_.size() + unknown_.size(); }
  size_t print_count() const { return prints_.size(); }
  template <class Visit>
  void each(const Visit& visit) const {  // (sequence, of a delete its record, else null)
    auto next = unknown_.begin();
    for (const Write& write : writes_) {
      for (; next != unknown_.end() && *next < write.sequence; ++next) visit(*next, nullptr);
      visit(write.sequence, write.kind == model::EntryKind::kDelete ? &write.record : nullptr);
    }
    for (; next != unknown_.end(); ++next) visit(*next, nullptr);
  }
  // Of the writes up to there that are known.
  std::vector<RecordId> records(model::Sequence up_to) const;

  // Where a walk over the writes that are known has come to. Valid until the flow changes.
  struct Walk {
    size_t write = 0;
    size_t print = 0;
  };
  // The next one at or below the sequence, null: there is none. prints: what it sets.
  const Write* next(Walk& walk, model::Sequence up_to, std::vector<SentPrint>& prints) const;
  bool has_unknown(model::Sequence up_to) const {
    return !unknown_.empty() && unknown_.front() <= up_to;
  }

 private:
  std::deque<Write> writes_;
  std::deque<uint64_t> prints_;          // of writes_, by field
  std::deque<model::Sequence> unknown_;  // puts and sets
  model::Sequence confirmed_ = 0;
};

}  // namespace syncline::core
