#include "drivers/systems/sqlite/detail/scan_tables.hpp"

#include "drivers/systems/sqlite/detail/objects.hpp"
#include "drivers/systems/sqlite/detail/table_reads.hpp"

namespace syncline::sqlite {

std::string image_of(const std::vector<NativeValue>& values) {
  std::string image;
  for (const NativeValue& value : values) append_value(value, image);
  return image;
}

bool ScanTables::is_connected() const {
  return connection_ != nullptr && connection_->is_same_file();
}

Result<void> ScanTables::connect() {
  snapshot_.reset();
  connection_.reset();
  schema_version_ = -1;
  SYN_TRY(connection_, Connection::open(shared_->path, Access::kWrite, "NORMAL", kLockWaitMs));
  return success();
}

// REQUIRES: shared_->writing is held.
Result<std::unique_ptr<Connection>> ScanTables::writer() const {
  return Connection::open(shared_->path, Access::kWrite, "NORMAL", kInstallWaitMs);
}

Result<void> ScanTables::install() {
  const std::lock_guard lock(shared_->writing);
  SYN_TRY(auto connection, writer());
  return install_scan_tables(*connection);
}

Result<void> ScanTables::forget_echoes() {
  const std::lock_guard lock(shared_->writing);
  SYN_TRY(auto connection, writer());
  return connection->execute("DELETE FROM syncline_echo WHERE appliance = " +
                             literal(shared_->config.appliance));
}

Result<scan::Tables::Look> ScanTables::look(const ports::DatasetMapping& mapping) {
  unfit_.insert(mapping.schema->dataset);
  SYN_TRY(Mapped now, read_mapped(*connection_, mapping));
  unfit_.erase(mapping.schema->dataset);
  const auto before = mapped_.find(now.dataset());
  const bool is_same = before != mapped_.end() && mapped_difference(before->second, now).empty();
  mapped_.insert_or_assign(now.dataset(), std::move(now));
  return is_same ? Look::kSame : Look::kOther;
}

Result<std::optional<int64_t>> ScanTables::stamp() {
  SYN_TRY(const int64_t version, connection_->query_integer("PRAGMA data_version"));
  return std::optional(version);
}

// To ask for the schema's version is what begins the snapshot.
Result<void> ScanTables::begin() {
  SYN_TRY(auto snapshot, Transaction::begin(*connection_, Access::kRead));
  SYN_TRY(keep_up_with_schema());
  snapshot_.emplace(std::move(snapshot));
  return success();
}

Result<void> ScanTables::keep_up_with_schema() {
  SYN_TRY(const int64_t version, connection_->query_integer("PRAGMA schema_version"));
  if (version == schema_version_) return success();
  for (auto& [dataset, mapped] : mapped_) {
    if (unfit_.contains(dataset)) continue;  // it is stopped: the others go on
    SYN_TRY(Mapped now, read_mapped(*connection_, *mapped.mapping));
    if (const std::string difference = mapped_difference(mapped, now); !difference.empty()) {
      return fail(ErrorCode::kSystemSchema,
                  "the table " + now.table.name + " in " + shared_->path + " was changed",
                  difference, "nothing: it is looked at anew");
    }
    mapped = std::move(now);
  }
  schema_version_ = version;
  return success();
}

Result<std::vector<scan::Marker>> ScanTables::markers() {
  SYN_TRY(Statement rows,
          connection_->prepare("SELECT epoch, stream, lane, seq FROM syncline_checkpoint WHERE "
                               "appliance = " +
                               literal(shared_->config.appliance) +
                               " AND seq > 0 ORDER BY epoch, stream, lane"));
  std::vector<scan::Marker> markers;
  while (true) {
    SYN_TRY(const bool has_row, connection_->next(rows));
    if (!has_row) return markers;
    markers.push_back({static_cast<uint32_t>(rows.integer(0)),
                       static_cast<model::StreamId>(rows.integer(1)),
                       static_cast<model::LaneIndex>(rows.integer(2)),
                       static_cast<model::Sequence>(rows.integer(3))});
  }
}

Result<std::vector<scan::Echo>> ScanTables::echoes(uint64_t behind) {
  SYN_TRY(Statement rows,
          connection_->prepare("SELECT number, dataset, key, image FROM syncline_echo WHERE "
                               "appliance = " +
                               literal(shared_->config.appliance) +
                               " AND number > ?1 ORDER BY number"));
  rows.bind(1, static_cast<int64_t>(behind));
  std::vector<scan::Echo> echoes;
  while (true) {
    SYN_TRY(const bool has_row, connection_->next(rows));
    if (!has_row) return echoes;
    echoes.push_back({static_cast<uint64_t>(rows.integer(0)),
                      static_cast<model::DatasetId>(rows.integer(1)),
                      {std::string(rows.blob(2)), std::string(rows.blob(3))}});
  }
}

Result<scan::Rows> ScanTables::chunk(model::DatasetId dataset, const std::string& cursor,
                                     size_t row_limit) {
  const Mapped& mapped = mapped_.at(dataset);
  scan::Rows out;
  if (cursor.empty()) {
    SYN_TRY(reject_null_keys(*connection_, mapped, out.rejected));
  }
  const auto take = [&](const std::vector<NativeValue>& values) {
    const auto key_end = values.begin() + static_cast<std::ptrdiff_t>(mapped.key_count());
    if (auto key = joined_key(mapped, {values.begin(), key_end}); key) {
      out.rows.push_back({std::move(key).value(), image_of(values)});
    } else {
      out.rejected.push_back(rejected_values(mapped, values, std::move(key).error()));
    }
  };
  SYN_TRY(out.cursor, read_chunk(*connection_, mapped, cursor, row_limit, take));
  return out;
}

// A key that SQLite cannot hold stands nowhere.
Result<std::vector<scan::Row>> ScanTables::records(model::DatasetId dataset,
                                                   std::span<const std::string> keys) {
  const Mapped& mapped = mapped_.at(dataset);
  SYN_TRY(RecordReader reader, RecordReader::make(*connection_, mapped));
  std::vector<scan::Row> rows;
  for (const std::string& key : keys) {
    const auto native = native_key(mapped, key);
    if (!native) continue;
    SYN_TRY(const auto values, reader.find(native.value().values()));
    if (values) rows.push_back({key, image_of(*values)});
  }
  return rows;
}

// Fields that were added since an echo was left are unchanged in it.
Result<std::span<const model::CellView>> ScanTables::cells(model::DatasetId dataset,
                                                           std::string_view image) {
  const Mapped& mapped = mapped_.at(dataset);
  ByteReader in(image);
  std::vector<NativeValue> values;
  while (in.ok() && !in.at_end() && values.size() < mapped.columns.size()) {
    values.push_back(read_value(in));
  }
  if (!in.ok() || !in.at_end() || values.size() < mapped.key_count()) {
    return fail(ErrorCode::kValue, "the image of a row is damaged",
                "its length is not that of its fields",
                "nothing, if a scan shows the record; else tell us");
  }
  const size_t known = values.size();
  values.resize(mapped.columns.size());
  SYN_TRY(cells_.fill(mapped, values));
  for (size_t field = known; field < values.size(); ++field) {
    cells_.set(static_cast<model::FieldIndex>(field), {model::CellState::kUnchanged, {}});
  }
  return cells_.views();
}

Result<uint64_t> ScanTables::estimate_rows(model::DatasetId dataset) {
  return count_rows(*connection_, mapped_.at(dataset));
}

ports::RejectedRow ScanTables::rejected(model::DatasetId dataset, const std::string& key,
                                        Error error) {
  return rejected_row(mapped_.at(dataset), key, std::move(error));
}

}  // namespace syncline::sqlite
