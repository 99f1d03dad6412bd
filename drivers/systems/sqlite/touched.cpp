#include "drivers/systems/sqlite/detail/touched.hpp"

#include <algorithm>

#include "drivers/systems/sqlite/detail/objects.hpp"
#include "drivers/systems/sqlite/detail/payload.hpp"
#include "drivers/systems/sqlite/detail/record_reader.hpp"

namespace syncline::sqlite {

Result<void> TouchedRecords::read(Connection& connection, const std::vector<Mapped>& mapped,
                                  int64_t acknowledged_id) {
  forget(acknowledged_id);
  size_t key_count_max = 1;
  for (const Mapped& table : mapped) key_count_max = std::max(key_count_max, table.key_count());
  SYN_TRY(
      Statement rows,
      connection.prepare("SELECT id, dataset, " + key_columns(key_count_max) +
                         " FROM syncline_changes WHERE id > ?1 AND applying = 0 AND op <= " +
                         std::to_string(static_cast<int>(ChangeOp::kTouched)) + " ORDER BY id"));
  rows.bind(1, read_id_);
  while (true) {
    SYN_TRY(const bool has_row, connection.next(rows));
    if (!has_row) return success();
    read_id_ = rows.integer(0);
    const auto dataset = static_cast<model::DatasetId>(rows.integer(1));
    for (const Mapped& table : mapped) {
      if (table.dataset() != dataset) continue;
      const auto key = joined_key(table, row_values(rows, 2, table.key_count()));
      if (key) add(read_id_, record_name(table, key.value()));
    }
  }
}

void TouchedRecords::add(int64_t id, std::string record_name) {
  if (is_overfull_) return;
  if (in_order_.size() >= kTouchedRecordsMax) {
    is_overfull_ = true;
    last_row_.clear();
    in_order_.clear();
    return;
  }
  last_row_.insert_or_assign(record_name, id);
  in_order_.emplace_back(id, std::move(record_name));
}

void TouchedRecords::forget(int64_t acknowledged_id) {
  if (acknowledged_id >= read_id_) is_overfull_ = false;
  read_id_ = std::max(read_id_, acknowledged_id);
  while (!in_order_.empty() && in_order_.front().first <= acknowledged_id) {
    const auto& [id, name] = in_order_.front();
    const auto found = last_row_.find(name);
    if (found != last_row_.end() && found->second == id) last_row_.erase(found);
    in_order_.pop_front();
  }
}

}  // namespace syncline::sqlite
