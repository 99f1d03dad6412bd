#include "host/pipeline/pipeline.hpp"

#include <algorithm>
#include <utility>

#include "host/base/assert.hpp"
#include "host/pipeline/ledger.hpp"
#include "host/pipeline/pipeline_internal.hpp"

namespace syncline::pipeline {

PipelineImpl::PipelineImpl(const Options& options, const Dependencies& dependencies)
    : options_(options),
      with_(dependencies),
      tables_(dependencies.disk, dependencies.rules, options.lane_count),
      confirmed_(options.lane_count),
      in_flight_(options.lane_count),
      known_behind_(options.lane_count),
      applied_(options.lane_count),
      checkpoints_(options.lane_count) {
  lanes_.reserve(options.lane_count);
  for (size_t lane = 0; lane < options.lane_count; ++lane) {
    lanes_.emplace_back(static_cast<model::LaneIndex>(lane), with_.rules, with_.secret);
  }
}

Result<std::unique_ptr<Pipeline>> Pipeline::open(const Options& options,
                                                 const Dependencies& dependencies) {
  auto pipeline = std::make_unique<PipelineImpl>(options, dependencies);
  SYN_TRY(pipeline->recover());
  return pipeline;
}

PipelineImpl::~PipelineImpl() {
  with_.shadow.set_shorten(nullptr);
}

model::Position PipelineImpl::position(model::SystemId system) const {
  const std::lock_guard lock(mutex_);
  const auto found = positions_.find(system);
  return found == positions_.end() ? model::Position{} : found->second;
}

size_t PipelineImpl::value_count(model::DatasetId dataset) const {
  return with_.rules.at(dataset).schema->value_count();
}

// Fingerprints and verdicts of every batch, into examined_.
Result<void> PipelineImpl::examine(const capture::Captured& captured) {
  examined_.resize(captured.batches.size());
  for (size_t i = 0; i < captured.batches.size(); ++i) {
    const syn_batch view = captured.batches[i].view();
    Examined& examined = examined_[i];
    SYN_TRY(with_.dispatcher.fingerprint(view, with_.secret, examined.fingerprints));
    const state::FingerprintTable& table =
        tables_.at(captured.system, captured.batches[i].dataset());
    SYN_TRY(with_.dispatcher.detect(view, examined.fingerprints, table.ref(), examined.detected));
  }
  return success();
}

Result<void> PipelineImpl::process(const capture::Captured& captured) {
  SYN_ASSERT(!is_waiting());
  SYN_TRY(examine(captured));
  SYN_TRY(const auto rest, leave_out_others(captured));
  if (!rest) return process_guarded(captured);
  SYN_TRY(examine(*rest));
  return process_guarded(*rest);
}

Result<void> PipelineImpl::process_guarded(const capture::Captured& captured) {
  SYN_TRY(const auto held, guard_deletes(captured));
  if (held.empty()) return process_examined(captured);
  const capture::Captured rest = without_users_rows(captured, held);
  SYN_TRY(examine(rest));
  return process_examined(rest);
}

Result<void> PipelineImpl::process_examined(const capture::Captured& captured) {
  Split split =
      split_by_lane(captured, examined_, with_.rules, options_.appliance, options_.lane_count);
  {
    const std::lock_guard lock(mutex_);
    counters_.rows_captured_total += captured.row_count() + captured.rows_left_out;
    counters_.rows_same_total += split.rows_same;
  }
  // A source may forget what is acknowledged: a restart must not ask for less.
  const bool is_quiet = captured.row_count() + captured.rows_left_out == 0;
  if (split.lanes.empty() && !captured.position.is_start()) {
    if (is_quiet && captured.quiet_place == ports::QuietPlace::kLeft) return success();
    if (!is_quiet || captured.quiet_place == ports::QuietPlace::kKept) {
      LaneWork& work = split.lanes.emplace_back();
      work.input.system = captured.system;
      work.input.now_us = captured.arrival_us;
      work.input.position = captured.position;
    }
  }
  return run_work(split.lanes, captured.system, captured.position);
}

Result<void> PipelineImpl::process_skips(std::span<const model::Skip> skips) {
  SYN_ASSERT(!is_waiting());
  std::map<std::pair<model::SystemId, model::LaneIndex>, LaneWork> by_lane;
  for (const model::Skip& skip : skips) {
    const model::LaneIndex lane = model::lane_of(skip.key_hash, options_.lane_count);
    LaneWork& work = by_lane[{skip.target, lane}];
    work.lane = lane;
    work.input.system = skip.target;
    work.input.now_us = with_.clock.now_us();
    work.input.skips.push_back(skip);
  }
  for (auto& [id, lane_work] : by_lane) {
    std::vector<LaneWork> work;
    work.push_back(std::move(lane_work));
    SYN_TRY(run_work(work, id.first, {}));
  }
  return success();
}

Result<void> PipelineImpl::run_work(std::vector<LaneWork>& work, model::SystemId system,
                                    const model::Position& position) {
  std::vector<Result<model::FramePointer>> stepped(work.size(), model::FramePointer{});
  run_all(options_.pool, work.size(), [&](size_t i) { stepped[i] = step_lane(work[i]); });
  for (const LaneWork& lane : work) {
    for (const auto& [dataset, count] : lane.quiet_deletes)
      guard_.forgive({system, dataset}, count);
    look_at_twins_of(system, lane.quietly_gone);
  }
  Group group;
  group.system = system;
  group.position = position;
  for (auto& frame : stepped) {
    if (!frame) return std::move(frame).as_failure();
    if (frame.value()) group.frames.push_back(std::move(frame).value());
  }
  if (group.frames.empty()) {
    acknowledge_later(group);
    return success();
  }
  waiting_ = std::move(group);
  return append_waiting();
}

Result<core::RecordSet> PipelineImpl::load_records(const core::Lane& lane,
                                                   const core::Input& input) {
  const std::vector<core::RecordId> needed = lane.needs(input);
  std::vector<state::RecordId> ids;
  ids.reserve(needed.size());
  for (const core::RecordId& id : needed) ids.push_back({id.dataset, id.key_hash});
  core::RecordSet records;
  records.reserve(needed.size());
  Result<void> decoded = success();
  SYN_TRY(with_.shadow.load_states(ids, [&](size_t index, std::string_view bytes) {
    core::LoadedRecord& record = records[needed[index]];
    if (bytes.empty()) return;
    auto state = core::decode_record(bytes);
    if (state) {
      record.state = std::move(state).value();
      lane.bring_up_to_date(needed[index].dataset, record.state);
    } else {
      decoded = std::move(state).as_failure();
    }
  }));
  if (!decoded) return std::move(decoded).as_failure();
  for (const core::RecordId& id : lane.value_needs(input, records)) {
    SYN_TRY(auto stored, with_.shadow.load(id.dataset, id.key_hash, value_count(id.dataset),
                                           state::Load::kStateAndValues));
    records[id].values = std::move(stored.values);
  }
  return records;
}

// Reads, decides, and gives the frame; null where there is nothing to remember.
Result<model::FramePointer> PipelineImpl::step_lane(LaneWork& work) {
  core::Lane& lane = lanes_[work.lane];
  add_quiet_deltas(work);
  SYN_TRY(auto records, load_records(lane, work.input));
  model::Frame frame = lane.step(work.input, records);
  frame.deltas = std::move(work.deltas);
  return model::share(std::move(frame));
}

Result<void> PipelineImpl::append_waiting() {
  SYN_ASSERT(waiting_.has_value());
  publish_known(*waiting_);
  SYN_TRY(waiting_->number, with_.journal.append(waiting_->frames));
  Group group = std::move(*waiting_);
  waiting_.reset();
  for (const model::FramePointer& frame : group.frames) {
    SYN_TRY(tables_.apply(*frame));
    with_.shadow.stage(frame);
    group.size_bytes += model::memory_size(*frame);
  }
  publish(group);
  const std::lock_guard lock(mutex_);
  appended_number_ = group.number;
  appended_bytes_ += group.size_bytes;
  appended_.push_back(std::move(group));
  return success();
}

// What other threads may ask for, as it stands after this group.
void PipelineImpl::publish(const Group& group) {
  const std::lock_guard lock(mutex_);
  core::Counters lanes;
  for (const core::Lane& lane : lanes_) {
    lanes.changes += lane.counters().changes;
    lanes.echoes_dropped += lane.counters().echoes_dropped;
    lanes.corrections += lane.counters().corrections;
    lanes.markers_ignored += lane.counters().markers_ignored;
    lanes.times_clamped += lane.counters().times_clamped;
  }
  counters_.changes_total = lanes.changes;
  counters_.echoes_dropped_total = lanes.echoes_dropped;
  counters_.corrections_total = lanes.corrections;
  counters_.markers_ignored_total = lanes.markers_ignored;
  counters_.times_clamped_total = lanes.times_clamped;
  for (const model::FramePointer& frame : group.frames) {
    counters_.entries_total += frame->entries.size();
    counters_.conflicts_total += frame->conflicts.size();
    counters_.skips_total += frame->skips.size();
    for (const model::LocalCell& local : frame->locals) {
      if (locals_told_.emplace(local.dataset, local.field, local.system).second) {
        locals_.push_back(local);
      }
    }
    publish_in_flight(frame->lane);
    for (const model::TableDelta& delta : frame->deltas) {
      const state::FingerprintTable& table = tables_.at(delta.system, delta.dataset);
      table_use_[{delta.system, delta.dataset}] = {table.record_count(), table.size_bytes()};
    }
  }
}

// Before a delivery can meet the entries: what is not known of them must not be written quietly.
void PipelineImpl::publish_known(const Group& group) {
  const std::lock_guard lock(mutex_);
  for (const model::FramePointer& frame : group.frames) {
    for (auto& [flow, sequence] : known_behind_[frame->lane]) {
      sequence = lanes_[frame->lane].known_behind(flow.first, flow.second);
    }
  }
}

// REQUIRES: mutex_ is held.
void PipelineImpl::publish_in_flight(model::LaneIndex lane) {
  InFlight& counts = in_flight_[lane];
  counts.clear();
  std::set<std::pair<model::SystemId, model::StreamId>> flows;
  for (const auto& [dataset, rule] : with_.rules) {
    for (const core::SystemRole& role : rule.systems)
      flows.emplace(role.system, rule.schema->stream);
  }
  for (const auto& [system, stream] : flows) {
    counts[{system, stream}] = lanes_[lane].in_flight_count(system, stream);
    known_behind_[lane][{system, stream}] = lanes_[lane].known_behind(system, stream);
  }
}

// Nothing to journal: its position may be acknowledged with what was appended before it.
void PipelineImpl::acknowledge_later(const Group& group) {
  if (group.position.is_start()) return;
  const std::lock_guard lock(mutex_);
  if (appended_.empty()) {
    acknowledgements_[group.system] = group.position;
    return;
  }
  appended_.push_back(group);  // without frames
  appended_.back().number = appended_number_;
}

Result<void> PipelineImpl::commit() {
  const std::lock_guard committing(commit_mutex_);
  SYN_TRY(const journal::GroupNumber durable, with_.journal.commit());
  while (true) {
    Group group;
    {
      const std::lock_guard lock(mutex_);
      if (appended_.empty() || appended_.front().number > durable) break;
      group = appended_.front();
    }
    // It goes only when the shadow has taken it over: where that has no room, the next commit tries
    // again, and what was taken over before is passed over.
    SYN_TRY(commit_group(group));
    const std::lock_guard lock(mutex_);
    appended_bytes_ -= group.size_bytes;
    appended_.pop_front();
  }
  const std::lock_guard lock(mutex_);
  committed_number_ = durable;
  return success();
}

Result<void> PipelineImpl::commit_group(const Group& group) {
  for (const model::FramePointer& frame : group.frames) {
    for (const model::Confirmation& confirmation : frame->confirmations) {
      note_confirmed(frame->lane, confirmation);
    }
    SYN_TRY(record_ledger(*frame, with_.shadow));
    SYN_TRY(with_.shadow.apply(frame));
  }
  if (group.position.is_start()) return success();
  const std::lock_guard lock(mutex_);
  acknowledgements_[group.system] = group.position;
  positions_[group.system] = group.position;
  return success();
}

void PipelineImpl::note_confirmed(model::LaneIndex lane, const model::Confirmation& confirmation) {
  const std::lock_guard lock(confirmed_mutex_);
  model::Confirmation& known = confirmed_[lane][{confirmation.system, confirmation.stream}];
  const auto order = [](const model::Confirmation& one) {
    return std::pair(one.epoch, one.sequence);
  };
  if (order(known) < order(confirmation)) known = confirmation;
}

// What a durable confirmation has settled need not go down with a record's state: a restart meets
// the confirmation again, in the lane's own state or in a frame behind it.
std::string PipelineImpl::shortened(model::DatasetId dataset, model::LaneIndex lane,
                                    std::string_view state) {
  const auto rule = with_.rules.find(dataset);
  if (rule == with_.rules.end()) return {};
  const model::StreamId stream = rule->second.schema->stream;
  return core::shortened(state, [&](model::SystemId system, uint32_t epoch) {
    const std::lock_guard lock(confirmed_mutex_);
    const auto known = confirmed_[lane].find({system, stream});
    const bool is_known = known != confirmed_[lane].end() && known->second.epoch == epoch;
    return is_known ? known->second.sequence : model::Sequence{0};
  });
}

std::optional<model::Position> PipelineImpl::take_acknowledgement(model::SystemId system) {
  const std::lock_guard lock(mutex_);
  const auto found = acknowledgements_.find(system);
  if (found == acknowledgements_.end()) return std::nullopt;
  model::Position position = std::move(found->second);
  acknowledgements_.erase(found);
  return position;
}

void PipelineImpl::set_epoch(model::SystemId system, uint32_t epoch) {
  for (core::Lane& lane : lanes_) lane.set_epoch(system, epoch);
  publish_all();
}

Counters PipelineImpl::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

std::vector<model::LocalCell> PipelineImpl::take_locals() {
  const std::lock_guard lock(mutex_);
  return std::exchange(locals_, {});
}

size_t PipelineImpl::in_flight_count(model::SystemId system) const {
  const std::lock_guard lock(mutex_);
  size_t count = 0;
  for (const InFlight& counts : in_flight_) {
    for (const auto& [flow, in_flight] : counts) count += flow.first == system ? in_flight : 0;
  }
  return count;
}

size_t PipelineImpl::in_flight_count(model::SystemId system, model::StreamId stream) const {
  const std::lock_guard lock(mutex_);
  size_t count = 0;
  for (const InFlight& counts : in_flight_) {
    const auto found = counts.find({system, stream});
    if (found != counts.end()) count += found->second;
  }
  return count;
}

model::Sequence PipelineImpl::known_behind(model::SystemId system, model::StreamId stream,
                                           model::LaneIndex lane) const {
  const std::lock_guard lock(mutex_);
  const auto found = known_behind_[lane].find({system, stream});
  return found == known_behind_[lane].end() ? 0 : found->second;
}

model::Sequence PipelineImpl::confirmed(model::SystemId system, model::StreamId stream,
                                        model::LaneIndex lane) const {
  return lanes_[lane].confirmed(system, stream);
}

size_t PipelineImpl::table_record_count(model::SystemId system, model::DatasetId dataset) const {
  const std::lock_guard lock(mutex_);
  const auto found = table_use_.find({system, dataset});
  return found == table_use_.end() ? 0 : found->second.record_count;
}

size_t PipelineImpl::table_size_bytes() const {
  const std::lock_guard lock(mutex_);
  size_t size = 0;
  for (const auto& [id, use] : table_use_) size += use.size_bytes;
  return size;
}

}  // namespace syncline::pipeline
