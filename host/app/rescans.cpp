// Reading tables whole again, where the log did not tell all: that it is due is durable.
#include <algorithm>
#include <chrono>
#include <thread>

#include "host/app/resync.hpp"
#include "host/app/runtime_internal.hpp"

namespace syncline::app {
namespace {

constexpr int64_t kNoteRetryUs = 200'000;
constexpr std::chrono::milliseconds kNoteLook{10};

}  // namespace

// What stands still is read past: it is scanned once it goes on, be it after a restart.
std::vector<model::DatasetId> RuntimeImpl::to_be_scanned(const SystemRun& run,
                                                         const ports::PollResult& result) {
  std::vector<model::DatasetId> datasets = result.rescan;
  for (const ports::DatasetStop& stop : result.stopped) {
    const bool is_known = run.rescans_due.contains(stop.dataset);
    if (!is_known && !run.unsynced.contains(stop.dataset)) datasets.push_back(stop.dataset);
  }
  return datasets;
}

std::optional<model::DatasetId> RuntimeImpl::next_rescan(SystemRun& run) {
  const std::lock_guard lock(run.mutex);
  const auto next = std::find_if(run.rescans_due.begin(), run.rescans_due.end(),
                                 [&](model::DatasetId due) { return !run.stopped.contains(due); });
  return next == run.rescans_due.end() ? std::nullopt : std::optional(*next);
}

Result<void> RuntimeImpl::load_rescans(SystemRun& run) {
  for (const model::Schema* schema : run.system->schemas) {
    const std::string item = rescan_item(schema->dataset, run.system->id);
    SYN_TRY(const std::string stored, parts_.shadow.get_item(item));
    if (!stored.empty()) run.rescans_due.insert(schema->dataset);
  }
  return success();
}

// What a source has given is not given again in this life: what is to be kept of it waits for room,
// as what comes behind it does. Any other error ends the appliance before the source is read on.
// REQUIRES: not the step thread.
Result<void> RuntimeImpl::note(const std::function<Result<void>(pipeline::Pipeline&)>& work) {
  for (bool is_told = false;; is_told = true) {
    auto noted = on_step_thread(work);
    if (noted || !is_reading_) return noted;
    if (noted.error().code != ErrorCode::kStorageFull) {
      fail_all(noted.error());
      return noted;
    }
    if (!is_told) parts_.log.error(noted.error());
    // The work itself makes the signal that others wait for.
    const int64_t until_us = parts_.clock.steady_us() + kNoteRetryUs;
    while (is_reading_ && parts_.clock.steady_us() < until_us) {
      std::this_thread::sleep_for(kNoteLook);
    }
  }
}

// That a scan is due is durable before the place in the log moves that told of it: neither a crash
// nor an error forgets it.
Result<void> RuntimeImpl::note_rescans(SystemRun& run,
                                       const std::vector<model::DatasetId>& datasets) {
  if (datasets.empty()) return success();
  run.rescans_due.insert(datasets.begin(), datasets.end());
  const model::SystemId system = run.system->id;
  return note([this, system, &datasets](pipeline::Pipeline& pipeline) -> Result<void> {
    SYN_TRY(pipeline.commit());
    for (const model::DatasetId dataset : datasets) {
      SYN_TRY(parts_.shadow.put_item(rescan_item(dataset, system), "1"));
    }
    return parts_.shadow.flush();
  });
}

// Behind the scans that were told of it. Where a crash forgets it, they are asked for again.
Result<void> RuntimeImpl::note_layout(SystemRun& run) {
  const std::string& layout = run.system->ports.source->layout();
  if (layout.empty() || layout == run.layout) return success();  // not known yet, or as noted
  SYN_TRY(parts_.shadow.put_item(layout_item(run.system->name), layout));
  run.layout = layout;
  return success();
}

// One that fails is due still. One that is done is forgotten with the next flush: to scan again
// finds nothing new.
Result<void> RuntimeImpl::rescan_what_is_due(SystemRun& run) {
  while (const auto dataset = next_rescan(run)) {
    SYN_TRY(rescan(run, *dataset));
    SYN_TRY(parts_.shadow.put_item(rescan_item(*dataset, run.system->id), {}));
    run.rescans_due.erase(*dataset);
  }
  return success();
}

// The dataset as it stands now, through detect: what differs is a change, what is gone a delete.
Result<void> RuntimeImpl::rescan(SystemRun& run, model::DatasetId dataset) {
  const model::SystemId system = run.system->id;
  SYN_TRY(on_step_thread([=](pipeline::Pipeline& pipeline) -> Result<void> {
    pipeline.begin_sweep(system, dataset);
    return success();
  }));
  SYN_TRY(read_whole(run, dataset));
  return on_step_thread(
      [=](pipeline::Pipeline& pipeline) { return pipeline.process_sweep(system, dataset); });
}

}  // namespace syncline::app
