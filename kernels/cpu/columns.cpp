#include "kernels/cpu/columns.hpp"

#include "kernels/cpu/columns_encode_internal.hpp"

namespace syncline::cpu {
namespace {

// What the kU32 column before a kBytes column says about it.
enum class Lengths : uint8_t { kNone, kOfTexts, kOfNumbers };

Lengths lengths_of(const engine::ColumnView& lengths, const engine::ColumnView& bytes) {
  if (lengths.type != SYN_COLUMN_U32 || bytes.type != SYN_COLUMN_BYTES || bytes.bytes.empty() ||
      lengths.bytes.size() % sizeof(uint32_t) != 0) {
    return Lengths::kNone;
  }
  uint64_t sum = 0;
  bool is_numbers = true;
  for (size_t at = 0; at < lengths.bytes.size(); at += sizeof(uint32_t)) {
    uint32_t length;
    std::memcpy(&length, lengths.bytes.data() + at, sizeof length);
    sum += length;
    is_numbers = is_numbers && length == sizeof(uint64_t);
  }
  if (sum != bytes.bytes.size()) return Lengths::kNone;
  return is_numbers ? Lengths::kOfNumbers : Lengths::kOfTexts;
}

ColumnEncoder& encoder() {
  thread_local ColumnEncoder mine;
  return mine;
}

PlacedColumn place(const engine::ColumnView& column, size_t ordinal, const Parts& parts) {
  PlacedColumn placed;
  placed.entry.id = column.id;
  placed.entry.ordinal = static_cast<uint16_t>(ordinal);
  placed.entry.type = column.type;
  placed.entry.size = static_cast<uint32_t>(column.bytes.size());
  placed.framed_at = parts.framed.size();
  placed.stored_at = parts.stored.size();
  return placed;
}

void finish(PlacedColumn placed, const Parts& parts, std::vector<PlacedColumn>& out) {
  placed.entry.framed_size = static_cast<uint32_t>(parts.framed.size() - placed.framed_at);
  placed.entry.stored_size = static_cast<uint32_t>(parts.stored.size() - placed.stored_at);
  out.push_back(placed);
}

void encode_one(const engine::ColumnView& column, size_t ordinal, bool is_numbers,
                std::vector<PlacedColumn>& out, Parts& parts) {
  PlacedColumn placed = place(column, ordinal, parts);
  const bool is_done = is_numbers && encoder().encode_numbers(column.bytes, placed.entry, parts);
  if (!is_done && !column.bytes.empty()) {
    placed.entry.encoding = SYN_ENCODING_FRAMED;
    parts.framed += column.bytes;
  }
  finish(placed, parts, out);
}

bool encode_pair(const engine::ColumnView& lengths, const engine::ColumnView& texts, size_t ordinal,
                 std::vector<PlacedColumn>& out, Parts& parts) {
  PlacedColumn before = place(lengths, ordinal, parts);
  PlacedColumn placed = place(texts, ordinal + 1, parts);
  if (!encoder().encode_texts(lengths.bytes, texts.bytes, placed.entry, parts)) return false;
  before.entry.encoding = SYN_ENCODING_TEXT_LENGTHS;
  out.push_back(before);
  finish(placed, parts, out);
  return true;
}

}  // namespace

void encode_columns(std::span<const engine::ColumnView> columns, size_t first_ordinal,
                    std::vector<PlacedColumn>& out, Parts& parts) {
  Lengths before = Lengths::kNone;
  for (size_t i = 0; i < columns.size(); ++i) {
    const engine::ColumnView& column = columns[i];
    const bool is_numbers = column.type != SYN_COLUMN_BYTES || before == Lengths::kOfNumbers;
    before = i + 1 < columns.size() ? lengths_of(column, columns[i + 1]) : Lengths::kNone;
    if (before == Lengths::kOfTexts &&
        encode_pair(column, columns[i + 1], first_ordinal + i, out, parts)) {
      ++i;
      before = Lengths::kNone;
      continue;
    }
    encode_one(column, first_ordinal + i, is_numbers, out, parts);
  }
}

}  // namespace syncline::cpu
