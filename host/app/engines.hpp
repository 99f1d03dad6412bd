// The table of engines, in priority order. A new engine is one row here.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/dispatch/dispatcher.hpp"
#include "kernels/engine/engine.hpp"

namespace syncline::app {

enum class EngineScope {
  kAll,
  kAuto,  // without those that the dispatcher would take only if forced
};

struct EngineRow {
  std::string_view name;
  // Errors: kUnsupported, with the reason, where this machine or this build has no such device.
  Result<std::unique_ptr<engine::Engine>> (*make)(EngineScope scope);
};

// In priority order; the CPU's is the last and always there.
std::vector<EngineRow> engine_table();

// What this machine has of the table, and why it has not the rest.
struct Engines {
  struct Absent {
    std::string name;
    Error error;
  };
  std::vector<std::unique_ptr<engine::Engine>> there;
  std::vector<Absent> absent;
};
Engines make_engines(EngineScope scope);

// The dispatcher over what a config's engine asks for: "auto", or one by name with the CPU behind
// it. Others are not even looked for. Errors: kEngine, with the reason, when it is not there.
Result<std::unique_ptr<dispatch::Dispatcher>> make_dispatcher(const std::string& forced,
                                                              Clock& clock,
                                                              dispatch::OnFault on_fault = {});

}  // namespace syncline::app
