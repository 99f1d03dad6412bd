#include "kernels/cpu/detect.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/cpu/detect_internal.hpp"

namespace syncline::cpu {
namespace {

Result<void> check_parts(const syn_batch& batch, const engine::Fingerprints& fingerprints,
                         const engine::TableRef& table) {
  const size_t value_count = batch.field_count - batch.key_count;
  if (batch.key_count > batch.field_count || value_count > SYN_FIELD_COUNT_MAX ||
      value_count != table.value_count) {
    return fail(ErrorCode::kInvalidArgument, "detect: the batch and the table differ in fields");
  }
  if (fingerprints.keys.size() != batch.row_count ||
      fingerprints.cells.size() != batch.row_count * value_count) {
    return fail(ErrorCode::kInvalidArgument, "detect: the fingerprints are of another batch");
  }
  uint32_t lane_max = 0;
  for (uint32_t row = 0; row < batch.row_count; ++row) {
    lane_max = std::max<uint32_t>(lane_max, batch.lane[row]);
  }
  if (batch.row_count > 0 && lane_max >= table.lane_count) {
    return fail(ErrorCode::kInvalidArgument, "detect: a row's lane is not in the table");
  }
  return success();
}

void put_cell(char* out, uint64_t cell) {
  std::memcpy(out, &cell, SYN_CELL_SIZE);
}

// Room for the largest record: head, bitmap and all cells.
constexpr size_t kRecordSizeMax =
    SYN_DELTA_HEAD_SIZE + SYN_FIELD_COUNT_MAX / 8 + SYN_FIELD_COUNT_MAX * SYN_CELL_SIZE;

size_t encode_head(char* out, uint8_t kind, uint64_t key_bits) {
  out[0] = static_cast<char>(kind);
  std::memcpy(out + 1, &key_bits, sizeof key_bits);
  return SYN_DELTA_HEAD_SIZE;
}

size_t encode_put(const DetectRows& rows, uint32_t row, uint64_t key_bits, char* out) {
  size_t size = encode_head(out, SYN_DELTA_PUT, key_bits);
  const uint64_t* cells = rows.cells + uint64_t{row} * rows.value_count;
  for (uint32_t i = 0; i < rows.value_count; ++i, size += SYN_CELL_SIZE) {
    put_cell(out + size, syn_cell_of_fingerprint(cells[i]));
  }
  return size;
}

size_t encode_change(const DetectRows& rows, uint32_t row, uint64_t key_bits, char* out) {
  size_t size = encode_head(out, SYN_DELTA_CHANGE, key_bits);
  const uint64_t* cells = rows.cells + uint64_t{row} * rows.value_count;
  const uint64_t* changed = rows.changed + uint64_t{row} * rows.bitmap_words;
  const size_t bitmap_size = (rows.value_count + 7) / 8;
  std::memcpy(out + size, changed, bitmap_size);
  size += bitmap_size;
  for (uint32_t word = 0; word < rows.bitmap_words; ++word) {
    for (uint64_t bits = changed[word]; bits != 0; bits &= bits - 1) {
      const uint64_t fingerprint = cells[word * 64 + static_cast<uint32_t>(std::countr_zero(bits))];
      put_cell(out + size, syn_cell_of_fingerprint(fingerprint));
      size += SYN_CELL_SIZE;
    }
  }
  return size;
}

// Zero where the row leaves the table as it is.
size_t encode_row(const DetectRows& rows, uint32_t row, bool is_sweeping, char* out) {
  const uint64_t key_bits = syn_key_bits(rows.keys[row]);
  switch (rows.verdicts[row]) {
    case SYN_VERDICT_NEW:
      return encode_put(rows, row, key_bits, out);
    case SYN_VERDICT_CHANGED:
      return encode_change(rows, row, key_bits, out);
    case SYN_VERDICT_GONE:
      return encode_head(out, SYN_DELTA_REMOVE, key_bits);
    default:
      // The same without being a delete: the key is known.
      if (!is_sweeping || rows.op[row] == SYN_OP_DELETE) return 0;
      return encode_head(out, SYN_DELTA_SEEN, key_bits);
  }
}

void encode_delta(const DetectRows& rows, bool is_sweeping, engine::TableDeltaSet& delta) {
  char record[kRecordSizeMax];
  for (uint32_t row = 0; row < rows.row_count; ++row) {
    if (rows.verdicts[row] == SYN_VERDICT_SAME && !is_sweeping) continue;
    const size_t size = encode_row(rows, row, is_sweeping, record);
    if (size > 0) delta.lanes[rows.lane[row]].append(record, size);
  }
}

}  // namespace

Result<DetectRows> begin_detect(const syn_batch& batch, const engine::Fingerprints& fingerprints,
                                const engine::TableRef& table, engine::Detected& out) {
  SYN_TRY(check_parts(batch, fingerprints, table));
  out.bitmap_words = (table.value_count + 63) / 64;
  out.verdicts.resize(batch.row_count);
  out.changed.resize(batch.row_count * out.bitmap_words);
  out.delta.lanes.resize(table.lane_count);
  for (std::string& lane : out.delta.lanes) lane.clear();
  return DetectRows{
      .row_count = batch.row_count,
      .value_count = table.value_count,
      .bitmap_words = static_cast<uint32_t>(out.bitmap_words),
      .op = batch.op,
      .lane = batch.lane,
      .keys = fingerprints.keys.data(),
      .cells = fingerprints.cells.data(),
      .lanes = table.lanes,
      .verdicts = reinterpret_cast<uint8_t*>(out.verdicts.data()),
      .changed = out.changed.data(),
  };
}

void end_detect(const DetectRows& rows, const engine::TableRef& table, engine::Detected& out) {
  settle_repeats(rows, out.scratch);
  encode_delta(rows, table.is_sweeping != 0, out.delta);
}

Result<void> detect_batch(DetectKernel kernel, const syn_batch& batch,
                          const engine::Fingerprints& fingerprints, const engine::TableRef& table,
                          engine::Detected& out) {
  SYN_TRY(const DetectRows rows, begin_detect(batch, fingerprints, table, out));
  kernel(rows);
  end_detect(rows, table, out);
  return success();
}

}  // namespace syncline::cpu
