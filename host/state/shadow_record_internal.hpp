// A record as the shadow stores it: what is known of it, in views, and its serial form, in which a
// whole record and a change to one look the same (docs/formats/shadow.md).
//
// Owner: RecordParts borrows all bytes from what it was made of. Threads: values.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/container/small_vector.hpp>

#include "host/model/frame.hpp"
#include "host/state/shadow.hpp"

namespace syncline::state {

struct FieldCell {
  model::FieldIndex field = 0;  // into Schema::fields
  model::CellView cell;         // never kUnchanged
};

using FieldCells = boost::container::small_vector<FieldCell, 8>;

struct RecordParts {
  bool is_full = false;  // nothing older is needed
  std::string_view key;  // joined; empty: not known here
  std::string_view state;
  FieldCells cells;  // sorted by field
};

RecordParts parts_of(const model::RecordImage& image);

// What is known after `newer` came on top: its state, its key if it has one, and its cells.
// Associative, and idempotent for a run that was laid on before.
void overlay(RecordParts& parts, RecordParts&& newer);

std::string encode(const RecordParts& parts);
void encode_onto(std::string& bytes, const RecordParts& parts);
// Returns false if the bytes are not what encode gave. The parts borrow from bytes.
bool decode(std::string_view bytes, RecordParts& parts);
// Only the state, without looking at the cells; empty if the bytes are damaged.
std::string_view decode_state(std::string_view bytes);

// By value field: cells of fields behind the key. Unknown ones are kUnchanged.
std::vector<model::Cell> values_of(const RecordParts& parts, size_t value_count);

// The hashes of one lane: first and last, both inclusive.
struct HashRange {
  model::KeyHash first;
  model::KeyHash last;
};
HashRange range_of(model::LaneIndex lane, size_t lane_count);

}  // namespace syncline::state
