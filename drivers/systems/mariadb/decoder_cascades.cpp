// What the decoder has to do with foreign keys whose actions are made up: which tables are parents
// and children, what row events say of either, and how what was made up is shown.
#include <algorithm>

#include "drivers/systems/mariadb/detail/decoder.hpp"
#include "drivers/systems/mariadb/detail/reads.hpp"
#include "host/model/key.hpp"

namespace syncline::mariadb {
namespace {

constexpr size_t kMovedMax = 1'000;  // records that one statement reads

// In the child's type; one that has no value there is unchanged: not known.
model::Cell parent_cell(const Link& link, size_t column, const WireColumn& wire,
                        const ImageCell& cell) {
  if (cell.state == ImageState::kNull) return model::Cell::null();
  std::string bytes;
  const bool is_known =
      cell.state == ImageState::kValue &&
      decode_cell(cell.bytes, wire, link.parent_types[column], link.logical[column], bytes)
          .has_value();
  return is_known ? model::Cell::value(std::move(bytes)) : model::Cell();
}

void set_key(const std::string& joined, RowCells& cells) {
  size_t field = 0;
  for (const std::string_view part : model::split_key(joined)) {
    cells.set_canonical(field++, model::Cell::value(std::string(part)));
  }
}

}  // namespace

Decoder::Followed* Decoder::followed_of(model::DatasetId dataset) {
  const auto found = std::find_if(followed_.begin(), followed_.end(), [&](const Followed& known) {
    return known.mapping->schema->dataset == dataset;
  });
  return found == followed_.end() ? nullptr : &*found;
}

void Decoder::set_links(const Followed& followed, std::vector<Link> links) {
  const bool is_other =
      cascades_.set_links(*followed.mapping->schema, followed.mapping->table, std::move(links));
  if (!is_other) return;
  for (auto& [id, bound] : bound_) bind_parents(bound);
}

void Decoder::rescan_below(std::string_view table) {
  const auto below = cascades_.below(table);
  for (const model::DatasetId dataset : below) scan(*followed_of(dataset));
  if (!below.empty()) cascades_.forget();
}

// A statement about a parent may be about its children's foreign keys.
Result<void> Decoder::look_below(const Statement& statement, std::string_view database) {
  for (const std::string& table : cascades_.parent_tables()) {
    if (!may_touch(statement, database, shared_->endpoint.database, table)) continue;
    const auto below = cascades_.below(table);
    rescan_below(table);
    if (statement.kind == StatementKind::kRows) continue;
    bound_.clear();
    for (const model::DatasetId dataset : below) {
      SYN_TRY(look_at(*followed_of(dataset)));
    }
  }
  return success();
}

Result<void> Decoder::load_children(Place shown) {
  if (!cascades_.is_due()) return success();
  if (is_in_group()) shown = std::max(shown, group_.mark.place);
  SYN_TRY(Connection * connection, connect_());
  ReadTransaction transaction(*connection);
  SYN_TRY(const Place exact_from, begin_seeing(*connection, transaction, shown));
  cascades_.begin_load();
  for (const model::DatasetId dataset : cascades_.datasets()) {
    const Followed& followed = *followed_of(dataset);
    if (!followed.mapped) continue;  // it has no links then
    const Mapped& mapped = *followed.mapped;
    SYN_TRY(read_fields(
        *connection, mapped, cascades_.fields_of(dataset),
        [&](std::span<const model::CellView> cells) { cascades_.load(dataset, cells); }));
  }
  cascades_.end_load(exact_from);
  return success();
}

void Decoder::bind_parents(Bound& bound) const {
  bound.parents.clear();
  if (bound.map.database != shared_->endpoint.database) return;
  for (const LinkId& id : cascades_.of_parent(bound.map.table)) {
    const Link& link = cascades_.link(id);
    ParentSide side{id, {}};
    for (size_t i = 0; i < link.parent_types.size(); ++i) {
      size_t at = link.parent_places[i];
      if (bound.map.has_metadata) {
        const auto found = std::find_if(
            bound.map.columns.begin(), bound.map.columns.end(),
            [&](const WireColumn& known) { return known.name == link.key.referenced_columns[i]; });
        at = static_cast<size_t>(found - bound.map.columns.begin());
      } else if (bound.map.columns.size() != link.parent_column_count) {
        break;
      }
      if (at >= bound.map.columns.size()) break;
      if (!is_written_as(link.parent_types[i], bound.map.columns[at])) break;
      side.columns.push_back(at);
    }
    if (side.columns.size() < link.parent_types.size()) side.columns.clear();
    bound.parents.push_back(std::move(side));
  }
}

// What of a row event matters for whose child its record is. A record without a key is none.
void Decoder::note_child(const Bound& bound, const RowImage* before, const RowImage* after) {
  const Mapped& mapped = mapped_of(bound);
  const model::DatasetId dataset = mapped.dataset();
  std::string old_key;
  if (before != nullptr && fill(bound, *before, mapped.key_count(), old_cells_)) {
    old_key = old_cells_.joined_key(mapped);
  }
  if (after == nullptr) {
    if (!old_key.empty()) cascades_.remove(dataset, old_key);
    return;
  }
  cells_.reset(mapped.columns.size());
  for (const size_t field : cascades_.fields_of(dataset)) {
    // What cannot be held is unchanged: not known. The row itself was rejected for it.
    (void)fill_field(bound, *after, field, cells_);
  }
  if (old_key.empty() && before != nullptr) old_key = cells_.joined_key(mapped);
  cascades_.put(dataset, old_key, cells_.views());
}

void Decoder::act_on_children(const Bound& bound, const RowImage& before, const RowImage* after) {
  for (const ParentSide& side : bound.parents) {
    const Link& link = cascades_.link(side.link);
    std::vector<model::Cell> was(link.fields.size());
    std::optional<std::vector<model::Cell>> is;
    bool is_other = after == nullptr || side.columns.empty();
    for (const size_t at : side.columns) {
      if (after != nullptr && (*after)[at].state != ImageState::kAbsent) {
        is_other = is_other || (*after)[at] != before[at];
      }
    }
    if (!is_other) continue;
    if (after != nullptr) is.emplace(link.fields.size());
    for (size_t i = 0; i < side.columns.size(); ++i) {
      const size_t at = side.columns[i];
      const WireColumn& wire = bound.map.columns[at];
      was[i] = parent_cell(link, i, wire, before[at]);
      if (after == nullptr) continue;
      const bool is_left_out = (*after)[at].state == ImageState::kAbsent;
      (*is)[i] = parent_cell(link, i, wire, is_left_out ? before[at] : (*after)[at]);
    }
    cascades_.act(side.link, std::move(was), std::move(is), group_.mark.place);
  }
}

Result<void> Decoder::show_derived() {
  for (const model::DatasetId dataset : cascades_.take_scans()) scan(*followed_of(dataset));
  const std::vector<Derived> all = cascades_.take_derived();
  MovedRecords moved;
  SYN_TRY(read_moved(all, moved));
  for (const Derived& derived : all) {
    const Followed& followed = *followed_of(derived.dataset);
    if (!followed.mapped) continue;
    const Mapped& mapped = *followed.mapped;
    group_.touched.push_back(static_cast<size_t>(&followed - followed_.data()));
    if (derived.kind == Derived::Kind::kMove) {
      show_moved(mapped, derived, moved);
      continue;
    }
    const bool is_delete = derived.kind == Derived::Kind::kDelete;
    cells_.reset(mapped.columns.size());
    set_key(derived.key, cells_);
    for (const auto& [field, cell] : derived.fields) cells_.set_canonical(field, cell);
    show(mapped, is_delete ? ports::RowOp::kDelete : ports::RowOp::kUpdate, cells_, {});
  }
  return success();
}

// A record under a new key is a whole record, which its own table holds.
Result<void> Decoder::read_moved(const std::vector<Derived>& all, MovedRecords& out) {
  std::map<model::DatasetId, std::vector<std::string>> wanted;
  for (const Derived& derived : all) {
    if (derived.kind == Derived::Kind::kMove) wanted[derived.dataset].push_back(derived.key);
  }
  for (const auto& [dataset, keys] : wanted) {
    const Followed& followed = *followed_of(dataset);
    if (!followed.mapped) continue;
    const Mapped& mapped = *followed.mapped;
    SYN_TRY(Connection * connection, connect_());
    const auto keep = [&](const RowCells& cells, const Result<void>& filled) {
      const std::string key = cells.joined_key(mapped);
      if (!filled) return rejected_.push_back(rejected_row(mapped, key, filled.error()));
      auto& record = out[{dataset, model::record_hash(key, *mapped.schema)}];
      record.clear();
      for (const model::CellView& cell : cells.views()) record.emplace_back(cell);
    };
    for (size_t at = 0; at < keys.size(); at += kMovedMax) {
      const auto some = std::span(keys).subspan(at, std::min(kMovedMax, keys.size() - at));
      SYN_TRY(visit_records(*connection, mapped, some, group_.mark.place, keep));
    }
  }
  return success();
}

// One that is not there any more was deleted or moved on since: the log, or what is made up behind
// it, comes to that too.
void Decoder::show_moved(const Mapped& mapped, const Derived& derived, const MovedRecords& moved) {
  const auto found =
      moved.find({mapped.dataset(), model::record_hash(derived.key, *mapped.schema)});
  old_cells_.reset(mapped.columns.size());
  set_key(derived.old_key, old_cells_);
  if (found == moved.end()) {
    show(mapped, ports::RowOp::kDelete, old_cells_, {});
    return;
  }
  cells_.reset(mapped.columns.size());
  for (size_t field = 0; field < found->second.size(); ++field) {
    cells_.set_canonical(field, found->second[field]);
  }
  show(mapped, ports::RowOp::kUpdate, cells_, old_cells_.key(mapped));
}

}  // namespace syncline::mariadb
