#include <algorithm>

#include "host/app/runtime_internal.hpp"
#include "host/dispatch/engine_metrics.hpp"
#include "host/pipeline/ledger.hpp"

namespace syncline::app {
namespace {

const char* phase_name(core::SyncPhase phase) {
  switch (phase) {
    case core::SyncPhase::kWaiting:
      return "waiting";
    case core::SyncPhase::kReading:
    case core::SyncPhase::kRead:
      return "reading";
    case core::SyncPhase::kLive:
      return "live";
  }
  return "unknown";
}

}  // namespace

Status RuntimeImpl::status() const {
  Status status;
  status.appliance = parts_.options.appliance;
  status.uptime_seconds = static_cast<double>(parts_.clock.steady_us() - started_us_) / 1e6;
  status.state = failure() ? "stopped" : is_out_of_room_ ? "no room" : phase_.load();
  status.counters = pipeline_->counters();
  status.engines = parts_.dispatcher.report();
  status.journal = parts_.journal.stats();
  status.shadow_memory = parts_.shadow.memory_use();
  status.table_size_bytes = pipeline_->table_size_bytes();
  status.delivered_total = delivered_;
  status.held = parts_.held;
  status.latency_us_p50 = latency_.percentile_us(50);
  status.latency_us_p99 = latency_.percentile_us(99);
  status.latency_us_max = latency_.max_us();
  {
    const std::lock_guard lock(mutex_);
    status.first_sync = sync_progress_;
  }
  for (const auto& run : runs_) status.systems.push_back(status_of(*run));
  return status;
}

std::string RuntimeImpl::metrics_text() {
  {
    const std::lock_guard lock(mutex_);
    dispatch::note_engines(parts_.dispatcher.report(), metrics_);
  }
  return metrics_.to_prometheus();
}

SystemStatus RuntimeImpl::status_of(SystemRun& run) const {
  SystemStatus system;
  const std::lock_guard lock(run.mutex);
  system.name = run.system->name;
  system.state = run.is_paused ? "paused" : run.state;
  system.error = run.error;
  system.rows_captured_total = run.rows_captured;
  system.lag_rows = run.lag.rows;
  system.lag_bytes = run.lag.bytes;
  system.retained_bytes = run.lag.retained_bytes;
  if (run.lag.oldest_us > 0) {
    system.lag_seconds =
        std::max(0.0, static_cast<double>(parts_.clock.now_us() - run.lag.oldest_us) / 1e6);
  }
  if (run.delivery) {
    system.delivery = run.delivery->stats();
    system.in_flight = system.delivery.pending_entries;
    const bool is_retrying = !run.is_target_open || system.delivery.is_retrying;
    if (is_retrying && system.state == "running") {
      system.state = "retrying";
      system.error = run.is_target_open ? system.delivery.last_error : run.target_error;
    }
  }
  if (!run.withheld.empty() && system.state == "running") {
    system.state = "retrying";
    system.error = run.withheld;
  }
  if (!run.log_full.empty() && (system.state == "running" || system.state == "retrying")) {
    system.state = "writes paused";
    system.error = run.log_full;
  }
  if (run.needs_plan) {
    system.state = "needs plan";
    system.error = to_string(needs_plan_error(system.name));
  }
  for (const model::Schema* schema : run.system->schemas) {
    system.datasets.push_back(status_of(run, system.delivery, *schema));
  }
  return system;
}

// REQUIRES: run.mutex is held.
DatasetStatus RuntimeImpl::status_of(const SystemRun& run, const delivery::Stats& delivery,
                                     const model::Schema& schema) const {
  DatasetStatus one;
  one.name = schema.name;
  one.records = pipeline_->table_record_count(run.system->id, schema.dataset);
  {
    const std::lock_guard lock(mutex_);
    one.phase = phase_name(phases_.at({schema.dataset, run.system->id}));
    if (is_stream_paused(schema.stream)) one.phase = "paused";
  }
  if (const auto held = find_held(run.system->id, schema.dataset)) {
    one.phase = "held";
    one.error = to_string(*held);
  }
  for (const auto* stops : {&delivery.stopped, &run.stopped}) {
    const auto stopped = stops->find(schema.dataset);
    if (stopped == stops->end()) continue;
    one.phase = "stopped";
    one.error = stopped->second;
  }
  return one;
}

Result<void> RuntimeImpl::pause(const std::string& name) {
  return set_paused(name, PauseAction::kPause);
}

Result<void> RuntimeImpl::resume(const std::string& name) {
  return set_paused(name, PauseAction::kResume);
}

Result<void> RuntimeImpl::set_paused(const std::string& name, PauseAction action) {
  bool is_known = name.empty();
  for (const auto& run : runs_) {
    if (!name.empty() && run->system->name != name) continue;
    run->is_paused = action == PauseAction::kPause;
    is_known = true;
  }
  if (!name.empty()) {
    for (const auto& [dataset, rule] : parts_.rules) {
      if (rule.schema->name != name) continue;
      const auto held = find_held(name);
      if (held && action == PauseAction::kResume) return *held;
      set_stream_paused(rule.schema->stream, action);
      is_known = true;
    }
  }
  if (is_known) return success();
  return fail(ErrorCode::kInvalidArgument, "there is no system or dataset '" + name + "'", "",
              "`syncline status` lists them");
}

void RuntimeImpl::set_stream_paused(model::StreamId stream, PauseAction action) {
  const std::lock_guard lock(mutex_);
  if (action == PauseAction::kPause) {
    paused_streams_.insert(stream);
  } else {
    paused_streams_.erase(stream);
  }
  pause_deliveries();
}

// What a user paused, and what the deletion guard holds. REQUIRES: mutex_ is held.
void RuntimeImpl::pause_deliveries() {
  for (const auto& [dataset, rule] : parts_.rules) {
    const model::StreamId stream = rule.schema->stream;
    for (const auto& run : runs_) {
      if (!run->delivery) continue;
      if (is_stream_paused(stream)) {
        run->delivery->pause(stream);
      } else {
        run->delivery->resume(stream);
      }
    }
  }
}

// REQUIRES: mutex_ is held.
bool RuntimeImpl::is_stream_paused(model::StreamId stream) const {
  return paused_streams_.contains(stream) || held_streams_.contains(stream);
}

// Until every system was read nothing is written of it: what one brings would go over what another
// is yet to be asked for.
Result<void> RuntimeImpl::reread_all(model::DatasetId dataset,
                                     const std::vector<std::string>& keys) {
  const model::StreamId stream = parts_.rules.at(dataset).schema->stream;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& run : runs_) {
      if (run->delivery) run->delivery->pause(stream);
    }
  }
  const auto reread_in = [&](SystemRun& run) -> Result<void> {
    SYN_TRY(const auto rejected, reread(run, dataset, keys));
    if (rejected.empty()) return success();
    return on_step_thread_in_time(quarantining(run, rejected));
  };
  Result<void> all = success();
  for (const auto& run : runs_) {
    const RuntimeSystem& system = *run->system;
    if (!system.mappings.contains(dataset) || !system.is_read(dataset)) continue;
    all = reread_in(*run);
    if (!all) break;
  }
  const std::lock_guard lock(mutex_);
  pause_deliveries();
  return all;
}

// Read anew first, so that what a system's log did not tell is taken as its change; then what is
// accepted goes to every system once more. Of what is held that would undo the approval.
Result<void> RuntimeImpl::repair(model::DatasetId dataset, const std::vector<std::string>& keys) {
  if (const auto held = find_held(parts_.rules.at(dataset).schema->name)) return *held;
  if (auto read = reread_all(dataset, keys); !read) return read;
  for (const auto& run : runs_) {
    const RuntimeSystem& system = *run->system;
    if (!system.mappings.contains(dataset) || !system.is_written_to(dataset)) continue;
    SYN_TRY(on_step_thread_in_time([id = system.id, dataset, keys](pipeline::Pipeline& pipeline) {
      return pipeline.process_redeliver(id, dataset, keys);
    }));
  }
  return success();
}

// What a target refused is written to it again. What its own system's driver refused (sequence 0)
// is read again: it stays where it is until its value can be held.
Result<void> RuntimeImpl::retry(const model::Skip& skip, const std::string& item) {
  const auto rule = parts_.rules.find(skip.dataset);
  SystemRun* run = find(skip.target);
  const bool is_known =
      rule != parts_.rules.end() && run != nullptr && run->system->mappings.contains(skip.dataset);
  if (!is_known) {
    return fail(ErrorCode::kInvalidArgument, "this item can go nowhere",
                "the config no longer has its dataset in its system",
                "put it back into the config, then `syncline reload`");
  }
  if (const auto held = find_held(rule->second.schema->name)) return *held;
  if (skip.sequence == pipeline::kTwinSequence) return retry_twins(skip, item);
  const bool is_written_to = run->system->is_written_to(skip.dataset);
  if (skip.sequence == model::kApartSequence && !is_written_to) {
    return fail(ErrorCode::kInvalidArgument, "the record cannot take the place of this row",
                "system '" + run->system->name + "' is only read",
                "give the row another number there, or delete it");
  }
  if (skip.sequence != 0 && !is_written_to) {
    return fail(
        ErrorCode::kInvalidArgument, "this item can go nowhere",
        "by the config its dataset is no longer written to system '" + run->system->name + "'",
        "put it back into the config, then `syncline reload`");
  }
  if (skip.sequence == 0) {
    if (skip.key.empty()) {
      return fail(ErrorCode::kInvalidArgument, "this row cannot be read again by its key",
                  "its key is the reason", "correct the row: from then on it travels as any other");
    }
    SYN_TRY(const auto rejected, reread(*run, skip.dataset, {skip.key}));
    if (!rejected.empty()) return rejected.front().error;
    return on_step_thread_in_time(
        [this, item](pipeline::Pipeline&) { return parts_.shadow.put_item(item, {}); });
  }
  if (skip.sequence == model::kApartSequence) return retry_apart(skip);
  return on_step_thread_in_time([this, skip, item](pipeline::Pipeline& pipeline) -> Result<void> {
    SYN_TRY(pipeline.process_redeliver(skip.target, skip.dataset, std::span(&skip.key, 1)));
    return parts_.shadow.put_item(item, {});
  });
}

// The item goes with the frame that says so.
Result<void> RuntimeImpl::retry_apart(const model::Skip& skip) {
  const std::string system = find(skip.target)->system->name;
  return on_step_thread_in_time([skip, system](pipeline::Pipeline& pipeline) -> Result<void> {
    SYN_TRY(const bool is_done, pipeline.process_overwrite(skip.target, skip.dataset, skip.key));
    if (is_done) return success();
    return fail(ErrorCode::kInvalidArgument, "there is no record to take the place of this row",
                "the record of this number was deleted meanwhile",
                "delete the row in system '" + system + "' and insert it anew there");
  });
}

// What users did there meanwhile is read first, as far as its log can be read. Where that has a gap
// somebody is to know what is lost, and says when it is compared.
std::vector<std::string> RuntimeImpl::systems_that_went_back() const {
  std::vector<std::string> names;
  const bool is_all_taken = items_done_ == items_queued_;
  for (const auto& run : runs_) {
    if (!run->has_gone_back || run->has_gap) continue;
    if (run->is_log_lost || (run->is_caught_up && is_all_taken)) names.push_back(run->system->name);
  }
  return names;
}

bool RuntimeImpl::is_at_rest() const {
  if (!is_synced_ || items_done_ != items_queued_) return false;
  const journal::Stats journal = parts_.journal.stats();
  if (journal.appended != journal.committed) return false;
  for (const auto& run : runs_) {
    if (!run->is_caught_up || run->needs_plan) return false;
    if (!pipeline_->twins_due(run->system->id).empty()) return false;
    if (run->delivery && !run->is_target_open) return false;
    if (run->delivery && run->delivery->cursor() != journal.committed) return false;
    if (pipeline_->in_flight_count(run->system->id) != 0) return false;
  }
  return true;
}

}  // namespace syncline::app
