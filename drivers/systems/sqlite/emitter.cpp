#include "drivers/systems/sqlite/detail/emitter.hpp"

namespace syncline::sqlite {
namespace {

constexpr int64_t kMillisecondUs = 1000;

}  // namespace

void Emitter::begin_at(int64_t at_ms) {
  if (is_open_ && at_ms == at_ms_) return;
  if (is_open_) sink_.end();
  sink_.begin({position_, at_ms * kMillisecondUs, kMillisecondUs});
  is_open_ = true;
  at_ms_ = at_ms;
}

Result<void> Emitter::show_marker(const Item& item) {
  SYN_TRY(const MarkerPayload payload, read_marker_payload(item.payload));
  begin_at(item.at_ms);
  for (const ports::MarkerMove& move : payload.moves) {
    sink_.marker({payload.appliance, payload.epoch, move.stream, move.lane, move.next});
  }
  return success();
}

Result<void> Emitter::show_record(const Item& item, const std::vector<Item>& items,
                                  const EmittedRecord& record, RecordReader& reader) {
  if (item.values == Values::kWritten) return show_written(item, items, record);
  if (item.values == Values::kImage) {
    SYN_TRY(const auto image, read_image_payload(item.payload));
    show_values(item, record, image);
    return success();
  }
  std::optional<std::vector<NativeValue>> present;
  if (item.values != Values::kGone) {
    SYN_TRY(present, reader.find(record.native_key));
  }
  show_values(item, record, present);
  return success();
}

void Emitter::show_values(const Item& item, const EmittedRecord& record,
                          const std::optional<std::vector<NativeValue>>& values) {
  if (!values) {
    cells_.fill_key(record.mapped, record.key);
    return show_row(item, record, ports::RowOp::kDelete);
  }
  if (auto filled = cells_.fill(record.mapped, *values); !filled) {
    rejected_.push_back(rejected_row(record.mapped, record.key, std::move(filled).error()));
    return;
  }
  show_row(item, record, item.op);
}

// Records that the transaction touched without naming them (a trigger's work) are not known as they
// were in between; what follows shows them.
Result<void> Emitter::show_written(const Item& item, const std::vector<Item>& items,
                                   const EmittedRecord& record) {
  if (item.marker >= items.size()) return success();
  if (item.marker != written_marker_ || !written_) {
    SYN_TRY(const MarkerPayload payload, read_marker_payload(items[item.marker].payload));
    written_.emplace(payload);
    written_marker_ = item.marker;
  }
  const auto written = written_->find(*record.mapped.schema, record.key);
  if (!written) return success();
  cells_.fill_key(record.mapped, record.key);
  for (const WrittenCell& cell : written->cells) cells_.set(cell.field, cell.cell);
  const bool is_delete = written->kind == model::EntryKind::kDelete;
  show_row(item, record, is_delete ? ports::RowOp::kDelete : item.op);
  return success();
}

// A record ended and began anew where its row is another record's now, or what is there was.
void Emitter::show_row(const Item& item, const EmittedRecord& record, ports::RowOp op) {
  begin_at(item.at_ms);
  if (op == ports::RowOp::kDelete) return show_as(op, item, record, cells_, record.moved_to);
  const auto is_other = [&](const std::string& key) { return !key.empty() && key != record.key; };
  const bool was_there = item.op == ports::RowOp::kUpdate;
  if (is_other(record.moved_to) || (was_there && is_other(record.moved_from))) {
    RecordCells gone;
    gone.fill_key(record.mapped, record.key);
    show_as(ports::RowOp::kDelete, item, record, gone, record.moved_to);
    op = ports::RowOp::kInsert;
  }
  show_as(op, item, record, cells_, record.moved_from);
}

// other: empty, or the key of the record that the row was, or is now.
void Emitter::show_as(ports::RowOp op, const Item& item, const EmittedRecord& record,
                      const RecordCells& cells, const std::string& other) {
  ports::ChangeRow row{record.mapped.dataset(), op, item.is_ours, cells.views(), {}};
  if (!other.empty()) {
    other_cells_.fill_key(record.mapped, other);
    row.moved_with = other_cells_.views().first(record.mapped.key_count());
  }
  sink_.row(row);
  ++row_count_;
}

size_t Emitter::finish() {
  if (!is_open_) begin_at(0);
  sink_.end();
  is_open_ = false;
  return row_count_;
}

}  // namespace syncline::sqlite
