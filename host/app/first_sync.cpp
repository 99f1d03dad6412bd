// First sync: brings systems that already hold records together, by key, before their logs count.
//
// Per dataset, the system whose rows win goes first. Each system's rows are read in chunks and
// matched with what is accepted so far; then what it lacks is put to it, and it is live. Phases are
// kept in the shadow, so a restart goes on with the system it was at; rows read twice say nothing
// new. Changes made meanwhile wait in the systems' own logs: where those are read from is
// journalled before anything else is.
#include <algorithm>

#include "host/app/resync.hpp"
#include "host/app/runtime_internal.hpp"

namespace syncline::app {
namespace {

constexpr std::string_view kLive = "live";
constexpr int64_t kCatchUpBusyUsMax = 60'000'000;
constexpr int64_t kCatchUpPauseUs = 20'000;

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

// On the step thread, where nothing else reads the rules.
Result<void> RuntimeImpl::set_phase(model::DatasetId dataset, model::SystemId system,
                                    core::SyncPhase phase) {
  return on_step_thread([=, this](pipeline::Pipeline& pipeline) -> Result<void> {
    for (core::SystemRole& role : parts_.rules.at(dataset).systems) {
      if (role.system == system) role.phase = phase;
    }
    {
      const std::lock_guard lock(mutex_);
      phases_[{dataset, system}] = phase;
    }
    if (phase != core::SyncPhase::kLive) return success();
    SYN_TRY(pipeline.commit());
    SYN_TRY(parts_.shadow.put_item(phase_item(dataset, system), kLive));
    return parts_.shadow.flush();
  });
}

// A source whose log was never read is read from here on, and a restart knows it.
Result<void> RuntimeImpl::begin_reading(SystemRun& run) {
  const model::SystemId system = run.system->id;
  SYN_TRY(const model::Position now, run.system->ports.source->current_position());
  return on_step_thread(
      [=](pipeline::Pipeline& pipeline) { return pipeline.begin_reading(system, now); });
}

// What a system had shown before its first sync was broken off counts again. Returns whether there
// is anything left to sync.
Result<bool> RuntimeImpl::resume_reading(SystemRun& run) {
  bool is_live = true;
  for (const model::Schema* schema : run.system->schemas) {
    const core::SystemRole* role = parts_.rules.at(schema->dataset).role(run.system->id);
    if (role->phase == core::SyncPhase::kLive) continue;
    is_live = false;
    SYN_TRY(set_phase(schema->dataset, run.system->id, core::SyncPhase::kReading));
  }
  return !is_live;
}

// Reads the log to its end. A system that is busy is waited for, a while.
Result<void> RuntimeImpl::catch_up(SystemRun& run) {
  const int64_t deadline_us = parts_.clock.steady_us() + kCatchUpBusyUsMax;
  int64_t backoff_us = 0;
  uint64_t seen = 0;
  while (true) {
    const auto read = capture_once(run, backoff_us);
    if (read && read.value() == ReadOn::kEnd) return success();
    if (read) continue;
    const bool is_busy = read.error().code == ErrorCode::kSystemBusy;
    if (!is_busy || parts_.clock.steady_us() > deadline_us) return read.error();
    seen = committed_.wait(seen, kCatchUpPauseUs);
  }
}

Result<void> RuntimeImpl::first_sync() {
  // A system that was being read is caught up with before anything else: what was deleted or
  // changed while the appliance was away must not look, to the reading that follows, like records
  // that it never had. All of them resume before any is caught up with: they get each other's news.
  std::vector<SystemRun*> resumed;
  for (const auto& run : runs_) {
    if (pipeline_->position(run->system->id).is_start()) continue;
    SYN_TRY(const bool is_left, resume_reading(*run));
    if (is_left) resumed.push_back(run.get());
  }
  for (SystemRun* run : resumed) {
    SYN_TRY(catch_up(*run));
  }
  for (const auto& run : runs_) {
    if (!pipeline_->position(run->system->id).is_start()) continue;
    SYN_TRY(begin_reading(*run));
  }
  for (const auto& [dataset, rule] : parts_.rules) {
    SYN_TRY(sync_dataset(dataset));
  }
  return success();
}

Result<void> RuntimeImpl::sync_dataset(model::DatasetId dataset) {
  std::vector<core::SystemRole> waiting;
  for (const core::SystemRole& role : parts_.rules.at(dataset).systems) {
    if (role.phase != core::SyncPhase::kLive) waiting.push_back(role);
  }
  std::stable_sort(waiting.begin(), waiting.end(),
                   [](const auto& a, const auto& b) { return a.first_rank > b.first_rank; });
  for (const core::SystemRole& role : waiting) {
    SystemRun* run = find(role.system);
    SYN_TRY(sync_system(*run, dataset));
  }
  return success();
}

Result<void> RuntimeImpl::sync_system(SystemRun& run, model::DatasetId dataset) {
  const RuntimeSystem& system = *run.system;
  SYN_TRY(set_phase(dataset, system.id, core::SyncPhase::kReading));
  if (system.is_read(dataset)) {
    SYN_TRY(on_step_thread([&system, dataset](pipeline::Pipeline& pipeline) -> Result<void> {
      pipeline.begin_sweep(system.id, dataset);
      return success();
    }));
    SYN_TRY(read_whole(run, dataset, capture::Kind::kFirstSync));
    // The table knows only what this sync has read: what is gone of that was deleted meanwhile.
    SYN_TRY(on_step_thread([&system, dataset](pipeline::Pipeline& pipeline) {
      return pipeline.process_sweep(system.id, dataset);
    }));
  }
  if (system.is_written_to(dataset)) {
    // A chunk still queued is before this in the step thread's order.
    SYN_TRY(on_step_thread([&system, dataset](pipeline::Pipeline& pipeline) {
      return pipeline.process_missing(system.id, dataset);
    }));
  }
  return set_phase(dataset, system.id, core::SyncPhase::kLive);
}

// Every chunk of a dataset, in key order, through the step thread.
Result<void> RuntimeImpl::read_whole(SystemRun& run, model::DatasetId dataset, capture::Kind kind) {
  std::string cursor;
  do {
    SYN_TRY(auto chunk,
            run.capture->read_snapshot(kind, dataset, cursor, parts_.options.sync_chunk_rows));
    cursor = chunk.snapshot_cursor;
    quarantine_rejected(run, chunk.result);
    if (chunk.is_empty()) continue;
    run.rows_captured += chunk.row_count();
    if (!push(std::move(chunk))) {
      return fail(ErrorCode::kNotRunning, "the appliance is stopping", "", "start it again");
    }
  } while (!cursor.empty());
  return success();
}

}  // namespace syncline::app
