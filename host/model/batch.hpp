// A batch: changes of one dataset from one system, in the columns that kernels/contract/batch.h
// lays out. It owns the memory; view() is what a device gets.
//
// BatchBuilder collects whole transactions; finish() gives the batch and leaves the builder empty
// with its memory kept. A batch stays valid until it is destroyed or recycled into a builder.
// Threads: values; one thread at a time.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/model/cell.hpp"
#include "host/model/ids.hpp"
#include "host/model/position.hpp"
#include "host/model/schema.hpp"
#include "kernels/contract/batch.h"

namespace syncline::model {

struct BatchTransaction {
  Position position;
  int64_t commit_time_us = 0;
  int64_t time_resolution_us = 1;
};

class Batch {
 public:
  syn_batch view() const;

  size_t row_count() const { return op_.size(); }
  size_t size_bytes() const { return arena_.size(); }
  DatasetId dataset() const { return schema_->dataset; }
  const Schema& schema() const { return *schema_; }

  uint8_t op(size_t row) const { return op_[row]; }
  bool is_ours(size_t row) const { return is_ours_[row] != 0; }
  LaneIndex lane(size_t row) const { return lane_[row]; }
  const KeyHash& key_hash(size_t row) const { return key_hash_[row]; }
  std::string_view key(size_t row) const;  // joined, as the system wrote it (not folded)
  bool has_folded_key(size_t row) const { return key_offset_[row] == joined_offset_[row]; }
  // The joined key that this row had before, where it is another one and yet the same record by the
  // dataset's key; else empty.
  std::string_view old_key(size_t row) const;
  // Where the row's key was changed, its other record: that it was until then, or, of a delete,
  // that it is from then on. Else none.
  KeyHash moved_with(size_t row) const;
  CellView cell(size_t row, FieldIndex field) const;
  const BatchTransaction& transaction(size_t row) const {
    return transactions_[transaction_of_row_[row]];
  }
  size_t transaction_count() const { return transaction_count_; }
  // The row's place among all rows and markers of one poll, over all datasets.
  uint32_t ordinal(size_t row) const { return ordinal_[row]; }

 private:
  friend class BatchBuilder;
  const Schema* schema_ = nullptr;
  std::vector<uint8_t> op_;
  std::vector<uint8_t> is_ours_;
  std::vector<uint16_t> lane_;
  std::vector<KeyHash> key_hash_;
  std::vector<uint32_t> transaction_of_row_;
  std::vector<uint32_t> ordinal_;
  std::vector<uint32_t> key_offset_;  // folded
  std::vector<uint32_t> key_length_;
  std::vector<uint32_t> joined_offset_;  // as written; the same bytes where folding changed nothing
  std::vector<uint32_t> joined_length_;
  struct OldKey {
    uint32_t row = 0;
    uint32_t offset = 0;
    uint32_t length = 0;
  };
  std::vector<OldKey> old_keys_;  // by row; of few
  struct Move {
    uint32_t row = 0;
    KeyHash with;
  };
  std::vector<Move> moves_;  // likewise
  std::vector<uint32_t> cell_offset_;
  std::vector<uint32_t> cell_length_;
  std::vector<uint8_t> arena_;
  std::vector<BatchTransaction> transactions_;  // the first transaction_count_ are in use
  size_t transaction_count_ = 0;
};

class BatchBuilder {
 public:
  // schema outlives builder and batches.
  BatchBuilder(const Schema& schema, size_t lane_count);

  void begin_transaction(const BatchTransaction& transaction);
  // cells: every schema field, key first. REQUIRES: a transaction has begun, key cells are values,
  // and the batch's bytes stay below SYN_ARENA_SIZE_MAX (callers finish() long before).
  void add_row(uint8_t op, bool is_ours, uint32_t ordinal, std::span<const CellView> cells);
  // A delete or an unknown row by its key alone.
  void add_key_row(uint8_t op, bool is_ours, uint32_t ordinal, std::span<const CellView> key_cells);

  // Of the last row (Batch::old_key). REQUIRES: there is one.
  void set_old_key(std::string_view joined);
  void set_moved_with(const KeyHash& record);  // likewise

  size_t row_count() const { return batch_.row_count(); }
  size_t size_bytes() const { return batch_.size_bytes(); }
  Batch finish();
  void recycle(Batch&& batch);  // keeps its memory for a later one

  static constexpr size_t kSpareCountMax = 4;

 private:
  void add_row_head(uint8_t op, bool is_ours, uint32_t ordinal);
  void add_key(std::span<const CellView> key_cells);
  void add_cell(const CellView& cell);
  uint32_t append(std::string_view bytes);
  void append_varint(uint64_t value);

  const Schema& schema_;
  size_t lane_count_;
  Batch batch_;
  std::vector<Batch> spares_;
};

// The rows for which is_kept(row) says so, with their places and transactions.
template <class IsKept>
Batch copy_rows(const Batch& batch, size_t lane_count, const IsKept& is_kept) {
  BatchBuilder builder(batch.schema(), lane_count);
  std::vector<CellView> cells(batch.schema().fields.size());
  for (size_t row = 0; row < batch.row_count(); ++row) {
    if (!is_kept(row)) continue;
    for (size_t field = 0; field < cells.size(); ++field) {
      cells[field] = batch.cell(row, static_cast<FieldIndex>(field));
    }
    builder.begin_transaction(batch.transaction(row));
    builder.add_row(batch.op(row), batch.is_ours(row), batch.ordinal(row), cells);
    if (const auto old_key = batch.old_key(row); !old_key.empty()) builder.set_old_key(old_key);
    if (const auto other = batch.moved_with(row); !other.is_none()) builder.set_moved_with(other);
  }
  return builder.finish();
}

}  // namespace syncline::model
