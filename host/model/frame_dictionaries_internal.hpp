// What encode_frames finds to be the same: versions, lists of fields, entries and record images.
// Private to the room.
//
// Owner: they borrow from the frames. Threads: one at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "host/model/frame.hpp"

namespace syncline::model {

inline uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
  return hash ^ hash >> 32;
}

inline uint64_t hash_of(const Version& version) {
  uint64_t hash = mix(version.origin, static_cast<uint64_t>(version.time_us));
  hash = mix(hash, uint64_t{version.policy_number} << 32 | version.path.size());
  if (!version.path.empty()) hash = mix(hash, static_cast<uint64_t>(version.path.back().rank));
  return mix(hash, uint64_t{version.correction_round} << 32 | version.corrector);
}

// An open-addressed table from hashes to indexes; the caller compares.
class IndexTable {
 public:
  static constexpr uint32_t kNone = ~uint32_t{0};

  // The index that is_equal accepts, or kNone; next() after it stores under the same hash.
  template <class IsEqual>
  uint32_t find(uint64_t hash, const IsEqual& is_equal) {
    if (count_ * 2 >= slots_.size()) grow();
    slot_ = hash & (slots_.size() - 1);
    hash_ = hash;
    while (slots_[slot_].index != kNone) {
      if (slots_[slot_].hash == hash && is_equal(slots_[slot_].index)) return slots_[slot_].index;
      slot_ = (slot_ + 1) & (slots_.size() - 1);
    }
    return kNone;
  }
  void store(uint32_t index) {
    slots_[slot_] = {hash_, index};
    ++count_;
  }
  void clear() {
    std::fill(slots_.begin(), slots_.end(), Slot{});
    count_ = 0;
  }

 private:
  struct Slot {
    uint64_t hash = 0;
    uint32_t index = kNone;
  };
  void grow() {
    std::vector<Slot> old(std::max<size_t>(64, slots_.size() * 2));
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.index == kNone) continue;
      size_t at = slot.hash & (slots_.size() - 1);
      while (slots_[at].index != kNone) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = slot;
    }
  }

  std::vector<Slot> slots_;
  size_t count_ = 0;
  size_t slot_ = 0;
  uint64_t hash_ = 0;
};

// The distinct versions of a block, in the order of their first use.
class Versions {
 public:
  // last: what the caller got before; neighbours are mostly equal.
  uint32_t index_of(const Version& version, uint32_t& last) {
    if (last < versions_.size() && *versions_[last] == version) return last;
    const uint32_t known =
        table_.find(hash_of(version), [&](uint32_t index) { return *versions_[index] == version; });
    if (known != IndexTable::kNone) return last = known;
    last = static_cast<uint32_t>(versions_.size());
    table_.store(last);
    versions_.push_back(&version);
    return last;
  }
  std::span<const Version* const> all() const { return versions_; }

 private:
  std::vector<const Version*> versions_;  // borrowed from the frames
  IndexTable table_;
};

struct Shape {
  DatasetId dataset = 0;
  uint32_t first = 0;  // into Shapes::fields and field_numbers
  uint32_t count = 0;
};

// The distinct lists of fields, and a number for every (dataset, field), in order of first use.
class Shapes {
 public:
  uint32_t index_of(DatasetId dataset, std::span<const EntryCell> cells) {
    if (last_ < shapes_.size() && is_shape(last_, dataset, cells)) return last_;
    uint64_t hash = mix(dataset, cells.size());
    for (const EntryCell& cell : cells) hash = mix(hash, cell.field);
    const uint32_t known =
        table_.find(hash, [&](uint32_t index) { return is_shape(index, dataset, cells); });
    if (known != IndexTable::kNone) return last_ = known;
    last_ = static_cast<uint32_t>(shapes_.size());
    table_.store(last_);
    add(dataset, cells);
    return last_;
  }
  void count_cells(uint32_t shape) {
    for (const uint32_t number : numbers(shape)) ++cell_counts_[number];
  }

  std::span<const Shape> all() const { return shapes_; }
  std::span<const FieldIndex> fields(uint32_t shape) const {
    return std::span(fields_).subspan(shapes_[shape].first, shapes_[shape].count);
  }
  std::span<const uint32_t> numbers(uint32_t shape) const {
    return std::span(field_numbers_).subspan(shapes_[shape].first, shapes_[shape].count);
  }
  std::span<const uint32_t> cell_counts() const { return cell_counts_; }  // by field number

 private:
  bool is_shape(uint32_t index, DatasetId dataset, std::span<const EntryCell> cells) const {
    const Shape& shape = shapes_[index];
    if (shape.dataset != dataset || shape.count != cells.size()) return false;
    for (size_t i = 0; i < cells.size(); ++i) {
      if (fields_[shape.first + i] != cells[i].field) return false;
    }
    return true;
  }
  void add(DatasetId dataset, std::span<const EntryCell> cells) {
    shapes_.push_back(
        {dataset, static_cast<uint32_t>(fields_.size()), static_cast<uint32_t>(cells.size())});
    for (const EntryCell& cell : cells) {
      fields_.push_back(cell.field);
      const uint64_t name = uint64_t{dataset} << 16 | cell.field;
      uint32_t number =
          names_table_.find(mix(0, name), [&](uint32_t index) { return names_[index] == name; });
      if (number == IndexTable::kNone) {
        number = static_cast<uint32_t>(names_.size());
        names_table_.store(number);
        names_.push_back(name);
        cell_counts_.push_back(0);
      }
      field_numbers_.push_back(number);
    }
  }

  std::vector<Shape> shapes_;
  std::vector<FieldIndex> fields_;
  std::vector<uint32_t> field_numbers_;
  std::vector<uint64_t> names_;  // dataset and field, by field number
  std::vector<uint32_t> cell_counts_;
  IndexTable table_;
  IndexTable names_table_;
  uint32_t last_ = 0;
};

// Which entry of the same frame, if any, says the same as a record image.
struct Reference {
  uint32_t entry = 0;  // 1 + its index in the frame; 0: none
  bool shares_cells = false;
};

class References {
 public:
  // Adds one Reference per record of the frame to out.
  void add(const Frame& frame, std::vector<Reference>& out) {
    if (frame.records.empty()) return;
    index_entries(frame);
    is_used_.assign(frame.entries.size(), false);
    for (const RecordImage& record : frame.records) {
      const uint32_t index =
          table_.find(hash_of_key(record.dataset, record.key_hash), [&](uint32_t entry) {
            const Entry& candidate = frame.entries[entry];
            return candidate.dataset == record.dataset && candidate.key_hash == record.key_hash &&
                   candidate.key == record.key;
          });
      if (index == IndexTable::kNone || is_used_[index]) {
        out.push_back({});
        continue;
      }
      is_used_[index] = true;
      out.push_back({index + 1, frame.entries[index].cells == record.cells});
    }
  }

 private:
  static uint64_t hash_of_key(DatasetId dataset, const KeyHash& hash) {
    return mix(hash.low, dataset);
  }
  void index_entries(const Frame& frame) {
    table_.clear();
    // The first of several entries of one record is found.
    for (uint32_t i = 0; i < frame.entries.size(); ++i) {
      const Entry& entry = frame.entries[i];
      const uint32_t known =
          table_.find(hash_of_key(entry.dataset, entry.key_hash), [&](uint32_t other) {
            return frame.entries[other].dataset == entry.dataset &&
                   frame.entries[other].key_hash == entry.key_hash &&
                   frame.entries[other].key == entry.key;
          });
      if (known == IndexTable::kNone) table_.store(i);
    }
  }

  IndexTable table_;
  std::vector<bool> is_used_;
};

}  // namespace syncline::model
