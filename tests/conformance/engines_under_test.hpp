// The engines that the suite runs: every engine of this machine, and each of its variants forced.
// One list: an engine joins the suite by a row in engines_under_test.cpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/engine/engine.hpp"

namespace syncline::conformance {

struct EngineUnderTest {
  std::string name;      // of the test instance: letters, digits, underscores
  std::string variants;  // what describe() must say ran
  std::unique_ptr<engine::Engine> (*make)();
};

// Only what this machine can run; never empty.
std::vector<EngineUnderTest> engines_under_test();

}  // namespace syncline::conformance
