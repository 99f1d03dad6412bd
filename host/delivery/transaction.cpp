#include "host/delivery/transaction.hpp"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "host/delivery/lives.hpp"

namespace syncline::delivery {

namespace {

// The next entry of the run. The first one's cells are copied once there is a second.
void collapse(Transaction::Record& record, const model::Entry& entry) {
  const std::span<const model::EntryCell> cells(entry.cells.data(), entry.cells.size());
  if (record.entries.empty()) {
    model::collapse_onto<model::EntryCell>(record.run, entry.kind, entry.generation, {});
  } else {
    if (record.entries.size() == 1) {
      const std::span<const model::EntryCell> first = record.cells();
      record.run.cells.assign(first.begin(), first.end());
    }
    model::collapse_onto<model::EntryCell>(record.run, entry.kind, entry.generation, cells);
  }
  record.entries.push_back(&entry);
}

}  // namespace

std::span<const model::EntryCell> Transaction::Record::cells() const {
  if (entries.size() != 1) return run.cells;
  if (run.kind == model::EntryKind::kDelete) return {};  // they are for peers
  const model::CellList& only = entries.front()->cells;
  return {only.data(), only.size()};
}

void TransactionBuilder::take(const FlowId& id, const Flow& flow, size_t count) {
  if (count == 0) return;
  transaction_.parts.push_back({id, count});
  transaction_.entry_count += count;
  transaction_.batch.moves.push_back(
      {id.first, id.second, flow.applied, flow.entries[count - 1].entry->sequence});
  make_room();
  taken_.emplace_back(&flow, count);
  for (size_t i = 0; i < count; ++i) add(flow.entries[i]);
}

// At least twice what there was, for the entries come flow by flow.
void TransactionBuilder::make_room() {
  auto& records = transaction_.records;
  if (transaction_.entry_count <= records.capacity()) return;
  records.reserve(std::max(transaction_.entry_count, 2 * records.capacity()));
  places_.reserve(records.capacity());
}

Transaction TransactionBuilder::finish(uint32_t epoch) {
  auto& records = transaction_.records;
  if (are_rows_moved_) follow_rows();
  std::erase_if(records, [this](const Transaction::Record& record) {
    if (!record.run.is_nothing()) return false;
    transaction_.nothing_count += record.entries.size();
    return true;
  });
  sort_by_key();
  transaction_.batch.epoch = epoch;
  lay_out_writes();
  auto& moves = transaction_.batch.moves;
  std::sort(moves.begin(), moves.end(), [](const auto& a, const auto& b) {
    return std::tie(a.stream, a.lane) < std::tie(b.stream, b.lane);
  });
  return std::move(transaction_);
}

// Where a record is another row than before, that one is in its way, unless it goes on itself.
void TransactionBuilder::lay_out_writes() {
  std::set<std::pair<model::DatasetId, std::string_view>> leaving;
  for (const Transaction::Record& record : transaction_.records) {
    if (!record.row_key.empty()) leaving.emplace(record.last->dataset, record.row_key);
  }
  transaction_.batch.writes.reserve(transaction_.records.size());
  for (const Transaction::Record& record : transaction_.records) {
    const model::Entry& last = *record.last;
    const bool is_replacing = record.is_renewed && !leaving.contains({last.dataset, last.key});
    transaction_.batch.writes.push_back(
        {last.dataset, last.key, record.run.kind, record.cells(), record.row_key, is_replacing});
  }
}

// Records are large: their places are sorted, and each record moves once.
void TransactionBuilder::sort_by_key() {
  struct Place {
    model::DatasetId dataset = 0;
    std::string_view key;
    size_t index = 0;
  };
  auto& records = transaction_.records;
  std::vector<Place> places;
  places.reserve(records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    places.push_back({records[i].last->dataset, records[i].last->key, i});
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
    return std::tie(a.dataset, a.key) < std::tie(b.dataset, b.key);
  });
  std::vector<Transaction::Record> sorted;
  sorted.reserve(records.size());
  for (const Place& place : places) sorted.push_back(std::move(records[place.index]));
  records = std::move(sorted);
}

// Whose rows become whose.
void TransactionBuilder::follow_rows() {
  RowLives lives;
  for (const auto& [flow, count] : taken_) {
    for (size_t i = 0; i < count; ++i) lives.add(flow->entries[i]);
  }
  for (Transaction::Record& record : transaction_.records) {
    if (record.run.kind != model::EntryKind::kPut) continue;
    const RowLives::Record itself = {record.last->dataset, record.last->key_hash};
    const auto before = lives.first_of_last(itself);
    const bool is_back = before && *before == itself;
    record.is_renewed = lives.is_renewed(itself) && !is_back;
    if (!before || is_back) continue;
    const auto place = places_.find(RecordKey{before->first, before->second});
    if (place == places_.end()) continue;
    const Transaction::Record& old = transaction_.records[place->second];
    if (!old.run.is_nothing()) record.row_key = old.last->key;
  }
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
  are_rows_moved_ = are_rows_moved_ || !entry.moved_with.is_none();
  collapse(record, entry);
}

}  // namespace syncline::delivery
