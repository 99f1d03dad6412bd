// The face of a SQLite file that is read: syncline_changes for what happens, the tables for what
// is there.
//
// Threads: one at a time; apart from the target's. Reads never hold a lock that a user in WAL mode
// would meet; housekeeping takes the write lock only if it is free.
#pragma once

#include <map>
#include <memory>

#include "drivers/systems/sqlite/detail/change_reader.hpp"
#include "drivers/systems/sqlite/detail/objects.hpp"
#include "drivers/systems/sqlite/detail/shared.hpp"
#include "drivers/systems/sqlite/detail/waiter.hpp"
#include "host/base/clock.hpp"
#include "host/ports/source.hpp"

namespace syncline::sqlite {

class SqliteSource final : public ports::Source {
 public:
  SqliteSource(std::shared_ptr<Shared> shared, Clock& clock)
      : shared_(std::move(shared)), clock_(clock) {}

  Result<void> open(const model::Position& position) override;
  Result<ports::PollResult> poll(ports::ChangeSink& sink, size_t row_limit, int wait_ms) override;
  Result<void> acknowledge(const model::Position& position) override;
  Result<model::Position> current_position() override;
  Result<ports::SnapshotChunk> read_snapshot(model::DatasetId dataset, const std::string& cursor,
                                             size_t row_limit, ports::ChangeSink& sink) override;
  Result<uint64_t> estimate_rows(model::DatasetId dataset) override;
  Result<std::vector<ports::RejectedRow>> read_records(model::DatasetId dataset,
                                                       std::span<const std::string> keys,
                                                       ports::ChangeSink& sink) override;
  Result<Lag> lag() override;

 private:
  Result<void> connect();
  // Reads the tables and brings our objects to them; datasets that cannot go on end in stopped_.
  Result<void> refresh_schema(bool is_resuming);
  void keep_mapped(std::vector<Mapped>& captured, Mapped&& now);
  void stop(const ports::DatasetMapping& mapping, Error error);
  Result<void> check_schema();
  Result<void> check_place();
  Result<bool> wait_for_change(int wait_ms);
  Result<void> read_changes(ports::ChangeSink& sink, size_t row_limit, ports::PollResult& result);
  Result<Place> last_place();
  Result<const Mapped*> mapped_of(model::DatasetId dataset);
  Result<const Mapped*> look_at(model::DatasetId dataset);
  void forget_acknowledged();

  std::shared_ptr<Shared> shared_;
  Clock& clock_;
  std::unique_ptr<Connection> reader_;
  std::unique_ptr<Connection> keeper_;  // for housekeeping: never waits for a lock
  std::unique_ptr<Connection> looker_;  // before open
  std::map<model::DatasetId, Mapped> looked_at_;
  Statement data_version_query_;
  Statement schema_version_query_;
  Statement place_query_;
  std::unique_ptr<Waiter> waiter_;
  std::vector<Mapped> captured_;
  std::unique_ptr<ChangeReader> changes_;
  Place last_;
  int64_t schema_version_ = -1;
  int64_t data_version_ = -1;
  bool has_more_ = true;
  int64_t forgotten_at_us_ = 0;
  std::map<model::DatasetId, Error> stopped_;
  std::vector<ports::DatasetStop> stops_to_report_;
  std::vector<model::DatasetId> rescans_to_report_;
};

}  // namespace syncline::sqlite
