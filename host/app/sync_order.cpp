// In which order a first sync reads what: first what is there. What is not, or cannot be read as it
// stands, is read when it can; it holds up nobody.
#include <algorithm>
#include <utility>

#include "host/app/resync.hpp"
#include "host/app/runtime_internal.hpp"

namespace syncline::app {
namespace {

constexpr int64_t kPauseUs = 20'000;
constexpr int64_t kRestUsMin = 100'000;
constexpr int64_t kRestUsMax = 5'000'000;

}  // namespace

Result<void> RuntimeImpl::first_sync() {
  // All of them resume before any is caught up with: they get each other's news.
  std::vector<SystemRun*> there;
  for (const auto& run : runs_) {
    if (!pipeline_->position(run->system->id).is_start()) {
      SYN_TRY(resume_reading(*run));
    }
    (run->is_source_open ? there : late_).push_back(run.get());
  }
  std::erase_if(late_, [this](const SystemRun* run) { return is_live(*run); });
  SYN_TRY(sync_systems(there));
  return sync_the_rest();
}

// What cannot be read now is read later; it holds up nobody.
Result<void> RuntimeImpl::sync_systems(const std::vector<SystemRun*>& runs) {
  std::vector<SystemRun*> read;
  for (SystemRun* run : runs) {
    // A system that was being read is caught up with before it is read on: what was deleted or
    // changed while the appliance was away must not look like records that it never had.
    const bool is_new = pipeline_->position(run->system->id).is_start();
    if (!is_new && is_live(*run)) continue;
    const auto begun = is_new ? begin_reading(*run) : catch_up(*run);
    if (begun) {
      read.push_back(run);
      continue;
    }
    if (!is_of_system(begun.error())) return begun;
    note_error(*run, begun.error());
    late_.push_back(run);
  }
  SYN_TRY(const auto order, plan_sync(read));
  return sync_in_order(order);
}

// System by system.
Result<void> RuntimeImpl::sync_in_order(const std::vector<Syncing>& order) {
  for (auto begin = order.begin(); begin != order.end();) {
    const auto end =
        std::find_if(begin, order.end(), [&](const Syncing& one) { return one.run != begin->run; });
    SYN_TRY(sync_or_later({begin, end}));
    begin = end;
  }
  return success();
}

// datasets: one system's.
Result<void> RuntimeImpl::sync_or_later(std::span<const Syncing> datasets) {
  SystemRun& run = *datasets.front().run;
  for (const Syncing& one : datasets) run.unsynced.erase(one.dataset);
  auto synced = sync_system(datasets);
  if (!synced && !is_of_system(synced.error())) return synced;
  for (const Syncing& one : datasets) {
    const core::SystemRole& role = *parts_.rules.at(one.dataset).role(run.system->id);
    if (role.phase == core::SyncPhase::kLive) {
      const std::lock_guard lock(run.mutex);
      run.stopped.erase(one.dataset);
    } else if (!run.unsynced.contains(one.dataset)) {
      SYN_TRY(stop_syncing(one, synced.error()));
    }
  }
  return success();
}

// It begins anew when it is tried again, and until then the system's log is read without it.
Result<void> RuntimeImpl::stop_syncing(const Syncing& syncing, const Error& error) {
  SystemRun& run = *syncing.run;
  const model::DatasetId dataset = syncing.dataset;
  const model::SystemId system = run.system->id;
  SYN_TRY(set_phase(dataset, system, core::SyncPhase::kWaiting));
  SYN_TRY(on_step_thread([=, this](pipeline::Pipeline& pipeline) -> Result<void> {
    SYN_TRY(pipeline.commit());
    SYN_TRY(parts_.shadow.put_item(sync_cursor_item(dataset, system), {}));
    return parts_.shadow.flush();
  }));
  run.unsynced.insert(dataset);
  unsynced_.push_back(syncing);
  ports::PollResult stops;
  stops.stopped.push_back({dataset, error});
  note_stops(run, stops);
  const std::lock_guard lock(mutex_);
  sync_progress_.reset();
  return success();
}

Result<void> RuntimeImpl::sync_the_rest() {
  int64_t wait_us = kRestUsMin;
  while (!late_.empty() || !unsynced_.empty()) {
    SYN_TRY(follow_logs_for(wait_us));
    wait_us = std::min(wait_us * 2, kRestUsMax);
    for (SystemRun* run : std::exchange(late_, {})) {
      if (const auto opened = open_source(*run); !opened) {
        if (!is_of_system(opened.error())) return opened;
        if (opened.error().code != ErrorCode::kSystemBusy) note_error(*run, opened.error());
        late_.push_back(run);
        continue;
      }
      SYN_TRY(sync_systems({run}));
    }
    auto again = std::exchange(unsynced_, {});
    std::ranges::stable_sort(again, {}, [](const Syncing& one) { return one.run->system->id; });
    SYN_TRY(sync_in_order(again));
  }
  return success();
}

Result<void> RuntimeImpl::follow_logs_for(int64_t time_us) {
  const int64_t until_us = parts_.clock.steady_us() + time_us;
  uint64_t seen = 0;
  while (is_reading_ && parts_.clock.steady_us() < until_us) {
    follow_logs();
    seen = committed_.wait(seen, kPauseUs);
  }
  if (is_reading_) return success();
  return fail(ErrorCode::kNotRunning, "the appliance is stopping", "", "start it again");
}

// Everything of these systems that is not live, the system with the fewest rows first, whole.
Result<std::vector<Syncing>> RuntimeImpl::plan_sync(const std::vector<SystemRun*>& runs) {
  std::map<SystemRun*, uint64_t> rows;
  std::vector<Syncing> order;
  for (const auto& [dataset, rule] : parts_.rules) {
    for (const core::SystemRole& role : rule.systems) {
      SystemRun& run = *find(role.system);
      if (role.phase == core::SyncPhase::kLive || std::ranges::find(runs, &run) == runs.end()) {
        continue;
      }
      Syncing& one = order.emplace_back(&run, dataset);
      if (!run.system->is_read(dataset)) continue;
      const auto estimate = run.system->ports.source->estimate_rows(dataset);
      one.row_estimate = estimate ? estimate.value() : 0;  // what is wrong, its reading tells
      rows[&run] += one.row_estimate;
    }
  }
  std::stable_sort(order.begin(), order.end(), [&](const Syncing& a, const Syncing& b) {
    return std::pair(rows[a.run], a.run->system->id) < std::pair(rows[b.run], b.run->system->id);
  });
  return order;
}

}  // namespace syncline::app
