// What a target does beside its writes where no log tells what users do: each record is locked and
// looked at before it is written over, and what was made of it is kept as an echo.
//
// Threads: the target's. Errors: kSystemBusy where a record has to be shown first; it is asked for,
// and tried again.
#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "drivers/scan/source.hpp"
#include "host/ports/target.hpp"

namespace syncline::scan {

// What stands at a write's key, as it was locked.
enum class Standing : uint8_t {
  kUnguarded,  // nobody reads that dataset here
  kThere,
  kAbsent,  // so it may be inserted, and nothing else
};

using Images = std::unordered_map<RecordId, std::string, RecordIdHasher>;

struct Present {             // of the guarded records of a batch
  Images images;             // those that are there
  std::set<size_t> outside;  // the writes whose records the row filter leaves out
};

class Guard;

// The records of one dataset that a batch writes, to be looked at.
class Lookup {
 public:
  Lookup(const Guard& guard, std::span<const ports::RecordWrite> writes, model::DatasetId dataset);

  const std::vector<std::string>& keys() const { return keys_; }
  enum class Side : uint8_t { kInside, kOutside };  // of the row filter
  // A row that is there; one of another record is passed over.
  void take(const std::string& key, Side side, std::string image, Present& present) const;

 private:
  const Guard& guard_;
  std::span<const ports::RecordWrite> writes_;
  model::DatasetId dataset_;
  std::vector<std::string> keys_;
  std::unordered_map<RecordId, size_t, RecordIdHasher> places_;
  // By folded keys: a collation may find a row whose key is written otherwise than ours.
  std::unordered_map<model::KeyHash, size_t, model::KeyHashHasher> alike_;
};

class Guard {
 public:
  Guard(const ports::SystemConfig& config, std::shared_ptr<Shared> shared);

  // Held for a transaction.
  std::unique_lock<std::mutex> hold() { return shared_->known.hold_writes(); }
  bool is_guarded(model::DatasetId dataset) const { return guarded_.contains(dataset); }
  const model::Schema& schema(model::DatasetId dataset) const {
    return *guarded_.at(dataset)->schema;
  }
  static RecordId id_of(const ports::RecordWrite& write);
  // Why a write is refused whose record the row filter leaves out.
  Error outside_filter(model::DatasetId dataset) const;
  // The guarded datasets that a batch writes.
  std::set<model::DatasetId> touched(std::span<const ports::RecordWrite> writes) const;

  // present: of the guarded records those that are there.
  Result<std::vector<Standing>> check(std::span<const ports::RecordWrite> writes,
                                      const Images& present);
  // It was inserted by somebody since it was looked at.
  Error was_inserted(const ports::RecordWrite& write);
  // The transaction is committed, and these are the guarded records that are there now.
  void wrote(std::span<const ports::RecordWrite> writes, const Images& present);
  uint64_t durable_echo() const { return shared_->durable_echo; }

 private:
  Error edited() const;

  std::string system_;
  std::shared_ptr<Shared> shared_;
  std::unordered_map<model::DatasetId, const ports::DatasetMapping*> guarded_;
};

// Why an insert is refused (EntryKind::kInsert).
Error another_is_there();

// Of the write at a place, where the batch is guarded.
inline Standing standing_of(const std::vector<Standing>& standings, size_t index) {
  return index < standings.size() ? standings[index] : Standing::kUnguarded;
}

// The writes whose records the row filter leaves out, as what the target refuses. Writer: the
// driver's own.
template <class Writer>
std::vector<ports::Poison> find_outside(const Guard& guard, const Writer& writer,
                                        std::span<const ports::RecordWrite> writes,
                                        const Present& present) {
  std::vector<ports::Poison> poisons;
  poisons.reserve(present.outside.size());
  for (const size_t index : present.outside) {
    const ports::RecordWrite& write = writes[index];
    poisons.push_back({index, writer.refusal(write, guard.outside_filter(write.dataset))});
  }
  return poisons;
}

}  // namespace syncline::scan
