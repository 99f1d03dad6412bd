// A record as the core sees it: generation and versions (no values), and, for systems to which
// something is in flight, what each has been shown. It is what the shadow keeps.
//
// Threads: values. Encoded form: docs/formats/record.md.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.hpp"
#include "host/model/entry.hpp"
#include "host/model/version.hpp"

namespace syncline::core {

struct RecordId {
  model::DatasetId dataset = 0;
  model::KeyHash key_hash;
  auto operator<=>(const RecordId&) const = default;
};

struct RecordIdHasher {
  size_t operator()(const RecordId& id) const { return id.key_hash.low ^ id.dataset; }
};

struct SentCell {
  model::FieldIndex field = 0;
  model::Version version;
  uint64_t fingerprint = 0;
  bool operator==(const SentCell&) const = default;
};

// A write to a system that its log has not shown yet.
struct InFlight {
  model::Sequence sequence = 0;
  model::EntryKind kind = model::EntryKind::kSet;
  uint64_t generation = 0;
  std::vector<SentCell> cells;
  // Waits in quarantine: no marker confirms it, a later full write supersedes it.
  bool is_skipped = false;
  bool operator==(const InFlight&) const = default;
};

// What a system has been shown at this place of its log. It counts only while something is in
// flight to it; otherwise that is the accepted state.
struct SystemView {
  model::SystemId system = 0;
  uint32_t epoch = 0;                 // of that system's deliveries, when the view was made
  uint64_t generation = 0;            // of the highest life it was shown
  std::vector<model::Version> cells;  // by value field (field index - key_count); may be none
  std::vector<InFlight> flight;       // by sequence
  bool is_read = false;               // a first sync that went on when it was made has been here

  bool is_in_flight() const { return !flight.empty(); }
  // Of a view as it was stored: beyond what markers have confirmed since.
  bool is_in_flight_behind(model::Sequence confirmed) const;
  // After a skipped entry, until a full one is on its way.
  bool needs_full_write() const;
  bool operator==(const SystemView&) const = default;
};

// The newest write of one origin that this appliance has met for a cell: the same news by another
// way is no conflict. Kept only where a dataset has peers.
struct Met {
  model::FieldIndex field = 0;
  model::Version version;
  bool operator==(const Met&) const = default;
};

// A record's key as a system's row has it. Kept only if it is not the folded key, in datasets whose
// key takes several for one.
struct OwnKey {
  model::SystemId system = 0;
  std::string key;  // joined
  bool operator==(const OwnKey&) const = default;
};

struct RecordState {
  uint64_t generation = 0;            // odd: it exists
  std::vector<model::Version> cells;  // by value field; none before its first value
  std::vector<SystemView> views;      // sorted by system
  std::vector<Met> met;
  std::vector<OwnKey> keys;  // sorted by system
  // Systems whose row of this key is another record (apart.cpp), sorted.
  std::vector<model::SystemId> apart;

  bool exists() const { return generation % 2 == 1; }
  SystemView* view(model::SystemId system);  // null: there is none
  const SystemView* view(model::SystemId system) const;
  // The one there is, or a new one.
  SystemView& make_view(model::SystemId system, uint32_t epoch);
  // As the system's row has it, or had it last. folded: the record's folded key.
  std::string_view key_at(model::SystemId system, std::string_view folded) const;
  bool is_apart(model::SystemId system) const;
  void set_apart(model::SystemId system);
  void end_apart(model::SystemId system);
  // Whether that is news.
  bool set_key(model::SystemId system, std::string_view key, std::string_view folded);
  bool operator==(const RecordState&) const = default;
};

// A stored state without what it says of systems that all its writes to were confirmed since;
// empty: there are none, or the state cannot be read. confirmed: up to where, by system and epoch.
using ConfirmedUpTo = std::function<model::Sequence(model::SystemId, uint32_t epoch)>;
std::string shortened(std::string_view state, const ConfirmedUpTo& confirmed);

// Compact: a dictionary of the distinct versions, then indexes.
std::string encode(const RecordState& record);
// Errors: kDamaged.
Result<RecordState> decode_record(std::string_view bytes);

}  // namespace syncline::core
