// Reads of what is there: tables in chunks by key, and single records. Each in a snapshot that sees
// all that the log has shown: a transaction can be read in the log before it is visible.
//
// Threads: on the connection given. Errors: those of the connection; kSystemBusy where the server
// does not show yet what its log has told.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "drivers/systems/mariadb/detail/position.hpp"
#include "drivers/systems/mariadb/detail/row_cells.hpp"
#include "drivers/systems/mariadb/detail/table.hpp"
#include "host/ports/source.hpp"

namespace syncline::mariadb {

// Read-only, and all of it as of its begin.
class ReadTransaction {
 public:
  explicit ReadTransaction(Connection& connection) : connection_(connection) {}
  ~ReadTransaction() { end(); }
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

  Result<void> begin();
  void end();

 private:
  Connection& connection_;
  bool is_open_ = false;
};

// The SQL of both kinds of reads, within a transaction. Rows of the mapped columns.
using VisitRow = std::function<void(const Answer& row)>;
// A chunk's rows. Returns where the next begins; empty: there is none.
Result<std::string> visit_chunk(Connection& connection, const Mapped& mapped,
                                const std::string& cursor, size_t row_limit, const VisitRow& visit);
enum class Records : uint8_t {
  kRead,    // those that the row filter lets through
  kLocked,  // all, locked, and behind the columns whether the filter lets the row through
};
// A key that no column holds stands nowhere; nothing where there is no other.
Result<std::optional<Answer>> select_records(Connection& connection, const Mapped& mapped,
                                             std::span<const std::string> keys, Records records);
// The mapped columns as they are read; the order of the key; what is behind a row of that order;
// and the row filter, as " AND ...".
std::string select_list(const Mapped& mapped, size_t count = 0);  // of the first (0: all)
std::string order_term(const Column& column);
std::string sql_value_of_text(const NativeType& native, std::string_view text);
std::string filter_of(const Mapped& mapped);
// (a > 1 OR (a = 1 AND (b > 'x'))): behind the row of these values in the order of these terms.
std::string behind(const std::vector<std::string>& terms, const std::vector<std::string>& values,
                   size_t at = 0);

// The end of the log that a snapshot begun now is consistent with.
struct LogEnd {
  FileName file;
  uint64_t offset = 0;
};
Result<LogEnd> read_log_end(Connection& connection);
// Up to where the log's transactions are seen: by the transaction on the connection, or now. Of
// MariaDB alone.
Result<LogEnd> log_end(Connection& connection);
// Errors: kSystemOpen for a log that is not read, with what is to be done.
Result<void> check_log(Connection& connection);
// Begins it at a log's end behind `shown`, which is returned; of MySQL, which does not tell it,
// `shown` itself: the snapshot may see more.
Result<Place> begin_seeing(Connection& connection, ReadTransaction& transaction, Place shown);

struct ReadPlace {
  ports::TransactionInfo transaction;
  Place shown;  // of the last transaction that the log has told
};

struct ChunkWanted {
  const Mapped& mapped;
  const std::string& cursor;
  size_t row_limit = 0;
  ReadPlace place;
};

// As one transaction of kSnapshot rows; of what the read transaction on the connection sees, or of
// one of its own. Where it fails, nothing went to the sink.
Result<ports::SnapshotChunk> show_chunk(Connection& connection, const ChunkWanted& wanted,
                                        ports::ChangeSink& sink);
Result<ports::SnapshotChunk> read_chunk(Connection& connection, const ChunkWanted& wanted,
                                        ports::ChangeSink& sink);
// Of every row the cells of these fields, the key's first, in the snapshot of a ReadTransaction. A
// cell that no type of ours holds is unchanged.
using VisitCells = std::function<void(std::span<const model::CellView> cells)>;
Result<void> read_fields(Connection& connection, const Mapped& mapped,
                         std::span<const size_t> fields, const VisitCells& visit);
// As read_keys, row by row: its cells, or what is wrong with one of them.
using VisitRecord = std::function<void(const RowCells& cells, const Result<void>& filled)>;
Result<void> visit_records(Connection& connection, const Mapped& mapped,
                           std::span<const std::string> keys, Place shown,
                           const VisitRecord& visit);
// By the engine's statistics.
Result<uint64_t> estimate_rows(Connection& connection, const Mapped& mapped);
// Returned: those that are there, but with a value that no type of ours can hold.
Result<std::vector<ports::RejectedRow>> read_keys(Connection& connection, const Mapped& mapped,
                                                  std::span<const std::string> keys,
                                                  const ReadPlace& place, ports::ChangeSink& sink);

// A value as SQL has it: 7, 'it''s', X'00ff'.
std::string sql_value(ParameterKind kind, const Parameter& value);
std::string sql_value(const NativeType& native, const Parameter& value);

}  // namespace syncline::mariadb
