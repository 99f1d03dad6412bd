// Record keys: the canonical bytes of a record's key cells, joined; and their folded form, which
// decides identity, lane and hash.
//
// Joined form: each cell as varint length + bytes. NULL in a key is refused before it gets here.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.hpp"
#include "host/model/cell.hpp"
#include "host/model/schema.hpp"

namespace syncline::model {

std::string join_key(std::span<const CellView> key_cells);
// REQUIRES: joined came from join_key. The views borrow from joined.
std::vector<std::string_view> split_key(std::string_view joined);
// Only text and char cells are folded.
std::string fold_key(std::string_view joined, const Schema& schema);
KeyHash record_hash(std::string_view joined, const Schema& schema);
// Whether what compares texts so takes one for the other.
bool is_same_text(std::string_view one, std::string_view other, KeyEquivalence equivalence);
// "email=ann@example.org", for messages.
std::string describe_key(std::string_view joined, const Schema& schema);

}  // namespace syncline::model
