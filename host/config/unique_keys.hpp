// Unique keys beside the dataset's own that one system keeps and another does not, or less
// strictly: a record that is fine in the one is refused by the other, and waits in quarantine.
//
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/model/schema.hpp"

namespace syncline::config {

struct UniqueKey {
  std::vector<model::FieldIndex> fields;
  std::vector<model::KeyEquivalence> equivalences;  // per field
  bool are_nulls_equal = false;
};

// A dataset's table in one system.
struct Keeper {
  std::string table;                       // "shop.customer"
  std::vector<UniqueKey> uniques;          // of fields that travel alone
  std::vector<model::FieldIndex> spelled;  // kept as texts: spelled otherwise they are others
  bool is_read = true;
  bool is_written = true;
};

struct Looser {
  enum class Why : uint8_t { kLacks, kFiner, kNulls, kSpelled };  // from much to little
  size_t keeper = 0;                                              // what this one takes
  std::vector<size_t> strict;                                     // is refused by these
  std::vector<size_t> keys = {};  // of each of those, its place in uniques
  Why why = Why::kLacks;
  UniqueKey wanted;  // as coarse as any of them
  std::string what = {};
};

std::vector<Looser> find_looser(const model::Schema& schema, std::span<const Keeper> keepers);

}  // namespace syncline::config
