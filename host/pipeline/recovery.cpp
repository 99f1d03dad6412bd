// Restart and checkpoints.
//
// A restart brings three things to the same frame, each from where it stands: the lanes (their
// small state, from the last checkpoint), the fingerprint tables (saved per lane) and the shadow
// (an exact prefix per lane). The journal's frames above each are replayed in order.
#include <algorithm>
#include <utility>

#include "host/base/assert.hpp"
#include "host/base/bytes.hpp"
#include "host/pipeline/ledger.hpp"
#include "host/pipeline/pipeline_internal.hpp"

namespace syncline::pipeline {
namespace {

constexpr const char* kProgressItem = "pipeline/progress";

// Written by resync while nothing runs.
std::string forget_item(model::SystemId system) {
  return "forget/" + std::to_string(system);
}

std::string lane_item(model::LaneIndex lane) {
  return "lane/" + std::to_string(lane);
}

}  // namespace

Result<void> PipelineImpl::restore_lane(model::LaneIndex lane) {
  SYN_TRY(applied_[lane], with_.shadow.applied(lane));
  SYN_TRY(const std::string saved, with_.shadow.get_item(lane_item(lane)));
  if (saved.empty()) return success();
  SYN_TRY(lanes_[lane].restore(saved));
  checkpoints_[lane].frame_number = lanes_[lane].last_frame_number();
  return success();
}

Result<void> Pipeline::forget_position(state::Shadow& shadow, model::SystemId system,
                                       journal::GroupNumber up_to) {
  std::string bytes;
  ByteWriter(bytes).u64(up_to);
  return shadow.put_item(forget_item(system), bytes);
}

bool PipelineImpl::is_forgotten(model::SystemId system, journal::GroupNumber group) const {
  const auto found = forgotten_.find(system);
  return found != forgotten_.end() && group <= found->second;
}

Result<void> PipelineImpl::load_positions() {
  for (const auto& [dataset, rule] : with_.rules) {
    for (const core::SystemRole& role : rule.systems) {
      SYN_TRY(const std::string stored, with_.shadow.get_item(forget_item(role.system)));
      if (!stored.empty()) forgotten_[role.system] = ByteReader(stored).u64();
    }
  }
  const auto progress = with_.shadow.get_item(kProgressItem);
  if (!progress) return progress.as_failure();
  if (progress.value().empty()) return success();
  ByteReader in(progress.value());
  released_ = in.u64();
  const journal::GroupNumber saved = in.u64();
  for (uint64_t count = in.varint(); count > 0 && in.ok(); --count) {
    const model::SystemId system = in.u32();
    model::Position position{std::string(in.text())};
    if (!is_forgotten(system, saved)) positions_[system] = std::move(position);
  }
  return success();
}

Result<void> PipelineImpl::recover() {
  SYN_TRY(tables_.load());
  for (size_t lane = 0; lane < lanes_.size(); ++lane) {
    SYN_TRY(restore_lane(static_cast<model::LaneIndex>(lane)));
  }
  SYN_TRY(load_positions());
  SYN_TRY(load_guard());
  SYN_TRY(load_twins());
  SYN_TRY(const auto cursor, with_.journal.open_cursor(released_));
  while (true) {
    SYN_TRY(const journal::GroupPointer group, cursor->next());
    if (!group) break;
    SYN_TRY(replay_group(*group));
  }
  for (const Tables::Damage& damage : tables_.damaged()) {
    SYN_TRY(rebuild_table(damage));
  }
  for (size_t lane = 0; lane < lanes_.size(); ++lane) {
    for (const model::Confirmation& confirmation : lanes_[lane].confirmations()) {
      note_confirmed(static_cast<model::LaneIndex>(lane), confirmation);
    }
  }
  with_.shadow.set_shorten(
      [this](model::DatasetId dataset, model::LaneIndex lane, std::string_view state) {
        return shortened(dataset, lane, state);
      });
  appended_number_ = committed_number_ = with_.journal.stats().committed;
  for (LaneCheckpoint& checkpoint : checkpoints_) checkpoint.group = released_;
  publish_all();
  return success();
}

void PipelineImpl::publish_all() {
  const std::lock_guard lock(mutex_);
  for (size_t lane = 0; lane < lanes_.size(); ++lane) {
    publish_in_flight(static_cast<model::LaneIndex>(lane));
  }
  for (const auto& [dataset, rule] : with_.rules) {
    for (const core::SystemRole& role : rule.systems) {
      const state::FingerprintTable* table = tables_.find(role.system, dataset);
      if (table == nullptr) continue;
      table_use_[{role.system, dataset}] = {table->record_count(), table->size_bytes()};
    }
  }
}

Result<void> PipelineImpl::replay_group(const journal::Group& group) {
  for (const model::FramePointer& frame : group.frames) {
    SYN_TRY(replay_frame(frame, group.number));
  }
  return success();
}

Result<void> PipelineImpl::replay_frame(const model::FramePointer& frame,
                                        journal::GroupNumber group) {
  if (frame->lane >= lanes_.size()) {
    return fail(ErrorCode::kFormat, "the journal has more lanes than the config",
                "the number of lanes is fixed at the first run",
                "set [appliance] lanes back to what it was");
  }
  core::Lane& lane = lanes_[frame->lane];
  if (frame->number > lane.last_frame_number()) lane.replay(*frame);
  SYN_TRY(replay_tables(*frame, group));
  if (frame->number > applied_[frame->lane]) {
    with_.shadow.stage(frame);
    SYN_TRY(record_ledger(*frame, with_.shadow));
    SYN_TRY(with_.shadow.apply(frame));
    applied_[frame->lane] = frame->number;
  }
  for (const model::SourceProgress& progress : frame->progress) {
    if (progress.position.is_start() || is_forgotten(progress.system, group)) continue;
    model::Position& known = positions_[progress.system];
    known = std::max(known, progress.position);
  }
  return success();
}

Result<void> PipelineImpl::checkpoint_lane(model::LaneIndex lane) {
  const uint64_t frame_number = lanes_[lane].last_frame_number();
  if (frame_number != checkpoints_[lane].frame_number) {
    SYN_TRY(save_guard());
    SYN_TRY(tables_.save(lane, frame_number));
    lane_snapshots_[lane] = lanes_[lane].snapshot();
  }
  checkpoints_[lane] = {frame_number, appended_number_};
  return success();
}

// Only what the journal already holds durably is saved: the commit comes first, on this thread, and
// no step comes between it and the save. The shadow's flush is the dearest part, so it comes once
// all lanes had their turn; until then the journal keeps what they need.
Result<std::optional<journal::GroupNumber>> PipelineImpl::checkpoint(size_t lane_limit,
                                                                     const Items& items) {
  SYN_ASSERT(!is_waiting());
  SYN_TRY(commit());
  if (lane_limit >= lanes_.size()) next_checkpoint_ = 0;
  const size_t end = std::min(next_checkpoint_ + lane_limit, lanes_.size());
  for (; next_checkpoint_ < end; ++next_checkpoint_) {
    SYN_TRY(checkpoint_lane(static_cast<model::LaneIndex>(next_checkpoint_)));
  }
  next_checkpoint_ %= lanes_.size();
  if (next_checkpoint_ != 0) return std::optional<journal::GroupNumber>();
  SYN_TRY(with_.shadow.settle());
  for (const auto& [name, bytes] : items) {
    SYN_TRY(with_.shadow.put_item(name, bytes));
  }
  SYN_TRY(end_round());
  return std::optional(released());
}

Result<void> PipelineImpl::end_round() {
  for (const auto& [lane, snapshot] : lane_snapshots_) {
    SYN_TRY(with_.shadow.put_item(lane_item(lane), snapshot));
  }
  journal::GroupNumber oldest = appended_number_;
  for (const LaneCheckpoint& checkpoint : checkpoints_) {
    oldest = std::min(oldest, checkpoint.group);
  }
  std::string progress;
  ByteWriter out(progress);
  out.u64(oldest);
  out.u64(appended_number_);
  {
    const std::lock_guard lock(mutex_);
    out.varint(positions_.size());
    for (const auto& [system, position] : positions_) {
      out.u32(system);
      out.text(position.bytes);
    }
  }
  SYN_TRY(with_.shadow.put_item(kProgressItem, progress));
  SYN_TRY(with_.shadow.flush());
  lane_snapshots_.clear();
  released_ = oldest;
  return success();
}

}  // namespace syncline::pipeline
