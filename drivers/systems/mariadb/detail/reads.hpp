// Reads of what is there: tables in chunks by key, and single records. Each in a snapshot that sees
// all that the log has shown: a transaction can be read in the log before it is visible.
//
// Threads: on the connection given. Errors: those of the connection; kSystemBusy where the server
// does not show yet what its log has told.
#pragma once

#include <span>
#include <string>

#include "drivers/systems/mariadb/detail/position.hpp"
#include "drivers/systems/mariadb/detail/table.hpp"
#include "host/ports/source.hpp"

namespace syncline::mariadb {

// The end of the log that a snapshot begun now is consistent with.
struct LogEnd {
  FileName file;
  uint64_t offset = 0;
};
Result<LogEnd> read_log_end(Connection& connection);

struct ReadPlace {
  ports::TransactionInfo transaction;
  Place shown;  // of the last transaction that the log has told
};

// As one transaction of kSnapshot rows.
Result<ports::SnapshotChunk> read_chunk(Connection& connection, const Mapped& mapped,
                                        const std::string& cursor, size_t row_limit,
                                        const ReadPlace& place, ports::ChangeSink& sink);
// By the engine's statistics.
Result<uint64_t> estimate_rows(Connection& connection, const Mapped& mapped);
// Returned: those that are there, but with a value that no type of ours can hold.
Result<std::vector<ports::RejectedRow>> read_keys(Connection& connection, const Mapped& mapped,
                                                  std::span<const std::string> keys,
                                                  const ReadPlace& place, ports::ChangeSink& sink);

// A value as SQL has it: 7, 'it''s', X'00ff'.
std::string sql_value(const NativeType& native, const Parameter& value);

}  // namespace syncline::mariadb
