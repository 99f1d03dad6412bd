// Compares the systems of a dataset, cell by cell, through fingerprints on the engine: for plan,
// verify and the demo's proof.
//
// The sides are read side by side, each once, in key order, in chunks; 32 bytes a record are kept.
// The chunks in which something differs are read again for the keys, and the records by key, so
// that the answer names cells. While changes flow, a record may differ because its change is still
// on its way: recheck() looks at it again. Of however many that differ difference_limit are named,
// and 32 bytes each are kept of all.
//
// Owner: schema, sources, dispatcher outlive it. Threads: one caller; on_progress is called on
// others, one at a time. Errors: those of Source and engine.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "host/base/result.hpp"
#include "host/core/rules.hpp"
#include "host/dispatch/dispatcher.hpp"
#include "host/ports/source.hpp"

namespace syncline::compare {

struct Side {
  std::string name;
  ports::Source* source = nullptr;
};

// One record that is not the same on every side.
struct Difference {
  std::string key;                              // joined, as the first side that has it writes it
  std::vector<bool> is_there;                   // per side
  std::vector<model::FieldIndex> fields;        // those that differ among the sides that have it
  std::vector<std::vector<model::Cell>> cells;  // per side, per entry of fields
};

// Records of one side that are one under the dataset's key equivalence.
struct Collision {
  size_t side = 0;
  std::vector<std::string> keys;  // joined
};

// A record that differs, and where the first side that has it was read to hold it.
struct Place {
  model::KeyHash key;
  uint32_t side = 0;
  uint32_t chunk = 0;     // of that side
  uint32_t presence = 0;  // of Comparison::presences: which sides have it
};

struct Comparison {
  std::vector<size_t> record_counts;     // per side
  std::vector<size_t> collision_counts;  // per side: records beyond the first of their key
  std::vector<Collision> collisions;     // some of them
  size_t key_count = 0;                  // in any of them
  size_t equal_count = 0;                // the same on every side
  size_t missing_count = 0;              // not on every side
  size_t different_count = 0;            // on every side, with other values
  std::vector<size_t> missing_counts;    // per side: records it lacks
  std::vector<Difference> differences;   // at most difference_limit
  bool is_truncated = false;             // there are more; the counts are right all the same
  size_t rejected_count = 0;             // rows with a value that no type of ours can hold
  // Of a truncated one: all that differs, the differences' first and in their order.
  std::vector<Place> places;
  std::vector<std::vector<bool>> presences;       // per side: who has a record
  std::vector<std::vector<std::string>> cursors;  // per side: where each chunk begins

  size_t open_count() const { return missing_count + different_count; }
};

struct Options {
  size_t chunk_rows = 8192;
  size_t difference_limit = 10'000;
  size_t difference_bytes_limit = 64u << 20;  // of their cells
  // Called after each chunk with all rows read so far.
  std::function<void(size_t rows)> on_progress;
};

Result<Comparison> compare_dataset(const core::DatasetRules& rules, const std::vector<Side>& sides,
                                   dispatch::Dispatcher& dispatcher, const engine::Secret& secret,
                                   const Options& options);

// Told what still differs of some hundred records that were looked at again.
enum class Then : uint8_t { kGoOn, kEnd };
using OnLooked = std::function<Result<Then>(std::span<const Difference> left)>;

// Looks at all differing records again, some hundred at a time, until it is told to end, and drops
// those that are the same by now; counts follow.
Result<void> recheck(const core::DatasetRules& rules, const std::vector<Side>& sides,
                     const Options& options, Comparison& comparison, const OnLooked& on_looked);

}  // namespace syncline::compare
