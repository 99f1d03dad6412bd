// The runtime: one running appliance. It connects captures, pipeline and deliveries by threads and
// bounded queues, and nothing else: what is decided, in which order, lies below.
//
//   the sync thread               first sync; then it starts the captures and ends
//   a capture thread per source   polls, queues what it read, acknowledges what was committed
//   the step thread               the only one that calls Pipeline::process*; checkpoints
//   the commit thread             one fdatasync for what gathered since the last one
//   a delivery thread per target  run_once until nothing is left, then waits for the next commit
//
// A system that is away or refuses stops or slows only itself. kStorageSync stops everything.
// Owner: Parts own the ports; the runtime owns the threads. Threads: all methods from any thread,
// start and stop from one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/disk.hpp"
#include "host/base/log.hpp"
#include "host/base/random.hpp"
#include "host/base/work_pool.hpp"
#include "host/core/rules.hpp"
#include "host/delivery/delivery.hpp"
#include "host/dispatch/dispatcher.hpp"
#include "host/journal/journal.hpp"
#include "host/pipeline/pipeline.hpp"
#include "host/ports/sql_quotes.hpp"
#include "host/ports/system.hpp"
#include "host/state/shadow.hpp"

namespace syncline::app {

// A dataset that cannot be synced as things stand; the others can.
struct HeldDataset {
  std::string name;
  Error error;
};

// Why nothing runs with a config by which a dataset that was synced would be held.
Error drop_error(const HeldDataset& held);
// Refuses to hold one that was synced: places in logs and in the journal would move on without it.
Result<void> check_held(state::Shadow& shadow, const std::vector<HeldDataset>& datasets);

// Refuses rules by which what the data folder holds of a dataset would be read as something else.
Result<void> check_stored(state::Shadow& shadow, const core::Rules& rules);

struct RuntimeSystem {
  std::string name;
  model::SystemId id = 0;
  ports::System ports;
  ports::SqlQuotes quotes = {};               // for what its users are told to run
  std::vector<const model::Schema*> schemas;  // of its datasets
  std::map<model::DatasetId, ports::DatasetMapping> mappings;
  uint64_t log_alarm_bytes = 0;  // of its log kept for us: from here on a warning; 0: none
  uint64_t log_pause_bytes = 0;  // likewise: beyond it our writes there wait; 0: never
  std::optional<Error> away;     // it did not answer a moment ago: not tried at once

  bool is_read(model::DatasetId dataset) const;
  bool is_written_to(model::DatasetId dataset) const;
};

inline constexpr int64_t kDrainUsMax = 30'000'000;     // where the systems are compared then
inline constexpr int64_t kStopDrainUsMax = 1'500'000;  // where somebody waits for the end

struct RuntimeOptions {
  std::string appliance;
  size_t lane_count = model::kLaneCountDefault;
  WorkPool* pool = nullptr;  // for lanes and blocks; null: the step thread does them alone
  size_t poll_rows_max = 16'384;
  size_t queue_polls_max = 8;                // polls between captures and the step thread
  size_t queue_bytes_max = 16u << 20;        // likewise, of their cells
  size_t uncommitted_bytes_max = 32u << 20;  // of frames between the step thread and the commits
  int poll_wait_ms = 20;
  // A checkpoint saves some lanes. One is due when so much was journalled since the last, and, so
  // that a quiet appliance restarts at once, when so much time has gone by; a restart reads at most
  // all lanes' share of the journal again.
  uint64_t checkpoint_every_bytes = 64u << 20;  // before sealing
  int64_t checkpoint_every_us = 10'000'000;
  size_t checkpoint_lanes = 8;
  int64_t stop_save_us_max = 700'000;  // for the last checkpoint
  size_t sync_chunk_rows = 8192;
};

// What a runtime is made of. rules and schemas outlive it; phases in rules are the runtime's to
// set.
struct RuntimeParts {
  RuntimeOptions options;
  Clock& clock;
  Random& random;
  Log& log;
  Disk& disk;
  dispatch::Dispatcher& dispatcher;
  journal::Journal& journal;
  state::Shadow& shadow;
  core::Rules& rules;
  engine::Secret secret;
  std::vector<RuntimeSystem> systems;
  std::vector<HeldDataset> held;  // for status: they have no rules
};

struct DatasetStatus {
  std::string name;
  std::string phase;   // "waiting", "reading", "live", "paused", "held", "stopped"
  std::string error;   // why it stopped
  size_t records = 0;  // that the system last showed
};

struct SystemStatus {
  std::string name;
  std::string state;  // "running", "paused", "writes paused", "retrying", "stopped", "needs plan"
  std::string error;
  uint64_t rows_captured_total = 0;
  uint64_t lag_rows = 0;
  uint64_t lag_bytes = 0;
  double lag_seconds = 0;
  uint64_t retained_bytes = 0;  // of its log that the system keeps because of us
  uint64_t in_flight = 0;
  delivery::Stats delivery;
  std::vector<DatasetStatus> datasets;
};

// The table that a first sync is reading.
struct SyncProgress {
  std::string dataset;
  std::string system;
  uint64_t rows = 0;  // read so far, since this start
  uint64_t row_estimate = 0;
  double rows_per_second = 0;
};

struct Status {
  std::string appliance;
  double uptime_seconds = 0;
  std::string state;  // "first sync", "running", "draining", "no room", "stopped"
  pipeline::Counters counters;
  journal::Stats journal;
  state::MemoryUse shadow_memory;
  size_t table_size_bytes = 0;
  uint64_t delivered_total = 0;
  uint64_t latency_us_p50 = 0;  // origin's commit to target's commit, since start
  uint64_t latency_us_p99 = 0;
  uint64_t latency_us_max = 0;
  std::optional<SyncProgress> first_sync;
  std::vector<SystemStatus> systems;
  std::vector<HeldDataset> held;                // datasets that cannot be synced yet
  std::vector<dispatch::EngineReport> engines;  // in priority order
};

class Runtime {
 public:
  // Recovers from journal and shadow; refuses a target whose checkpoint is above our journal, and
  // to hold a dataset that was synced. A system that is away, or that is not as it must be, stops
  // only itself and is tried again.
  static Result<std::unique_ptr<Runtime>> open(RuntimeParts&& parts);
  virtual ~Runtime() = default;

  // Starts the threads: first sync of what is not live yet, then the captures. What cannot be
  // synced now is synced when it can, the rest goes on meanwhile.
  virtual Result<void> start() = 0;
  // Returns when every dataset is live, or with what ended the appliance before.
  virtual Result<void> wait_for_first_sync() = 0;
  // Ends what waits for reading, also on other threads: drain_and_stop() comes next.
  virtual void stop_reading() = 0;
  // Stops reading, commits, lets deliveries finish what waits, within that time, and checkpoints
  // (up to stop_save_us_max). What is left the journal has.
  virtual Result<void> drain_and_stop(int64_t drain_us_max) = 0;
  // Set when the appliance cannot go on (a failed fsync, a damaged journal).
  virtual std::optional<Error> failure() const = 0;

  virtual Status status() const = 0;
  // Names of datasets or systems; empty: all. Errors: kInvalidArgument for unknown names.
  virtual Result<void> pause(const std::string& name) = 0;
  virtual Result<void> resume(const std::string& name) = 0;
  // Lets the deletes through that the deletion guard holds of a dataset.
  virtual Result<void> approve_deletes(const std::string& dataset) = 0;
  // Reads these records anew from every system, takes what they changed, and puts the accepted
  // state to every system that differs.
  virtual Result<void> repair(model::DatasetId dataset, const std::vector<std::string>& keys) = 0;
  // Writes a quarantined record to its target again, and forgets the quarantine's item.
  virtual Result<void> retry(const model::Skip& skip, const std::string& item) = 0;
  // Whether everything read has been delivered and confirmed and nothing waits.
  virtual bool is_at_rest() const = 0;
  // Those that kSystemWentBack stopped, and that are read as far as they can be.
  virtual std::vector<std::string> systems_that_went_back() const = 0;
  // As Prometheus reads them.
  virtual std::string metrics_text() = 0;
};

}  // namespace syncline::app
