#include "tests/simulation/observer.hpp"

#include "host/model/key.hpp"

namespace syncline::simulation {

Result<void> Observer::attach(journal::Journal& journal) {
  if (journal.stats().committed < last_group) {
    report_.violation("an accepted change is lost",
                      "the journal ends at group " + std::to_string(journal.stats().committed) +
                          ", but " + std::to_string(last_group) + " was committed");
  }
  SYN_TRY(cursor_, journal.open_cursor(last_group));
  return success();
}

Result<void> Observer::read_on() {
  if (!cursor_) return success();
  while (true) {
    SYN_TRY(const journal::GroupPointer group, cursor_->next());
    if (!group) return success();
    if (group->number != last_group + 1) {
      report_.violation("an accepted change is lost", "group " + std::to_string(group->number) +
                                                          " follows " + std::to_string(last_group));
    }
    last_group = group->number;
    for (const model::FramePointer& frame : group->frames) take(*frame);
  }
}

CellKey Observer::cell_key(model::DatasetId dataset, const std::string& joined_key,
                           model::FieldIndex field) const {
  return {{plan_.dataset_index(dataset), std::string(model::split_key(joined_key)[0])}, field - 1u};
}

void Observer::take(const model::Frame& frame) {
  uint64_t& number = frame_numbers_[frame.lane];
  if (frame.number != number + 1) {
    report_.violation("an accepted change is lost", "frame " + std::to_string(frame.number) +
                                                        " of lane " + std::to_string(frame.lane) +
                                                        " follows " + std::to_string(number));
  }
  number = frame.number;
  for (const model::Entry& entry : frame.entries) {
    ++entry_count;
    keys_[entry.key_hash] = entry.key;
    const model::StreamId stream =
        plan_.datasets[plan_.dataset_index(entry.dataset)].schema->stream;
    model::Sequence& sequence = sequences_[{stream, frame.lane}];
    if (entry.sequence != sequence + 1) {
      report_.violation("order", "entry " + std::to_string(entry.sequence) + " follows " +
                                     std::to_string(sequence));
    }
    sequence = entry.sequence;
    for (const model::SystemId target : entry.targets) {
      last_targeted[{target, stream, frame.lane}] = entry.sequence;
      last_group_targeted[target] = last_group;
    }
    if (report_.is_traced()) trace_entry(entry, frame.lane);
  }
  for (const model::Conflict& conflict : frame.conflicts) take_conflict(conflict);
  for (const model::Skip& skip : frame.skips) take_skip(skip, frame.lane);
  for (const model::LocalCell& local : frame.locals) {
    const auto key = keys_.find(local.key_hash);
    if (key == keys_.end()) continue;
    locals.insert(cell_key(local.dataset, key->second, local.field));
    report_.trace("local " + std::string(model::split_key(key->second)[0]));
  }
}

// One without a reason leaves quarantine.
void Observer::take_skip(const model::Skip& skip, model::LaneIndex lane) {
  skipped[{skip.target, skip.dataset}].insert(skip.key);
  const RecordKey record = {plan_.dataset_index(skip.dataset),
                            std::string(model::split_key(skip.key)[0])};
  if (skip.sequence == model::kApartSequence && skip.reason.empty()) {
    apart.erase({skip.target, record});
  } else if (skip.sequence == model::kApartSequence) {
    apart_count += apart.insert({skip.target, record}).second ? 1 : 0;
  }
  report_.trace("skip of " + std::to_string(skip.sequence) + " journalled: " + record.key +
                " lane " + std::to_string(lane) + " at " + plan_.name_of(skip.target) +
                (skip.reason.empty() ? " over" : ""));
}

void Observer::trace_entry(const model::Entry& entry, model::LaneIndex lane) {
  static const char* const kKinds[] = {"?", "set", "put", "delete", "note", "insert"};
  const DatasetPlan& dataset = plan_.datasets[plan_.dataset_index(entry.dataset)];
  std::string line = "entry " + std::to_string(entry.sequence) + " lane " + std::to_string(lane) +
                     " " + dataset.schema->name + "/" +
                     std::string(model::split_key(entry.key)[0]) + " " +
                     kKinds[static_cast<size_t>(entry.kind)] + " generation " +
                     std::to_string(entry.generation) + " to";
  for (const model::SystemId target : entry.targets) {
    line += " " + plan_.name_of(target);
  }
  for (const model::EntryCell& cell : entry.cells) {
    line += " " + std::to_string(cell.field) + "=" +
            std::to_string(tag_of(dataset.kind(cell.field - 1u), {cell.state, cell.bytes}));
  }
  report_.trace(line);
}

void Observer::take_conflict(const model::Conflict& conflict) {
  ++conflict_count;
  const CellKey cell = cell_key(conflict.dataset, conflict.key, conflict.field);
  const DatasetPlan& dataset = plan_.datasets[cell.record.dataset];
  if (conflict.outcome == model::ConflictOutcome::kRecordEnds &&
      dataset.deletes == core::DeletePolicy::kUpdateWins) {
    report_.violation("silent loss", "update_wins, but a delete ended " + cell.record.key);
  }
  if (conflict.policy.empty()) report_.violation("conflict record", "it names no policy");
  const model::Cell loser = {conflict.loser.state, conflict.loser.bytes};
  losers[cell].insert(tag_of(dataset.kind(cell.field), loser));
  if (report_.is_traced()) {
    report_.trace("conflict " + cell.record.key + " field " + std::to_string(cell.field) +
                  " loser " + std::to_string(tag_of(dataset.kind(cell.field), loser)) +
                  " outcome " + std::to_string(static_cast<int>(conflict.outcome)));
  }
}

}  // namespace syncline::simulation
