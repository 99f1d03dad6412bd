// Marked transactions where no trigger tells what users do: each record is compared with what was
// shown of it before it is written, and what was made of it is kept as an echo. SQLite has one
// writer, so nothing comes in between.
#include "drivers/systems/sqlite/detail/record_reader.hpp"
#include "drivers/systems/sqlite/detail/scan_tables.hpp"
#include "drivers/systems/sqlite/detail/target.hpp"

namespace syncline::sqlite {

Result<ports::ApplyResult> SqliteTarget::write_guarded(const ports::WriteBatch& batch) {
  SYN_TRY(const scan::Present before, look_at(batch));
  if (!before.outside.empty()) {
    return ports::refused_by(scan::find_outside(*guard_, *writer_, batch.writes, before));
  }
  SYN_TRY(guard_->check(batch.writes, before.images));
  SYN_TRY(auto result, write_all(batch));
  if (result.poison) return result;
  SYN_TRY(const scan::Present left, look_at(batch));
  SYN_TRY(keep_echoes(batch, left.images));
  SYN_TRY(commit());
  guard_->wrote(batch.writes, left.images);
  return result;
}

// A key that SQLite cannot hold stands nowhere.
Result<scan::Present> SqliteTarget::look_at(const ports::WriteBatch& batch) {
  using Side = scan::Lookup::Side;
  scan::Present present;
  for (const model::DatasetId dataset : guard_->touched(batch.writes)) {
    SYN_TRY(const Mapped* mapped, writer_->find(dataset));
    const std::string& where = mapped->mapping->where;
    const size_t width = mapped->columns.size();
    const scan::Lookup lookup(*guard_, batch.writes, dataset);
    SYN_TRY(
        Statement select,
        connection_->prepare("SELECT " + column_list(mapped->columns) + ", " +
                             (where.empty() ? "1" : "(" + where + ") IS TRUE") + " FROM " +
                             quoted(mapped->table.name) + " WHERE " + key_condition(*mapped, 1)));
    for (const std::string& key : lookup.keys()) {
      const auto native = native_key(*mapped, key);
      if (!native) continue;
      const StatementScope scope(select);
      const auto parts = native.value().values();
      for (size_t i = 0; i < parts.size(); ++i) select.bind(static_cast<int>(i) + 1, parts[i]);
      SYN_TRY(const bool is_there, connection_->next(select));
      if (!is_there) continue;
      const bool is_inside = select.integer(static_cast<int>(width)) == 1;
      lookup.take(key, is_inside ? Side::kInside : Side::kOutside,
                  image_of(row_values(select, 0, width)), present);
    }
  }
  return present;
}

// Those that are durable go.
Result<void> SqliteTarget::keep_echoes(const ports::WriteBatch& batch, const scan::Images& left) {
  const std::string appliance = literal(shared_->config.appliance);
  SYN_TRY(
      Statement insert,
      connection_->prepare("INSERT INTO syncline_echo (appliance, dataset, key, image) VALUES (" +
                           appliance + ", ?1, ?2, ?3)"));
  for (const ports::RecordWrite& write : batch.writes) {
    if (!guard_->is_guarded(write.dataset)) continue;
    const auto image = left.find(guard_->id_of(write));
    insert.bind(1, static_cast<int64_t>(write.dataset));
    insert.bind_blob(2, write.key);
    insert.bind_blob(3, image == left.end() ? std::string_view() : image->second);
    const int code = insert.run();
    if (code != SQLITE_DONE) return connection_->error(code, "cannot keep an echo");
  }
  return connection_->execute("DELETE FROM syncline_echo WHERE appliance = " + appliance +
                              " AND number <= " + std::to_string(guard_->durable_echo()));
}

}  // namespace syncline::sqlite
