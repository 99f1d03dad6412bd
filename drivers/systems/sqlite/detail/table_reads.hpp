// Reads of what is there, shared by both sources: tables in chunks by key, and single records.
//
// Threads: on the connection given. REQUIRES: a read transaction is open.
#pragma once

#include <functional>
#include <map>
#include <span>

#include "drivers/systems/sqlite/detail/record_reader.hpp"

namespace syncline::sqlite {

// One chunk in key order behind the cursor (empty: from the start); take gets each row's native
// values. Returns the next cursor, empty after the last chunk.
Result<std::string> read_chunk(Connection& connection, const Mapped& mapped,
                               const std::string& cursor, size_t row_limit,
                               const std::function<void(const std::vector<NativeValue>&)>& take);

// Whether an index has the order of the key, so that a chunk is read without sorting the table.
Result<bool> is_key_ordered(Connection& connection, const Mapped& mapped);

// Rows whose key is NULL in part, as one rejection; nothing if there are none.
Result<void> reject_null_keys(Connection& connection, const Mapped& mapped,
                              std::vector<ports::RejectedRow>& rejected);

// Why a dataset cannot be read: what stopped it, or that it is not read from here at all.
Error not_read(model::DatasetId dataset, const std::map<model::DatasetId, Error>& stopped,
               const std::string& path);

// Of a source whose file went away: the next poll looks for it again.
Error not_open(const std::string& path);

Result<uint64_t> count_rows(Connection& connection, const Mapped& mapped);

// As one transaction of kSnapshot rows.
Result<ports::SnapshotChunk> show_chunk(Connection& connection, const Mapped& mapped,
                                        const std::string& cursor, size_t row_limit,
                                        const ports::TransactionInfo& transaction,
                                        ports::ChangeSink& sink);
Result<std::vector<ports::RejectedRow>> show_records(Connection& connection, const Mapped& mapped,
                                                     std::span<const std::string> keys,
                                                     const ports::TransactionInfo& transaction,
                                                     ports::ChangeSink& sink);

}  // namespace syncline::sqlite
