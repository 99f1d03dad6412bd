// Which rows of a system's log show just what we wrote: they say nothing new, and their records
// need not be looked at.
//
// Threads: one; lives for one Lane::needs.
#pragma once

#include <unordered_map>
#include <vector>

#include "host/core/lane.hpp"

namespace syncline::core {

class Echoes {
 public:
  explicit Echoes(model::SystemId system) : system_(system) {}

  // lane: as it was before the step; outlives this.
  void take(const Marker& marker, const Lane& lane);
  // It may say no too often, never yes where step() would do more than drop the row.
  bool is_plain(const Row& row, const DatasetRules& rules) const;
  // The records that the markers showed to be deleted by us, whatever followed.
  const std::vector<RecordId>& deleted() const { return deleted_; }

 private:
  // What the markers met so far showed to have been written to a record.
  using Written = model::Collapsed<SentPrint>;

  model::SystemId system_;
  std::unordered_map<RecordId, Written, RecordIdHasher> written_;
  FlowWalks walks_;
  std::vector<model::StreamId> unknown_;  // streams with writes that only their records know
  std::vector<RecordId> deleted_;
};

}  // namespace syncline::core
