#include "host/app/engines.hpp"

#include "kernels/cpu/cpu_engine.hpp"
#include "kernels/cuda/cuda_engine.hpp"
#include "kernels/opencl/opencl_engine.hpp"

namespace syncline::app {
namespace {

using Made = Result<std::unique_ptr<engine::Engine>>;

Made make_opencl(EngineScope scope) {
  opencl::OpenclOptions options;
  options.cache_folder = opencl::default_cache_folder();
  options.processor =
      scope == EngineScope::kAuto ? opencl::ProcessorUse::kNone : opencl::ProcessorUse::kOnlyForced;
  return opencl::make_opencl_engine(options);
}

void add(const EngineRow& row, EngineScope scope, Engines& engines) {
  auto made = row.make(scope);
  if (made.has_value()) {
    engines.there.push_back(std::move(made.value()));
  } else {
    engines.absent.push_back({std::string(row.name), made.error()});
  }
}

}  // namespace

std::vector<EngineRow> engine_table() {
  return {
      {"cuda", [](EngineScope) { return cuda::make_cuda_engine(); }},
      {"opencl", make_opencl},
      {"cpu", [](EngineScope) { return Made(cpu::make_cpu_engine()); }},
  };
}

Engines make_engines(EngineScope scope) {
  Engines engines;
  for (const EngineRow& row : engine_table()) add(row, scope, engines);
  return engines;
}

Result<std::unique_ptr<dispatch::Dispatcher>> make_dispatcher(const std::string& forced,
                                                              Clock& clock,
                                                              dispatch::OnFault on_fault) {
  const bool is_auto = forced == "auto";
  const std::vector<EngineRow> table = engine_table();
  Engines engines;
  for (const EngineRow& row : table) {
    const bool is_last = row.name == table.back().name;
    if (!is_auto && !is_last && row.name != forced) continue;
    add(row, is_auto ? EngineScope::kAuto : EngineScope::kAll, engines);
  }
  for (const Engines::Absent& absent : engines.absent) {
    if (absent.name != forced) continue;
    const Error& error = absent.error;
    return fail(ErrorCode::kEngine, "engine '" + forced + "' is not there: " + error.what,
                error.why, error.fix + " Or set engine = \"auto\".");
  }
  return dispatch::Dispatcher::make(std::move(engines.there), forced, clock, std::move(on_fault));
}

}  // namespace syncline::app
