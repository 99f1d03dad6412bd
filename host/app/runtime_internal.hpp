// The runtime's one implementation: runtime.cpp (open, start, stop), datasets.cpp (what the data
// folder remembers of them), opening.cpp (systems, as they come), runtime_threads.cpp (the loops),
// guard.cpp, twins.cpp, rescans.cpp, sync_order.cpp and first_sync.cpp, checkpoint.cpp,
// runtime_status.cpp.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <set>
#include <thread>
#include <variant>

#include "host/app/known_places.hpp"
#include "host/app/runtime.hpp"
#include "host/base/bounded_queue.hpp"
#include "host/base/metrics.hpp"
#include "host/capture/capture.hpp"

namespace syncline::app {

// What the step thread is given. A command's outcome goes to whoever asked.
struct Command {
  std::function<Result<void>(pipeline::Pipeline&)> run;
  std::shared_ptr<std::promise<Result<void>>> done;
};
using StepItem = std::variant<capture::Captured, std::vector<model::Skip>, Command>;

// What a command waits for: others want an answer, too, and its client waits for a minute only.
template <class T>
Result<T> in_time(std::future<Result<T>> outcome) {
  constexpr std::chrono::seconds kAnswerTime{20};
  if (outcome.wait_for(kAnswerTime) == std::future_status::ready) return outcome.get();
  return fail(ErrorCode::kSystemBusy, "this takes long, and goes on",
              "a table is being read whole, a system does not answer, or there is no room",
              "see `syncline status`; then try again");
}

// Tells waiting threads that something moved on; each remembers the count it saw last.
class Signal {
 public:
  void raise() {
    {
      const std::lock_guard lock(mutex_);
      ++count_;
    }
    raised_.notify_all();
  }
  // Waits until the count is above `seen` or the time is over; returns the count.
  uint64_t wait(uint64_t seen, int64_t timeout_us) {
    std::unique_lock lock(mutex_);
    raised_.wait_for(lock, std::chrono::microseconds(timeout_us), [&] { return count_ > seen; });
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable raised_;
  uint64_t count_ = 0;
};

// Whether a poll left more to read at once.
enum class ReadOn : uint8_t { kMore, kEnd };

struct SystemRun;

// Whether an error is the system's own, and not of the data folder or of a stop.
bool is_of_system(const Error& error);

// One system's part in a dataset's first sync.
struct Syncing {
  SystemRun* run = nullptr;
  model::DatasetId dataset = 0;
  uint64_t row_estimate = 0;  // 0: none, or not known
};

// One system's threads and what is known of it.
struct SystemRun {
  RuntimeSystem* system = nullptr;
  std::unique_ptr<capture::Capture> capture;
  std::unique_ptr<WorkPool> writers;  // where the system is written through several connections
  std::unique_ptr<delivery::Delivery> delivery;
  std::thread capture_thread;
  std::thread delivery_thread;
  std::optional<Error> refused;  // why it is not opened at all: a resync mends it
  std::optional<Error> lost;     // its log has a gap, which only a resync mends; as what follows
  std::set<model::DatasetId> rescans_due;  // the capture thread's own, as is
  std::string layout;                      // of its tables, as noted; likewise
  std::set<model::DatasetId> unsynced;     // likewise: could not be read; their log rows are passed
  size_t in_flight_seen = 0;               // the sync thread's own: as its log was last waited for
  int64_t in_flight_moved_us = 0;
  int64_t lag_due_us = 0;   // when its lag is measured next
  int64_t open_due_us = 0;  // when its source is opened next, if it is not open
  int64_t open_wait_us = 0;
  bool is_log_alarming = false;  // likewise
  std::atomic<bool> is_paused{false};
  // Beyond log_pause_bytes, or not measured yet: nothing is written there.
  std::atomic<bool> is_log_full{false};
  std::atomic<bool> is_source_open{false};
  std::atomic<bool> is_target_open{false};
  uint32_t epoch = 0;
  journal::GroupNumber start_cursor = 0;  // of its delivery, until that is open
  // The last of ours that its target can hold, as the journal stood at the start.
  std::map<std::pair<model::StreamId, model::LaneIndex>, model::Sequence> last_sequences;
  std::map<std::pair<model::StreamId, model::LaneIndex>, model::Sequence> confirmed_sequences;
  std::map<model::KeyHash, std::string> twins_told;     // the capture thread's own, while they last
  int64_t twins_due_us = 0;                             // likewise: no look at any before
  std::map<model::DatasetId, std::string> not_written;  // the delivery thread's own: as last told
  std::atomic<bool> is_delivering{true};                // its delivery has not stopped for good
  std::atomic<bool> has_gone_back{false};               // kSystemWentBack: a resync mends it
  std::atomic<bool> is_log_lost{false};                 // as `lost`, for other threads
  std::atomic<bool> has_gap{false};                     // and its error is kSystemLost
  std::atomic<bool> needs_plan{false};  // lost its cursor: the journal was at its limit
  std::atomic<uint64_t> rows_captured{0};
  std::atomic<bool> is_caught_up{false};  // the last poll read nothing and all before it was taken

  std::mutex mutex;  // guards what follows
  std::string state = "running";
  std::string error;
  std::string log_full;      // why nothing is written there
  std::string withheld;      // why no more of its log is shown
  std::string target_error;  // why it cannot be opened for writing
  ports::Source::Lag lag;
  std::map<model::DatasetId, std::string> stopped;
  std::deque<std::function<void()>> requests;  // for the capture thread: the source is its own
};

class RuntimeImpl final : public Runtime {
 public:
  explicit RuntimeImpl(RuntimeParts&& parts);
  ~RuntimeImpl() override;

  Result<void> recover();
  Result<void> start() override;
  Result<void> wait_for_first_sync() override;
  void stop_reading() override;
  Result<void> drain_and_stop(int64_t drain_us_max) override;
  std::optional<Error> failure() const override;
  Status status() const override;
  Result<void> pause(const std::string& name) override;
  Result<void> resume(const std::string& name) override;
  Result<void> approve_deletes(const std::string& dataset) override;
  Result<void> repair(model::DatasetId dataset, const std::vector<std::string>& keys) override;
  Result<void> retry(const model::Skip& skip, const std::string& item) override;
  bool is_at_rest() const override;
  std::vector<std::string> systems_that_went_back() const override;
  std::string metrics_text() override;

 private:
  enum class PauseAction : uint8_t { kPause, kResume };
  using HeldId = std::pair<model::SystemId, model::DatasetId>;

  // datasets.cpp
  Result<void> check_datasets();
  Result<void> number_policy(core::DatasetRules& rules);
  Result<void> note_taken_out();
  Result<void> check_mappings(SystemRun& run);
  Result<bool> is_filter_kept(const RuntimeSystem& system, const ports::DatasetMapping& mapping);
  Result<std::string> find_mapping_change(const RuntimeSystem& system,
                                          const ports::DatasetMapping& mapping);

  // opening.cpp
  Result<void> prepare_system(SystemRun& run);
  Result<void> open_system(SystemRun& run);
  Result<void> open_source(SystemRun& run);
  Result<void> open_target(SystemRun& run);
  Result<uint32_t> epoch_of(const RuntimeSystem& system);
  static Result<void> refuse_lost_writes(const SystemRun& run,
                                         const std::vector<ports::Checkpoint>& checkpoints);
  static Result<void> refuse_unknown_writes(const SystemRun& run,
                                            const std::vector<ports::Checkpoint>& checkpoints);
  static Result<void> refuse_old_folder(const SystemRun& run);
  void stop_delivering(SystemRun& run, const Error& error);
  void lose(SystemRun& run, const Error& error);

  // runtime.cpp
  void start_threads();
  void stop_captures();
  void wait_for_deliveries(int64_t drain_us_max);
  void stop_threads();
  void fail_all(const Error& error);
  Result<void> on_step_thread(std::function<Result<void>(pipeline::Pipeline&)> work);
  // For commands: kSystemBusy where it takes long, and is done later. REQUIRES: work owns all of
  // it.
  Result<void> on_step_thread_in_time(std::function<Result<void>(pipeline::Pipeline&)> work);
  std::future<Result<void>> queue_work(std::function<Result<void>(pipeline::Pipeline&)> work);
  Result<void> set_paused(const std::string& name, PauseAction action);
  void set_stream_paused(model::StreamId stream, PauseAction action);
  void pause_deliveries();
  Result<void> reread_all(model::DatasetId dataset, const std::vector<std::string>& keys);
  bool is_stream_paused(model::StreamId stream) const;

  // guard.cpp
  Error held_error(const pipeline::HeldDeletes& held) const;
  std::optional<Error> find_held(model::SystemId system, model::DatasetId dataset) const;
  std::optional<Error> find_held(const std::string& dataset) const;
  void pause_what_is_held();
  Result<void> approve_and_rescan(SystemRun& run, model::DatasetId dataset);
  Gauge& deletes_held(const pipeline::HeldDeletes& held);

  // twins.cpp
  static Error twins_error(const SystemRun& run, const pipeline::TwinRows& twins);
  void report_twins(SystemRun& run, const pipeline::TwinRows& left);
  Result<void> settle_twins(SystemRun& run, std::span<const pipeline::TwinRows> due);
  std::vector<pipeline::TwinRows> due_twins(SystemRun& run);
  void settle_due_twins(SystemRun& run);
  Result<void> retry_apart(const model::Skip& skip);
  Result<void> retry_twins(const model::Skip& skip, const std::string& item);

  // sync_order.cpp
  Result<void> first_sync();
  Result<void> sync_systems(const std::vector<SystemRun*>& runs);
  Result<void> sync_in_order(const std::vector<Syncing>& order);
  Result<void> sync_or_later(std::span<const Syncing> datasets);
  Result<void> stop_syncing(const Syncing& syncing, const Error& error);
  Result<void> sync_the_rest();
  Result<void> follow_logs_for(int64_t time_us);
  Result<std::vector<Syncing>> plan_sync(const std::vector<SystemRun*>& runs);

  // first_sync.cpp
  Result<void> load_phases();
  Result<void> begin_reading(SystemRun& run);
  Result<void> resume_reading(SystemRun& run);
  Result<void> catch_up(SystemRun& run);
  bool is_live(const SystemRun& run) const;
  bool is_all_live(const SystemRun& run);  // from any thread
  bool is_read_through(const SystemRun& run) const;
  void follow_logs();
  void sync_loop();
  template <class Read>
  auto with_patience(SystemRun& run, const Read& read) -> decltype(read());
  bool has_records(const pipeline::Pipeline& pipeline, model::DatasetId dataset) const;
  Result<void> sync_system(std::span<const Syncing> datasets);
  Result<std::vector<Syncing>> read_all_for_sync(std::span<const Syncing> datasets);
  Result<void> read_for_sync(const Syncing& syncing);
  Result<void> note_cursor(const Syncing& syncing, const std::string& cursor);
  Result<std::string> noted_cursor(const Syncing& syncing);
  Result<void> put_missing(const Syncing& syncing);
  Result<void> wait_for_others(const Syncing& syncing);
  bool is_log_behind(SystemRun& run, model::DatasetId dataset) const;
  bool is_any_stream_paused() const;
  Result<void> take_chunk(SystemRun& run, capture::Captured&& chunk);
  void begin_progress(const Syncing& syncing);
  void report_progress(size_t row_count);
  Result<void> read_whole(SystemRun& run, model::DatasetId dataset);
  void decide_as(model::DatasetId dataset, model::SystemId system, core::SyncPhase phase);
  Result<void> set_phase(model::DatasetId dataset, model::SystemId system, core::SyncPhase phase);

  // runtime_status.cpp
  SystemStatus status_of(SystemRun& run) const;
  DatasetStatus status_of(const SystemRun& run, const delivery::Stats& delivery,
                          const model::Schema& schema) const;

  // checkpoint.cpp
  void checkpoint_if_due();
  Result<bool> checkpoint(size_t lane_limit);
  Result<void> keep_places();
  Result<void> checkpoint_share();
  Result<void> checkpoint_at_stop();
  Result<journal::GroupNumber> load_cursor(const RuntimeSystem& system);
  Result<void> drop_cursor(SystemRun& run);
  Result<void> load_needs_plan(SystemRun& run);
  static Error needs_plan_error(const std::string& system);

  // runtime_threads.cpp
  void capture_loop(SystemRun& run);
  Result<ReadOn> capture_once(SystemRun& run, int wait_ms, int64_t& backoff_us);
  void note_recovered(SystemRun& run);
  void note_target_error(SystemRun& run, const Error& error);
  bool wait_for_target(SystemRun& run, int64_t& backoff_us);
  void note_error(SystemRun& run, const Error& error);
  Gauge& system_up(const SystemRun& run);
  static Result<void> check_checkpoints_first(SystemRun& run);
  Result<capture::Captured> poll(SystemRun& run, int wait_ms);
  static void pass_over_unsynced(SystemRun& run, capture::Captured& captured);
  void measure_lag(SystemRun& run, int64_t& due_us);
  void note_withheld(SystemRun& run, const std::optional<Error>& why);
  void pause_at_log_limit(SystemRun& run, const ports::Source::Lag& lag);
  void note_stops(SystemRun& run, const ports::PollResult& result);
  Result<void> quarantine_rejected(SystemRun& run, const std::vector<ports::RejectedRow>& all);
  std::function<Result<void>(pipeline::Pipeline&)> quarantining(
      SystemRun& run, const std::vector<ports::RejectedRow>& all);
  Result<void> note(const std::function<Result<void>(pipeline::Pipeline&)>& work);
  Result<void> load_rescans(SystemRun& run);
  Result<void> note_rescans(SystemRun& run, const std::vector<model::DatasetId>& datasets);
  Result<void> note_layout(SystemRun& run);
  static std::vector<model::DatasetId> to_be_scanned(const SystemRun& run,
                                                     const ports::PollResult& result);
  // Of those that are due and do not stand still.
  static std::optional<model::DatasetId> next_rescan(SystemRun& run);
  Result<void> rescan_what_is_due(SystemRun& run);
  Result<void> rescan(SystemRun& run, model::DatasetId dataset);
  Result<std::vector<ports::RejectedRow>> reread(SystemRun& run, model::DatasetId dataset,
                                                 const std::vector<std::string>& keys);
  void answer_requests(SystemRun& run);
  void acknowledge(SystemRun& run);
  void delivery_loop(SystemRun& run);
  void report_deliveries(SystemRun& run);
  void report_not_written(SystemRun& run);
  void step_loop();
  void wait_for_commits();
  Result<void> step(StepItem& item);
  void report_locals();
  Result<void> run_to_its_end(const std::function<Result<void>(pipeline::Pipeline&)>& work);
  Result<void> process_at_last(const capture::Captured& captured);
  Result<void> append_when_there_is_room();
  void commit_loop();
  bool push(StepItem&& item);
  SystemRun* find(model::SystemId system);

  RuntimeParts parts_;
  Metrics metrics_;
  std::unique_ptr<pipeline::Pipeline> pipeline_;
  std::vector<std::unique_ptr<SystemRun>> runs_;
  BoundedQueue<StepItem> queue_;
  std::thread sync_thread_;  // first sync; then it starts the captures and ends
  std::thread step_thread_;
  std::thread commit_thread_;
  std::vector<SystemRun*> late_;   // the sync thread's own: systems that are still to be synced,
  std::vector<Syncing> unsynced_;  // and datasets that could not be read
  Signal appended_;
  Signal committed_;
  Signal synced_;
  std::atomic<bool> is_synced_{false};
  std::atomic<bool> is_reading_{false};  // captures go on
  std::atomic<bool> is_running_{false};  // deliveries, steps and commits go on
  std::atomic<bool> is_out_of_room_{false};
  std::atomic<uint64_t> items_queued_{0};
  std::atomic<uint64_t> items_done_{0};
  std::atomic<const char*> phase_{"starting"};
  std::map<HeldId, pipeline::HeldDeletes> held_;  // the step thread's own: as known
  int64_t started_us_ = 0;
  int64_t checkpoint_due_us_ = 0;
  uint64_t checkpoint_due_bytes_ = 0;
  KnownPlaces kept_places_;
  Histogram& latency_;
  std::atomic<uint64_t> delivered_{0};

  mutable std::mutex mutex_;  // guards what follows
  std::optional<Error> failure_;
  std::set<model::StreamId> paused_streams_;  // by users
  std::set<model::StreamId> held_streams_;    // by the deletion guard
  std::map<std::pair<model::DatasetId, model::SystemId>, core::SyncPhase> phases_;
  std::optional<SyncProgress> sync_progress_;
  int64_t sync_began_us_ = 0;
  int64_t sync_reported_us_ = 0;
};

}  // namespace syncline::app
