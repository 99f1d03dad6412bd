#include "host/app/engines.hpp"

#include <cstdio>
#include <ranges>

#include "kernels/cpu/cpu_engine.hpp"
#include "kernels/cuda/cuda_engine.hpp"
#include "kernels/opencl/opencl_engine.hpp"

namespace syncline::app {
namespace {

using Made = Result<std::unique_ptr<engine::Engine>>;

Made make_opencl(EngineScope scope, const OnWait& on_wait) {
  opencl::OpenclOptions options;
  options.on_compile = [on_wait] {
    on_wait(
        "engine 'opencl': the driver compiles the kernels, which takes up to a minute once; the "
        "next start finds them compiled");
  };
  options.cache_folder = opencl::default_cache_folder();
  options.processor =
      scope == EngineScope::kAuto ? opencl::ProcessorUse::kNone : opencl::ProcessorUse::kOnlyForced;
  return opencl::make_opencl_engine(options);
}

Made make_cuda(EngineScope /*scope*/, const OnWait& on_wait) {
  cuda::CudaOptions options;
  options.on_warning = on_wait;
  return cuda::make_cuda_engine(options);
}

// The rows from the last one on: OpenCL's drivers are asked by a process of their own, which is not
// to begin with what CUDA's driver leaves behind in this one.
void add(const EngineRow& row, EngineScope scope, const OnWait& on_wait, Engines& engines) {
  auto made = row.make(scope, on_wait);
  if (made.has_value()) {
    engines.there.insert(engines.there.begin(), std::move(made.value()));
  } else {
    engines.absent.insert(engines.absent.begin(), {std::string(row.name), made.error()});
  }
}

}  // namespace

std::vector<EngineRow> engine_table() {
  return {
      {"cuda", make_cuda},
      {"opencl", make_opencl},
      {"cpu", [](EngineScope, const OnWait&) { return Made(cpu::make_cpu_engine()); }},
  };
}

void say_on_stderr(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
}

Engines make_engines(EngineScope scope, const OnWait& on_wait) {
  Engines engines;
  const std::vector<EngineRow> table = engine_table();
  for (const EngineRow& row : std::views::reverse(table)) add(row, scope, on_wait, engines);
  return engines;
}

Error absence(const Engines::Absent& absent) {
  return {ErrorCode::kEngineAbsent,
          "engine '" + absent.name + "' is not there: " + absent.error.what, absent.error.why,
          absent.error.fix + " Or set engine = \"auto\"."};
}

Result<std::unique_ptr<dispatch::Dispatcher>> make_dispatcher(const std::string& forced,
                                                              Clock& clock,
                                                              dispatch::OnFault on_fault,
                                                              const OnWait& on_wait) {
  const bool is_auto = forced == "auto";
  const std::vector<EngineRow> table = engine_table();
  Engines engines;
  for (const EngineRow& row : std::views::reverse(table)) {
    const bool is_last = row.name == table.back().name;
    if (!is_auto && !is_last && row.name != forced) continue;
    add(row, is_auto ? EngineScope::kAuto : EngineScope::kAll, on_wait, engines);
  }
  for (const Engines::Absent& absent : engines.absent) {
    if (absent.name == forced) return absence(absent);
  }
  return dispatch::Dispatcher::make(std::move(engines.there), forced, clock, std::move(on_fault));
}

}  // namespace syncline::app
