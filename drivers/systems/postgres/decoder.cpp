#include "drivers/systems/postgres/detail/decoder.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "drivers/systems/postgres/detail/alike.hpp"
#include "drivers/systems/postgres/detail/objects.hpp"
#include "host/model/key.hpp"

namespace syncline::postgres {
namespace {

constexpr size_t kRecentMax = 100'000;
constexpr std::string_view kRowKinds = "IUD";

uint64_t number_of(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Of a change of one row, without the rest of it; 0: too short.
Oid relation_of(std::string_view message) {
  if (message.size() < 1 + sizeof(Oid)) return 0;
  Oid oid = 0;
  for (size_t i = 1; i <= sizeof(Oid); ++i) oid = oid << 8 | static_cast<uint8_t>(message[i]);
  return oid;
}

}  // namespace

void Decoder::follow(std::vector<Mapped> mapped) {
  followed_.clear();
  for (Mapped& table : mapped) followed_.push_back({std::move(table), false});
  bound_.clear();
}

const Mapped* Decoder::find(model::DatasetId dataset) const {
  for (const Followed& followed : followed_) {
    if (followed.mapped.dataset() == dataset) return &followed.mapped;
  }
  return nullptr;
}

bool Decoder::is_stopped(model::DatasetId dataset) const {
  return std::any_of(followed_.begin(), followed_.end(), [&](const Followed& followed) {
    return followed.mapped.dataset() == dataset && followed.is_stopped;
  });
}

void Decoder::begin_stream() {
  bound_.clear();
  held_.clear();
  newest_.clear();
}

void Decoder::begin_poll(ports::ChangeSink& sink, ports::PollResult& result) {
  sink_ = &sink;
  result_ = &result;
}

void Decoder::begin_transaction(const Transaction& transaction) {
  begin_ = transaction.begin;
  is_ours_ = false;
  is_quiet_ = false;
  row_count_ = 0;
  held_.clear();
  recent_xids_.push_back(begin_.xid);
  if (recent_xids_.size() > 2 * kRecentMax) {
    recent_xids_.erase(recent_xids_.begin(), recent_xids_.end() - kRecentMax);
  }
}

void Decoder::begin_part(const model::Position& position) {
  sink_->begin({position, begin_.commit_time_us, 1});
  part_row_count_ = 0;
}

void Decoder::give_place(const model::Position& position) {
  sink_->begin({position, 0, 1});
  sink_->end();
}

void Decoder::end_part() {
  sink_->end();
  result_->row_count += part_row_count_;
  row_count_ += part_row_count_;
}

// Its own descriptions counted for its rows. For those of others the newest counts, even one that
// stood in what was rolled back.
Result<void> Decoder::end_transaction() {
  for (const auto& [oid, described] : std::exchange(held_, {})) {
    const Described& newest = newest_.at(oid);
    const auto bound = bound_.find(oid);
    if (bound != bound_.end() && bound->second.number == newest.number) continue;
    SYN_TRY(bind(newest));
  }
  return success();
}

Result<bool> Decoder::is_marker(const Spool::Record& record) {
  const char kind = record.bytes[0];
  if (kind == kRelation) {
    SYN_TRY(const Message parsed, parse_message(record.bytes));
    if (is_checkpoint(std::get<Relation>(parsed))) {
      SYN_TRY(bind({record.tag, std::string(record.bytes)}));
    }
    return false;
  }
  if (kind != kInsert && kind != kUpdate) return false;
  const auto bound = bound_.find(relation_of(record.bytes));
  if (bound == bound_.end() || bound->second.meaning != Meaning::kMarkers) return false;
  SYN_TRY(const Message parsed, parse_message(record.bytes));
  const auto* insert = std::get_if<Insert>(&parsed);
  const Tuple& row = insert != nullptr ? insert->row : std::get<Update>(parsed).row;
  SYN_TRY(const auto marker, marker_of(bound->second, row));
  return marker.has_value();
}

Result<void> Decoder::take(const Spool::Record& record, Showing showing) {
  if (is_passed_over(record.bytes)) return success();
  SYN_TRY(const Message parsed, parse_message(record.bytes));
  showing_ = showing;
  if (const auto* relation = std::get_if<Relation>(&parsed)) {
    describe(relation->oid, record);
    return success();
  }
  return std::visit([this](const auto& part) { return on(part); }, parsed);
}

void Decoder::stop(Followed& followed, Error error) {
  if (std::exchange(followed.is_stopped, true)) return;
  result_->stopped.push_back({followed.mapped.dataset(), std::move(error)});
}

// Nothing: it is another's, or only made room for one.
Result<std::optional<ports::MarkerRow>> Decoder::marker_of(const Bound& bound,
                                                           const Tuple& row) const {
  std::array<std::string_view, kCheckpointColumns.size()> cells;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (bound.columns[i] >= row.size()) return out_of_step("a short checkpoint row");
    cells[i] = row[bound.columns[i]].text;
  }
  const size_t quiet = bound.columns.back();
  const uint64_t sequence = number_of(cells[5]);
  const bool is_other = cells[0] != shared_->config.appliance || cells[1] != shared_->config.name;
  if (is_other || sequence == 0) return std::optional<ports::MarkerRow>();
  return std::optional(ports::MarkerRow{cells[0], static_cast<uint32_t>(number_of(cells[2])),
                                        static_cast<model::StreamId>(number_of(cells[3])),
                                        static_cast<model::LaneIndex>(number_of(cells[4])),
                                        sequence, quiet < row.size() && row[quiet].text == "t"});
}

Result<void> Decoder::show_marker(const Bound& bound, const Tuple& row) {
  SYN_TRY(const auto marker, marker_of(bound, row));
  if (!marker) return success();
  is_ours_ = true;
  is_quiet_ = marker->is_quiet;
  if (showing_ == Showing::kAll) sink_->marker(*marker);
  return success();
}

// The error of the first cell that cannot be held; the others are filled all the same.
Result<void> Decoder::fill(const Bound& bound, const Tuple& tuple, size_t field_count,
                           RowCells& cells) {
  const Mapped& mapped = followed_[bound.followed].mapped;
  cells.reset(mapped.columns.size());
  Result<void> first = success();
  for (size_t field = 0; field < field_count; ++field) {
    if (bound.columns[field] >= tuple.size()) continue;
    const TupleCell& cell = tuple[bound.columns[field]];
    if (cell.state == TupleState::kUnchanged) continue;
    auto set = cell.state == TupleState::kNull ? cells.set_null(mapped, field)
                                               : cells.set_text(mapped, field, cell.text);
    if (!set && first) first = std::move(set);
  }
  return first;
}

void Decoder::show(const Mapped& mapped, ports::RowOp op,
                   std::span<const model::CellView> old_key) {
  sink_->row({mapped.dataset(), op, is_ours_, cells_.views(), old_key});
  ++part_row_count_;
}

void Decoder::show_delete(const Mapped& mapped, const RowCells& cells) {
  sink_->row({mapped.dataset(), ports::RowOp::kDelete, is_ours_, cells.views(), {}});
  ++part_row_count_;
}

void Decoder::reject(const Mapped& mapped, Error error) {
  result_->rejected.push_back(rejected_row(mapped, cells_, std::move(error)));
}

// What was shown before, or need not be, is not even converted.
bool Decoder::is_shown(const Bound& bound) const {
  return bound.meaning == Meaning::kDataset && showing_ == Showing::kAll && !is_quiet_;
}

// A row that a quiet transaction of ours wrote.
bool Decoder::is_passed_over(std::string_view message) const {
  if (!is_quiet_ || kRowKinds.find(message[0]) == std::string_view::npos) return false;
  const Oid relation = relation_of(message);
  const auto bound = bound_.find(relation);
  return bound != bound_.end() && bound->second.meaning == Meaning::kDataset &&
         !held_.contains(relation);
}

// An old row by a replica identity without the dataset's key, as a single partition may have one:
// which record it was is not told.
bool Decoder::stop_if_keyless(const Bound& bound, OldRow kind, const Tuple& old_row) {
  if (kind != OldRow::kKey) return false;
  Followed& followed = followed_[bound.followed];
  for (size_t field = 0; field < followed.mapped.key_count(); ++field) {
    const size_t at = bound.columns[field];
    if (at >= old_row.size() || old_row[at].state != TupleState::kNull) continue;
    stop(followed,
         identity_error(followed.mapped,
                        "a replica identity of its partitions is without the key column " +
                            followed.mapped.columns[field].name));
    return true;
  }
  return false;
}

Result<void> Decoder::on(const Insert& insert) {
  SYN_TRY(const Bound* bound, bound_of(insert.relation));
  if (bound->meaning == Meaning::kMarkers) return show_marker(*bound, insert.row);
  if (!is_shown(*bound)) return success();
  const Mapped& mapped = followed_[bound->followed].mapped;
  if (auto filled = fill(*bound, insert.row, mapped.columns.size(), cells_); !filled) {
    reject(mapped, std::move(filled).error());
    return success();
  }
  if (!cells_.has_key(mapped)) return out_of_step("an insert without a key");
  show(mapped, ports::RowOp::kInsert, {});
  return success();
}

Result<void> Decoder::on(const Update& update) {
  SYN_TRY(const Bound* bound, bound_of(update.relation));
  if (bound->meaning == Meaning::kMarkers) return show_marker(*bound, update.row);
  if (!is_shown(*bound)) return success();
  if (stop_if_keyless(*bound, update.old_kind, update.old_row)) return success();
  return show_update(*bound, update);
}

Result<void> Decoder::show_update(const Bound& bound, const Update& update) {
  const Mapped& mapped = followed_[bound.followed].mapped;
  const size_t field_count = mapped.columns.size();
  auto filled = fill(bound, update.row, field_count, cells_);
  std::string old_key;
  bool is_new = false;  // a record from now on: its row's key was written otherwise
  if (update.old_kind != OldRow::kNone) {
    const size_t known = update.old_kind == OldRow::kFull ? field_count : mapped.key_count();
    const auto old_filled = fill(bound, update.old_row, known, old_cells_);
    // What stayed as it was is not sent again where it is stored apart: the old row has it.
    for (size_t field = 0; field < field_count && old_filled; ++field) {
      const model::CellView& before = old_cells_.views()[field];
      if (!cells_.is_unchanged(field) || before.state != model::CellState::kValue) continue;
      if (filled) cells_.set_canonical(field, std::string(before.bytes));
    }
    is_new = old_cells_.has_other_spelling();
    if (!is_new) old_key = old_cells_.joined_key(mapped);
  }
  const std::string key = cells_.has_other_spelling() ? "" : cells_.joined_key(mapped);
  const bool is_moved = !old_key.empty() && old_key != key;
  if (!filled) {
    if (is_moved) show_delete(mapped, old_cells_);
    reject(mapped, std::move(filled).error());
    return success();
  }
  if (key.empty()) return out_of_step("an update without a key");
  if (is_new) {
    SYN_TRY(complete(mapped));
  }
  if (!is_moved) {
    show(mapped, ports::RowOp::kUpdate, {});
    return success();
  }
  SYN_TRY(complete(mapped));
  show(mapped, ports::RowOp::kUpdate, old_cells_.key(mapped));
  return success();
}

// A record under a new key is a whole record: what the log left out is read from the table. If it
// is gone from there by now, the log tells so further on.
Result<void> Decoder::complete(const Mapped& mapped) {
  bool is_whole = true;
  for (size_t field = 0; field < mapped.columns.size(); ++field) {
    is_whole = is_whole && !cells_.is_unchanged(field);
  }
  if (is_whole) return success();
  SYN_TRY(Connection * connection, connect_());
  std::vector<Parameter> key;
  std::string condition;
  for (size_t field = 0; field < mapped.key_count(); ++field) {
    SYN_TRY(auto text,
            native_from_canonical(cells_.views()[field].bytes, mapped.schema->fields[field].type,
                                  mapped.columns[field].type));
    key.emplace_back(std::move(text));
    const std::string name = quoted_name(mapped.columns[field].name);
    const std::string wanted = "$" + std::to_string(field + 1);
    condition.append(field == 0 ? "" : " AND ").append(name).append(" = ").append(wanted);
    if (is_coarse(mapped.columns[field])) {
      condition += " AND " + folded(name) + " = " + folded(wanted);
    }
  }
  SYN_TRY(const Answer rows, connection->query("SELECT " + column_list(mapped) + " FROM " +
                                                   mapped.table.sql_name() + " WHERE " + condition,
                                               key));
  if (rows.row_count() == 0) return success();
  for (size_t field = 0; field < mapped.columns.size(); ++field) {
    if (!cells_.is_unchanged(field)) continue;
    auto set = rows.is_null(0, field) ? cells_.set_null(mapped, field)
                                      : cells_.set_text(mapped, field, rows.text(0, field));
    if (!set) reject(mapped, std::move(set).error());
  }
  return success();
}

Result<void> Decoder::on(const Delete& gone) {
  SYN_TRY(const Bound* bound, bound_of(gone.relation));
  if (!is_shown(*bound)) return success();
  if (stop_if_keyless(*bound, gone.old_kind, gone.old_row)) return success();
  const Mapped& mapped = followed_[bound->followed].mapped;
  // A row whose key is none was no record.
  if (!fill(*bound, gone.old_row, mapped.key_count(), cells_)) return success();
  if (!cells_.has_key(mapped)) return out_of_step("a delete without a key");
  show_delete(mapped, cells_);
  return success();
}

// Which records it took is in no log: what is known of them outside is held against the table.
Result<void> Decoder::on(const Truncate& truncate) {
  for (const Oid relation : truncate.relations) {
    SYN_TRY(const Bound* bound, bound_of(relation));
    if (bound->meaning != Meaning::kDataset) continue;
    const model::DatasetId dataset = followed_[bound->followed].mapped.dataset();
    auto& rescan = result_->rescan;
    if (std::find(rescan.begin(), rescan.end(), dataset) == rescan.end()) {
      rescan.push_back(dataset);
    }
  }
  return success();
}

}  // namespace syncline::postgres
