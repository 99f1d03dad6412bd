#include "drivers/systems/mariadb/detail/scan_tables.hpp"

#include "drivers/systems/mariadb/detail/indexes.hpp"
#include "drivers/systems/mariadb/detail/objects.hpp"

namespace syncline::mariadb {

std::string image_of(const Mapped& mapped, const Answer& row) {
  scan::ImageWriter image;
  std::string buffer;
  for (size_t field = 0; field < mapped.columns.size(); ++field) {
    if (row.is_null(field)) {
      image.add_null();
    } else {
      image.add(text_in_image(mapped.columns[field].type, row.text(field), buffer));
    }
  }
  return image.finish();
}

Result<std::string> key_of(const Mapped& mapped, const Answer& row, RowCells& cells) {
  cells.reset(mapped.columns.size());
  Result<void> first = success();
  for (size_t field = 0; field < mapped.key_count(); ++field) {
    auto set = row.is_null(field) ? cells.set_null(mapped, field)
                                  : cells.set_read(mapped, field, row.text(field));
    if (!set && first) first = std::move(set);
  }
  if (!first) return std::move(first).error();
  return cells.joined_key(mapped);
}

bool ScanTables::is_connected() const {
  return connection_ != nullptr && connection_->is_usable();
}

Result<void> ScanTables::connect() {
  snapshot_.reset();
  connection_.reset();
  SYN_TRY(connection_, Connection::open(shared_->access(), Purpose::kSql));
  return success();
}

Result<void> ScanTables::install() {
  SYN_TRY(install_checkpoint(*connection_));
  return install_echo(*connection_);
}

Result<scan::Tables::Look> ScanTables::look(const ports::DatasetMapping& mapping) {
  SYN_TRY(Mapped now, read_mapped(*connection_, mapping, *shared_->charsets));
  SYN_TRY(check_filter(*connection_, now));
  if (mapping.capture == ports::Capture::kPoll) {
    SYN_TRY(check_poll(*connection_, now));
  }
  return keep(std::move(now));
}

Result<void> ScanTables::begin() {
  snapshot_ = std::make_unique<ReadTransaction>(*connection_);
  return snapshot_->begin();
}

Result<std::vector<scan::Marker>> ScanTables::markers() {
  SYN_TRY(Answer rows,
          connection_->query(std::string("SELECT epoch, stream, lane, seq FROM ") + kCheckpoint +
                             our_rows(*shared_) + " AND seq > 0 ORDER BY epoch, stream, lane"));
  std::vector<scan::Marker> markers;
  while (rows.next()) {
    markers.push_back({static_cast<uint32_t>(rows.integer(0)),
                       static_cast<model::StreamId>(rows.integer(1)),
                       static_cast<model::LaneIndex>(rows.integer(2)),
                       static_cast<model::Sequence>(rows.integer(3))});
  }
  return markers;
}

Result<std::vector<scan::Echo>> ScanTables::echoes(uint64_t behind) {
  SYN_TRY(Answer rows,
          connection_->query(std::string("SELECT number, dataset, `key`, image FROM ") + kEcho +
                             our_rows(*shared_) + " AND number > " + std::to_string(behind) +
                             " ORDER BY number"));
  std::vector<scan::Echo> echoes;
  while (rows.next()) {
    echoes.push_back({static_cast<uint64_t>(rows.integer(0)),
                      static_cast<model::DatasetId>(rows.integer(1)),
                      {std::string(rows.text(2)), std::string(rows.text(3))}});
  }
  return echoes;
}

void ScanTables::take_row(const Mapped& mapped, const Answer& row, scan::Rows& out) {
  auto key = key_of(mapped, row, cells_);
  if (key) {
    out.rows.push_back({std::move(key).value(), image_of(mapped, row)});
  } else {
    out.rejected.push_back(rejected_row(mapped, cells_, std::move(key).error()));
  }
}

Result<scan::Rows> ScanTables::chunk(model::DatasetId dataset, const std::string& cursor,
                                     size_t row_limit) {
  const Mapped& table = mapped(dataset);
  scan::Rows out;
  SYN_TRY(out.cursor, visit_chunk(*connection_, table, cursor, row_limit,
                                  [&](const Answer& row) { take_row(table, row, out); }));
  return out;
}

Result<std::vector<scan::Row>> ScanTables::records(model::DatasetId dataset,
                                                   std::span<const std::string> keys) {
  const Mapped& table = mapped(dataset);
  SYN_TRY(auto rows, select_records(*connection_, table, keys, Records::kRead));
  scan::Rows out;
  while (rows && rows->next()) take_row(table, *rows, out);
  return std::move(out.rows);
}

Result<uint64_t> ScanTables::estimate_rows(model::DatasetId dataset) {
  return mariadb::estimate_rows(*connection_, mapped(dataset));
}

Result<void> ScanTables::forget_echoes() {
  return connection_->run(std::string("DELETE FROM ") + kEcho + our_rows(*shared_));
}

}  // namespace syncline::mariadb
