// Twins in the order of truth: rows that are none of their record's are left out of a poll before
// anything is decided; later a look at the system says which of them are there.
#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include "host/base/assert.hpp"
#include "host/base/bytes.hpp"
#include "host/model/key.hpp"
#include "host/pipeline/ledger.hpp"
#include "host/pipeline/pipeline_internal.hpp"

namespace syncline::pipeline {
namespace {

std::string twin_prefix(const DeleteGuard::Id& id) {
  return "twin/" + std::to_string(id.second) + "/" + std::to_string(id.first) + "/";
}

std::string twin_item(const DeleteGuard::Id& id, const model::KeyHash& hash) {
  return twin_prefix(id) + std::to_string(hash.high) + "-" + std::to_string(hash.low);
}

std::string unfolded_item(model::DatasetId dataset) {
  return "keys not folded/" + std::to_string(dataset);
}

model::Skip twin_skip(model::SystemId system, const TwinRows& rows, std::string reason) {
  return {system, rows.dataset, rows.key_hash, rows.keys.back(), kTwinSequence, std::move(reason)};
}

TwinRows rows_of(model::DatasetId dataset, const model::KeyHash& hash, const Twin& twin) {
  TwinRows rows{dataset, hash, {twin.own}};
  rows.keys.insert(rows.keys.end(), twin.others.begin(), twin.others.end());
  return rows;
}

// Rows that the table did not know begin a life in that system, under their own key.
bool is_looked_at(const model::Batch& batch, size_t row, engine::Verdict verdict) {
  const uint8_t op = batch.op(row);
  if (batch.is_ours(row) && op != SYN_OP_INSERT) return false;
  if (op == SYN_OP_DELETE) return verdict == engine::Verdict::kGone;
  return verdict != engine::Verdict::kNew;
}

}  // namespace

// Whether any of the dataset's keys was ever written otherwise than folded; only then can two of
// them be one. Durable before anything of the first such key is.
Result<bool> PipelineImpl::may_have_twins(const model::Batch& batch) {
  const model::DatasetId dataset = batch.dataset();
  if (unfolded_.contains(dataset)) return true;
  size_t row = 0;
  while (row < batch.row_count() && batch.has_folded_key(row)) ++row;
  if (row == batch.row_count()) return false;
  SYN_TRY(commit());  // so that no other thread applies frames while the shadow is flushed
  SYN_TRY(with_.shadow.put_item(unfolded_item(dataset), "1"));
  SYN_TRY(with_.shadow.flush());
  unfolded_.insert(dataset);
  return true;
}

// Twins as they are known, those that the batch's rows may say something of: by key hash.
Result<PipelineImpl::TwinsOf> PipelineImpl::twins_near(const DeleteGuard::Id& id,
                                                       const model::Batch& batch,
                                                       const Examined& examined) {
  TwinsOf near;
  {
    const std::lock_guard lock(mutex_);
    const auto known = twins_.find(id);
    for (size_t row = 0; known != twins_.end() && row < batch.row_count(); ++row) {
      const auto twin = known->second.find(batch.key_hash(row));
      if (twin != known->second.end()) near.insert(*twin);
    }
  }
  std::set<state::RecordId> wanted;
  std::map<model::KeyHash, size_t> rows;
  for (size_t row = 0; row < batch.row_count(); ++row) {
    const model::KeyHash& hash = batch.key_hash(row);
    if (near.contains(hash) || !is_looked_at(batch, row, examined.detected.verdicts[row])) continue;
    wanted.insert({id.second, hash});
    rows.emplace(hash, row);
  }
  const std::vector<state::RecordId> ids(wanted.begin(), wanted.end());
  const model::Schema& schema = batch.schema();
  Result<void> outcome = success();
  SYN_TRY(with_.shadow.load_states(ids, [&](size_t index, std::string_view bytes) {
    const model::KeyHash& hash = ids[index].key_hash;
    const std::string folded = model::fold_key(batch.key(rows.at(hash)), schema);
    auto state = core::decode_record(bytes);
    if (!bytes.empty() && !state) outcome = state.as_failure();
    near[hash].own = bytes.empty() || !state ? folded : state.value().key_at(id.first, folded);
  }));
  if (!outcome) return std::move(outcome).as_failure();
  return near;
}

// The batch's rows that are not to be taken; twins: as they stand behind it.
std::vector<bool> PipelineImpl::find_others(const model::Batch& batch, const Examined& examined,
                                            TwinsOf& twins) {
  std::vector<bool> others(batch.row_count());
  for (size_t row = 0; row < batch.row_count(); ++row) {
    const auto found = twins.find(batch.key_hash(row));
    if (found == twins.end()) continue;
    Twin& twin = found->second;
    const bool is_known = is_looked_at(batch, row, examined.detected.verdicts[row]);
    if (is_known || !twin.others.empty()) {
      others[row] = sort_out(batch, row, twin) == TwinRow::kOther;
    } else if (batch.op(row) != SYN_OP_DELETE) {
      twin.own = batch.key(row);
    }
  }
  return others;
}

// What is left of a poll; nothing: all of it is.
Result<std::optional<capture::Captured>> PipelineImpl::leave_out_others(
    const capture::Captured& captured) {
  std::optional<capture::Captured> rest;
  for (size_t i = 0; i < captured.batches.size(); ++i) {
    const model::Batch& batch = captured.batches[i];
    const DeleteGuard::Id id{captured.system, batch.dataset()};
    const core::DatasetRules& rules = with_.rules.at(id.second);
    const core::SystemRole* role = rules.role(id.first);
    if (role == nullptr || !rules.tells_keys_apart(*role)) continue;
    SYN_TRY(const bool may_be, may_have_twins(batch));
    if (!may_be) continue;
    SYN_TRY(TwinsOf twins, twins_near(id, batch, examined_[i]));
    if (twins.empty()) continue;
    const std::vector<bool> others = find_others(batch, examined_[i], twins);
    SYN_TRY(keep_twins(id, twins));
    const auto count = static_cast<size_t>(std::count(others.begin(), others.end(), true));
    if (count == 0) continue;
    if (!rest) rest = captured;
    rest->batches[i] = model::copy_rows(batch, options_.lane_count,
                                        [&others](size_t row) { return !others[row]; });
    rest->rows_left_out += count;
  }
  return rest;
}

// Those that are twins, durably; nothing where there is no news.
Result<void> PipelineImpl::keep_twins(const DeleteGuard::Id& id, const TwinsOf& twins) {
  TwinsOf news;
  {
    const std::lock_guard lock(mutex_);
    const auto known = twins_.find(id);
    for (const auto& [hash, twin] : twins) {
      const bool is_known = known != twins_.end() && known->second.contains(hash);
      const bool is_any = twin.is_due || !twin.others.empty();
      if (is_known ? twin != known->second.at(hash) : is_any) news[hash] = twin;
    }
  }
  if (news.empty()) return success();
  SYN_TRY(commit());  // so that no other thread applies frames while the shadow is flushed
  for (const auto& [hash, twin] : news) {
    SYN_TRY(with_.shadow.put_item(twin_item(id, hash), encode_twin(twin)));
  }
  SYN_TRY(with_.shadow.flush());
  const std::lock_guard lock(mutex_);
  for (const auto& [hash, twin] : news) twins_[id][hash] = twin;
  return success();
}

// A start does not know what happened in the systems meanwhile.
Result<void> PipelineImpl::load_twins() {
  for (const auto& [dataset, rule] : with_.rules) {
    SYN_TRY(const std::string unfolded, with_.shadow.get_item(unfolded_item(dataset)));
    if (!unfolded.empty()) unfolded_.insert(dataset);
    for (const core::SystemRole& role : rule.systems) {
      const DeleteGuard::Id id{role.system, dataset};
      Result<void> outcome = success();
      const auto visit = [&](const std::string&, std::string_view bytes) {
        auto twin = decode_twin(bytes);
        if (!twin) {
          outcome = std::move(twin).as_failure();
          return false;
        }
        twin.value().is_due = true;
        const model::KeyHash hash = model::record_hash(twin.value().own, *rule.schema);
        twins_[id][hash] = std::move(twin).value();
        return true;
      };
      SYN_TRY(with_.shadow.scan_items(twin_prefix(id), visit));
      if (!outcome) return outcome;
    }
  }
  return success();
}

bool PipelineImpl::is_twin(const DeleteGuard::Id& id, const model::KeyHash& hash) const {
  const std::lock_guard lock(mutex_);
  const auto known = twins_.find(id);
  return known != twins_.end() && known->second.contains(hash);
}

std::vector<TwinRows> PipelineImpl::twins_due(model::SystemId system) const {
  std::vector<TwinRows> due;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, twins] : twins_) {
    if (id.first != system) continue;
    for (const auto& [hash, twin] : twins) {
      if (twin.is_due) due.push_back(rows_of(id.second, hash, twin));
    }
  }
  return due;
}

void PipelineImpl::look_at_twins(model::SystemId system, model::DatasetId dataset) {
  const std::lock_guard lock(mutex_);
  const auto known = twins_.find({system, dataset});
  if (known == twins_.end()) return;
  for (auto& [hash, twin] : known->second) twin.is_due = true;
}

// Their own row was deleted by us, and its log does not show that. A start asks for all of them.
void PipelineImpl::look_at_twins_of(model::SystemId system,
                                    std::span<const core::RecordId> records) {
  const std::lock_guard lock(mutex_);
  for (const core::RecordId& record : records) {
    const auto known = twins_.find({system, record.dataset});
    if (known == twins_.end()) continue;
    const auto twin = known->second.find(record.key_hash);
    if (twin != known->second.end() && !twin->second.others.empty()) twin->second.is_due = true;
  }
}

// The record's row as it was read just now, as a change of the system's.
Result<void> PipelineImpl::take_own_row(const capture::Captured& read, const Twin& twin,
                                        const std::string& old_key) {
  for (const model::Batch& batch : read.batches) {
    model::BatchBuilder builder(batch.schema(), options_.lane_count);
    std::vector<model::CellView> cells(batch.schema().fields.size());
    for (size_t row = 0; row < batch.row_count(); ++row) {
      if (batch.key(row) != twin.own) continue;
      for (size_t field = 0; field < cells.size(); ++field) {
        cells[field] = batch.cell(row, static_cast<model::FieldIndex>(field));
      }
      builder.begin_transaction(batch.transaction(row));
      builder.add_row(batch.op(row), false, batch.ordinal(row), cells);
      if (old_key != twin.own) builder.set_old_key(old_key);
    }
    capture::Captured own;
    own.kind = capture::Kind::kRescan;
    own.system = read.system;
    own.arrival_us = read.arrival_us;
    own.batches.push_back(builder.finish());
    SYN_TRY(examine(own));
    SYN_TRY(process_examined(own));
  }
  return success();
}

// None of its rows is there: as if the log had said so. It counts to the limit of deletes; beyond
// it the scan that follows an approval finds that.
Result<void> PipelineImpl::take_gone(const capture::Captured& read, model::DatasetId dataset,
                                     const std::string& key) {
  const DeleteGuard::Id id{read.system, dataset};
  if (!is_approved(id)) {
    SYN_TRY(const bool is_beyond, hold_if_beyond(id, 1));
    if (is_beyond) return success();
  }
  model::BatchBuilder builder(*with_.rules.at(dataset).schema, options_.lane_count);
  builder.begin_transaction({{}, read.arrival_us, 1});
  std::vector<model::CellView> cells;
  for (const std::string_view part : model::split_key(key)) {
    cells.push_back({model::CellState::kValue, part});
  }
  builder.add_key_row(SYN_OP_DELETE, false, 0, cells);
  capture::Captured gone;
  gone.kind = capture::Kind::kRescan;
  gone.system = read.system;
  gone.arrival_us = read.arrival_us;
  gone.batches.push_back(builder.finish());
  SYN_TRY(examine(gone));
  const bool is_known = examined_[0].detected.verdicts[0] == engine::Verdict::kGone;
  SYN_TRY(process_examined(gone));
  if (is_known) return success();
  return process_keys(read.system, dataset, std::span(&key, 1), core::RowOp::kDelete);
}

// As they were when the system was asked; nothing: more was heard of them meanwhile.
std::optional<Twin> PipelineImpl::twin_of(const DeleteGuard::Id& id, const TwinRows& due) const {
  const std::lock_guard lock(mutex_);
  const auto known = twins_.find(id);
  if (known == twins_.end()) return std::nullopt;
  const auto twin = known->second.find(due.key_hash);
  if (twin == known->second.end()) return std::nullopt;
  const bool is_same = rows_of(due.dataset, due.key_hash, twin->second).keys == due.keys;
  return is_same ? std::optional(twin->second) : std::nullopt;
}

Result<bool> PipelineImpl::exists(model::DatasetId dataset, const std::string& key) {
  const model::Schema& schema = *with_.rules.at(dataset).schema;
  const state::RecordId id{dataset, model::record_hash(key, schema)};
  bool is_there = false;
  Result<void> outcome = success();
  SYN_TRY(with_.shadow.load_states(std::span(&id, 1), [&](size_t, std::string_view bytes) {
    if (bytes.empty()) return;
    const auto state = core::decode_record(bytes);
    if (!state) outcome = state.as_failure();
    is_there = state && state.value().exists();
  }));
  if (!outcome) return std::move(outcome).as_failure();
  return is_there;
}

Result<void> PipelineImpl::settle_one(const DeleteGuard::Id& id, const capture::Captured& read,
                                      const std::vector<std::string>& present, Twin& twin) {
  const std::string before = twin.own;
  const Found found = settle(twin, present);
  if (found == Found::kNone) return take_gone(read, id.second, before);
  SYN_TRY(take_own_row(read, twin, before));
  if (found == Found::kAsBefore) return success();
  // What was written meanwhile met no row. A user's row is not taken away for a record that ended.
  SYN_TRY(const bool is_there, exists(id.second, twin.own));
  if (!is_there) return success();
  return process_redeliver(id.first, id.second, std::span(&twin.own, 1));
}

Result<std::vector<TwinRows>> PipelineImpl::settle_twins(std::span<const TwinRows> due,
                                                         const capture::Captured& read,
                                                         const DescribeTwins& describe) {
  SYN_ASSERT(!is_waiting());
  std::map<std::pair<model::DatasetId, model::KeyHash>, std::set<std::string>> present;
  for (const model::Batch& batch : read.batches) {
    for (size_t row = 0; row < batch.row_count(); ++row) {
      present[{batch.dataset(), batch.key_hash(row)}].emplace(batch.key(row));
    }
  }
  std::vector<std::pair<DeleteGuard::Id, Twin>> settled;
  std::vector<TwinRows> left;
  for (const TwinRows& rows : due) {
    const DeleteGuard::Id id{read.system, rows.dataset};
    std::optional<Twin> twin = twin_of(id, rows);
    if (!twin || is_held(id)) continue;
    const auto& keys = present[{rows.dataset, rows.key_hash}];
    SYN_TRY(settle_one(id, read, {keys.begin(), keys.end()}, *twin));
    left.push_back(rows_of(rows.dataset, rows.key_hash, *twin));
    settled.emplace_back(id, std::move(*twin));
  }
  SYN_TRY(commit());  // so that no other thread applies frames while the shadow is flushed
  for (size_t i = 0; i < settled.size(); ++i) {
    SYN_TRY(tell_twins(settled[i].first, left[i], settled[i].second, describe));
  }
  SYN_TRY(with_.shadow.flush());
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < settled.size(); ++i) {
    TwinsOf& twins = twins_[settled[i].first];
    twins[left[i].key_hash] = settled[i].second;
    if (settled[i].second.others.empty()) twins.erase(left[i].key_hash);
  }
  return left;
}

// What is left of them goes to quarantine, or leaves it.
Result<void> PipelineImpl::tell_twins(const DeleteGuard::Id& id, const TwinRows& left,
                                      const Twin& twin, const DescribeTwins& describe) {
  const bool is_mended = twin.others.empty();
  const model::Skip skip = twin_skip(id.first, left, is_mended ? std::string() : describe(left));
  if (is_mended) {
    SYN_TRY(forget_quarantined(skip, with_.shadow));
  } else {
    SYN_TRY(quarantine(skip, with_.shadow));
  }
  const std::string stored = is_mended ? std::string() : encode_twin(twin);
  return with_.shadow.put_item(twin_item(id, left.key_hash), stored);
}

}  // namespace syncline::pipeline
