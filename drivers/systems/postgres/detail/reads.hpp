// Reads of what is there: tables in chunks by key, and single records.
//
// Threads: on the connection given. Errors: those of the connection; kSystemBusy where the server
// does not show yet what its log has told.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "drivers/systems/postgres/detail/table.hpp"
#include "host/ports/source.hpp"

namespace syncline::postgres {

// A transaction's commit can be read in the log before a snapshot sees it (a synchronous standby
// that is slow to answer). Rows read in such a snapshot are older than what the log has shown.
// Forgets xids that every later snapshot sees.
class Visibility {
 public:
  // snapshot: "xmin:xmax:xip,xip"
  explicit Visibility(std::string_view snapshot);
  bool sees(uint32_t xid) const;
  bool sees_all(std::vector<uint32_t>& xids) const;

 private:
  uint32_t end_ = 0;  // the first that had not begun
  std::vector<uint32_t> running_;
};

// Read-only, and all of it as of its begin.
class ReadTransaction {
 public:
  explicit ReadTransaction(Connection& connection) : connection_(connection) {}
  ~ReadTransaction() { end(); }
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

  Result<std::string> begin();  // its snapshot
  void end();

 private:
  Connection& connection_;
  bool is_open_ = false;
};

// " AND (...)": those that the row filter lets through; empty without one.
std::string filter_of(const Mapped& mapped);
// A chunk's statement: the table's first, or the one behind the key whose parts are its parameters.
enum class ChunkPlace : uint8_t { kFirst, kBehindKey };
std::string chunk_sql(const Mapped& mapped, size_t row_limit, ChunkPlace place);
// The SQL of both, within a transaction. Rows of column_list.
using VisitRow = std::function<void(const Answer& rows, size_t row)>;
// A chunk's rows. Returns where the next begins; empty: there is none.
Result<std::string> visit_chunk(Connection& connection, const Mapped& mapped,
                                const std::string& cursor, size_t row_limit, const VisitRow& visit);
enum class Records : uint8_t {
  kRead,    // those that the row filter lets through
  kLocked,  // all, locked, and behind the columns whether the filter lets the row through
};
// A key that no column holds stands nowhere.
Result<std::vector<Answer>> select_records(Connection& connection, const Mapped& mapped,
                                           std::span<const std::string> keys, Records records);

struct ReadPlace {
  ports::TransactionInfo transaction;
  std::vector<uint32_t>* shown_xids = nullptr;  // null: nothing was read from the log
};

struct ChunkWanted {
  const Mapped& mapped;
  const std::string& cursor;
  size_t row_limit = 0;
  ports::TransactionInfo transaction;
};

// As one transaction of kSnapshot rows; of what the read transaction on the connection sees, or of
// one of its own. Where it fails, nothing went to the sink.
Result<ports::SnapshotChunk> show_chunk(Connection& connection, const ChunkWanted& wanted,
                                        ports::ChangeSink& sink);
Result<ports::SnapshotChunk> read_chunk(Connection& connection, const ChunkWanted& wanted,
                                        std::vector<uint32_t>* shown_xids, ports::ChangeSink& sink);
// By the planner's statistics, or by size where it has none.
Result<uint64_t> estimate_rows(Connection& connection, const Mapped& mapped);
// Returned: those that are there and cannot be told. A key that no column holds is nowhere.
Result<std::vector<ports::RejectedRow>> read_keys(Connection& connection, const Mapped& mapped,
                                                  std::span<const std::string> keys,
                                                  const ReadPlace& place, ports::ChangeSink& sink);

}  // namespace syncline::postgres
