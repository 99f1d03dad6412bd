#include "host/delivery/transaction.hpp"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

namespace syncline::delivery {
namespace {

void follow_row(Transaction::Record& record, const model::Entry& entry) {
  const bool is_first = record.entries.empty();
  if (entry.kind == model::EntryKind::kDelete) {
    if (!std::exchange(record.has_ended, true)) record.first_to = entry.moved_with;
    record.is_there = false;
    record.moved_from = {};
    return;
  }
  if (!record.is_there && model::is_whole(entry.kind)) record.moved_from = entry.moved_with;
  if (is_first) record.first_from = record.moved_from;
  record.is_there = true;
}

}  // namespace

void TransactionBuilder::take(const FlowId& id, const Flow& flow, size_t count) {
  if (count == 0) return;
  transaction_.parts.push_back({id, count});
  transaction_.entry_count += count;
  transaction_.batch.moves.push_back(
      {id.first, id.second, flow.applied, flow.entries[count - 1].entry->sequence});
  for (size_t i = 0; i < count; ++i) add(flow.entries[i]);
}

Transaction TransactionBuilder::finish(uint32_t epoch) {
  auto& records = transaction_.records;
  for (Transaction::Record& record : records) record.row_key = key_of_row(record);
  std::erase_if(records, [this](const Transaction::Record& record) {
    if (!record.run.is_nothing()) return false;
    transaction_.nothing_count += record.entries.size();
    return true;
  });
  std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) {
    return std::tie(a.last->dataset, a.last->key) < std::tie(b.last->dataset, b.last->key);
  });
  transaction_.batch.epoch = epoch;
  lay_out_writes();
  auto& moves = transaction_.batch.moves;
  std::sort(moves.begin(), moves.end(), [](const auto& a, const auto& b) {
    return std::tie(a.stream, a.lane) < std::tie(b.stream, b.lane);
  });
  return std::move(transaction_);
}

// Where a row goes to the key of a record that ended here, that one's is in its way, unless it goes
// on itself.
void TransactionBuilder::lay_out_writes() {
  std::set<std::pair<model::DatasetId, std::string_view>> leaving;
  for (const Transaction::Record& record : transaction_.records) {
    if (!record.row_key.empty()) leaving.emplace(record.last->dataset, record.row_key);
  }
  for (const Transaction::Record& record : transaction_.records) {
    const model::Entry& last = *record.last;
    const bool is_replacing =
        !record.row_key.empty() && record.has_ended && !leaving.contains({last.dataset, last.key});
    transaction_.batch.writes.push_back(
        {last.dataset, last.key, record.run.kind, record.run.cells, record.row_key, is_replacing});
  }
}

// Of the row that was another record's before the batch, and whose key is to be changed. That it is
// the same row is known where each of the two names the other.
std::string_view TransactionBuilder::key_of_row(const Transaction::Record& record) const {
  if (record.run.kind != model::EntryKind::kPut) return {};
  model::KeyHash to = record.last->key_hash;
  model::KeyHash from = record.moved_from;
  for (size_t hops = 0; !from.is_none() && hops < transaction_.records.size(); ++hops) {
    const auto place = places_.find({record.last->dataset, from});
    if (place == places_.end()) return {};
    const Transaction::Record& old = transaction_.records[place->second];
    if (old.first_to != to) return {};
    if (old.first_from.is_none()) {
      return &old == &record ? std::string_view() : old.last->key;  // itself: it came back
    }
    to = from;
    from = old.first_from;
  }
  return {};
}

void TransactionBuilder::add(const PendingEntry& pending) {
  const model::Entry& entry = *pending.entry;
  if (pending.state == PendingState::kSkipped) {
    ++transaction_.skipped_count;
    return;
  }
  if (entry.kind == model::EntryKind::kNote) return;
  const auto [place, is_new] =
      places_.emplace(RecordKey{entry.dataset, entry.key_hash}, transaction_.records.size());
  if (is_new) transaction_.records.emplace_back();
  Transaction::Record& record = transaction_.records[place->second];
  record.last = &entry;
  follow_row(record, entry);
  record.entries.push_back(&entry);
  model::collapse_onto<model::EntryCell>(record.run, entry.kind, entry.generation, entry.cells);
}

}  // namespace syncline::delivery
