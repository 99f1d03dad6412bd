#include "drivers/systems/sqlite/detail/writer.hpp"

#include <algorithm>

#include "drivers/systems/sqlite/detail/objects.hpp"
#include "drivers/systems/sqlite/detail/payload.hpp"

namespace syncline::sqlite {
namespace {

constexpr size_t kStatementsMax = 512;

// Codes that speak of the one record, not of the database.
bool is_refusal(int code) {
  const int primary = code & 0xff;
  return primary == SQLITE_CONSTRAINT || primary == SQLITE_MISMATCH || primary == SQLITE_TOOBIG ||
         primary == SQLITE_ERROR;
}

bool is_unique_clash(int extended_code) {
  return extended_code == SQLITE_CONSTRAINT_UNIQUE ||
         extended_code == SQLITE_CONSTRAINT_PRIMARYKEY || extended_code == SQLITE_CONSTRAINT_ROWID;
}

// A table's own ON CONFLICT clause would let our write remove other records or be ignored. Where
// there is none nothing is said, because the word would reach into users' triggers.
std::string conflict_clause(const Mapped& mapped) {
  return mapped.table.declares_conflicts ? "OR ABORT " : "";
}

// What no other record holds, as SQL.
std::string free_value(const Column& column) {
  if (column.is_nullable) return "NULL";
  if (column.affinity == Affinity::kText || column.affinity == Affinity::kNone) {
    return "'syncline:' || lower(hex(randomblob(16)))";
  }
  return "random()";
}

}  // namespace

Result<const Mapped*> Writer::find(model::DatasetId dataset) const {
  for (const Mapped& mapped : mapped_) {
    if (mapped.dataset() == dataset) return &mapped;
  }
  if (const auto stopped = stopped_.find(dataset); stopped != stopped_.end()) {
    return stopped->second;
  }
  return fail(ErrorCode::kSystemSchema,
              "a write for a dataset that cannot be written to " + connection_.path(),
              "the config does not name it for this system", "run `syncline check`");
}

bool Writer::has_unique_values(std::span<const ports::RecordWrite> writes) const {
  return std::any_of(writes.begin(), writes.end(), [&](const ports::RecordWrite& write) {
    const auto mapped = find(write.dataset);
    return mapped && mapped.value()->table.uniques.size() > 1;
  });
}

Error Writer::refusal(const Mapped& mapped, std::string_view key, Error error) const {
  return rejected_row(mapped, std::string(key), std::move(error)).error;
}

// Converts the key and all cells; a value the column cannot hold is the write's refusal.
Result<std::optional<Writer::Prepared>> Writer::prepare(const ports::RecordWrite& write,
                                                        WriteOutcome& outcome) {
  Prepared prepared;
  SYN_TRY(prepared.mapped, find(write.dataset));
  prepared.is_insert = write.kind == model::EntryKind::kInsert;
  key_ = write.key;
  auto key = native_key(*prepared.mapped, write.key);
  if (!key) {
    outcome.refusal = refusal(*prepared.mapped, write.key, std::move(key).error());
    return std::optional<Prepared>();
  }
  prepared.key = std::move(key.value().cells);
  prepared.cells.reserve(write.cells.size());
  for (const model::EntryCell& cell : write.cells) {
    if (cell.state == model::CellState::kUnchanged) continue;
    const Column& column = prepared.mapped->columns[cell.field];
    NativeCell native;
    auto converted =
        native_from_cell(cell.state, cell.bytes, prepared.mapped->schema->fields[cell.field].type,
                         column.affinity, native);
    if (!converted) {
      Error error = std::move(converted).error();
      error.what = "column " + column.name + ": " + error.what;
      outcome.refusal = refusal(*prepared.mapped, write.key, std::move(error));
      return std::optional<Prepared>();
    }
    prepared.fields.push_back(cell.field);
    prepared.cells.push_back(std::move(native));
  }
  return std::optional(std::move(prepared));
}

Result<Statement*> Writer::statement(const std::string& sql) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) return &found->second;
  if (statements_.size() >= kStatementsMax) statements_.clear();
  SYN_TRY(Statement prepared, connection_.prepare(sql));
  return &statements_.emplace(sql, std::move(prepared)).first->second;
}

// Key first, then cells. False: the record was refused.
Result<bool> Writer::run(const std::string& sql, const Prepared& prepared, bool binds_cells,
                         WriteOutcome& outcome) {
  SYN_TRY(Statement * to_run, statement(sql));
  int parameter = 1;
  for (const NativeCell& cell : prepared.key) to_run->bind(parameter++, cell.view());
  if (binds_cells) {
    for (const NativeCell& cell : prepared.cells) to_run->bind(parameter++, cell.view());
  }
  const int code = to_run->step();
  if (code == SQLITE_DONE) {
    to_run->reset();
    return true;
  }
  const int extended = connection_.extended_code();
  Error error = connection_.error(code, "the database refused the record");
  to_run->reset();
  if (!is_refusal(code)) return error;
  outcome.is_unique_clash = is_unique_clash(extended) && connection_.is_in_transaction();
  error.code = ErrorCode::kSystemRefused;
  outcome.refusal = refusal(*prepared.mapped, key_, std::move(error));
  return false;
}

std::string Writer::update_sql(const Prepared& prepared) const {
  const Mapped& mapped = *prepared.mapped;
  std::string sql = "UPDATE " + conflict_clause(mapped) + quoted(mapped.table.name) + " SET ";
  for (size_t i = 0; i < prepared.fields.size(); ++i) {
    sql += (i == 0 ? "" : ", ") + quoted(mapped.columns[prepared.fields[i]].name) + " = ?" +
           std::to_string(mapped.key_count() + i + 1);
  }
  return sql + " WHERE " + key_condition(mapped, 1);
}

std::string Writer::insert_sql(const Prepared& prepared) const {
  const Mapped& mapped = *prepared.mapped;
  std::string names;
  std::string parameters;
  const auto add = [&](const Column& column) {
    names += (names.empty() ? "" : ", ") + quoted(column.name);
    parameters += parameters.empty() ? "?" : ", ?";
  };
  for (size_t i = 0; i < mapped.key_count(); ++i) add(mapped.columns[i]);
  for (const model::FieldIndex field : prepared.fields) add(mapped.columns[field]);
  return "INSERT " + conflict_clause(mapped) + "INTO " + quoted(mapped.table.name) + "(" + names +
         ") VALUES (" + parameters + ")";
}

Result<void> Writer::put(const Prepared& prepared, WriteOutcome& outcome) {
  if (prepared.fields.empty() && !prepared.is_insert) {
    const std::string sql = "SELECT 1 FROM " + quoted(prepared.mapped->table.name) + " WHERE " +
                            key_condition(*prepared.mapped, 1);
    SYN_TRY(Statement * query, statement(sql));
    const StatementScope scope(*query);
    for (size_t i = 0; i < prepared.key.size(); ++i) {
      query->bind(static_cast<int>(i) + 1, prepared.key[i].view());
    }
    SYN_TRY(const bool is_there, connection_.next(*query));
    if (is_there) return success();
  } else if (!prepared.is_insert) {
    SYN_TRY(const bool is_taken, run(update_sql(prepared), prepared, true, outcome));
    if (!is_taken) return success();
    outcome.rows_written = static_cast<size_t>(connection_.changed_rows());
    if (outcome.rows_written > 0) return success();
  }
  SYN_TRY(const bool is_taken, run(insert_sql(prepared), prepared, true, outcome));
  if (!is_taken) return success();
  outcome.rows_written = static_cast<size_t>(connection_.changed_rows());
  if (outcome.rows_written == 0) {
    outcome.refusal =
        refusal(*prepared.mapped, key_,
                {ErrorCode::kSystemRefused, "the database took the record and stored nothing",
                 "a trigger with RAISE(IGNORE) stands on " + prepared.mapped->table.name,
                 "change the trigger, then `syncline quarantine retry`"});
  }
  return success();
}

// A record outside the row filter would be read back as one that is not there.
Result<void> Writer::check_filter(const Prepared& prepared, WriteOutcome& outcome) {
  const Mapped& mapped = *prepared.mapped;
  if (mapped.mapping->where.empty() || outcome.refusal) return success();
  SYN_TRY(Statement * query,
          statement("SELECT 1 FROM " + quoted(mapped.table.name) + " WHERE " +
                    key_condition(mapped, 1) + " AND (" + mapped.mapping->where + ") IS NOT TRUE"));
  const StatementScope scope(*query);
  for (size_t i = 0; i < prepared.key.size(); ++i) {
    query->bind(static_cast<int>(i) + 1, prepared.key[i].view());
  }
  SYN_TRY(const bool is_outside, connection_.next(*query));
  if (is_outside) {
    outcome.refusal = refusal(mapped, key_,
                              {ErrorCode::kSystemRefused, "the record lies outside the row filter",
                               "`where` is " + mapped.mapping->where,
                               "widen the filter in the config, or correct the record"});
  }
  return success();
}

Result<WriteOutcome> Writer::move(const ports::RecordWrite& write) {
  WriteOutcome outcome;
  SYN_TRY(auto prepared, prepare(write, outcome));
  if (!prepared) return outcome;
  const Mapped& mapped = *prepared->mapped;
  const auto old_key = native_key(mapped, write.moved_from);
  if (!old_key) return outcome;
  const std::string table = quoted(mapped.table.name);
  const size_t value_count = mapped.key_count() + prepared->fields.size();
  std::string changes;
  for (size_t i = 0; i < value_count; ++i) {
    const size_t field = i < mapped.key_count() ? i : prepared->fields[i - mapped.key_count()];
    changes +=
        (i == 0 ? "" : ", ") + quoted(mapped.columns[field].name) + " = ?" + std::to_string(i + 1);
  }
  const std::string sql = "UPDATE " + conflict_clause(mapped) + table + " SET " + changes +
                          " WHERE " + key_condition(mapped, value_count + 1) +
                          " AND NOT EXISTS (SELECT 1 FROM " + table + " WHERE " +
                          key_condition(mapped, 1) + ")";
  const auto& old_cells = old_key.value().cells;
  prepared->cells.insert(prepared->cells.end(), old_cells.begin(), old_cells.end());
  SYN_TRY(const bool is_taken, run(sql, *prepared, true, outcome));
  if (is_taken) outcome.rows_written = static_cast<size_t>(connection_.changed_rows());
  if (outcome.rows_written > 0) {
    SYN_TRY(check_filter(*prepared, outcome));
  }
  return outcome;
}

Result<WriteOutcome> Writer::clear(const ports::RecordWrite& write) {
  return this->write({write.dataset, write.key, model::EntryKind::kDelete, {}});
}

Result<WriteOutcome> Writer::write(const ports::RecordWrite& write) {
  WriteOutcome outcome;
  SYN_TRY(const auto prepared, prepare(write, outcome));
  if (!prepared) return outcome;
  const Mapped& mapped = *prepared->mapped;
  if (write.kind == model::EntryKind::kDelete) {
    const std::string sql =
        "DELETE FROM " + quoted(mapped.table.name) + " WHERE " + key_condition(mapped, 1);
    SYN_TRY(const bool is_taken, run(sql, *prepared, false, outcome));
    if (is_taken) outcome.rows_written = static_cast<size_t>(connection_.changed_rows());
    return outcome;
  }
  if (model::is_whole(write.kind)) {
    SYN_TRY(put(*prepared, outcome));
  } else if (!prepared->fields.empty()) {
    SYN_TRY(const bool is_taken, run(update_sql(*prepared), *prepared, true, outcome));
    if (is_taken) outcome.rows_written = static_cast<size_t>(connection_.changed_rows());
  }
  SYN_TRY(check_filter(*prepared, outcome));
  return outcome;
}

Result<WriteOutcome> Writer::free_unique_values(const ports::RecordWrite& write) {
  WriteOutcome outcome;
  SYN_TRY(const auto prepared, prepare(write, outcome));
  const bool is_new = write.kind == model::EntryKind::kDelete || (prepared && prepared->is_insert);
  if (!prepared || is_new) return outcome;
  const Mapped& mapped = *prepared->mapped;
  std::vector<const Column*> to_free;
  for (const model::FieldIndex field : prepared->fields) {
    const Column& column = mapped.columns[field];
    const bool is_unique = std::any_of(
        mapped.table.uniques.begin(), mapped.table.uniques.end(), [&](const UniqueSet& unique) {
          return std::find(unique.columns.begin(), unique.columns.end(), column.name) !=
                 unique.columns.end();
        });
    if (is_unique) to_free.push_back(&column);
  }
  if (to_free.empty()) return outcome;
  std::string sql = "UPDATE " + conflict_clause(mapped) + quoted(mapped.table.name) + " SET ";
  for (const Column* column : to_free) {
    sql += (column == to_free.front() ? "" : ", ") + quoted(column->name) + " = " +
           free_value(*column);
  }
  SYN_TRY(run(sql + " WHERE " + key_condition(mapped, 1), *prepared, false, outcome));
  return outcome;
}

Error Writer::refusal(const ports::RecordWrite& write, Error error) const {
  return refusal(*find(write.dataset).value(), write.key, std::move(error));
}

Result<RecordReader*> Writer::reader_of(const Mapped& mapped) {
  auto reader = readers_.find(mapped.dataset());
  if (reader == readers_.end()) {
    SYN_TRY(RecordReader made, RecordReader::make(connection_, mapped));
    reader = readers_.emplace(mapped.dataset(), std::move(made)).first;
  }
  return &reader->second;
}

Result<void> Writer::keep_image(const ports::RecordWrite& write, int64_t now_ms) {
  SYN_TRY(const Mapped* mapped, find(write.dataset));
  const auto key = native_key(*mapped, write.key);
  if (!key) return success();  // the write itself will be refused
  const auto native = key.value().values();
  SYN_TRY(RecordReader * reader, reader_of(*mapped));
  SYN_TRY(const auto values, reader->find(native));
  const std::string payload = values ? image_payload(*values) : absent_image_payload();
  reader->release();
  std::string parameters;
  for (size_t i = 0; i < native.size(); ++i) parameters += ", ?" + std::to_string(i + 4);
  SYN_TRY(Statement * insert,
          statement("INSERT INTO syncline_changes(applying, op, dataset, at, payload, " +
                    key_columns(native.size()) + ") VALUES (1, " +
                    std::to_string(static_cast<int>(ChangeOp::kImage)) + ", ?1, ?2, ?3" +
                    parameters + ")"));
  insert->bind(1, static_cast<int64_t>(write.dataset));
  insert->bind(2, now_ms);
  insert->bind_blob(3, payload);
  for (size_t i = 0; i < native.size(); ++i) insert->bind(static_cast<int>(i) + 4, native[i]);
  const int code = insert->run();
  if (code != SQLITE_DONE) return connection_.error(code, "cannot keep a record's image");
  return success();
}

}  // namespace syncline::sqlite
