// Marked transactions where no log tells what users do: each record is locked, and compared with
// what was shown of it, before it is written; what was made of it is kept as an echo.
#include "drivers/systems/mariadb/detail/objects.hpp"
#include "drivers/systems/mariadb/detail/scan_tables.hpp"
#include "drivers/systems/mariadb/detail/target.hpp"

namespace syncline::mariadb {

Result<std::vector<ports::Poison>> MariadbTarget::guard(const ports::WriteBatch& batch) {
  SYN_TRY(scan::Present present, look_at(batch));
  SYN_TRY(standings_, guard_->check(batch.writes, present.images));
  return scan::find_outside(*guard_, *writer_, batch.writes, present);
}

Result<std::vector<ports::Poison>> MariadbTarget::keep_echoes(const ports::WriteBatch& batch) {
  SYN_TRY(scan::Present present, look_at(batch));
  if (!present.outside.empty()) {
    return scan::find_outside(*guard_, *writer_, batch.writes, present);
  }
  left_ = std::move(present.images);
  SYN_TRY(insert_echoes(batch));
  return std::vector<ports::Poison>();
}

Result<scan::Present> MariadbTarget::look_at(const ports::WriteBatch& batch) {
  using Side = scan::Lookup::Side;
  scan::Present present;
  RowCells cells;
  for (const model::DatasetId dataset : guard_->touched(batch.writes)) {
    SYN_TRY(const Mapped* mapped, writer_->find(dataset));
    const scan::Lookup lookup(*guard_, batch.writes, dataset);
    auto locked = select_records(*connection_, *mapped, lookup.keys(), Records::kLocked);
    if (!locked) {
      if (is_of_dataset(locked.error())) stop_ = ports::DatasetStop{dataset, locked.error()};
      return std::move(locked).as_failure();
    }
    auto rows = std::move(locked).value();
    while (rows && rows->next()) {
      auto read = key_of(*mapped, *rows, cells);
      // It is another's, which the collation takes for one of ours: an INSERT will say so.
      if (!read && read.error().code == ErrorCode::kValue) continue;
      SYN_TRY(const std::string key, std::move(read));
      const bool is_inside = rows->integer(mapped->columns.size()) == 1;
      lookup.take(key, is_inside ? Side::kInside : Side::kOutside, image_of(*mapped, *rows),
                  present);
    }
  }
  return present;
}

// In messages that the server takes; and those that are durable go.
Result<void> MariadbTarget::insert_echoes(const ports::WriteBatch& batch) {
  ParameterArray datasets(ParameterKind::kUnsigned);
  ParameterArray keys(ParameterKind::kBytes);
  ParameterArray images(ParameterKind::kBytes);
  std::vector<size_t> sizes;
  for (const ports::RecordWrite& write : batch.writes) {
    if (!guard_->is_guarded(write.dataset)) continue;
    const auto image = left_.find(guard_->id_of(write));
    Parameter dataset;
    dataset.integer = write.dataset;
    Parameter key;
    key.text = write.key;
    Parameter left;
    if (image != left_.end()) left.text = image->second;
    sizes.push_back(key.text.size() + left.text.size());
    datasets.add(std::move(dataset));
    keys.add(std::move(key));
    images.add(std::move(left));
  }
  const std::string sql = std::string("INSERT INTO ") + kEcho +
                          " (appliance, `system`, dataset, `key`, image) VALUES (" +
                          literal(shared_->config.appliance) + ", " +
                          literal(shared_->config.name) + ", ?, ?, ?)";
  for (size_t first = 0; first < sizes.size();) {
    size_t count = 1;
    for (size_t size = sizes[first]; first + count < sizes.size(); ++count) {
      size += sizes[first + count] + 32;
      if (size > packet_size_max_ / 2) break;
    }
    const auto done = bulk_->run(sql, {&datasets, &keys, &images}, first, count);
    if (!done.is_done) return done.error;
    first += count;
  }
  return connection_->run(std::string("DELETE FROM ") + kEcho + our_rows(*shared_) +
                          " AND number <= " + std::to_string(guard_->durable_echo()));
}

}  // namespace syncline::mariadb
