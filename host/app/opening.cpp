// Systems are opened as they come. One that is away when the appliance starts, or that is not as it
// must be, is tried again by the threads that read it and write to it; the others go on. What was
// not known of it is looked at then: its identity and the place in its log (Source::open), its
// tables (the drivers), its checkpoint rows (open_target).
#include <algorithm>
#include <utility>

#include "host/app/resync.hpp"
#include "host/app/runtime_internal.hpp"
#include "host/base/bytes.hpp"

namespace syncline::app {
namespace {

constexpr int64_t kOpenWaitUsMin = 250'000;
constexpr int64_t kOpenWaitUsMax = 10'000'000;

Error not_yet(const SystemRun& run) {
  return {ErrorCode::kSystemBusy, "system '" + run.system->name + "' is not open",
          "it was tried a moment ago", "nothing: it is tried again"};
}

}  // namespace

// Of the system itself: it says nothing of the data folder.
bool is_of_system(const Error& error) {
  return exit_status(error.code) == ExitStatus::kSystem && error.code != ErrorCode::kNotRunning;
}

// An epoch is set once per data folder and system; resync raises it.
Result<uint32_t> RuntimeImpl::epoch_of(const RuntimeSystem& system) {
  const std::string item = epoch_item(system.name);
  SYN_TRY(const std::string stored, parts_.shadow.get_item(item));
  if (!stored.empty()) return ByteReader(stored).u32();
  const auto epoch = static_cast<uint32_t>(parts_.clock.now_us() / 1'000'000);
  SYN_TRY(parts_.shadow.put_item(item, encode_epoch(epoch)));
  SYN_TRY(parts_.shadow.flush());
  return epoch;
}

// Everything but the system itself.
Result<void> RuntimeImpl::prepare_system(SystemRun& run) {
  RuntimeSystem& system = *run.system;
  SYN_TRY(run.epoch, epoch_of(system));
  pipeline_->set_epoch(system.id, run.epoch);
  run.capture = std::make_unique<capture::Capture>(system.id, *system.ports.source, system.schemas,
                                                   parts_.options.lane_count, parts_.clock);
  for (const auto& [dataset, rules] : parts_.rules) {
    if (rules.insert_exists != core::InsertExists::kMerge) run.capture->never_renew(dataset);
  }
  run.capture->resume_behind(pipeline_->position(system.id));
  delivery::Options options;
  options.target = system.id;
  options.epoch = run.epoch;
  options.lane_count = parts_.options.lane_count;
  for (const model::Schema* schema : system.schemas) {
    if (system.is_written_to(schema->dataset)) options.schemas.push_back(schema);
  }
  options.may_be_quiet = [this, &run](model::StreamId stream, model::LaneIndex lane,
                                      model::Sequence behind) {
    return is_all_live(run) && behind >= pipeline_->known_behind(run.system->id, stream, lane);
  };
  SYN_TRY(check_mappings(run));
  SYN_TRY(load_rescans(run));
  SYN_TRY(load_needs_plan(run));
  if (options.schemas.empty() || run.needs_plan) return success();
  for (const model::Schema* schema : options.schemas) {
    for (size_t index = 0; index < options.lane_count; ++index) {
      const auto lane = static_cast<model::LaneIndex>(index);
      run.last_sequences[{schema->stream, lane}] = pipeline_->last_sequence(schema->stream, lane);
      run.confirmed_sequences[{schema->stream, lane}] =
          pipeline_->confirmed(system.id, schema->stream, lane);
      options.refused[{schema->stream, lane}] = pipeline_->skipped(system.id, schema->stream, lane);
    }
  }
  SYN_TRY(run.start_cursor, load_cursor(system));
  std::vector<ports::Target*> targets = {system.ports.target.get()};
  for (const auto& more : system.ports.more_targets) targets.push_back(more.get());
  if (targets.size() > 1) run.writers = std::make_unique<WorkPool>(targets.size() - 1);
  options.pool = run.writers.get();
  run.delivery = std::make_unique<delivery::Delivery>(options, std::move(targets), parts_.journal,
                                                      parts_.clock, parts_.random);
  return success();
}

// At the start. What is wrong with the system is said, and tried again; one that lost its log or
// went back in time is stopped; a data folder that is not the right one ends the appliance.
Result<void> RuntimeImpl::open_system(SystemRun& run) {
  if (run.system->away) {
    note_error(run, *run.system->away);
    run.open_due_us = parts_.clock.steady_us() + kOpenWaitUsMin;
    return success();
  }
  if (auto opened = open_source(run); !opened) {
    if (!is_of_system(opened.error())) return opened;
    note_error(run, opened.error());
    return is_lost(opened.error().code) ? refuse_old_folder(run) : success();
  }
  if (!run.delivery) return success();
  auto opened = open_target(run);
  if (opened || !is_of_system(opened.error())) return opened;
  if (!is_lost(opened.error().code)) {
    note_target_error(run, opened.error());
    return success();
  }
  if (opened.error().code == ErrorCode::kSystemLost) lose(run, opened.error());
  stop_delivering(run, opened.error());
  return refuse_old_folder(run);
}

// A system that is lost may have gone on without this data folder.
Result<void> RuntimeImpl::refuse_old_folder(const SystemRun& run) {
  if (!run.delivery || !run.system->ports.target->open()) return success();
  const auto checkpoints = run.system->ports.target->probe(run.epoch);
  return checkpoints ? refuse_unknown_writes(run, checkpoints.value()) : success();
}

// REQUIRES: the thread that reads the source. A system without datasets is left alone; one that is
// away and was never seen is the daemon's to look for.
Result<void> RuntimeImpl::open_source(SystemRun& run) {
  if (run.lost) return *run.lost;
  if (run.is_source_open) return success();
  const bool is_unknown = run.system->schemas.empty() && run.system->away.has_value();
  if (is_unknown || parts_.clock.steady_us() < run.open_due_us) return not_yet(run);
  if (!run.system->schemas.empty()) {
    if (run.refused) return *run.refused;
    SYN_TRY(run.layout, parts_.shadow.get_item(layout_item(run.system->name)));
    if (!run.layout.empty()) run.system->ports.source->compare_with(run.layout);
    auto opened = run.system->ports.source->open(pipeline_->position(run.system->id));
    if (!opened) {
      run.open_wait_us = std::clamp(2 * run.open_wait_us, kOpenWaitUsMin, kOpenWaitUsMax);
      run.open_due_us = parts_.clock.steady_us() + run.open_wait_us;
      if (is_lost(opened.error().code)) lose(run, opened.error());
      return opened;
    }
  }
  run.is_source_open = true;
  return success();
}

// REQUIRES: the thread that writes to it.
Result<void> RuntimeImpl::open_target(SystemRun& run) {
  SYN_TRY(const auto checkpoints, run.delivery->open(run.start_cursor));
  SYN_TRY(refuse_unknown_writes(run, checkpoints));
  SYN_TRY(refuse_lost_writes(run, checkpoints));
  run.is_target_open = true;
  return success();
}

Result<void> RuntimeImpl::refuse_lost_writes(const SystemRun& run,
                                             const std::vector<ports::Checkpoint>& checkpoints) {
  const std::string& name = run.system->name;
  for (const ports::Checkpoint& checkpoint : checkpoints) {
    const auto confirmed = run.confirmed_sequences.find({checkpoint.stream, checkpoint.lane});
    if (confirmed == run.confirmed_sequences.end() || checkpoint.applied >= confirmed->second) {
      continue;
    }
    return fail(ErrorCode::kSystemWentBack,
                "system '" + name + "' no longer holds what was delivered to it",
                "its checkpoint is at " + std::to_string(checkpoint.applied) +
                    ", and its log had shown " + std::to_string(confirmed->second) +
                    ": it was restored, or a failover lost commits",
                "nothing: it is compared, and given what is missing; where it stays stopped, run "
                "`syncline resync --system " +
                    name + " --yes`");
  }
  return success();
}

Result<void> RuntimeImpl::refuse_unknown_writes(const SystemRun& run,
                                                const std::vector<ports::Checkpoint>& checkpoints) {
  const std::string& name = run.system->name;
  for (const ports::Checkpoint& checkpoint : checkpoints) {
    const auto known = run.last_sequences.find({checkpoint.stream, checkpoint.lane});
    if (known == run.last_sequences.end() || checkpoint.applied <= known->second) continue;
    return fail(ErrorCode::kSystemLost,
                "system '" + name + "' holds writes that this journal does not know",
                "its checkpoint is at " + std::to_string(checkpoint.applied) +
                    ", our journal's last entry there is " + std::to_string(known->second) +
                    ": this is an older copy of the data folder",
                "start with the right data folder, or run `syncline resync --system " + name +
                    "` to compare and start that system anew");
  }
  return success();
}

// Until a resync.
void RuntimeImpl::stop_delivering(SystemRun& run, const Error& error) {
  note_error(run, error);
  run.is_delivering = false;
}

void RuntimeImpl::note_target_error(SystemRun& run, const Error& error) {
  const std::lock_guard lock(run.mutex);
  const std::string text = to_string(error);
  const bool is_told = run.target_error == text || run.error == text;
  if (!is_told) parts_.log.warning(run.system->name + ": " + text);
  run.target_error = text;
}

// Tries to open the target; says what is wrong, and waits. Returns whether it is open. The source
// comes first: it knows whether the system is the one that was written to.
bool RuntimeImpl::wait_for_target(SystemRun& run, int64_t& backoff_us) {
  if (run.is_target_open) return true;
  if (run.is_source_open) {
    const auto opened = open_target(run);
    if (opened) return true;
    if (!is_of_system(opened.error())) {
      fail_all(opened.error());
      return false;
    }
    if (is_lost(opened.error().code)) {
      stop_delivering(run, opened.error());
      return false;
    }
    note_target_error(run, opened.error());
  }
  backoff_us = std::clamp(2 * backoff_us, kOpenWaitUsMin, kOpenWaitUsMax);
  const int64_t until_us = parts_.clock.steady_us() + backoff_us;
  uint64_t seen = 0;
  while (is_running_ && !run.needs_plan && parts_.clock.steady_us() < until_us) {
    seen = committed_.wait(seen, 20'000);
  }
  return false;
}

}  // namespace syncline::app
