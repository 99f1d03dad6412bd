#include "drivers/systems/postgres/detail/scan_tables.hpp"

#include <algorithm>

#include "drivers/systems/postgres/detail/indexes.hpp"
#include "drivers/systems/postgres/detail/objects.hpp"
#include "drivers/systems/postgres/detail/whole.hpp"

namespace syncline::postgres {
namespace {

int hex_digit(char letter) {
  return letter <= '9' ? letter - '0' : letter - 'a' + 10;
}

// "\x6162": our sessions' bytea_output.
std::string bytes_of(std::string_view hex) {
  std::string bytes;
  for (size_t i = 2; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(hex_digit(hex[i]) << 4 | hex_digit(hex[i + 1]));
  }
  return bytes;
}

}  // namespace

std::string image_of(const Mapped& mapped, const Answer& rows, size_t row) {
  scan::ImageWriter image;
  for (size_t field = 0; field < mapped.columns.size(); ++field) {
    if (rows.is_null(row, field)) {
      image.add_null();
    } else {
      image.add(rows.text(row, field));
    }
  }
  return image.finish();
}

Result<std::string> key_of(const Mapped& mapped, const Answer& rows, size_t row, RowCells& cells) {
  cells.reset(mapped.columns.size());
  Result<void> first = success();
  for (size_t field = 0; field < mapped.key_count(); ++field) {
    auto set = rows.is_null(row, field) ? cells.set_null(mapped, field)
                                        : cells.set_text(mapped, field, rows.text(row, field));
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
  SYN_TRY(connection_, Connection::open(shared_->access("read"), Purpose::kSql));
  return success();
}

Result<void> ScanTables::install() {
  SYN_TRY(install_checkpoint(*connection_));
  return install_echo(*connection_);
}

Result<scan::Tables::Look> ScanTables::look(const ports::DatasetMapping& mapping) {
  SYN_TRY(Mapped now, read_mapped(*connection_, mapping));
  if (auto problem = hidden_problem(now)) return std::move(*problem);
  SYN_TRY(check_filter(*connection_, now));
  if (mapping.capture == ports::Capture::kPoll) {
    SYN_TRY(check_poll(*connection_, now));
  }
  return keep(std::move(now));
}

Result<void> ScanTables::begin() {
  snapshot_ = std::make_unique<ReadTransaction>(*connection_);
  SYN_TRY(snapshot_->begin());
  return success();
}

std::string ScanTables::our_rows() const {
  return " WHERE appliance = " + literal(shared_->config.appliance) +
         " AND system = " + literal(shared_->config.name);
}

Result<std::vector<scan::Marker>> ScanTables::markers() {
  SYN_TRY(const Answer rows,
          connection_->query(std::string("SELECT epoch, stream, lane, seq FROM ") + kCheckpoint +
                             our_rows() + " AND seq > 0 ORDER BY epoch, stream, lane"));
  std::vector<scan::Marker> markers;
  markers.reserve(rows.row_count());
  for (size_t row = 0; row < rows.row_count(); ++row) {
    markers.push_back({static_cast<uint32_t>(rows.integer(row, 0)),
                       static_cast<model::StreamId>(rows.integer(row, 1)),
                       static_cast<model::LaneIndex>(rows.integer(row, 2)),
                       static_cast<model::Sequence>(rows.integer(row, 3))});
  }
  return markers;
}

Result<std::vector<scan::Echo>> ScanTables::echoes(uint64_t behind) {
  SYN_TRY(const Answer rows,
          connection_->query(std::string("SELECT number, dataset, key, image FROM ") + kEcho +
                             our_rows() + " AND number > " + std::to_string(behind) +
                             " ORDER BY number"));
  std::vector<scan::Echo> echoes;
  echoes.reserve(rows.row_count());
  for (size_t row = 0; row < rows.row_count(); ++row) {
    echoes.push_back({static_cast<uint64_t>(rows.integer(row, 0)),
                      static_cast<model::DatasetId>(rows.integer(row, 1)),
                      {bytes_of(rows.text(row, 2)), bytes_of(rows.text(row, 3))}});
  }
  return echoes;
}

void ScanTables::take_row(const Mapped& mapped, const Answer& rows, size_t row, scan::Rows& out) {
  auto key = key_of(mapped, rows, row, cells_);
  if (key) {
    out.rows.push_back({std::move(key).value(), image_of(mapped, rows, row)});
  } else {
    out.rejected.push_back(rejected_row(mapped, cells_, std::move(key).error()));
  }
}

scan::Rows ScanTables::rows_of(const Mapped& mapped, const Answer& rows) {
  scan::Rows out;
  out.rows.reserve(rows.row_count());
  for (size_t row = 0; row < rows.row_count(); ++row) take_row(mapped, rows, row, out);
  return out;
}

Result<scan::Rows> ScanTables::chunk(model::DatasetId dataset, const std::string& cursor,
                                     size_t row_limit) {
  const Mapped& table = mapped(dataset);
  scan::Rows out;
  SYN_TRY(out.cursor,
          visit_chunk(*connection_, table, cursor, row_limit,
                      [&](const Answer& rows, size_t row) { take_row(table, rows, row, out); }));
  return out;
}

Result<std::vector<scan::Row>> ScanTables::records(model::DatasetId dataset,
                                                   std::span<const std::string> keys) {
  const Mapped& table = mapped(dataset);
  SYN_TRY(const auto answers, select_records(*connection_, table, keys, Records::kRead));
  std::vector<scan::Row> records;
  for (const Answer& rows : answers) {
    for (scan::Row& row : rows_of(table, rows).rows) records.push_back(std::move(row));
  }
  return records;
}

Result<uint64_t> ScanTables::estimate_rows(model::DatasetId dataset) {
  return postgres::estimate_rows(*connection_, mapped(dataset));
}

Result<void> ScanTables::forget_echoes() {
  return connection_->run(std::string("DELETE FROM ") + kEcho + our_rows());
}

}  // namespace syncline::postgres
