// Writes records inside an open marked transaction: UPDATE of the changed columns, full records by
// UPDATE then INSERT, DELETE; never REPLACE or an upsert, which overwrite other records.
//
// Owner: the connection outlives it. Threads: one at a time. Errors: those of the connection; a
// record that the database will not take is a Refusal, not an error.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "drivers/systems/sqlite/detail/connection.hpp"
#include "drivers/systems/sqlite/detail/record_reader.hpp"
#include "drivers/systems/sqlite/detail/table.hpp"
#include "drivers/systems/sqlite/detail/touched.hpp"
#include "host/ports/target.hpp"

namespace syncline::sqlite {

struct WriteOutcome {
  size_t rows_written = 0;
  std::optional<Error> refusal;
  bool is_unique_clash = false;  // another record holds a unique value, maybe one to be written too
};

class Writer {
 public:
  // stopped: why a dataset of this system is not written.
  Writer(Connection& connection, std::vector<Mapped> mapped,
         std::map<model::DatasetId, Error> stopped)
      : connection_(connection), mapped_(std::move(mapped)), stopped_(std::move(stopped)) {}

  const std::vector<Mapped>& mapped() const { return mapped_; }
  Result<const Mapped*> find(model::DatasetId dataset) const;
  // Those of the writes' datasets that find() has an error for.
  std::vector<ports::DatasetStop> stopped(std::span<const ports::RecordWrite> writes) const {
    return ports::stopped_among(writes, [this](model::DatasetId dataset) { return find(dataset); });
  }

  // Whether any of them is of a table with unique columns beyond its key.
  bool has_unique_values(std::span<const ports::RecordWrite> writes) const;

  Result<WriteOutcome> clear(const ports::RecordWrite& write);  // deletes what is under its key
  Result<WriteOutcome> write(const ports::RecordWrite& write);
  // Changes the key of the row that becomes this record's (RecordWrite::moved_from), and its cells,
  // if none is under the new one yet. Where it wrote no row, write() has to.
  Result<WriteOutcome> move(const ports::RecordWrite& write);
  // Gives away the unique values of a record that is about to get others, so that records can swap
  // them. Nothing for tables without unique columns beyond the key.
  Result<WriteOutcome> free_unique_values(const ports::RecordWrite& write);
  // Why a write is not taken, with the record that it is of. REQUIRES: find() has its dataset.
  Error refusal(const ports::RecordWrite& write, Error error) const;

  // Keeps aside what the record is now, as a row of syncline_changes.
  Result<void> keep_image(const ports::RecordWrite& write, int64_t now_ms);

 private:
  struct Prepared {  // one write, ready to bind
    const Mapped* mapped = nullptr;
    std::vector<NativeCell> key;
    std::vector<model::FieldIndex> fields;
    std::vector<NativeCell> cells;
    bool is_insert = false;  // a row that is there refuses it
  };

  Result<std::optional<Prepared>> prepare(const ports::RecordWrite& write, WriteOutcome& outcome);
  Result<Statement*> statement(const std::string& sql);
  Result<bool> run(const std::string& sql, const Prepared& prepared, bool binds_cells,
                   WriteOutcome& outcome);
  Result<void> put(const Prepared& prepared, WriteOutcome& outcome);
  Result<void> check_filter(const Prepared& prepared, WriteOutcome& outcome);
  std::string update_sql(const Prepared& prepared) const;
  std::string insert_sql(const Prepared& prepared) const;
  Result<RecordReader*> reader_of(const Mapped& mapped);
  Error refusal(const Mapped& mapped, std::string_view key, Error error) const;

  Connection& connection_;
  std::vector<Mapped> mapped_;
  std::map<model::DatasetId, Error> stopped_;
  std::string key_;  // of the write at hand, joined
  std::unordered_map<std::string, Statement> statements_;
  std::unordered_map<model::DatasetId, RecordReader> readers_;
};

}  // namespace syncline::sqlite
