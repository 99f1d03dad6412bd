// First sync: brings systems that already hold records together, by key.
//
// One system after the other is read in chunks, dataset by dataset, and matched with what is
// accepted so far; who wins is a matter of versions, not of the order. The one with the most rows
// comes last: what the others lack of it goes to them as it is read. Then its log is read to where
// it ended with the reading: what its users deleted before the reading came to it is not what it
// lacks. That is put to it at the end. From then on its log is followed. A restart reads that log
// to its end first, then goes on near the chunk it was at; rows read twice say nothing new.
#include <algorithm>

#include "host/app/render.hpp"
#include "host/app/resync.hpp"
#include "host/app/runtime_internal.hpp"
#include "host/base/bytes.hpp"
#include "host/base/thread_name.hpp"

namespace syncline::app {
namespace {

constexpr std::string_view kLive = "live";
constexpr int64_t kPauseUs = 20'000;
constexpr int64_t kAwayUsMin = 100'000;
constexpr int64_t kAwayUsMax = 5'000'000;
constexpr int64_t kReportEveryUs = 10'000'000;
constexpr size_t kNotedEvery = 32;       // chunks: what a restart may read again
constexpr uint64_t kGroupsAheadMax = 6;  // of a target: more would only wait, and be read again
// Of a system: what it was sent and its log has not shown. Each takes memory until it is.
constexpr size_t kInFlightMax = 200'000;
constexpr int64_t kShownPatienceUs = 2'000'000;  // a log that shows nothing holds nothing up

Error stopping() {
  return {ErrorCode::kNotRunning, "the appliance is stopping", "", "start it again"};
}

// Changes with the fields' names and types.
uint32_t shape_of(const model::Schema& schema) {
  std::string text;
  for (const model::Field& field : schema.fields) {
    text += field.name + " " + model::to_string(field.type) + "\n";
  }
  return model::stable_id(text);
}

bool is_passing(const Error& error) {
  return error.code == ErrorCode::kSystemBusy || error.code == ErrorCode::kSystemOpen;
}

}  // namespace

Result<void> RuntimeImpl::load_phases() {
  for (auto& [dataset, rule] : parts_.rules) {
    for (core::SystemRole& role : rule.systems) {
      if (role.kind != core::SystemKind::kDatabase) continue;
      SYN_TRY(const std::string stored, parts_.shadow.get_item(phase_item(dataset, role.system)));
      role.phase = stored == kLive ? core::SyncPhase::kLive : core::SyncPhase::kWaiting;
      phases_[{dataset, role.system}] = role.phase;
    }
  }
  return success();
}

// REQUIRES: the step thread; nothing else reads the rules.
void RuntimeImpl::decide_as(model::DatasetId dataset, model::SystemId system,
                            core::SyncPhase phase) {
  for (core::SystemRole& role : parts_.rules.at(dataset).systems) {
    if (role.system == system) role.phase = phase;
  }
}

Result<void> RuntimeImpl::set_phase(model::DatasetId dataset, model::SystemId system,
                                    core::SyncPhase phase) {
  return on_step_thread([=, this](pipeline::Pipeline& pipeline) -> Result<void> {
    decide_as(dataset, system, phase);
    {
      const std::lock_guard lock(mutex_);
      phases_[{dataset, system}] = phase;
    }
    if (phase != core::SyncPhase::kLive) return success();
    SYN_TRY(pipeline.commit());
    SYN_TRY(parts_.shadow.settle());
    SYN_TRY(parts_.shadow.put_item(sync_cursor_item(dataset, system), {}));
    SYN_TRY(parts_.shadow.put_item(phase_item(dataset, system), kLive));
    return parts_.shadow.flush();
  });
}

// Tried again while the system is busy or away; status says so meanwhile.
template <class Read>
auto RuntimeImpl::with_patience(SystemRun& run, const Read& read) -> decltype(read()) {
  int64_t wait_us = kAwayUsMin;
  while (true) {
    auto done = read();
    if (done) {
      note_recovered(run);
      return done;
    }
    if (!is_passing(done.error())) return done;
    note_error(run, done.error());
    if (!follow_logs_for(wait_us)) return stopping();
    wait_us = std::min(wait_us * 2, kAwayUsMax);
  }
}

// A source whose log was never read is read from here on, and a restart knows it.
Result<void> RuntimeImpl::begin_reading(SystemRun& run) {
  const model::SystemId system = run.system->id;
  ports::Source& source = *run.system->ports.source;
  SYN_TRY(const model::Position now,
          with_patience(run, [&source] { return source.current_position(); }));
  return on_step_thread(
      [=](pipeline::Pipeline& pipeline) { return pipeline.begin_reading(system, now); });
}

// What a system had shown before its first sync was broken off counts again.
Result<void> RuntimeImpl::resume_reading(SystemRun& run) {
  for (const model::Schema* schema : run.system->schemas) {
    const core::SystemRole* role = parts_.rules.at(schema->dataset).role(run.system->id);
    if (role->phase == core::SyncPhase::kLive) continue;
    SYN_TRY(set_phase(schema->dataset, run.system->id, core::SyncPhase::kReading));
  }
  return success();
}

// Reads the log to where it ends now. A system that is busy or away is waited for.
Result<void> RuntimeImpl::catch_up(SystemRun& run) {
  ports::Source& source = *run.system->ports.source;
  SYN_TRY(const model::Position end,
          with_patience(run, [&source] { return source.current_position(); }));
  while (true) {
    SYN_TRY(const ReadOn read_on, with_patience(run, [&] {
              int64_t backoff_us = 0;
              return capture_once(run, parts_.options.poll_wait_ms, backoff_us);
            }));
    SYN_TRY(const auto is_told, with_patience(run, [&] { return source.has_told(end); }));
    if (is_told.value_or(read_on == ReadOn::kEnd)) return success();
    if (!is_reading_) return stopping();
    acknowledge(run);
  }
}

bool RuntimeImpl::is_live(const SystemRun& run) const {
  return std::all_of(run.system->schemas.begin(), run.system->schemas.end(),
                     [&](const model::Schema* schema) {
                       const auto& rule = parts_.rules.at(schema->dataset);
                       return rule.role(run.system->id)->phase == core::SyncPhase::kLive ||
                              run.unsynced.contains(schema->dataset);
                     });
}

bool RuntimeImpl::is_all_live(const SystemRun& run) {
  const std::lock_guard lock(mutex_);
  return std::all_of(
      run.system->schemas.begin(), run.system->schemas.end(), [&](const model::Schema* schema) {
        return phases_.at({schema->dataset, run.system->id}) == core::SyncPhase::kLive;
      });
}

// Whether all its records were read: what it lacks may still be on its way to it.
bool RuntimeImpl::is_read_through(const SystemRun& run) const {
  return std::all_of(run.system->schemas.begin(), run.system->schemas.end(),
                     [&](const model::Schema* schema) {
                       const auto& rule = parts_.rules.at(schema->dataset);
                       const core::SyncPhase phase = rule.role(run.system->id)->phase;
                       return phase == core::SyncPhase::kLive || phase == core::SyncPhase::kRead ||
                              run.unsynced.contains(schema->dataset);
                     });
}

// One look at the log of each system that was read through: a write there may wait for what only a
// look can tell. Of the others it would tell changes of records that were not read yet, as if
// nothing stood there. What goes wrong stands in status, and is met again.
void RuntimeImpl::follow_logs() {
  for (const auto& run : runs_) {
    measure_lag(*run, run->lag_due_us);
    if (run->is_paused || !is_read_through(*run)) continue;
    acknowledge(*run);
    int64_t backoff_us = 0;
    (void)capture_once(*run, 0, backoff_us);
  }
}

void RuntimeImpl::sync_loop() {
  const auto synced = first_sync();
  {
    const std::lock_guard lock(mutex_);
    sync_progress_.reset();
  }
  if (!synced) {
    if (is_reading_) fail_all(synced.error());
    synced_.raise();
    return;
  }
  for (const auto& run : runs_) {
    run->capture_thread = std::thread([this, &run] {
      name_thread("from-" + run->system->name);
      capture_loop(*run);
    });
  }
  phase_ = "running";
  is_synced_ = true;
  parts_.log.info(parts_.options.appliance + " is running: every dataset " +
                  (parts_.held.empty() ? "" : "but those that wait ") + "is live");
  synced_.raise();
}

Result<void> RuntimeImpl::wait_for_first_sync() {
  uint64_t seen = 0;
  while (!is_synced_) {
    if (const auto error = failure()) return *error;
    if (!is_reading_) return stopping();
    seen = synced_.wait(seen, kPauseUs);
  }
  return success();
}

// Whether the accepted state may hold records that none of this dataset's systems has shown since.
bool RuntimeImpl::has_records(const pipeline::Pipeline& pipeline, model::DatasetId dataset) const {
  const model::StreamId stream = parts_.rules.at(dataset).schema->stream;
  for (size_t lane = 0; lane < parts_.options.lane_count; ++lane) {
    if (pipeline.last_sequence(stream, static_cast<model::LaneIndex>(lane)) > 0) return true;
  }
  return false;
}

// Those of them that are read now, or need not be; the system's log is read to behind the reading.
Result<std::vector<Syncing>> RuntimeImpl::read_all_for_sync(std::span<const Syncing> datasets) {
  SystemRun& run = *datasets.front().run;
  std::vector<Syncing> read;
  bool is_any_read = false;
  for (const Syncing& one : datasets) {
    SYN_TRY(set_phase(one.dataset, run.system->id, core::SyncPhase::kReading));
  }
  for (const Syncing& one : datasets) {
    if (run.system->is_read(one.dataset)) {
      const auto done = read_for_sync(one);
      if (!done && is_of_system(done.error())) {
        SYN_TRY(stop_syncing(one, done.error()));
        continue;
      }
      SYN_TRY(done);
      is_any_read = true;
    }
    read.push_back(one);
  }
  if (is_any_read) {
    SYN_TRY(catch_up(run));
  }
  return read;
}

// datasets: one system's, all that are not live.
Result<void> RuntimeImpl::sync_system(std::span<const Syncing> datasets) {
  SystemRun& run = *datasets.front().run;
  const model::SystemId system = run.system->id;
  std::vector<model::DatasetId> lacking;  // may lack records that others have
  uint64_t changes_before = 0;
  SYN_TRY(on_step_thread([&](pipeline::Pipeline& pipeline) -> Result<void> {
    changes_before = pipeline.counters().changes_total;
    for (const Syncing& one : datasets) {
      if (has_records(pipeline, one.dataset)) lacking.push_back(one.dataset);
    }
    return success();
  }));
  SYN_TRY(const auto read, read_all_for_sync(datasets));
  // From here on it gets what others change, so that what it lacks can be told once and for all.
  bool is_any_changed = false;
  SYN_TRY(on_step_thread([&](pipeline::Pipeline& pipeline) -> Result<void> {
    is_any_changed = pipeline.counters().changes_total != changes_before;
    for (const Syncing& one : read) decide_as(one.dataset, system, core::SyncPhase::kRead);
    return success();
  }));
  for (const Syncing& one : read) {
    const bool may_lack =
        is_any_changed || std::find(lacking.begin(), lacking.end(), one.dataset) != lacking.end();
    if (may_lack && run.system->is_written_to(one.dataset)) {
      SYN_TRY(put_missing(one));
    }
    SYN_TRY(set_phase(one.dataset, system, core::SyncPhase::kLive));
  }
  return success();
}

// From its beginning, or from where a restart left it. What the log has told since the reading
// began needs no second look; a reading from the beginning looks for what is gone meanwhile.
Result<void> RuntimeImpl::read_for_sync(const Syncing& syncing) {
  SystemRun& run = *syncing.run;
  const model::SystemId system = run.system->id;
  const model::DatasetId dataset = syncing.dataset;
  auto noted = noted_cursor(syncing);
  if (!noted) return noted.error();
  std::string cursor = std::move(noted).value();
  const bool is_resumed = !cursor.empty();
  if (!is_resumed) {
    SYN_TRY(on_step_thread([=](pipeline::Pipeline& pipeline) {
      return pipeline.begin_first_sweep(system, dataset, syncing.row_estimate);
    }));
  }
  begin_progress(syncing);
  size_t chunk_count = 0;
  do {
    SYN_TRY(wait_for_others(syncing));
    SYN_TRY(auto chunk, with_patience(run, [&] {
              return run.capture->read_snapshot(capture::Kind::kFirstSync, dataset, cursor,
                                                parts_.options.sync_chunk_rows);
            }));
    cursor = chunk.snapshot_cursor;
    report_progress(chunk.row_count());
    SYN_TRY(take_chunk(run, std::move(chunk)));
    if (++chunk_count % kNotedEvery == 0) {
      SYN_TRY(note_cursor(syncing, cursor));
    }
    follow_logs();
  } while (!cursor.empty());
  if (is_resumed) return success();
  // The table knows only what this sync has read: what is gone of that was deleted meanwhile.
  return on_step_thread(
      [=](pipeline::Pipeline& pipeline) { return pipeline.process_sweep(system, dataset); });
}

// Where a restart may go on: behind chunks that are durable. It counts only while the table knows
// as many records as it did here, but for some that were deleted since (a lane of it that was lost
// would be more), and the dataset has the same fields.
Result<void> RuntimeImpl::note_cursor(const Syncing& syncing, const std::string& cursor) {
  return on_step_thread([&](pipeline::Pipeline& pipeline) -> Result<void> {
    SYN_TRY(pipeline.commit());
    SYN_TRY(parts_.shadow.settle());
    const model::SystemId system = syncing.run->system->id;
    std::string bytes;
    ByteWriter out(bytes);
    out.u64(pipeline.table_record_count(system, syncing.dataset));
    out.u32(shape_of(*parts_.rules.at(syncing.dataset).schema));
    out.text(cursor);
    SYN_TRY(parts_.shadow.put_item(sync_cursor_item(syncing.dataset, system), bytes));
    return parts_.shadow.flush();
  });
}

// Empty: from the beginning.
Result<std::string> RuntimeImpl::noted_cursor(const Syncing& syncing) {
  const model::SystemId system = syncing.run->system->id;
  auto noted = parts_.shadow.get_item(sync_cursor_item(syncing.dataset, system));
  if (!noted || noted.value().empty()) return noted;
  ByteReader in(noted.value());
  const uint64_t record_count = in.u64();
  const uint32_t shape = in.u32();
  std::string cursor(in.text());
  const model::Schema& schema = *parts_.rules.at(syncing.dataset).schema;
  const uint64_t deleted_max = record_count / (2 * parts_.options.lane_count);
  const bool counts =
      in.ok() && shape == shape_of(schema) &&
      pipeline_->table_record_count(system, syncing.dataset) + deleted_max >= record_count;
  if (!counts) return std::string();
  parts_.log.info("first sync: " + schema.name + " of " + syncing.run->system->name +
                  " goes on behind " + std::to_string(record_count) + " records");
  return cursor;
}

Result<void> RuntimeImpl::put_missing(const Syncing& syncing) {
  const model::SystemId system = syncing.run->system->id;
  const model::DatasetId dataset = syncing.dataset;
  for (size_t index = 0; index < parts_.options.lane_count; ++index) {
    const auto lane = static_cast<model::LaneIndex>(index);
    SYN_TRY(wait_for_others(syncing));
    SYN_TRY(on_step_thread([=](pipeline::Pipeline& pipeline) {
      return pipeline.process_missing(system, dataset, lane);
    }));
    follow_logs();
  }
  return success();
}

// Whether more of the dataset waits to be shown by a system's log than there should, and it goes
// on.
bool RuntimeImpl::is_log_behind(SystemRun& run, model::DatasetId dataset) const {
  if (!run.is_source_open || run.is_paused || !is_read_through(run)) return false;
  const model::StreamId stream = parts_.rules.at(dataset).schema->stream;
  const size_t in_flight = pipeline_->in_flight_count(run.system->id, stream);
  const bool is_moving = in_flight <= kInFlightMax || in_flight < run.in_flight_seen;
  run.in_flight_seen = in_flight;
  if (is_moving) run.in_flight_moved_us = parts_.clock.steady_us();
  return in_flight > kInFlightMax &&
         parts_.clock.steady_us() - run.in_flight_moved_us < kShownPatienceUs;
}

// A sync that runs ahead of its targets would only fill the journal. What cannot be written to one
// now holds nothing up; a pause holds up what it names.
Result<void> RuntimeImpl::wait_for_others(const Syncing& syncing) {
  const auto is_behind = [&](const std::unique_ptr<SystemRun>& run) {
    if (!run->delivery || !run->is_target_open || !run->is_delivering) return false;
    if (run->needs_plan || run->is_paused || run->is_log_full) return false;
    if (!run->system->mappings.contains(syncing.dataset)) return false;
    const delivery::Stats stats = run->delivery->stats();
    const bool is_written_late = !stats.is_retrying && parts_.journal.stats().committed >
                                                           stats.cursor_moving + kGroupsAheadMax;
    return is_written_late || is_log_behind(*run, syncing.dataset);
  };
  uint64_t seen = 0;
  while (is_reading_ &&
         (syncing.run->is_paused || std::any_of(runs_.begin(), runs_.end(), is_behind))) {
    follow_logs();
    seen = committed_.wait(seen, kPauseUs);
  }
  if (!is_reading_) return stopping();
  return success();
}

bool RuntimeImpl::is_any_stream_paused() const {
  const std::lock_guard lock(mutex_);
  return !paused_streams_.empty() || !held_streams_.empty();
}

Result<void> RuntimeImpl::take_chunk(SystemRun& run, capture::Captured&& chunk) {
  SYN_TRY(quarantine_rejected(run, chunk.result.rejected));
  if (chunk.notice) parts_.log.warning(run.system->name + ": " + to_string(*chunk.notice));
  if (chunk.is_empty()) return success();
  run.rows_captured += chunk.row_count();
  return push(std::move(chunk)) ? success() : Result<void>(stopping());
}

void RuntimeImpl::begin_progress(const Syncing& syncing) {
  const std::lock_guard lock(mutex_);
  sync_progress_ = SyncProgress{parts_.rules.at(syncing.dataset).schema->name,
                                syncing.run->system->name, 0, syncing.row_estimate, 0};
  sync_began_us_ = sync_reported_us_ = parts_.clock.steady_us();
}

void RuntimeImpl::report_progress(size_t row_count) {
  const int64_t now_us = parts_.clock.steady_us();
  const std::lock_guard lock(mutex_);
  if (!sync_progress_) return;
  SyncProgress& progress = *sync_progress_;
  progress.rows += row_count;
  progress.row_estimate = std::max(progress.row_estimate, progress.rows);
  progress.rows_per_second = static_cast<double>(progress.rows) * 1e6 /
                             static_cast<double>(std::max<int64_t>(1, now_us - sync_began_us_));
  if (now_us - sync_reported_us_ < kReportEveryUs) return;
  sync_reported_us_ = now_us;
  parts_.log.info("first sync: " + progress_text(progress));
}

// Every chunk of a dataset, in key order, through the step thread.
Result<void> RuntimeImpl::read_whole(SystemRun& run, model::DatasetId dataset) {
  std::string cursor;
  do {
    SYN_TRY(auto chunk, run.capture->read_snapshot(capture::Kind::kRescan, dataset, cursor,
                                                   parts_.options.sync_chunk_rows));
    cursor = chunk.snapshot_cursor;
    SYN_TRY(take_chunk(run, std::move(chunk)));
  } while (!cursor.empty());
  return success();
}

}  // namespace syncline::app
