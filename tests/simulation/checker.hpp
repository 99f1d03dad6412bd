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
  const std::vector<std::unique_ptr<ModelSystem>>& systems;
  std::vector<const Observer*> observers;  // by appliance
  Report& report;
};

// Promises 1 to 5, 8 and 9 for every record that any user ever touched. A record is excused at a
// system as long as the accepted record has a value that this system refuses.
void check_promises(const AtRest& rest);

}  // namespace syncline::simulation
