// The table of engines, in priority order. A new engine is one row here.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/engine/engine.hpp"

namespace syncline::app {

struct EngineRow {
  std::string_view name;
  // Null where this machine or this build has no such device.
  std::unique_ptr<engine::Engine> (*make)();
};

// In priority order; the CPU's is the last and always there.
std::vector<EngineRow> engine_table();

// Every engine of the table that this machine has.
std::vector<std::unique_ptr<engine::Engine>> make_engines();

}  // namespace syncline::app
