// Twins: rows of one system that are one record by the dataset's key, where the system tells their
// keys apart. One row is the record; of the others nothing is taken until they are gone.
//
//   1. An event under another key than that of the record's row is none of the record's, unless it
//      says that the row got that key. What it is of, a look at the system says (is_due).
//   2. What is known of twins is durable before the system's position moves past what is left out.
//
// Threads: values; pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.hpp"
#include "host/model/batch.hpp"

namespace syncline::pipeline {

struct Twin {
  std::string own;                  // joined key of the row that is the record
  std::vector<std::string> others;  // of the other rows, sorted; none: there are no twins
  bool is_due = false;              // the system is to be asked which of them are there
  bool operator==(const Twin&) const = default;
};

std::string encode_twin(const Twin& twin);
// Errors: kDamaged.
Result<Twin> decode_twin(std::string_view bytes);

enum class TwinRow : uint8_t {
  kOwn,    // the record's own row: it is taken
  kOther,  // not to be taken
};
// A row of the batch that the system's table knew, or a delete of it.
TwinRow sort_out(const model::Batch& batch, size_t row, Twin& twin);
// What the system was found to hold of a twin's keys, sorted. Returns whether another row than
// before is the record; where none is there, the twin has no others and keeps its key.
enum class Found : uint8_t { kAsBefore, kOtherRow, kNone };
Found settle(Twin& twin, const std::vector<std::string>& present);

}  // namespace syncline::pipeline
