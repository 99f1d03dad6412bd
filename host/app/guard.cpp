// What the deletion guard holds: said, paused, and let through when somebody approves it.
#include <algorithm>

#include "host/app/render.hpp"
#include "host/app/resync.hpp"
#include "host/app/runtime_internal.hpp"

namespace syncline::app {

Error RuntimeImpl::held_error(const pipeline::HeldDeletes& held) const {
  const std::string dataset = parts_.rules.at(held.dataset).schema->name;
  const auto system = std::ranges::find(parts_.systems, held.system, &RuntimeSystem::id);
  const std::string& name = system->name;
  if (held.is_approved) {
    return {ErrorCode::kDeletesHeld,
            "the approved deletes of dataset '" + dataset + "' in system '" + name +
                "' wait for their scan",
            "nothing of the dataset is delivered until the scan has ended: a record that is gone "
            "there would be written anew",
            "nothing: it goes on by itself, once system '" + name + "' can be read"};
  }
  return {ErrorCode::kDeletesHeld,
          "system '" + name + "' lost " + count_text(held.lost) + " of " + count_text(held.of) +
              " records of dataset '" + dataset + "'",
          "that is more than its deletes.limit within minutes; nothing of it goes to other "
          "systems, and the dataset is paused",
          "`syncline resume --approve-deletes " + dataset +
              "` lets the deletes through; `syncline resync --system " + name +
              " --yes` brings the records back"};
}

std::optional<Error> RuntimeImpl::find_held(model::SystemId system,
                                            model::DatasetId dataset) const {
  for (const pipeline::HeldDeletes& held : pipeline_->held_deletes()) {
    if (held.system == system && held.dataset == dataset) return held_error(held);
  }
  return std::nullopt;
}

std::optional<Error> RuntimeImpl::find_held(const std::string& dataset) const {
  for (const pipeline::HeldDeletes& held : pipeline_->held_deletes()) {
    if (parts_.rules.at(held.dataset).schema->name == dataset) return held_error(held);
  }
  return std::nullopt;
}

Gauge& RuntimeImpl::deletes_held(const pipeline::HeldDeletes& held) {
  const auto system = std::ranges::find(parts_.systems, held.system, &RuntimeSystem::id);
  return metrics_.gauge(
      "syncline_deletes_held", "Deleted records that wait for an approval.",
      {{"dataset", parts_.rules.at(held.dataset).schema->name}, {"system", system->name}});
}

// Until what is held was approved and the scan that finds it has ended.
// REQUIRES: the step thread, or no thread runs yet.
void RuntimeImpl::pause_what_is_held() {
  std::map<HeldId, pipeline::HeldDeletes> now;
  std::set<model::StreamId> streams;
  for (const pipeline::HeldDeletes& held : pipeline_->held_deletes()) {
    now.emplace(HeldId(held.system, held.dataset), held);
    streams.insert(parts_.rules.at(held.dataset).schema->stream);
    if (!held.is_approved && !held_.contains({held.system, held.dataset})) {
      parts_.log.error(held_error(held));
    }
    deletes_held(held).set(held.is_approved ? 0 : static_cast<double>(held.lost));
  }
  for (const auto& [id, held] : held_) {
    if (now.contains(id)) continue;
    deletes_held(held).set(0);
    parts_.log.info("dataset " + parts_.rules.at(id.second).schema->name +
                    " goes on: its approved deletes are through");
  }
  held_ = std::move(now);
  const std::lock_guard lock(mutex_);
  if (held_streams_ == streams) return;
  held_streams_ = std::move(streams);
  pause_deliveries();
}

// That the scan is due is durable with the approval; the dataset goes on when the scan has ended.
Result<void> RuntimeImpl::approve_deletes(const std::string& dataset) {
  std::vector<pipeline::HeldDeletes> approved;
  for (const pipeline::HeldDeletes& held : pipeline_->held_deletes()) {
    if (parts_.rules.at(held.dataset).schema->name == dataset) approved.push_back(held);
  }
  if (approved.empty()) {
    return fail(ErrorCode::kInvalidArgument, "nothing is held of a dataset '" + dataset + "'", "",
                "`syncline status` shows what is");
  }
  for (const pipeline::HeldDeletes& held : approved) {
    if (held.is_approved) continue;
    const auto noted = approve_and_rescan(*find(held.system), held.dataset);
    if (!noted) return noted.error();
  }
  set_stream_paused(parts_.rules.at(approved.front().dataset).schema->stream, PauseAction::kResume);
  return success();
}

// Returns when it is durable that the scan is due.
Result<void> RuntimeImpl::approve_and_rescan(SystemRun& run, model::DatasetId dataset) {
  auto done = std::make_shared<std::promise<Result<void>>>();
  auto outcome = done->get_future();
  {
    const std::lock_guard lock(run.mutex);
    if (!is_reading_) {
      return fail(ErrorCode::kNotRunning, "the appliance is stopping", "", "start it again");
    }
    if (!is_synced_) {
      return fail(ErrorCode::kSystemBusy, "the deletes cannot be approved now",
                  "the first sync is going on",
                  "try again when `syncline status` says that it is running");
    }
    const model::SystemId system = run.system->id;
    run.requests.push_back([this, &run, system, dataset, done] {
      auto noted = on_step_thread([=, this](pipeline::Pipeline& pipeline) -> Result<void> {
        SYN_TRY(parts_.shadow.put_item(rescan_item(dataset, system), "1"));
        return pipeline.approve_deletes(system, dataset);
      });
      if (noted) run.rescans_due.insert(dataset);
      done->set_value(std::move(noted));
    });
  }
  return outcome.get();
}

}  // namespace syncline::app
