#include "host/model/batch.hpp"

#include <algorithm>
#include <utility>

#include "host/base/assert.hpp"
#include "host/base/bytes.hpp"
#include "host/model/key.hpp"

namespace syncline::model {

syn_batch Batch::view() const {
  return {
      .row_count = static_cast<uint32_t>(op_.size()),
      .field_count = static_cast<uint32_t>(schema_->fields.size()),
      .key_count = static_cast<uint32_t>(schema_->key_count),
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

std::string_view Batch::key(size_t row) const {
  return as_text(ByteView(arena_).subspan(joined_offset_[row], joined_length_[row]));
}

std::string_view Batch::old_key(size_t row) const {
  const auto at =
      std::lower_bound(old_keys_.begin(), old_keys_.end(), row,
                       [](const OldKey& known, size_t wanted) { return known.row < wanted; });
  if (at == old_keys_.end() || at->row != row) return {};
  return as_text(ByteView(arena_).subspan(at->offset, at->length));
}

KeyHash Batch::moved_with(size_t row) const {
  const auto at =
      std::lower_bound(moves_.begin(), moves_.end(), row,
                       [](const Move& move, size_t wanted) { return move.row < wanted; });
  return at == moves_.end() || at->row != row ? KeyHash{} : at->with;
}

CellView Batch::cell(size_t row, FieldIndex field) const {
  const size_t index = row * schema_->fields.size() + field;
  const uint32_t length = cell_length_[index];
  if (length == SYN_LENGTH_NULL) return {CellState::kNull, {}};
  if (length == SYN_LENGTH_UNCHANGED) return {CellState::kUnchanged, {}};
  return {CellState::kValue, as_text(ByteView(arena_).subspan(cell_offset_[index], length))};
}

BatchBuilder::BatchBuilder(const Schema& schema, size_t lane_count)
    : schema_(schema), lane_count_(lane_count) {
  SYN_ASSERT(schema.key_count > 0);
  SYN_ASSERT(schema.value_count() <= SYN_FIELD_COUNT_MAX);
  batch_.schema_ = &schema_;
}

void BatchBuilder::begin_transaction(const BatchTransaction& transaction) {
  // Assigned over an older one where there is one: its position keeps its memory.
  if (batch_.transaction_count_ == batch_.transactions_.size()) {
    batch_.transactions_.push_back(transaction);
  } else {
    batch_.transactions_[batch_.transaction_count_] = transaction;
  }
  ++batch_.transaction_count_;
}

void BatchBuilder::add_row(uint8_t op, bool is_ours, uint32_t ordinal,
                           std::span<const CellView> cells) {
  SYN_ASSERT(cells.size() == schema_.fields.size());
  add_row_head(op, is_ours, ordinal);
  add_key(cells.first(schema_.key_count));
  for (const CellView& cell : cells.subspan(schema_.key_count)) add_cell(cell);
}

void BatchBuilder::add_key_row(uint8_t op, bool is_ours, uint32_t ordinal,
                               std::span<const CellView> key_cells) {
  SYN_ASSERT(key_cells.size() == schema_.key_count);
  add_row_head(op, is_ours, ordinal);
  add_key(key_cells);
  for (size_t i = 0; i < schema_.value_count(); ++i) add_cell({});
}

void BatchBuilder::set_old_key(std::string_view joined) {
  SYN_ASSERT(row_count() > 0);
  const uint32_t offset = append(joined);
  batch_.old_keys_.push_back(
      {static_cast<uint32_t>(row_count() - 1), offset, static_cast<uint32_t>(joined.size())});
}

void BatchBuilder::set_moved_with(const KeyHash& record) {
  SYN_ASSERT(row_count() > 0);
  batch_.moves_.push_back({static_cast<uint32_t>(row_count() - 1), record});
}

Batch BatchBuilder::finish() {
  Batch full = std::exchange(batch_, Batch{});
  if (!spares_.empty()) {
    batch_ = std::move(spares_.back());
    spares_.pop_back();
  }
  batch_.schema_ = &schema_;
  return full;
}

void BatchBuilder::recycle(Batch&& batch) {
  if (spares_.size() == kSpareCountMax) return;
  Batch& spare = spares_.emplace_back(std::move(batch));
  spare.op_.clear();
  spare.is_ours_.clear();
  spare.lane_.clear();
  spare.key_hash_.clear();
  spare.transaction_of_row_.clear();
  spare.ordinal_.clear();
  spare.key_offset_.clear();
  spare.key_length_.clear();
  spare.joined_offset_.clear();
  spare.joined_length_.clear();
  spare.old_keys_.clear();
  spare.moves_.clear();
  spare.cell_offset_.clear();
  spare.cell_length_.clear();
  spare.arena_.clear();
  spare.transaction_count_ = 0;
}

void BatchBuilder::add_row_head(uint8_t op, bool is_ours, uint32_t ordinal) {
  SYN_ASSERT(batch_.transaction_count_ > 0);
  batch_.op_.push_back(op);
  batch_.is_ours_.push_back(is_ours ? 1 : 0);
  batch_.ordinal_.push_back(ordinal);
  batch_.transaction_of_row_.push_back(static_cast<uint32_t>(batch_.transaction_count_ - 1));
}

// The key's cells are views into its joined form: their bytes are there once.
void BatchBuilder::add_key(std::span<const CellView> key_cells) {
  const auto joined_offset = static_cast<uint32_t>(batch_.arena_.size());
  for (const CellView& cell : key_cells) {
    SYN_ASSERT(cell.state == CellState::kValue);
    append_varint(cell.bytes.size());
    batch_.cell_offset_.push_back(append(cell.bytes));
    batch_.cell_length_.push_back(static_cast<uint32_t>(cell.bytes.size()));
  }
  const auto joined_length = static_cast<uint32_t>(batch_.arena_.size()) - joined_offset;
  batch_.joined_offset_.push_back(joined_offset);
  batch_.joined_length_.push_back(joined_length);

  uint32_t key_offset = joined_offset;
  uint32_t key_length = joined_length;
  const std::string_view joined =
      as_text(ByteView(batch_.arena_).subspan(joined_offset, joined_length));
  if (schema_.key_equivalence != KeyEquivalence::kBytes) {
    const std::string folded = fold_key(joined, schema_);
    if (folded != joined) {
      key_offset = append(folded);
      key_length = static_cast<uint32_t>(folded.size());
    }
  }
  batch_.key_offset_.push_back(key_offset);
  batch_.key_length_.push_back(key_length);
  const KeyHash hash = hash_key(as_text(ByteView(batch_.arena_).subspan(key_offset, key_length)));
  batch_.key_hash_.push_back(hash);
  batch_.lane_.push_back(lane_of(hash, lane_count_));
}

void BatchBuilder::add_cell(const CellView& cell) {
  uint32_t offset = 0;
  uint32_t length = SYN_LENGTH_UNCHANGED;
  if (cell.state == CellState::kNull) {
    length = SYN_LENGTH_NULL;
  } else if (cell.state == CellState::kValue) {
    offset = append(cell.bytes);
    length = static_cast<uint32_t>(cell.bytes.size());
  }
  batch_.cell_offset_.push_back(offset);
  batch_.cell_length_.push_back(length);
}

uint32_t BatchBuilder::append(std::string_view bytes) {
  const size_t offset = batch_.arena_.size();
  SYN_ASSERT(bytes.size() < SYN_ARENA_SIZE_MAX - offset);
  batch_.arena_.insert(batch_.arena_.end(), bytes.begin(), bytes.end());
  return static_cast<uint32_t>(offset);
}

void BatchBuilder::append_varint(uint64_t value) {
  for (; value >= 0x80; value >>= 7) batch_.arena_.push_back(static_cast<uint8_t>(value | 0x80));
  batch_.arena_.push_back(static_cast<uint8_t>(value));
}

}  // namespace syncline::model
