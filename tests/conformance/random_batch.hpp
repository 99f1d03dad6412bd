// Batches for the engine suite, made straight in the contract's layout so that lengths, lanes and
// keys can be anything.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "kernels/contract/batch.h"

namespace syncline::conformance {

struct BatchShape {
  uint32_t row_count = 0;
  uint32_t value_count = 8;
  uint32_t lane_count = 4;
  uint32_t key_space = 1000;  // keys are drawn from so many
  uint32_t length_max = 24;   // of value cells
  uint32_t value_space = 3;   // different values a cell can have per key: few, so that some stay
  uint32_t delete_percent = 10;
  uint32_t null_percent = 5;
  uint32_t unchanged_percent = 10;
};

class RawBatch {
 public:
  explicit RawBatch(uint32_t value_count) : field_count_(value_count + 1) {}

  // A cell is its bytes, or one of these.
  struct Cell {
    uint32_t state = 0;  // 0: a value; else SYN_LENGTH_*
    std::string bytes;
  };

  void add_row(uint8_t op, uint16_t lane, const std::string& key, const std::vector<Cell>& values) {
    op_.push_back(op);
    lane_.push_back(lane);
    key_offset_.push_back(append(key));
    key_length_.push_back(static_cast<uint32_t>(key.size()));
    cell_offset_.push_back(key_offset_.back());
    cell_length_.push_back(key_length_.back());
    for (const Cell& cell : values) {
      cell_offset_.push_back(cell.state == 0 ? append(cell.bytes) : 0);
      cell_length_.push_back(cell.state == 0 ? static_cast<uint32_t>(cell.bytes.size())
                                             : cell.state);
    }
  }

  // Exactly as large as its content: reading past the arena is found by the address sanitizer.
  syn_batch view() {
    arena_.shrink_to_fit();
    return {
        .row_count = static_cast<uint32_t>(op_.size()),
        .field_count = field_count_,
        .key_count = 1,
        .arena_size = static_cast<uint32_t>(arena_.size()),
        .op = op_.data(),
        .lane = lane_.data(),
        .key_offset = key_offset_.data(),
        .key_length = key_length_.data(),
        .cell_offset = cell_offset_.data(),
        .cell_length = cell_length_.data(),
        .arena = arena_.data(),
    };
  }

 private:
  uint32_t append(const std::string& bytes) {
    const auto offset = static_cast<uint32_t>(arena_.size());
    arena_.insert(arena_.end(), bytes.begin(), bytes.end());
    return offset;
  }

  uint32_t field_count_;
  std::vector<uint8_t> op_;
  std::vector<uint16_t> lane_;
  std::vector<uint32_t> key_offset_;
  std::vector<uint32_t> key_length_;
  std::vector<uint32_t> cell_offset_;
  std::vector<uint32_t> cell_length_;
  std::vector<uint8_t> arena_;
};

inline std::string bytes_of(uint64_t seed, size_t size) {
  std::mt19937_64 random(seed);
  std::string bytes;
  while (bytes.size() < size) bytes.push_back(static_cast<char>(random()));
  return bytes;
}

inline RawBatch::Cell random_cell(const BatchShape& shape, uint64_t key, uint32_t field,
                                  std::mt19937_64& random) {
  const uint64_t dice = random() % 100;
  if (dice < shape.null_percent) return {SYN_LENGTH_NULL, {}};
  if (dice < shape.null_percent + shape.unchanged_percent) return {SYN_LENGTH_UNCHANGED, {}};
  const uint64_t seed = (key * 1000 + field) * 100 + random() % shape.value_space;
  return {0, bytes_of(seed, seed % (shape.length_max + 1))};
}

inline RawBatch random_batch(const BatchShape& shape, std::mt19937_64& random) {
  RawBatch batch(shape.value_count);
  std::vector<RawBatch::Cell> values(shape.value_count);
  for (uint32_t row = 0; row < shape.row_count; ++row) {
    const uint64_t key = random() % shape.key_space;
    const auto lane = static_cast<uint16_t>(key % shape.lane_count);
    const bool is_delete = random() % 100 < shape.delete_percent;
    for (uint32_t i = 0; i < shape.value_count; ++i) {
      values[i] =
          is_delete ? RawBatch::Cell{SYN_LENGTH_UNCHANGED, {}} : random_cell(shape, key, i, random);
    }
    const uint8_t op = is_delete ? SYN_OP_DELETE : static_cast<uint8_t>(1 + random() % 2);
    batch.add_row(op, lane, "key-" + std::to_string(key), values);
  }
  return batch;
}

}  // namespace syncline::conformance
