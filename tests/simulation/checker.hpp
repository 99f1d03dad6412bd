// The independent judge: compares what the systems hold at rest with what their users did and had
// seen. It shares no code with host/core; its rules are those of the check in
// tests/model/core-model.py.
//
// Threads: one at a time.
#pragma once

#include <memory>
#include <vector>

#include "tests/simulation/model_system.hpp"
#include "tests/simulation/observer.hpp"

namespace syncline::simulation {

struct AtRest {
  const Plan& plan;
  const History& history;
  const Lineage& lineage;
  const std::vector<std::unique_ptr<ModelSystem>>& systems;
  std::vector<const Observer*> observers;  // by appliance

  // Whether the system's row is known to be another record than that of its number.
  bool is_apart(const ModelSystem& system, const RecordKey& record) const;
  Report& report;
};

// Promises 1 to 5, 8 and 9 for every record that any user ever touched. A record is excused at a
// system as long as the accepted record has a value that this system refuses. A row that is another
// record of the same number is as its users left it.
void check_promises(const AtRest& rest);

// Of every plain row (lineage.hpp): it is where its users took it and nowhere else, and each system
// has kept in it what it had there first. A system that refuses values, or was busy, may have had
// it deleted and inserted.
void check_rows(const AtRest& rest);

}  // namespace syncline::simulation
