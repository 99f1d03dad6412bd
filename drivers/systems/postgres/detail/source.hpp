// The face of a database that is read: its log through a replication slot, its tables in chunks.
//
// The stream is opened by the first poll and again after every break, behind the last transaction
// that a poll gave; what comes twice is passed over by its position. A slot that is gone is
// kSystemLost: never a silent gap.
//
// Owner: two connections of its own, and one to the replica where there is one. Threads: one at a
// time; apart from the target's.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "drivers/systems/postgres/detail/decoder.hpp"
#include "drivers/systems/postgres/detail/objects.hpp"
#include "drivers/systems/postgres/detail/origins.hpp"
#include "drivers/systems/postgres/detail/publication.hpp"
#include "drivers/systems/postgres/detail/replica.hpp"
#include "drivers/systems/postgres/detail/seen_tables.hpp"
#include "drivers/systems/postgres/detail/shared.hpp"
#include "drivers/systems/postgres/detail/stream.hpp"
#include "host/base/clock.hpp"
#include "host/ports/source.hpp"

namespace syncline::postgres {

class PostgresSource final : public ports::Source {
 public:
  PostgresSource(std::shared_ptr<const Shared> shared, Clock& clock);

  void compare_with(const std::string& layout) override {
    seen_ = seen_from(layout);
    told_layout_ = layout;
  }
  Result<void> open(const model::Position& position) override;
  Result<ports::PollResult> poll(ports::ChangeSink& sink, size_t row_limit, int wait_ms) override;
  Result<void> acknowledge(const model::Position& position) override;
  Result<model::Position> current_position() override;
  Result<std::optional<bool>> has_told(const model::Position& position) override;
  Result<ports::SnapshotChunk> read_snapshot(model::DatasetId dataset, const std::string& cursor,
                                             size_t row_limit, ports::ChangeSink& sink) override;
  Result<uint64_t> estimate_rows(model::DatasetId dataset) override;
  Result<std::vector<ports::RejectedRow>> read_records(model::DatasetId dataset,
                                                       std::span<const std::string> keys,
                                                       ports::ChangeSink& sink) override;
  Result<Lag> lag() override;
  const std::string& layout() const override { return told_layout_; }

 private:
  Result<Connection*> connect();
  Result<void> take_place(const model::Position& position);
  Result<void> take_slot(const model::Position& position);
  Result<void> refresh(ports::PollResult* result);
  Result<void> open_stream();
  void close_stream();
  Result<void> poll_once(ports::PollResult& result, size_t row_limit, int wait_ms);
  Result<void> read_stream(ports::PollResult& result, size_t row_limit, int wait_ms);
  Result<bool> read_message(int wait_ms);
  struct AtHand;
  struct Stretch {  // of the transaction at hand
    size_t begin = 0;
    size_t end = 0;
    size_t change_count = 0;
    bool is_last = false;
  };
  Result<Stretch> next_stretch(AtHand& at_hand);
  Result<Stretch> give_part(AtHand& at_hand);
  void give_passed(ports::PollResult& result);
  Result<void> measure();
  Error lost_publication() const;
  Result<void> check_publication(const Publication& publication);
  Result<void> check_origins(Connection& connection, std::vector<model::DatasetId>& rescan);
  bool is_past_look() const;
  Result<std::optional<Mapped>> look_at(const ports::DatasetMapping& mapping,
                                        ports::PollResult* result);
  // rescans: what is to be read anyway; what of it is to wait for the log is taken out.
  Result<void> look_at_files(Connection& connection, const std::vector<Mapped>& tables,
                             const Publication& publication,
                             std::vector<model::DatasetId>& rescans);
  std::vector<model::DatasetId> take_published(const Published& now,
                                               std::vector<model::DatasetId>& rescans) const;
  Result<bool> have_writers_ended();
  Result<void> give_regrouped(ports::PollResult& result);
  Result<bool> has_passed(const Place& reached, Lsn end);
  void stop(const ports::DatasetMapping& mapping, Error error, ports::PollResult* result);
  Result<const Mapped*> mapped_of(model::DatasetId dataset);
  Result<void> note_primary(Connection& primary);
  struct Waiting {  // a transaction that was read and is not durable yet
    Lsn lsn = 0;
    int64_t commit_time_us = 0;
    size_t row_count = 0;
  };
  struct AtHand {  // a transaction that has committed and is shown part by part
    explicit AtHand(Transaction&& whole) : transaction(std::move(whole)) {}
    bool is_rolled_back(const Spool::Record& record) const;
    bool counts(const Spool::Record& record) const;  // a change, and not rolled back
    Transaction transaction;
    size_t offset = 0;
    uint64_t taken = 0;
    bool is_ours = false;  // as far as it was looked at
  };

  std::shared_ptr<const Shared> shared_;
  Clock& clock_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Stream> stream_;
  SpoolBudget budget_;
  Assembler assembler_;
  std::optional<AtHand> at_hand_;
  Decoder decoder_;
  bool is_open_ = false;
  Origins origins_;                // as they were last looked at
  bool is_filtering_due_ = false;  // the log behind that look has been shown whole
  bool is_filtered_ = false;       // the stream shows nothing that is under an origin
  Made publication_ = Made::kBefore;
  SeenTables seen_;                       // as they were last looked at
  bool is_seen_anew_ = false;             // since a poll was done
  std::string told_layout_;               // as polls have told what is to be read of it
  std::set<model::DatasetId> regrouped_;  // since, and not told yet
  Lsn regrouped_end_ = 0;                 // of the log, when that was seen
  std::vector<std::string> writers_;      // likewise, to its tables; empty: they have ended
  Place given_;                           // behind what polls gave
  Place place_;                           // likewise, and behind what the poll at hand has shown
  Lsn flushed_ = 0;                       // everything before here is durable
  Lsn begun_ = 0;  // where a reading of tables began: it counts as a place that was given
  bool is_far_behind_ = false;  // what was read last was written long before
  int64_t read_on_us_ = 0;      // of the poll at hand, behind what it gave
  int64_t refresh_due_us_ = 0;
  int64_t measure_due_us_ = 0;
  int64_t passed_due_us_ = 0;
  uint64_t retained_bytes_ = 0;
  std::string held_by_;            // beside us, where that is of interest
  std::optional<Error> withheld_;  // why the server shows no more of its log
  std::optional<Error> given_up_;  // the log is lost: the slot at the config's limit, ...
  std::deque<Waiting> waiting_;
  std::map<model::DatasetId, Error> stopped_;
  std::vector<ports::DatasetStop> stops_to_report_;
  std::vector<model::DatasetId> rescans_to_report_;
  std::map<model::DatasetId, Mapped> looked_at_;  // without open
  Replica replica_;
  Lsn primary_end_ = 0;           // of its log, behind what was read of its tables
  bool has_given_since_ = false;  // polls have
};

}  // namespace syncline::postgres
