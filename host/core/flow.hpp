// What is on its way to one system in one (stream, lane), by sequence, with fingerprints of what
// each write sets: enough to know most of them again in the system's log without their records.
//
// Threads: one at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "host/base/bytes.hpp"
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
    uint64_t key_bits = 0;   // under which the fingerprint tables know the record
    uint64_t values = 0;     // a bit for each value field that it sets
    uint16_t key_count = 0;  // of its dataset: where the value fields begin
    model::EntryKind kind = model::EntryKind::kSet;
    bool is_skipped = false;  // waits in quarantine: no marker shows it
  };

  // prints_max: so many fingerprints it may hold. Of a put or set beyond that only the sequence is
  // kept: its record knows the rest.
  void add(const model::Entry& entry, size_t key_count, uint64_t key_bits, size_t prints_max);
  // As a lane's state keeps them, bit by bit: a quiet marker may yet speak of them.
  void write(ByteWriter& out) const;
  void read(ByteReader& in);  // REQUIRES: it is empty. Malformed bytes fail the reader.
  void skip(model::Sequence sequence);
  void confirm(model::Sequence sequence);
  // A new epoch: nothing is on its way, nothing is confirmed, and what was written up to this
  // sequence is forgotten.
  void clear(model::Sequence last);

  model::Sequence confirmed() const { return confirmed_; }
  void set_confirmed(model::Sequence sequence) { confirmed_ = sequence; }
  size_t size() const { return writes_.size() + unknown_.size(); }
  size_t print_count() const { return prints_.size(); }
  // All of its writes behind this sequence are known.
  model::Sequence known_behind() const {
    return unknown_.empty() ? forgotten_ : std::max(forgotten_, unknown_.back().sequence);
  }
  // Of its writes, those that wait in quarantine, in order.
  std::vector<model::Sequence> skipped() const;
  // The records of the writes up to there that are known, in their order.
  template <class Visit>
  void each_record(model::Sequence up_to, const Visit& visit) const {
    for (const Write& write : writes_) {
      if (write.sequence > up_to) return;
      visit(write.record);
    }
  }

  // Where a walk over the writes that are known has come to. Valid until the flow changes.
  struct Walk {
    size_t write = 0;
    size_t print = 0;
  };
  // The next one at or below the sequence, null: there is none. prints: what it sets.
  const Write* next(Walk& walk, model::Sequence up_to, std::vector<SentPrint>& prints) const;
  bool has_unknown(model::Sequence up_to) const {
    return !unknown_.empty() && unknown_.front().sequence <= up_to;
  }

 private:
  struct Unknown {
    model::Sequence sequence = 0;
    bool is_skipped = false;
  };

  std::deque<Write> writes_;
  std::deque<uint64_t> prints_;  // of writes_, by field
  std::deque<Unknown> unknown_;  // puts and sets
  model::Sequence confirmed_ = 0;
  model::Sequence forgotten_ = 0;
};

// Where a walk over the flows of one system has come to, marker by marker, none of which is
// confirmed before its end.
class FlowWalks {
 public:
  // visit(const Flow::Write&, const std::vector<SentPrint>&): of what is known, in order.
  template <class Visit>
  void each(const Flow& flow, model::StreamId stream, model::Sequence up_to, const Visit& visit) {
    Flow::Walk& walk = walk_of(stream);
    while (const Flow::Write* write = flow.next(walk, up_to, prints_)) visit(*write, prints_);
  }

 private:
  Flow::Walk& walk_of(model::StreamId stream) {
    for (auto& [known, walk] : walks_) {
      if (known == stream) return walk;
    }
    return walks_.emplace_back(stream, Flow::Walk{}).second;
  }

  std::vector<std::pair<model::StreamId, Flow::Walk>> walks_;  // a few
  std::vector<SentPrint> prints_;
};

}  // namespace syncline::core
