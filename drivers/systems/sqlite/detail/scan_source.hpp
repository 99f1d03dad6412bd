// The source of a file where triggers are refused (capture = "scan"): it reads the tables whole,
// now and then, and shows what differs from what it showed before. Markers are read from the
// checkpoint table in the same snapshot and stand first: a difference that shows follows every
// write at or below them.
//
// What it cannot see: states between two scans. What changed while the appliance was down is found
// by the rescan that it asks for when it opens.
// Threads: one at a time; apart from the target's.
#pragma once

#include <map>
#include <memory>

#include "drivers/systems/sqlite/detail/scan_state.hpp"
#include "drivers/systems/sqlite/detail/shared.hpp"
#include "drivers/systems/sqlite/detail/table_reads.hpp"
#include "drivers/systems/sqlite/detail/waiter.hpp"
#include "host/base/clock.hpp"
#include "host/ports/source.hpp"

namespace syncline::sqlite {

class SqliteScanSource final : public ports::Source {
 public:
  SqliteScanSource(std::shared_ptr<Shared> shared, Clock& clock)
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
  Result<Lag> lag() override { return Lag{}; }

 private:
  // One poll's output: begins a transaction only when there is something to show.
  struct Showing {
    ports::ChangeSink& sink;
    model::Position position;
    int64_t now_us = 0;
    int64_t resolution_us = 1;
    bool is_open = false;
    size_t row_count = 0;
    std::vector<ports::RejectedRow> rejected;

    ports::ChangeSink& open();
  };

  Result<void> connect();
  Result<void> refresh_schema();
  Result<void> wait_for_change(int wait_ms);
  bool is_scanning() const { return next_dataset_ < captured_.size(); }
  void begin_scan();
  Result<void> show_all(Showing& showing, size_t row_limit, const std::vector<Echo>& echoes);
  Result<void> show_markers(Showing& showing);
  Result<void> show_echoes(Showing& showing, const std::vector<Echo>& echoes);
  Result<void> scan_chunk(Showing& showing, size_t row_limit);
  Result<void> show_gone(Showing& showing, const Mapped& mapped);
  void show_values(Showing& showing, const Mapped& mapped, const std::vector<NativeValue>& values,
                   ports::RowOp op);
  const Mapped* find(model::DatasetId dataset) const;

  std::shared_ptr<Shared> shared_;
  Clock& clock_;
  std::unique_ptr<Connection> reader_;
  std::unique_ptr<Waiter> waiter_;
  std::vector<Mapped> captured_;
  std::map<model::DatasetId, Error> stopped_;
  std::vector<ports::DatasetStop> stops_to_report_;
  std::vector<model::DatasetId> rescans_to_report_;
  RecordCells cells_;
  int64_t position_ = 0;
  int64_t schema_version_ = -1;
  int64_t data_version_ = -1;  // looked at last
  int64_t scanned_version_ = -1;
  size_t next_dataset_ = 0;  // where the scan under way stands
  std::string cursor_;
  int64_t every_us_ = 0;  // the longest that a dataset asks for; 0: none does
  int64_t scan_began_us_ = 0;
  int64_t scan_ended_us_ = 0;
  int64_t scan_took_us_ = 0;
  std::map<std::pair<model::StreamId, model::LaneIndex>, std::pair<int64_t, int64_t>> markers_;
};

}  // namespace syncline::sqlite
