// The decoder's tables and rows: what a described table means here, and what its rows show.
#include <algorithm>
#include <array>
#include <set>

#include "drivers/systems/mariadb/detail/decoder.hpp"
#include "drivers/systems/mariadb/detail/objects.hpp"
#include "host/base/assert.hpp"

namespace syncline::mariadb {
namespace {

constexpr std::array<std::string_view, 6> kCheckpointColumns = {"appliance", "system", "epoch",
                                                                "stream",    "lane",   "seq"};
constexpr size_t kTextColumns = 2;
constexpr uint16_t kNoForeignKeyChecks = 2;  // of a rows event: permanent value

auto out_of_step(std::string why) {
  return fail(ErrorCode::kSystemOpen, "the log is out of step", std::move(why),
              "nothing: the log is opened anew");
}

uint64_t number_of(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i > 0; --i) value = value << 8 | static_cast<uint8_t>(bytes[i - 1]);
  return value;
}

}  // namespace

Result<void> Decoder::on_table_map(const Event& event) {
  const auto known = bound_.find(event.table);
  const bool is_known = known != bound_.end() && known->second.body == event.body;
  if (is_known && !is_behind_all(known->second)) return success();
  Bound bound;
  bound.body = event.body;
  SYN_TRY(bound.map, parse_table_map(event.body, event.flavour));
  SYN_TRY(bind(bound));
  const uint64_t id = bound.map.id;
  bound_[id] = std::move(bound);
  return success();
}

Result<void> Decoder::on_rows(const Event& event) {
  const Rows& rows = event.rows;
  const auto found = bound_.find(event.table);
  if (found == bound_.end()) return out_of_step("rows of a table that was not described");
  const Bound& bound = found->second;
  if (bound.meaning == Meaning::kIgnored && bound.parents.empty()) return success();
  if (rows.column_count != bound.map.columns.size()) return out_of_step("rows of another width");
  if (bound.meaning == Meaning::kDataset) group_.touched.push_back(bound.followed);
  return show_images(bound, rows);
}

Result<void> Decoder::show_images(const Bound& bound, const Rows& rows) {
  const bool is_untold = bound.meaning == Meaning::kDataset && leave_untold(bound, rows);
  const bool is_followed = bound.meaning != Meaning::kIgnored && !is_untold;
  const bool is_child = is_followed && bound.meaning == Meaning::kDataset &&
                        cascades_.is_loaded(mapped_of(bound).dataset());
  const bool acts = !bound.parents.empty() && (rows.flags & kNoForeignKeyChecks) == 0;
  ImageReader images(bound.map, rows.images);
  while (!images.is_at_end()) {
    const bool is_update = rows.kind == RowsKind::kUpdate;
    RowImage& first = rows.kind == RowsKind::kWrite ? after_ : before_;
    SYN_TRY(images.next(rows.present, first));
    if (is_update) {
      SYN_TRY(images.next(rows.present_after, after_));
    }
    if (is_followed) {
      SYN_TRY(is_update                       ? show_update(bound, before_, after_)
              : rows.kind == RowsKind::kWrite ? show_insert(bound, after_)
                                              : show_delete(bound, before_));
    }
    const RowImage* before = rows.kind == RowsKind::kWrite ? nullptr : &before_;
    const RowImage* after = rows.kind == RowsKind::kDelete ? nullptr : &after_;
    if (is_child) note_child(bound, before, after);
    if (acts && before != nullptr) {
      act_on_children(bound, *before, after);
      SYN_TRY(show_derived());
    }
  }
  return success();
}

Result<void> Decoder::bind(Bound& bound) {
  if (bound.map.database != shared_->endpoint.database) return success();
  if (bound.map.table == kCheckpoint) {
    bind_checkpoint(bound);
    return success();
  }
  for (size_t i = 0; i < followed_.size(); ++i) {
    if (followed_[i].mapping->table != bound.map.table) continue;
    SYN_TRY(bind_dataset(i, bound));
  }
  bind_parents(bound);
  return success();
}

// Ours has its columns in this order: we made it.
void Decoder::bind_checkpoint(Bound& bound) {
  if (bound.map.columns.size() < kCheckpointColumns.size()) return;
  for (size_t i = 0; i < kCheckpointColumns.size(); ++i) bound.columns.push_back(i);
  bound.meaning = Meaning::kCheckpoint;
}

// Whether rows so described are the mapped table's: by its columns' names where the log has them,
// else by their places, then by how they are written.
bool Decoder::fits(const Mapped& mapped, const TableMap& map, std::vector<size_t>& columns) {
  columns.clear();
  if (!map.has_metadata && map.columns.size() != mapped.table.columns.size()) return false;
  for (size_t field = 0; field < mapped.columns.size(); ++field) {
    size_t at = mapped.places[field];
    if (map.has_metadata) {
      const auto found = std::find_if(
          map.columns.begin(), map.columns.end(),
          [&](const WireColumn& known) { return known.name == mapped.columns[field].name; });
      at = static_cast<size_t>(found - map.columns.begin());
    }
    if (at >= map.columns.size()) return false;
    if (!is_written_as(mapped.columns[field].type, map.columns[at])) return false;
    columns.push_back(at);
  }
  return true;
}

Result<void> Decoder::bind_dataset(size_t index, Bound& bound) {
  Followed& followed = followed_[index];
  bound.followed = index;
  if (!followed.mapped || !fits(*followed.mapped, bound.map, bound.columns)) {
    SYN_TRY(look_at(followed));
    if (!followed.mapped) return success();
    if (!fits(*followed.mapped, bound.map, bound.columns)) {
      return pass_over(followed, *followed.mapped, bound);
    }
  }
  if (followed.behind) rescan(followed);
  followed.behind.reset();
  followed.behind_end.reset();
  bound.meaning = Meaning::kDataset;
  return success();
}

void Decoder::show_marker(const Bound& bound, const RowImage& image) {
  std::array<std::string_view, kCheckpointColumns.size()> cells;
  for (size_t i = 0; i < cells.size(); ++i) {
    cells[i] = image[bound.columns[i]].bytes;
    if (i < kTextColumns && !cells[i].empty()) cells[i].remove_prefix(1);  // its length
  }
  const uint64_t sequence = number_of(cells[5]);
  const bool is_other = cells[0] != shared_->config.appliance || cells[1] != shared_->config.name;
  if (is_other || sequence == 0) return;
  group_.is_ours = true;
  open_in_sink();
  sink_->marker({cells[0], static_cast<uint32_t>(number_of(cells[2])),
                 static_cast<model::StreamId>(number_of(cells[3])),
                 static_cast<model::LaneIndex>(number_of(cells[4])), sequence});
}

const Mapped& Decoder::mapped_of(const Bound& bound) const {
  const std::optional<Mapped>& mapped = followed_[bound.followed].mapped;
  SYN_ASSERT(mapped.has_value());  // what a dataset's rows are bound to goes when it stops
  return *mapped;
}

// The error of the first cell that cannot be held; the others are filled all the same.
Result<void> Decoder::fill(const Bound& bound, const RowImage& image, size_t field_count,
                           RowCells& cells) {
  const Mapped& mapped = mapped_of(bound);
  cells.reset(mapped.columns.size());
  Result<void> first = success();
  for (size_t field = 0; field < field_count; ++field) {
    auto set = fill_field(bound, image, field, cells);
    if (!set && first) first = std::move(set);
  }
  return first;
}

Result<void> Decoder::fill_field(const Bound& bound, const RowImage& image, size_t field,
                                 RowCells& cells) {
  const size_t at = bound.columns[field];
  if (image[at].state == ImageState::kAbsent) return success();
  const Mapped& mapped = mapped_of(bound);
  return image[at].state == ImageState::kNull
             ? cells.set_null(mapped, field)
             : cells.set_logged(mapped, field, image[at].bytes, bound.map.columns[at]);
}

void Decoder::show(const Mapped& mapped, ports::RowOp op, const RowCells& cells,
                   std::span<const model::CellView> old_key) {
  open_in_sink();
  sink_->row({mapped.dataset(), op, group_.is_ours, cells.views(), old_key});
  ++group_.row_count;
  ++row_count_;
}

void Decoder::reject(const Mapped& mapped, Error error) {
  rejected_.push_back(rejected_row(mapped, cells_, std::move(error)));
}

Result<void> Decoder::show_insert(const Bound& bound, const RowImage& after) {
  if (bound.meaning == Meaning::kCheckpoint) {
    show_marker(bound, after);
    return success();
  }
  const Mapped& mapped = mapped_of(bound);
  if (auto filled = fill(bound, after, mapped.columns.size(), cells_); !filled) {
    reject(mapped, std::move(filled).error());
    return success();
  }
  show(mapped, ports::RowOp::kInsert, cells_, {});
  return success();
}

Result<void> Decoder::show_update(const Bound& bound, const RowImage& before, RowImage& after) {
  if (bound.meaning == Meaning::kCheckpoint) {
    for (const size_t at : bound.columns) {
      if (after[at].state == ImageState::kAbsent) after[at] = before[at];
    }
    show_marker(bound, after);
    return success();
  }
  const Mapped& mapped = mapped_of(bound);
  bool is_moved = false;
  bool is_whole = true;
  for (size_t field = 0; field < mapped.columns.size(); ++field) {
    const size_t at = bound.columns[field];
    if (after[at].state == ImageState::kAbsent) {
      // A partial image leaves out what stayed as it was; the row before may still have it.
      after[at] = before[at];
      is_whole = is_whole && after[at].state != ImageState::kAbsent;
    }
    if (field < mapped.key_count()) is_moved = is_moved || after[at] != before[at];
  }
  auto filled = fill(bound, after, mapped.columns.size(), cells_);
  if (filled && !is_moved) {
    show(mapped, ports::RowOp::kUpdate, cells_, {});
    return success();
  }
  const bool has_old_key =
      is_moved && fill(bound, before, mapped.key_count(), old_cells_).has_value();
  const bool is_new = is_moved && old_cells_.has_other_spelling();  // it was no record before
  if (filled && is_whole && (has_old_key || is_new)) {
    show(mapped, ports::RowOp::kUpdate, cells_,
         is_new ? std::span<const model::CellView>() : old_cells_.key(mapped));
    return success();
  }
  if (has_old_key) show(mapped, ports::RowOp::kDelete, old_cells_, {});
  // A record under a new key is a whole record: what the log left out is read from the table.
  if (filled) scan(followed_[bound.followed]);
  if (!filled) reject(mapped, std::move(filled).error());
  return success();
}

Result<void> Decoder::show_delete(const Bound& bound, const RowImage& before) {
  if (bound.meaning == Meaning::kCheckpoint) return success();
  const Mapped& mapped = mapped_of(bound);
  // A row whose key is none was no record.
  const bool is_record = fill(bound, before, mapped.key_count(), cells_).has_value();
  if (is_record) show(mapped, ports::RowOp::kDelete, cells_, {});
  return success();
}

}  // namespace syncline::mariadb
