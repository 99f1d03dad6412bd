#include "drivers/systems/sqlite/detail/payload.hpp"

#include "host/model/key.hpp"

namespace syncline::sqlite {
namespace {

auto damaged() {
  return fail(ErrorCode::kSystemLost, "a row of syncline_changes is not what Syncline wrote",
              "its payload cannot be read", "run `syncline resync` for this system");
}

void append_write(const ports::RecordWrite& write, ByteWriter& out) {
  out.u32(write.dataset);
  out.text(write.key);
  std::string cells;
  ByteWriter body(cells);
  body.u8(static_cast<uint8_t>(write.kind));
  body.varint(write.cells.size());
  for (const model::EntryCell& cell : write.cells) {
    body.u16(cell.field);
    body.u8(static_cast<uint8_t>(cell.state));
    body.text(cell.bytes);
  }
  out.text(cells);
}

// A collation of the user's own is taken to be as coarse as the dataset's key.
std::string folded_by(const std::string& collation, std::string_view text,
                      std::string_view coarsest) {
  if (collation == "BINARY") return std::string(text);
  if (collation == "RTRIM") return std::string(text.substr(0, text.find_last_not_of(' ') + 1));
  if (collation != "NOCASE") return std::string(coarsest);
  std::string folded(text);
  for (char& letter : folded) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return folded;
}

}  // namespace

std::string marker_payload(const std::string& appliance, const ports::WriteBatch& batch) {
  std::string payload;
  ByteWriter out(payload);
  out.text(appliance);
  out.u32(batch.epoch);
  out.varint(batch.moves.size());
  for (const ports::MarkerMove& move : batch.moves) {
    out.u32(move.stream);
    out.u16(move.lane);
    out.varint(move.previous);
    out.varint(move.next);
  }
  for (const ports::RecordWrite& write : batch.writes) append_write(write, out);
  return payload;
}

Result<MarkerPayload> read_marker_payload(std::string_view payload) {
  ByteReader in(payload);
  MarkerPayload marker;
  marker.appliance = in.text();
  marker.epoch = in.u32();
  const uint64_t count = in.varint();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    ports::MarkerMove move;
    move.stream = in.u32();
    move.lane = in.u16();
    move.previous = in.varint();
    move.next = in.varint();
    marker.moves.push_back(move);
  }
  if (!in.ok()) return damaged();
  marker.writes = payload.substr(payload.size() - in.remaining());
  return marker;
}

WrittenRecords::ByKey& WrittenRecords::of_dataset(const model::Schema& schema) {
  const auto [found, is_new] = by_dataset_.try_emplace(schema.dataset);
  if (!is_new) return found->second;
  ByteReader in(writes_);
  while (in.ok() && !in.at_end()) {
    const model::DatasetId dataset = in.u32();
    const std::string_view key = in.text();
    const std::string_view cells = in.text();
    if (!in.ok() || dataset != schema.dataset) continue;
    found->second.emplace(model::fold_key(key, schema), cells);
  }
  return found->second;
}

std::optional<Written> WrittenRecords::find(const model::Schema& schema, std::string_view key) {
  const ByKey& written_by_key = of_dataset(schema);
  const auto found = written_by_key.find(model::fold_key(key, schema));
  if (found == written_by_key.end()) return std::nullopt;
  ByteReader in(found->second);
  Written written;
  written.kind = static_cast<model::EntryKind>(in.u8());
  const uint64_t count = in.varint();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    WrittenCell cell;
    cell.field = in.u16();
    cell.cell.state = static_cast<model::CellState>(in.u8());
    cell.cell.bytes = in.text();
    written.cells.push_back(cell);
  }
  return in.ok() ? std::optional(std::move(written)) : std::nullopt;
}

std::string image_payload(const std::vector<NativeValue>& values) {
  std::string payload;
  ByteWriter(payload).varint(values.size());
  for (const NativeValue& value : values) append_value(value, payload);
  return payload;
}

std::string absent_image_payload() {
  return image_payload({});
}

Result<std::optional<std::vector<NativeValue>>> read_image_payload(std::string_view payload) {
  ByteReader in(payload);
  const uint64_t count = in.varint();
  std::vector<NativeValue> values;
  for (uint64_t i = 0; i < count && in.ok(); ++i) values.push_back(read_value(in));
  if (!in.ok()) return damaged();
  if (values.empty()) return std::optional<std::vector<NativeValue>>();
  return std::optional(std::move(values));
}

std::string record_name(const Mapped& mapped, std::string_view joined_key) {
  const model::Schema& schema = *mapped.schema;
  std::string name(reinterpret_cast<const char*>(&schema.dataset), sizeof schema.dataset);
  if (schema.key_equivalence == model::KeyEquivalence::kBytes) return name.append(joined_key);
  const std::string folded = model::fold_key(joined_key, schema);
  const auto written = model::split_key(joined_key);
  const auto coarsest = model::split_key(folded);
  ByteWriter out(name);
  for (size_t i = 0; i < written.size(); ++i) {
    out.text(folded_by(mapped.columns[i].collation, written[i], coarsest[i]));
  }
  return name;
}

}  // namespace syncline::sqlite
