// The plain reference of fingerprint and detect, written for clarity: what every engine must equal,
// bit for bit. One call of libxxhash per cell; the table is a std::map.
//
// Not used by the appliance, only by tests. Threads: values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/contract/detect.h"

namespace syncline::contract {

struct ReferenceFingerprints {
  std::vector<syn_hash128> keys;
  std::vector<uint64_t> cells;  // value fields only, row-major
};

// secret: SYN_SECRET_SIZE bytes.
ReferenceFingerprints reference_fingerprint(const syn_batch& batch, const uint8_t* secret);

struct ReferenceDetected {
  std::vector<uint8_t> verdicts;           // per row
  std::vector<std::vector<bool>> changed;  // per row, per value field
  std::vector<std::string> deltas;         // per lane
};

class ReferenceTable {
 public:
  ReferenceTable(size_t value_count, size_t lane_count)
      : value_count_(value_count), lane_count_(lane_count) {}

  ReferenceDetected detect(const syn_batch& batch, const ReferenceFingerprints& fingerprints,
                           bool is_sweeping) const;
  void apply(size_t lane, std::string_view delta);
  size_t record_count() const { return records_.size(); }

 private:
  using Key = std::pair<size_t, uint64_t>;  // lane, key bits
  using Records = std::map<Key, std::vector<uint64_t>>;

  size_t value_count_;
  size_t lane_count_;
  Records records_;
};

}  // namespace syncline::contract
