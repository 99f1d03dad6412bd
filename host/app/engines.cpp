#include "host/app/engines.hpp"

#include "kernels/cpu/cpu_engine.hpp"
#include "kernels/cuda/cuda_engine.hpp"

namespace syncline::app {

std::vector<EngineRow> engine_table() {
  return {
      {"cuda", [] { return cuda::make_cuda_engine(); }},
      {"cpu", [] { return cpu::make_cpu_engine(); }},
  };
}

std::vector<std::unique_ptr<engine::Engine>> make_engines() {
  std::vector<std::unique_ptr<engine::Engine>> engines;
  for (const EngineRow& row : engine_table()) {
    if (auto engine = row.make()) engines.push_back(std::move(engine));
  }
  return engines;
}

}  // namespace syncline::app
