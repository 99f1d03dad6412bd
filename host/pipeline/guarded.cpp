// The deletion guard in the order of truth. What would take a dataset beyond its limit is not
// taken: that it is held is durable before the system's position moves past it, and from then on
// the log's rows of that dataset are passed over. Nothing of them is kept: the fingerprint table
// still knows every record that is gone, so that the scan that follows the approval finds them all.
#include <algorithm>
#include <utility>

#include "host/base/assert.hpp"
#include "host/base/bytes.hpp"
#include "host/pipeline/pipeline_internal.hpp"

namespace syncline::pipeline {
namespace {

constexpr const char* kPeaksFile = "delete-peaks";
constexpr std::string_view kApproved = "approved";

// The approved one's number of records follows as the held one's does; it is missing in folders of
// before.
std::string encode_held(const HeldDeletes& held) {
  std::string bytes(held.is_approved ? kApproved : std::string_view());
  ByteWriter out(bytes);
  out.u64(held.lost);
  out.u64(held.of);
  return bytes;
}

HeldDeletes decode_held(const DeleteGuard::Id& id, std::string_view bytes) {
  HeldDeletes held{id.first, id.second, 0, 0, bytes.starts_with(kApproved)};
  ByteReader in(held.is_approved ? bytes.substr(kApproved.size()) : bytes);
  if (in.at_end()) return held;
  held.lost = in.u64();
  held.of = in.u64();
  return held;
}

std::string held_item(const DeleteGuard::Id& id) {
  return "deletes held/" + std::to_string(id.second) + "/" + std::to_string(id.first);
}

// What a batch takes away, and what it brings, by what the table knew.
struct Balance {
  int64_t gone = 0;
  int64_t gone_by_us = 0;
  int64_t made = 0;
};

Balance balance_of(const model::Batch& batch, const Examined& examined) {
  Balance balance;
  for (size_t row = 0; row < batch.row_count(); ++row) {
    const engine::Verdict verdict = examined.detected.verdicts[row];
    if (batch.op(row) == SYN_OP_DELETE && verdict == engine::Verdict::kGone) {
      ++(batch.is_ours(row) ? balance.gone_by_us : balance.gone);
    } else if (verdict == engine::Verdict::kNew && batch.op(row) != SYN_OP_DELETE) {
      ++balance.made;
    }
  }
  return balance;
}

}  // namespace

Result<void> Pipeline::forget_held_deletes(state::Shadow& shadow, model::SystemId system,
                                           model::DatasetId dataset) {
  return shadow.put_item(held_item({system, dataset}), {});
}

Result<void> PipelineImpl::load_guard() {
  SYN_TRY(const bool has_peaks, with_.disk.exists(kPeaksFile));
  if (has_peaks) {
    SYN_TRY(saved_peaks_, with_.disk.read_all(kPeaksFile));
    guard_.restore(saved_peaks_);
  }
  for (const auto& [dataset, rule] : with_.rules) {
    for (const core::SystemRole& role : rule.systems) {
      const DeleteGuard::Id id{role.system, dataset};
      SYN_TRY(const std::string stored, with_.shadow.get_item(held_item(id)));
      if (!stored.empty()) held_[id] = decode_held(id, stored);
    }
  }
  return success();
}

// A file of its own: a lane's tables are durable before the shadow is, and from then on only the
// peaks know what those tables have lost.
Result<void> PipelineImpl::save_guard() {
  std::string peaks = guard_.snapshot();
  if (peaks == saved_peaks_) return success();
  SYN_TRY(with_.disk.replace(kPeaksFile, peaks));
  saved_peaks_ = std::move(peaks);
  return success();
}

// Nor does a restart count what is in the journal up to here.
Result<void> PipelineImpl::forget_losses(const DeleteGuard::Id& id) {
  {
    const std::lock_guard lock(mutex_);
    guard_.forget(id, appended_number_);
  }
  return save_guard();
}

// What the frame took away counts as it did when it was new: what no user's delete is in it for was
// our own doing.
Result<void> PipelineImpl::replay_tables(const model::Frame& frame, journal::GroupNumber group) {
  std::map<DeleteGuard::Id, uint64_t> before;
  for (const model::TableDelta& delta : frame.deltas) {
    const state::FingerprintTable* table = tables_.find(delta.system, delta.dataset);
    if (table == nullptr || !guard_.counts({delta.system, delta.dataset}, group)) continue;
    before[{delta.system, delta.dataset}] = table->record_count();
  }
  for (const auto& [id, count] : before) guard_.look(id, count, 0, with_.clock.now_us());
  SYN_TRY(tables_.replay(frame));
  for (const auto& [id, count] : before) {
    const uint64_t left = tables_.at(id.first, id.second).record_count();
    const auto is_users = [&id](const model::Entry& entry) {
      return entry.kind == model::EntryKind::kDelete && entry.origin == id.first &&
             entry.dataset == id.second;
    };
    const auto by_users = static_cast<uint64_t>(std::ranges::count_if(frame.entries, is_users));
    if (count > left + by_users) guard_.forgive(id, count - left - by_users);
  }
  return success();
}

// Whether it is beyond the limit; then it is held, durably.
Result<bool> PipelineImpl::hold_if_beyond(const DeleteGuard::Id& id, int64_t lost) {
  const core::DeleteLimit& limit = with_.rules.at(id.second).delete_limit;
  const uint64_t record_count = tables_.at(id.first, id.second).record_count();
  const auto loss = guard_.look(id, record_count, lost, with_.clock.now_us());
  if (lost <= 0 || limit.is_off || loss.lost <= limit.of(loss.peak)) return false;
  SYN_TRY(commit());
  const HeldDeletes held{id.first, id.second, loss.lost, loss.peak};
  SYN_TRY(with_.shadow.put_item(held_item(id), encode_held(held)));
  SYN_TRY(with_.shadow.flush());
  const std::lock_guard lock(mutex_);
  held_[id] = held;
  return true;
}

bool PipelineImpl::is_held(const DeleteGuard::Id& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = held_.find(id);
  return found != held_.end() && !found->second.is_approved;
}

bool PipelineImpl::is_approved(const DeleteGuard::Id& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = held_.find(id);
  return found != held_.end() && found->second.is_approved;
}

// The datasets of which nothing is to be taken. A first sync's rows take nothing away.
Result<std::set<model::DatasetId>> PipelineImpl::guard_deletes(const capture::Captured& captured) {
  std::set<model::DatasetId> held;
  if (captured.kind == capture::Kind::kFirstSync) return held;
  for (size_t i = 0; i < captured.batches.size(); ++i) {
    const DeleteGuard::Id id{captured.system, captured.batches[i].dataset()};
    bool is_beyond = is_held(id);
    if (!is_beyond && captured.kind == capture::Kind::kLog && !is_approved(id)) {
      const Balance balance = balance_of(captured.batches[i], examined_[i]);
      SYN_TRY(is_beyond, hold_if_beyond(id, balance.gone - balance.made));
      if (!is_beyond) guard_.forgive(id, static_cast<uint64_t>(balance.gone_by_us));
    }
    if (is_beyond) held.insert(id.second);
  }
  return held;
}

// Our own writes are taken even so: their markers count, and the table has to know them.
capture::Captured PipelineImpl::without_users_rows(const capture::Captured& captured,
                                                   const std::set<model::DatasetId>& held) const {
  capture::Captured rest = captured;
  for (model::Batch& batch : rest.batches) {
    if (!held.contains(batch.dataset())) continue;
    batch = model::copy_rows(batch, options_.lane_count,
                             [&batch](size_t row) { return batch.is_ours(row); });
  }
  rest.rows_left_out += captured.row_count() - rest.row_count();
  return rest;
}

// Of a scan: what it did not show.
Result<bool> PipelineImpl::hold_sweep_if_beyond(const DeleteGuard::Id& id) {
  if (is_held(id)) return true;
  if (is_approved(id)) return false;
  const state::FingerprintTable& table = tables_.at(id.first, id.second);
  int64_t lost = 0;
  for (size_t lane = 0; lane < options_.lane_count; ++lane) {
    lost += static_cast<int64_t>(table.unseen(static_cast<model::LaneIndex>(lane)).key_bits.size());
  }
  return hold_if_beyond(id, lost);
}

// The scan that was approved is through: from here on the limit counts again. What it found is
// durable first.
Result<void> PipelineImpl::end_approval(const DeleteGuard::Id& id) {
  if (!is_approved(id)) return success();
  SYN_TRY(commit());
  SYN_TRY(forget_losses(id));
  SYN_TRY(with_.shadow.put_item(held_item(id), {}));
  const std::lock_guard lock(mutex_);
  held_.erase(id);
  return success();
}

Result<void> PipelineImpl::approve_deletes(model::SystemId system, model::DatasetId dataset) {
  const DeleteGuard::Id id{system, dataset};
  HeldDeletes approved{system, dataset};
  {
    const std::lock_guard lock(mutex_);
    if (const auto held = held_.find(id); held != held_.end()) approved = held->second;
  }
  approved.is_approved = true;
  SYN_TRY(commit());  // so that no other thread applies frames while the shadow is flushed
  SYN_TRY(with_.shadow.put_item(held_item(id), encode_held(approved)));
  SYN_TRY(with_.shadow.flush());
  const std::lock_guard lock(mutex_);
  held_[id] = approved;
  return success();
}

std::vector<HeldDeletes> PipelineImpl::held_deletes() const {
  const std::lock_guard lock(mutex_);
  std::vector<HeldDeletes> all;
  all.reserve(held_.size());
  for (const auto& [id, held] : held_) all.push_back(held);
  return all;
}

}  // namespace syncline::pipeline
