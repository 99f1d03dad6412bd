// What a lane needs to know of the config: per dataset its fields, policies and systems.
//
// Threads: immutable while a lane runs; replaced between steps.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "host/model/ids.hpp"
#include "host/model/schema.hpp"

namespace syncline::core {

enum class Policy : uint8_t { kNewest, kOldest, kAuthority };

struct FieldPolicy {
  Policy policy = Policy::kNewest;
  std::map<model::SystemId, int64_t> ranks;  // kAuthority: higher wins; unlisted rank below all
  std::string text;                          // as the config wrote it, for conflict records
  bool is_local = false;                     // each system keeps its own: never travels
};

enum class DeletePolicy : uint8_t { kDeleteWins, kUpdateWins };

// What becomes of two systems' new rows of one key that differ.
enum class InsertExists : uint8_t {
  kMerge,       // they are one record, cell by cell
  kQuarantine,  // they are two that share a number: neither is written over (core/apart.cpp)
};

enum class SystemKind : uint8_t {
  kDatabase,  // shows our writes in its log (markers), takes collapsed writes
  kPeer,      // another appliance: takes every entry as it is, never in flight
};

// Where a system stands with a dataset.
enum class SyncPhase : uint8_t {
  kWaiting,  // its first sync has not come to it yet: nothing is written to it
  kReading,  // its rows are being read (snapshot rows): writes go to it only for rows already read
  kRead,     // all were read, and what it lacks is being put to it: it gets every write
  kLive,
};

struct SystemRole {
  model::SystemId system = 0;
  SystemKind kind = SystemKind::kDatabase;
  bool is_written_to = true;  // direction "both" or "to"
  bool is_read = true;        // direction "both" or "from"
  SyncPhase phase = SyncPhase::kLive;

  // Whether which of its records were read is still told apart, for a sync that is broken off.
  bool is_syncing() const { return phase == SyncPhase::kReading || phase == SyncPhase::kRead; }
  int64_t first_rank = 0;  // which system's rows win in the first sync: higher wins
};

// How many of a dataset's records one system may lose before its deletes are held.
struct DeleteLimit {
  bool is_off = true;
  uint64_t records = 0;   // so many; 0: the larger of the two below
  uint32_t percent = 10;  // of the records that it showed
  uint64_t least = 1000;

  uint64_t of(uint64_t record_count) const {
    return records > 0 ? records : std::max(least, record_count / 100 * percent);
  }
};

struct DatasetRules {
  const model::Schema* schema = nullptr;  // outlives the lane
  std::vector<FieldPolicy> fields;        // one per schema field; those of key fields are not used
  DeletePolicy deletes = DeletePolicy::kDeleteWins;
  InsertExists insert_exists = InsertExists::kMerge;
  DeleteLimit delete_limit;
  uint32_t policy_number = 1;
  std::vector<SystemRole> systems;  // sorted by id

  const SystemRole* role(model::SystemId system) const;  // null: the system has no part in it
  bool has_peers() const;
  // Whether the system may hold several rows that are one record by the dataset's key.
  bool tells_keys_apart(const SystemRole& role) const {
    return schema->key_equivalence != model::KeyEquivalence::kBytes &&
           role.kind == SystemKind::kDatabase;
  }
  bool travels(model::FieldIndex field) const;  // a value field that is not each system's own
  size_t travelling_count() const;
};

using Rules = std::map<model::DatasetId, DatasetRules>;

}  // namespace syncline::core
