// One lane of a fingerprint table: the memory, and how keys are put in and taken out.
//
// Invariants:
//   1. A key's slot lies in its home line or in a later one, with only full lines between (the
//      first line follows the last).
//   2. At least one slot is empty, so every search ends.
//   3. record_count() <= max_records(line_count()).
// The load is between 0.87 and 0.92 from some hundred records on: it grows by a sixteenth, into
// new memory that is filled in the old one's order, while the other lanes stay as they are. Where
// many records are expected it grows to twice its size at once, but not beyond them.
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "kernels/engine/table_ref.hpp"

namespace syncline::state {

class TableLane {
 public:
  static constexpr uint64_t kAbsent = ~uint64_t{0};

  explicit TableLane(size_t value_count) : record_size_(value_count * SYN_CELL_SIZE) {}

  engine::TableLaneRef ref() const { return {keys_, cells_, line_count_}; }
  size_t record_count() const { return record_count_; }
  size_t slot_count() const { return line_count_ * SYN_SLOTS_PER_LINE; }
  size_t size_bytes() const { return size_bytes_; }
  size_t record_size() const { return record_size_; }

  // The key's slot, or kAbsent.
  uint64_t find(uint64_t key_bits) const;
  void prefetch(uint64_t key_bits) const;
  // The key's slot, which may be a fresh one: then its cells are all unknown. Marks it seen.
  uint64_t put(uint64_t key_bits);
  void remove(uint64_t slot);
  void clear();
  // Makes room for so many records at once.
  void reserve(size_t record_count);
  // So many records there will be, as it is thought. Where that is less than before, what was made
  // room for and is not to come is given back.
  void expect(size_t record_count);

  uint64_t key_bits(uint64_t slot) const { return keys_[slot]; }
  uint8_t* cells(uint64_t slot) { return cells_ + slot * record_size_; }
  const uint8_t* cells(uint64_t slot) const { return cells_ + slot * record_size_; }

  void mark_all_unseen();
  void mark_seen(uint64_t slot) { seen_[slot / 8] |= static_cast<uint8_t>(1u << (slot % 8)); }
  bool is_seen(uint64_t slot) const { return (seen_[slot / 8] >> (slot % 8) & 1) != 0; }

 private:
  class Free {
   public:
    explicit Free(size_t size_bytes) : size_bytes_(size_bytes) {}
    void operator()(uint8_t* memory) const;

   private:
    size_t size_bytes_;
  };

  // Where a key is, or would be put.
  struct Place {
    uint64_t slot = 0;
    bool is_taken = false;  // by the key itself
  };
  Place place_of(uint64_t key_bits) const;  // REQUIRES: there are lines
  static size_t max_records(uint64_t line_count);
  static uint64_t lines_for(size_t record_count);
  uint64_t home(uint64_t key_bits) const { return syn_home_line(key_bits, line_count_); }
  uint64_t next(uint64_t line) const { return line + 1 == line_count_ ? 0 : line + 1; }
  void allocate(uint64_t line_count);
  void grow(uint64_t line_count);
  uint64_t take_empty_slot(uint64_t key_bits);
  void move_slot(uint64_t from, uint64_t to);
  // A slot of this line whose key belongs at or before hole_line, or kAbsent.
  uint64_t find_misplaced(uint64_t line, uint64_t hole_line) const;

  size_t record_size_;
  size_t record_count_ = 0;
  size_t expected_count_ = 0;
  uint64_t line_count_ = 0;
  size_t size_bytes_ = 0;
  std::unique_ptr<uint8_t, Free> memory_{nullptr,
                                         Free(0)};  // keys, then cells, then slack, then seen bits
  uint64_t* keys_ = nullptr;
  uint8_t* cells_ = nullptr;
  uint8_t* seen_ = nullptr;
};

}  // namespace syncline::state
