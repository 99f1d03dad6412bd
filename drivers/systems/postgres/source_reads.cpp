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
  const ReadPlace place{{position_of(given_), clock_.now_us(), 1},
                        is_open_ ? &decoder_.recent_xids() : nullptr};
  return read_chunk(*connection, *mapped, cursor, row_limit, place, sink);
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
  return read_keys(*connection, *mapped, keys, place, sink);
}

}  // namespace syncline::postgres
