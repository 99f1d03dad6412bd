#include <algorithm>
#include <limits>

#include "host/base/bytes.hpp"
#include "host/model/key.hpp"
#include "host/state/shadow_record_internal.hpp"

namespace syncline::state {

namespace {

// Permanent values.
constexpr uint8_t kFlagFull = 1;
constexpr uint8_t kFlagKey = 2;
constexpr uint8_t kFlagsKnown = kFlagFull | kFlagKey;

bool by_field(const FieldCell& left, const FieldCell& right) {
  return left.field < right.field;
}

// A step may name a field twice; the later cell is what it came to.
void keep_last_by_field(FieldCells& cells) {
  std::stable_sort(cells.begin(), cells.end(), by_field);
  size_t kept = 0;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i + 1 < cells.size() && cells[i + 1].field == cells[i].field) continue;
    cells[kept++] = cells[i];
  }
  cells.resize(kept);
}

bool decode_head(ByteReader& in, RecordParts& parts) {
  const uint8_t flags = in.u8();
  parts.is_full = (flags & kFlagFull) != 0;
  parts.key = (flags & kFlagKey) != 0 ? in.text() : std::string_view{};
  parts.state = in.text();
  return in.ok() && (flags & ~kFlagsKnown) == 0;
}

}  // namespace

RecordParts parts_of(const model::RecordImage& image) {
  RecordParts parts{image.is_full, image.key, image.state, {}};
  parts.cells.reserve(image.cells.size());
  for (const model::EntryCell& cell : image.cells) {
    if (cell.state == model::CellState::kUnchanged) continue;
    parts.cells.push_back({cell.field, {cell.state, cell.bytes}});
  }
  const auto not_rising = [](const FieldCell& left, const FieldCell& right) {
    return left.field >= right.field;
  };
  if (std::adjacent_find(parts.cells.begin(), parts.cells.end(), not_rising) != parts.cells.end()) {
    keep_last_by_field(parts.cells);
  }
  return parts;
}

void overlay(RecordParts& parts, RecordParts&& newer) {
  if (!newer.key.empty()) parts.key = newer.key;
  parts.state = newer.state;
  if (newer.is_full) {
    parts.is_full = true;
    parts.cells = std::move(newer.cells);
    return;
  }
  if (newer.cells.empty()) return;
  FieldCells merged;
  merged.reserve(parts.cells.size() + newer.cells.size());
  auto old = parts.cells.begin();
  for (const FieldCell& cell : newer.cells) {
    while (old != parts.cells.end() && old->field < cell.field) merged.push_back(*old++);
    while (old != parts.cells.end() && old->field == cell.field) ++old;
    merged.push_back(cell);
  }
  merged.insert(merged.end(), old, parts.cells.end());
  parts.cells = std::move(merged);
}

std::string encode(const RecordParts& parts) {
  std::string bytes;
  size_t size = 16 + parts.key.size() + parts.state.size();
  for (const FieldCell& cell : parts.cells) size += 8 + cell.cell.bytes.size();
  bytes.reserve(size);
  encode_onto(bytes, parts);
  return bytes;
}

void encode_onto(std::string& bytes, const RecordParts& parts) {
  ByteWriter out(bytes);
  const int flags = (parts.is_full ? kFlagFull : 0) | (parts.key.empty() ? 0 : kFlagKey);
  out.u8(static_cast<uint8_t>(flags));
  if (!parts.key.empty()) out.text(parts.key);
  out.text(parts.state);
  for (const FieldCell& cell : parts.cells) {
    out.varint(cell.field);
    out.u8(static_cast<uint8_t>(cell.cell.state));
    if (cell.cell.state == model::CellState::kValue) out.text(cell.cell.bytes);
  }
}

bool decode(std::string_view bytes, RecordParts& parts) {
  ByteReader in(bytes);
  if (!decode_head(in, parts)) return false;
  parts.cells.clear();
  while (in.ok() && !in.at_end()) {
    const uint64_t field = in.varint();
    const auto state = static_cast<model::CellState>(in.u8());
    const bool is_value = state == model::CellState::kValue;
    if (!is_value && state != model::CellState::kNull) return false;
    if (field > std::numeric_limits<model::FieldIndex>::max()) return false;
    if (!parts.cells.empty() && field <= parts.cells.back().field) return false;
    parts.cells.push_back({static_cast<model::FieldIndex>(field),
                           {state, is_value ? in.text() : std::string_view{}}});
  }
  return in.ok();
}

std::string_view decode_state(std::string_view bytes) {
  ByteReader in(bytes);
  RecordParts parts;
  return decode_head(in, parts) ? parts.state : std::string_view{};
}

std::vector<model::Cell> values_of(const RecordParts& parts, size_t value_count) {
  std::vector<model::Cell> values(value_count);
  if (parts.cells.empty()) return values;
  const size_t key_count = model::split_key(parts.key).size();
  for (const FieldCell& cell : parts.cells) {
    if (cell.field < key_count || cell.field - key_count >= value_count) continue;
    values[cell.field - key_count] = model::Cell(cell.cell);
  }
  return values;
}

HashRange range_of(model::LaneIndex lane, size_t lane_count) {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  if (lane_count == 1) return {{0, 0}, {kMax, kMax}};
  const int shift = 64 - __builtin_ctzll(lane_count);
  const uint64_t first = static_cast<uint64_t>(lane) << shift;
  return {{first, 0}, {first | (kMax >> (64 - shift)), kMax}};
}

}  // namespace syncline::state
