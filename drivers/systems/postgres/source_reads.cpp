// What the source reads from tables: a dataset in chunks, and single records.
#include "drivers/systems/postgres/detail/reads.hpp"
#include "drivers/systems/postgres/detail/source.hpp"

namespace syncline::postgres {

Result<const Mapped*> PostgresSource::mapped_of(model::DatasetId dataset) {
  if (const Mapped* followed = decoder_.find(dataset); followed != nullptr) return followed;
  if (const auto stopped = stopped_.find(dataset); stopped != stopped_.end()) {
    return stopped->second;
  }
  if (const auto known = looked_at_.find(dataset); known != looked_at_.end()) {
    return &known->second;
  }
  for (const ports::DatasetMapping& mapping : shared_->config.datasets) {
    if (mapping.schema->dataset != dataset) continue;
    SYN_TRY(Connection * connection, connect());
    SYN_TRY(auto mapped, read_mapped(*connection, mapping));
    return &looked_at_.emplace(dataset, std::move(mapped)).first->second;
  }
  return fail(ErrorCode::kInvalidArgument, "the dataset is not in system " + shared_->config.name,
              "the config does not name it", "correct the config");
}

Result<ports::SnapshotChunk> PostgresSource::read_snapshot(model::DatasetId dataset,
                                                           const std::string& cursor,
                                                           size_t row_limit,
                                                           ports::ChangeSink& sink) {
  SYN_TRY(Connection * connection, connect());
  SYN_TRY(const Mapped* mapped, mapped_of(dataset));
  const ChunkWanted wanted{*mapped, cursor, row_limit, {position_of(given_), clock_.now_us(), 1}};
  if (is_open_ && replica_.is_usable()) {
    // A reading that was asked for by what the tables look like now shows them as they are now.
    if (cursor.empty()) {
      SYN_TRY(note_primary(*connection));
    }
    const Replayed replayed{primary_end_, has_given_since_ ? given_.reach() : 0};
    auto chunk = replica_.read(*connection, wanted, replayed, sink);
    if (chunk) return std::move(*chunk);
  }
  SYN_TRY(auto chunk,
          read_chunk(*connection, wanted, is_open_ ? &decoder_.recent_xids() : nullptr, sink));
  SYN_TRY(note_primary(*connection));
  chunk.notice = replica_.take_notice();
  return chunk;
}

// What was seen there once is not to be seen older.
Result<void> PostgresSource::note_primary(Connection& primary) {
  if (shared_->config.replica_url.empty()) return success();
  SYN_TRY(primary_end_, end_of_log(primary));
  has_given_since_ = false;
  return success();
}

Result<uint64_t> PostgresSource::estimate_rows(model::DatasetId dataset) {
  SYN_TRY(Connection * connection, connect());
  SYN_TRY(const Mapped* mapped, mapped_of(dataset));
  return postgres::estimate_rows(*connection, *mapped);
}

Result<std::vector<ports::RejectedRow>> PostgresSource::read_records(
    model::DatasetId dataset, std::span<const std::string> keys, ports::ChangeSink& sink) {
  SYN_TRY(Connection * connection, connect());
  SYN_TRY(const Mapped* mapped, mapped_of(dataset));
  const ReadPlace place{{position_of(given_), clock_.now_us(), 1},
                        is_open_ ? &decoder_.recent_xids() : nullptr};
  SYN_TRY(auto rejected, read_keys(*connection, *mapped, keys, place, sink));
  SYN_TRY(note_primary(*connection));
  return rejected;
}

Result<model::Position> PostgresSource::current_position() {
  SYN_TRY(Connection * connection, connect());
  SYN_TRY(const std::string text, connection->query_text("SELECT pg_current_wal_flush_lsn()"));
  SYN_TRY(const Lsn lsn, parse_lsn(text));
  Place place = given_;
  begun_ = lsn;
  place.lsn = before_end(lsn);
  place.passed = lsn;
  place.part = {};
  return position_of(place);
}

}  // namespace syncline::postgres
