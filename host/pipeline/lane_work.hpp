// From batches and verdicts to what each lane must decide: rows that mean something, with the
// markers between them, in the order the system's log has them.
//
// Threads: pure functions. The rows borrow from the captured batches.
#pragma once

#include <map>
#include <memory>
#include <memory_resource>
#include <string>
#include <vector>

#include "host/capture/capture.hpp"
#include "host/core/lane.hpp"
#include "kernels/engine/engine.hpp"

namespace syncline::pipeline {

// What the engine said of one batch.
struct Examined {
  engine::Fingerprints fingerprints;
  engine::Detected detected;
};

// What one step of one lane is given.
struct LaneWork {
  model::LaneIndex lane = 0;
  core::Input input;
  std::vector<model::TableDelta> deltas;
  std::map<model::DatasetId, uint64_t> quiet_deletes;  // records that we deleted, as deltas say
  std::vector<core::RecordId> quietly_gone;            // those that may have twins
};

struct Split {
  std::unique_ptr<std::pmr::memory_resource> memory;  // of the rows' cells
  std::vector<LaneWork> lanes;  // those with anything to decide or to remember, by index
  uint64_t rows_same = 0;       // showed nothing that the table did not know
};

// REQUIRES: examined has one element a batch. rules: how far each dataset's first sync is.
// appliance: whose markers count.
Split split_by_lane(const capture::Captured& captured, std::vector<Examined>& examined,
                    const core::Rules& rules, const std::string& appliance, size_t lane_count);

}  // namespace syncline::pipeline
