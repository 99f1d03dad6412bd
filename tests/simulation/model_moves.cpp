// Of a model system: rows as such. Which is whose, and what becomes of them when their keys change.
#include "tests/simulation/model_system.hpp"

namespace syncline::simulation {

using model::EntryKind;
using ports::RowOp;

// A user makes it.
void ModelSystem::begin_row(const RecordKey& record, StoredRow& row) {
  row.kept = ++last_kept_;
  row.is_own = known_keys_.insert(record).second;
  if (!row.is_own) lineage_.reuse(index_, record);
  row.line = lineage_.insert(index_, record, row.kept);
}

// We make it.
void ModelSystem::take_in(const RecordKey& record, StoredRow& row) {
  row.kept = ++last_kept_;
  known_keys_.insert(record);
  lineage_.arrive(index_, record, row.kept);
}

void ModelSystem::user_move(const UserOp& op, int64_t time_us, LoggedTransaction& transaction) {
  const RecordKey to = {op.record.dataset, op.new_key};
  const auto found = rows_.find(op.record);
  if (rows_.contains(to)) return;
  StoredRow row = found->second;
  // Back at a key that it had, it may meet what was on its way to itself there.
  if (lineage_.has_left(row.line, to)) lineage_.overrun(index_, to, row.line);
  lineage_.move(row.line, op.record, to, history_.knowledge(index_, op.record));
  LoggedRow gone = logged_row(op.record, RowOp::kDelete, false);
  gone.moved_with = to.key;
  gone.removal = history_.remove(index_, op.record, row);
  transaction.rows.push_back(gone);
  rows_.erase(found);
  LoggedRow come = logged_row(to, RowOp::kInsert, false);
  come.moved_with = op.record.key;
  come.kept = row.kept;
  row.is_own = known_keys_.insert(to).second;
  if (!row.is_own) lineage_.reuse(index_, to);
  for (size_t field = 0; field < kFieldsMax; ++field) {
    const model::TypeKind kind = plan_.datasets[to.dataset].kind(field);
    const std::optional<model::Cell>& wanted = op.cells[field];
    if (wanted) row[field].cell = stored(kind, plan().rounding, *wanted);
    row[field].tag = tag_of(kind, row[field].cell);
    history_.write(index_, to, field, form_of(kind, row[field].cell), time_us, row);
    come.is_touched[field] = true;
    come.cells[field] = row[field].cell;
    come.writes[field] = row[field].write;
  }
  history_.insert(to, row);
  rows_[to] = row;
  transaction.rows.push_back(come);
}

// As targets do: only where the row is there and none is under the new key.
bool ModelSystem::move_ours(const Session::OwnedWrite& write, LoggedTransaction& transaction) {
  if (rows_.contains(write.record)) return false;
  const auto found = rows_.find(*write.moved_from);
  if (found == rows_.end()) return false;
  history_.look(index_, found->first, found->second);
  StoredRow row = found->second;
  LoggedRow gone = logged_row(found->first, RowOp::kDelete, true);
  gone.moved_with = write.record.key;
  transaction.rows.push_back(gone);
  rows_.erase(found);
  LoggedRow come = logged_row(write.record, RowOp::kInsert, true);
  come.moved_with = write.moved_from->key;
  come.kept = row.kept;
  row.is_own = false;
  known_keys_.insert(write.record);
  for (const model::EntryCell& cell : write.cells) {
    row[cell.field - 1u] = arrived(write.record, cell.field - 1u, cell);
  }
  come.is_touched.fill(true);
  for (size_t field = 0; field < kFieldsMax; ++field) come.cells[field] = row[field].cell;
  lineage_.arrive(index_, write.record, row.kept);
  rows_[write.record] = row;
  history_.look(index_, write.record, row);
  transaction.rows.push_back(come);
  ++rows_moved_by_us;
  if (report_.is_traced()) {
    report_.trace(plan().name + " moves " + write.moved_from->key + " to " +
                  describe(plan_, write.record, row));
  }
  return true;
}

bool ModelSystem::has_refusal(const Session::OwnedWrite& write) const {
  if (write.kind == EntryKind::kInsert && rows_.contains(write.record)) return true;
  return std::any_of(write.cells.begin(), write.cells.end(), [&](const model::EntryCell& cell) {
    return refuses({cell.state, cell.bytes}, write.record.dataset, cell.field - 1u);
  });
}

// Where systems number the rows, what a user made under a key that was never told to this system is
// no other row's, so nothing of another's comes over it while a user wants it. What was on its way
// to a row that its users had may meet the one that they made in its place a moment ago; and where
// updates win, a late change of a record that ended may revive it in one that has its number by
// now.
void ModelSystem::check_whose(const Session::OwnedWrite& write, const StoredRow& row) {
  const DatasetPlan& dataset = plan_.datasets[write.record.dataset];
  if (dataset.insert_exists == core::InsertExists::kMerge) return;
  if (lineage_.has_left(row.line, write.record)) return;
  // What met another row may pass for the record's by now, for what its users do to it, too.
  const bool is_untouched = row.is_own && row.line != 0 && !lineage_.is_overrun(write.record);
  const bool is_sure = dataset.deletes == core::DeletePolicy::kDeleteWins;
  bool is_over = write.kind == EntryKind::kDelete;
  bool is_promised = is_sure && is_over;
  for (const model::EntryCell& cell : write.cells) {
    const size_t field = cell.field - 1u;
    const int64_t tag = tag_of(dataset.kind(field), {cell.state, cell.bytes});
    const std::vector<Write> writes = history_.writes_of(write.record, field, tag);
    const auto is_its = [&row](const Write& each) { return each.line == row.line; };
    if (std::any_of(writes.begin(), writes.end(), is_its)) continue;
    is_over = true;
    is_promised = is_promised || std::all_of(writes.begin(), writes.end(), [&](const Write& each) {
                    const bool is_first =
                        each.is_own && !lineage_.has_left(each.line, write.record);
                    return each.line != 0 && (is_sure || is_first);
                  });
  }
  if (!is_over) return;
  lineage_.overrun(index_, write.record, row.line);
  if (!is_untouched || !is_promised) return;
  report_.violation("another record is written over",
                    plan().name + " held " + describe(plan_, write.record, row));
}

// We wrote to it: now it is the user's row that all its values were written to, if that is one.
void ModelSystem::follow_line(const RecordKey& record, StoredRow& row) const {
  std::set<size_t> lines;
  for (size_t field = 0; field < kFieldsMax; ++field) {
    lines.merge(history_.lines_of(record, field, row[field].tag));
  }
  if (lines.size() == 1 && lines.contains(row.line)) return;
  row.is_own = false;
  if (lines.size() == 1) row.line = *lines.begin();
}

}  // namespace syncline::simulation
