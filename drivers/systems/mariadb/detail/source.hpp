// The face of a database that is read: its log as a replica reads it, and its tables as they are.
//
// Owner: two connections of its own, one for the log, one for everything else, and one to the
// replica where there is one. Threads: one at a time; apart from the target's.
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "drivers/systems/mariadb/detail/decoder.hpp"
#include "drivers/systems/mariadb/detail/reads.hpp"
#include "drivers/systems/mariadb/detail/replica.hpp"
#include "drivers/systems/mariadb/detail/shared.hpp"
#include "drivers/systems/mariadb/detail/stream.hpp"
#include "host/base/clock.hpp"
#include "host/ports/source.hpp"

namespace syncline::mariadb {

class MariadbSource final : public ports::Source {
 public:
  MariadbSource(std::shared_ptr<const Shared> shared, Clock& clock);

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

 private:
  Result<Connection*> connect();
  Result<Connection*> in_step();
  Result<Connection*> connect_anywhere();
  Place shown() const;
  Result<LogPosition> end_of_log();
  Result<void> take_place(const model::Position& position);
  Result<void> open_stream();
  Result<void> verify_log();
  Result<void> poll_once(size_t row_limit, int wait_ms, ports::PollResult& result);
  Result<void> read_stream(size_t row_limit, int wait_ms, ports::PollResult& result);
  Result<const Mapped*> mapped_of(model::DatasetId dataset);
  ReadPlace read_place() const;

  std::shared_ptr<const Shared> shared_;
  Clock& clock_;
  std::unique_ptr<Connection> connection_;
  uint32_t server_ = 0;  // that the connection is to
  std::unique_ptr<Stream> stream_;
  Decoder decoder_;
  bool is_open_ = false;
  LogPosition read_;  // what polls have given
  int64_t look_due_us_ = 0;
  std::deque<ReadGroup> waiting_;                 // read, and not durable yet
  std::map<model::DatasetId, Mapped> looked_at_;  // without open
  Replica replica_;
};

}  // namespace syncline::mariadb
