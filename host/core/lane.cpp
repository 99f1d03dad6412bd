#include "host/core/lane.hpp"

#include <algorithm>
#include <limits>
#include <unordered_set>
#include <utility>

#include "host/base/bytes.hpp"
#include "host/core/echoes_internal.hpp"
#include "host/core/step_internal.hpp"

namespace syncline::core {
namespace {

// For lane snapshots, which live as long as the data folder. Permanent value.
constexpr uint8_t kSnapshotFormat = 4;

// Of what is on its way to systems that are away, no more than so many fingerprints are kept in
// memory, 512 KiB a lane: the records know the rest.
constexpr size_t kPrintsMax = 1u << 16;
constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

void sort_unique(std::vector<RecordId>& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

bool has_full_write_waiting(const RecordState& state) {
  return std::any_of(state.views.begin(), state.views.end(),
                     [](const SystemView& view) { return view.needs_full_write(); });
}

// Whether the accepted state holds what this row's writer has not seen, so that values may have to
// be compared, or written whole. It may say yes too often, never no where step() needs them.
bool change_needs_values(const RecordState& state, const DatasetRules& rules,
                         const SystemRole& role, const Row& row) {
  if (has_full_write_waiting(state)) return true;
  if (may_clash(state, rules, role, row)) return true;
  const Shown shown = shown_to(state, role);
  const bool has_seen_all = shown.view == nullptr && shown.own_only == 0;
  const bool is_life_changing = row.op != RowOp::kUpdate;
  if (shown.view != nullptr) {
    if (is_life_changing || shown.generation != state.generation) return true;
    for (const InFlight& write : shown.view->flight) {
      if (write.generation != state.generation) return true;
    }
  }
  if (row.op == RowOp::kDelete && rules.has_peers()) return true;
  const bool is_whole = row.cells.size() == rules.schema->value_count();
  if (row.op == RowOp::kInsert && !is_whole && !state.cells.empty()) return true;
  if (is_life_changing || !state.exists()) {
    return shown.own_only != 0 && !state.cells.empty();
  }
  if (has_seen_all) return false;
  return std::any_of(row.cells.begin(), row.cells.end(), [&](const RowCell& cell) {
    const size_t value = cell.field - rules.schema->key_count;
    return value < state.cells.size() && state.cells[value] > shown.version(value);
  });
}

// Whether this row of ours shows just what we last wrote up to this sequence, so that step() drops
// it. REQUIRES: nothing else in the input changes the record before it.
bool is_plain_echo(const RecordState& state, const DatasetRules& rules, const SystemRole& role,
                   const Row& row, model::Sequence up_to) {
  const SystemView* view = state.view(role.system);
  if (!row.is_ours || row.op > RowOp::kUpdate || view == nullptr) return false;
  bool exists = view->generation % 2 == 1;
  const auto is_confirmed = [up_to](const InFlight& write) {
    return !write.is_skipped && write.sequence <= up_to;
  };
  for (const InFlight& write : view->flight) {
    if (!is_confirmed(write)) continue;
    if (write.kind == model::EntryKind::kDelete) return false;
    exists = exists || model::is_whole(write.kind);
  }
  if (!exists) return false;
  return std::all_of(row.cells.begin(), row.cells.end(), [&](const RowCell& cell) {
    if (!rules.travels(cell.field)) return true;
    const SentCell* last = nullptr;
    for (const InFlight& write : view->flight) {
      if (!is_confirmed(write)) continue;
      for (const SentCell& sent : write.cells) {
        if (sent.field == cell.field) last = &sent;
      }
    }
    return last == nullptr ? !cell.is_changed : last->fingerprint == cell.fingerprint;
  });
}

// How far the markers met so far in one input confirm each stream.
class Confirmed {
 public:
  void raise(model::StreamId stream, model::Sequence sequence) {
    for (auto& [known, last] : streams_) {
      if (known == stream) {
        last = std::max(last, sequence);
        return;
      }
    }
    streams_.emplace_back(stream, sequence);
  }
  model::Sequence up_to(model::StreamId stream) const {
    for (const auto& [known, last] : streams_) {
      if (known == stream) return last;
    }
    return 0;
  }

 private:
  std::vector<std::pair<model::StreamId, model::Sequence>> streams_;  // a few
};

bool join_needs_values(const RecordState& state, const DatasetRules& rules,
                       const model::Entry& entry) {
  if (state.cells.empty()) return false;
  if (entry.generation != state.generation || has_full_write_waiting(state)) return true;
  return std::any_of(entry.cells.begin(), entry.cells.end(), [&](const model::EntryCell& cell) {
    const size_t value = cell.field - rules.schema->key_count;
    if (value >= state.cells.size()) return false;
    return cell.version < state.cells[value] || cell.base < state.cells[value];
  });
}

}  // namespace

Lane::Lane(model::LaneIndex index, const Rules& rules, const model::Secret& secret)
    : index_(index), rules_(rules), secret_(secret) {}

const DatasetRules* Lane::rules_of(model::DatasetId dataset) const {
  const auto at = rules_.find(dataset);
  return at == rules_.end() ? nullptr : &at->second;
}

uint32_t Lane::epoch_of(model::SystemId system) const {
  const auto epoch = epochs_.find(system);
  return epoch == epochs_.end() ? 0 : epoch->second;
}

bool Lane::counts(model::SystemId system, const Marker& marker) const {
  const auto epoch = epochs_.find(system);
  return epoch != epochs_.end() && epoch->second == marker.epoch &&
         marker.sequence <= last_sequence(marker.stream);
}

std::vector<RecordId> Lane::needs(const Input& input) const {
  std::vector<RecordId> ids;
  ids.reserve(input.items.size() + input.skips.size());
  for (const model::Skip& skip : input.skips) ids.push_back({skip.dataset, skip.key_hash});
  Echoes echoes(input.system);
  for (const Item& item : input.items) {
    if (const Row* row = std::get_if<Row>(&item)) {
      const DatasetRules* rules = rules_of(row->dataset);
      if (rules == nullptr || echoes.is_plain(*row, *rules)) continue;
      ids.push_back({row->dataset, row->key_hash});
    } else if (const Joined* joined = std::get_if<Joined>(&item)) {
      ids.push_back({joined->entry->dataset, joined->entry->key_hash});
    } else {
      echoes.take(std::get<Marker>(item), *this);
    }
  }
  ids.insert(ids.end(), echoes.deleted().begin(), echoes.deleted().end());
  sort_unique(ids);
  std::erase_if(ids, [this](const RecordId& id) { return rules_of(id.dataset) == nullptr; });
  return ids;
}

std::vector<RecordId> Lane::value_needs(const Input& input, const RecordSet& records) const {
  std::vector<RecordId> ids;
  Confirmed confirmed;
  std::unordered_set<const LoadedRecord*> changed;  // by an item before the one that is looked at
  const auto ask = [&](const RecordId& id, const auto& does_need) {
    const DatasetRules* rules = rules_of(id.dataset);
    const auto loaded = records.find(id);
    if (rules == nullptr || loaded == records.end()) return;
    if (does_need(loaded->second, *rules)) ids.push_back(id);
  };
  const auto row_needs_values = [&](const Row& row, const LoadedRecord& record,
                                    const DatasetRules& rules) {
    const RecordState& state = record.state;
    const SystemRole* role = rules.role(input.system);
    if (role == nullptr) return false;
    if (row.op > RowOp::kDelete || role->phase == SyncPhase::kReading) {
      changed.insert(&record);
      return !state.cells.empty();
    }
    const model::Sequence up_to = confirmed.up_to(rules.schema->stream);
    const bool is_first = !changed.contains(&record);
    const bool may_be_plain = is_first && !state.is_apart(role->system);
    if (may_be_plain && is_plain_echo(state, rules, *role, row, up_to)) return false;
    changed.insert(&record);
    const SystemView* view = state.view(role->system);
    const bool is_whole_due = view != nullptr && view->is_in_flight() && !state.cells.empty() &&
                              is_renamed(state, *role, row, rules);
    return is_whole_due || change_needs_values(state, rules, *role, row);
  };
  for (const model::Skip& skip : input.skips) {
    ask({skip.dataset, skip.key_hash}, [](const auto&, const auto&) { return true; });
  }
  for (const Item& item : input.items) {
    if (const Row* row = std::get_if<Row>(&item)) {
      ask({row->dataset, row->key_hash},
          [&](const LoadedRecord& record, const DatasetRules& rules) {
            return row_needs_values(*row, record, rules);
          });
    } else if (const Joined* joined = std::get_if<Joined>(&item)) {
      const model::Entry& entry = *joined->entry;
      ask({entry.dataset, entry.key_hash},
          [&](const LoadedRecord& record, const DatasetRules& rules) {
            changed.insert(&record);
            return join_needs_values(record.state, rules, entry);
          });
    } else if (const Marker& marker = std::get<Marker>(item); counts(input.system, marker)) {
      confirmed.raise(marker.stream, marker.sequence);
    }
  }
  sort_unique(ids);
  return ids;
}

model::Frame Lane::step(const Input& input, RecordSet& records) {
  return Step(*this, input, records).run();
}

void Lane::set_epoch(model::SystemId system, uint32_t epoch) {
  uint32_t& known = epochs_[system];
  if (known == epoch) return;
  const bool is_first = known == 0;  // a restart's: what it replayed was of this one
  known = epoch;
  if (is_first) return;
  renewed_.push_back(system);
  for (auto& [id, flow] : flows_) {
    if (id.first != system) continue;
    print_count_ -= flow.print_count();
    flow.clear(last_sequence(id.second));
  }
}

// prints_max: of all flows together.
void Lane::send(const model::Entry& entry, const model::Schema& schema, model::SystemId target,
                uint64_t key_bits, size_t prints_max) {
  Flow& flow = flows_[{target, schema.stream}];
  const size_t others = print_count_ - flow.print_count();
  flow.add(entry, schema.key_count, key_bits, prints_max - std::min(prints_max, others));
  print_count_ = others + flow.print_count();
}

// limit: a restart knows all that was known before it, and may know more.
void Lane::send_to_targets(const model::Entry& entry, const DatasetRules& rules, Limit limit) {
  const uint64_t key_bits = model::table_key_bits(entry.key, *rules.schema, secret_);
  for (const model::SystemId target : entry.targets) {
    const SystemRole* role = rules.role(target);
    if (role == nullptr || role->kind == SystemKind::kPeer) continue;
    send(entry, *rules.schema, target, key_bits, limit == Limit::kBounded ? kPrintsMax : kNoLimit);
  }
}

void Lane::confirm(Flow& flow, model::Sequence sequence) {
  print_count_ -= flow.print_count();
  flow.confirm(sequence);
  print_count_ += flow.print_count();
}

void Lane::replay(const model::Frame& frame) {
  frame_number_ = frame.number;
  const auto skip_all = [&] {
    for (const model::Skip& skip : frame.skips) {
      if (const DatasetRules* rules = rules_of(skip.dataset)) {
        flows_[{skip.target, rules->schema->stream}].skip(skip.sequence);
      }
    }
  };
  skip_all();
  for (const model::Confirmation& confirmation : frame.confirmations) {
    const uint32_t epoch = std::max(epochs_[confirmation.system], confirmation.epoch);
    set_epoch(confirmation.system, epoch);
    Flow& flow = flows_[{confirmation.system, confirmation.stream}];
    const model::Sequence confirmed_before = flow.confirmed();
    confirm(flow, confirmation.sequence);
    if (confirmation.epoch != epoch) flow.set_confirmed(confirmed_before);
  }
  for (const model::Entry& entry : frame.entries) {
    const DatasetRules* rules = rules_of(entry.dataset);
    if (rules == nullptr) continue;
    sequences_[rules->schema->stream] = entry.sequence;
    send_to_targets(entry, *rules, Limit::kNone);
  }
  skip_all();        // also of what the frame itself sends
  renewed_.clear();  // the journal tells it
}

std::string Lane::snapshot() const {
  std::string bytes;
  ByteWriter out(bytes);
  out.u8(kSnapshotFormat);
  out.varint(frame_number_);
  out.varint(sequences_.size());
  for (const auto& [stream, sequence] : sequences_) {
    out.u32(stream);
    out.varint(sequence);
  }
  out.varint(epochs_.size());
  for (const auto& [system, epoch] : epochs_) {
    out.u32(system);
    out.varint(epoch);
  }
  out.varint(flows_.size());
  for (const auto& [id, flow] : flows_) {
    out.u32(id.first);
    out.u32(id.second);
    flow.write(out);
  }
  return bytes;
}

Result<void> Lane::restore(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.u8() != kSnapshotFormat) in.fail();
  frame_number_ = in.varint();
  sequences_.clear();
  for (uint64_t count = in.varint(); count > 0 && in.ok(); --count) {
    const model::StreamId stream = in.u32();
    sequences_[stream] = in.varint();
  }
  epochs_.clear();
  for (uint64_t count = in.varint(); count > 0 && in.ok(); --count) {
    const model::SystemId system = in.u32();
    epochs_[system] = static_cast<uint32_t>(in.varint());
  }
  flows_.clear();
  print_count_ = 0;
  for (uint64_t count = in.varint(); count > 0 && in.ok(); --count) {
    const model::SystemId system = in.u32();
    Flow& flow = flows_[{system, in.u32()}];
    flow.read(in);
    print_count_ += flow.print_count();
  }
  if (in.ok() && in.at_end()) return success();
  return fail(ErrorCode::kDamaged, "a lane's state cannot be read",
              "its bytes are not what the lane wrote", "restore the data folder, or plan anew");
}

size_t Lane::in_flight_count(model::SystemId system, model::StreamId stream) const {
  const auto flow = flows_.find({system, stream});
  return flow == flows_.end() ? 0 : flow->second.size();
}

bool Lane::has_unknown(model::SystemId system, const Marker& marker) const {
  if (!counts(system, marker)) return false;
  const auto flow = flows_.find({system, marker.stream});
  return flow != flows_.end() && flow->second.has_unknown(marker.sequence);
}

model::Sequence Lane::known_behind(model::SystemId system, model::StreamId stream) const {
  const auto flow = flows_.find({system, stream});
  return flow == flows_.end() ? 0 : flow->second.known_behind();
}

std::vector<model::Sequence> Lane::skipped(model::SystemId system, model::StreamId stream) const {
  const auto flow = flows_.find({system, stream});
  return flow == flows_.end() ? std::vector<model::Sequence>() : flow->second.skipped();
}

model::Sequence Lane::last_sequence(model::StreamId stream) const {
  const auto at = sequences_.find(stream);
  return at == sequences_.end() ? 0 : at->second;
}

model::Sequence Lane::confirmed(model::SystemId system, model::StreamId stream) const {
  const auto flow = flows_.find({system, stream});
  return flow == flows_.end() ? 0 : flow->second.confirmed();
}

std::vector<model::Confirmation> Lane::confirmations() const {
  std::vector<model::Confirmation> all;
  all.reserve(flows_.size());
  for (const auto& [id, flow] : flows_) {
    all.push_back({id.first, id.second, epoch_of(id.first), flow.confirmed()});
  }
  return all;
}

}  // namespace syncline::core
