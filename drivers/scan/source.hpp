// The source of a system whose log is closed to us: capture = "scan" reads tables whole, now and
// then, and shows what differs from what it showed before, deletes too; capture = "poll" reads the
// rows whose column has risen.
//
// Each poll is one snapshot. The markers and the echoes that it holds stand first, then what
// differs: that follows every write of ours at or below a marker, and is concurrent with those
// above. A large table is read chunk by chunk, each with the markers of its own snapshot, so what
// was said holds for each record; nothing is said of two records of different chunks.
//
// What it cannot see: states between two looks; for poll, deletes. What changed while the appliance
// was down is found by the rescan that it asks for when it opens (scan), or from the place in the
// journal on (poll).
// Threads: one at a time; apart from the target's.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "drivers/scan/known.hpp"
#include "drivers/scan/place.hpp"
#include "drivers/scan/tables.hpp"
#include "host/base/clock.hpp"
#include "host/ports/source.hpp"

namespace syncline::scan {

// What source and target of one system share.
struct Shared {
  Known known;
  std::atomic<uint64_t> durable_echo = 0;  // echoes up to here need not be kept
};

class Source final : public ports::Source {
 public:
  Source(const ports::SystemConfig& config, std::unique_ptr<Tables> tables,
         std::shared_ptr<Shared> shared, Clock& clock);

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
  struct Dataset {  // that is read
    const ports::DatasetMapping* mapping = nullptr;
    bool is_read = false;      // its table fits
    bool was_read = false;     // it did since open()
    bool is_due = false;       // a round is under way
    bool is_gone_due = false;  // all rows were met: what was not is to be told
    std::string cursor;
    int64_t began_us = 0;  // steady, of the round
    int64_t next_us = 0;
    std::optional<int64_t> stamp;       // when the round began
    std::optional<int64_t> read_stamp;  // of the last one that ended
    size_t rows_fitting = 512;          // into a read of what has changed, by what came so far
    Reached reached;                    // where the column stood when the round began
    PollPlace place;
    std::optional<Error> stopped;

    model::DatasetId id() const { return mapping->schema->dataset; }
    bool is_polled() const { return mapping->capture == ports::Capture::kPoll; }
    void note_size(const Rows& changed);
  };
  struct Item {  // to be shown
    model::DatasetId dataset = 0;
    ports::RowOp op = ports::RowOp::kUpdate;  // if the record is there
    bool is_ours = false;
    Row row;
  };
  struct Look {  // what one poll has read
    Known::Mark mark = 0;
    std::vector<Marker> markers;
    std::vector<Item> items;
    std::vector<ports::RejectedRow> rejected;
    uint64_t echo = 0;
  };

  using Lane = std::pair<model::StreamId, model::LaneIndex>;

  Result<void> connect();
  Result<void> look_at_tables();
  Result<void> look_at(Dataset& dataset);
  Dataset* find(model::DatasetId dataset);
  Result<Dataset*> readable(model::DatasetId dataset);
  Dataset* next_due();
  Dataset* due_now();
  bool is_work_due();
  int64_t rest_us(const Dataset& dataset) const;
  Result<void> put_off_unchanged();
  void wait_for_work(int wait_ms);
  Result<void> reach(Dataset& dataset);
  Result<void> read(Look& look, size_t row_limit);
  Result<void> refuse_older(const std::vector<Marker>& markers) const;
  Result<void> read_markers(Look& look);
  Result<void> read_echoes(Look& look);
  Result<void> read_wishes(const std::vector<Wanted>& wishes, Look& look);
  Result<void> read_round(Dataset& dataset, size_t row_limit, Look& look);
  Result<void> read_gone(Dataset& dataset, size_t row_limit, Look& look);
  void begin_round(Dataset& dataset);
  void end_round(Dataset& dataset);
  void take(Dataset& dataset, Row&& row, Look& look);
  void take_gone(const Wanted& record, Look& look);
  void show(const Look& look, ports::ChangeSink& sink, ports::PollResult& result);
  void show_item(const Item& item, ports::ChangeSink& sink, ports::PollResult& result);
  static Wanted wanted(const Dataset& dataset, const std::string& key);
  model::Position place(uint64_t echo) const;

  ports::SystemConfig config_;
  std::unique_ptr<Tables> tables_;
  std::shared_ptr<Shared> shared_;
  Clock& clock_;
  std::vector<Dataset> datasets_;
  std::vector<ports::DatasetStop> stops_to_report_;
  std::set<model::DatasetId> rescans_to_report_;
  std::vector<Error> notices_to_report_;
  std::map<Lane, Marker> markers_;  // as shown last
  int64_t position_ = 0;            // rises with every poll that shows something
  uint64_t echo_ = 0;               // the last that was shown
  bool is_open_ = false;
  bool must_look_ = true;  // at markers and echoes: before what a rescan reads
  int64_t look_due_us_ = 0;
  int64_t shown_us_ = 0;  // of the last look that ended
  std::vector<model::CellView> key_cells_;
};

}  // namespace syncline::scan
