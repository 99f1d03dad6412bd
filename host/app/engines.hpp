// The table of engines, in priority order. A new engine is one row here.
#pragma once

#include <functional>
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

// What an engine is about to do that takes long. Called on the thread of its first batch.
using OnWait = std::function<void(const std::string& what)>;
// To whoever runs a command: on standard error.
void say_on_stderr(const std::string& what);

struct EngineRow {
  std::string_view name;
  // Errors: kUnsupported, with the reason, where this machine or this build has no such device.
  Result<std::unique_ptr<engine::Engine>> (*make)(EngineScope scope, const OnWait& on_wait);
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
Engines make_engines(EngineScope scope, const OnWait& on_wait = say_on_stderr);

// kEngineAbsent: what a config gets that asks for one that is not there.
Error absence(const Engines::Absent& absent);

// The dispatcher over what a config's engine asks for: "auto", or one by name with the CPU behind
// it. Others are not even looked for. Errors: kEngineAbsent, with the reason, when it is not there.
Result<std::unique_ptr<dispatch::Dispatcher>> make_dispatcher(
    const std::string& forced, Clock& clock, dispatch::OnFault on_fault = {},
    const OnWait& on_wait = say_on_stderr);

}  // namespace syncline::app
