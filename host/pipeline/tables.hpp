// The fingerprint tables of an appliance: one per system and dataset, and their files.
//
// Files lie in "tables/<system>-<dataset>/<lane>", ids in hex. Threads: the step thread only.
// Errors: those of FingerprintTable.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>

#include "host/base/disk.hpp"
#include "host/base/result.hpp"
#include "host/core/rules.hpp"
#include "host/model/frame.hpp"
#include "host/state/fingerprint_table.hpp"

namespace syncline::pipeline {

class Tables {
 public:
  Tables(Disk& disk, const core::Rules& rules, size_t lane_count);

  // REQUIRES: the rules name this system for this dataset.
  state::FingerprintTable& at(model::SystemId system, model::DatasetId dataset);
  const state::FingerprintTable* find(model::SystemId system, model::DatasetId dataset) const;

  // A lane of a table that its file or a delta does not fit: damaged, or of other fields. It has to
  // be made anew from the shadow when the replay is over.
  struct Damage {
    model::SystemId system = 0;
    model::DatasetId dataset = 0;
    model::LaneIndex lane = 0;
    auto operator<=>(const Damage&) const = default;
  };
  // Reads every saved lane.
  Result<void> load();
  // The frames of a restart: deltas above what was saved.
  Result<void> replay(const model::Frame& frame);
  const std::set<Damage>& damaged() const { return damaged_; }
  // A frame that is in the journal's order: tables follow it before the lane's next detect.
  Result<void> apply(const model::Frame& frame);
  // A first sync of the dataset brings so many records, as it is thought; 0: it is over.
  void expect(model::DatasetId dataset, size_t record_count);
  // Those that differ from their files. frame_number: of the lane's last frame.
  Result<void> save(model::LaneIndex lane, uint64_t frame_number);

  size_t size_bytes() const;

 private:
  using Id = std::pair<model::SystemId, model::DatasetId>;
  using LaneId = std::pair<Id, model::LaneIndex>;
  static std::string folder(const Id& id);

  Disk& disk_;
  size_t lane_count_;
  std::map<Id, state::FingerprintTable> tables_;
  // As loaded: the number of the last frame that the file knows.
  std::map<LaneId, uint64_t> saved_at_;
  std::set<LaneId> unsaved_;
  std::set<Damage> damaged_;
};

}  // namespace syncline::pipeline
