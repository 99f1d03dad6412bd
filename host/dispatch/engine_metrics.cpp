#include "host/dispatch/engine_metrics.hpp"

#include <string>

namespace syncline::dispatch {
namespace {

void raise_to(Counter& counter, uint64_t total) {
  counter.add(total - counter.value());
}

}  // namespace

void note_engines(std::span<const EngineReport> engines, Metrics& metrics) {
  for (const EngineReport& engine : engines) {
    const std::string& name = engine.description.name;
    raise_to(
        metrics.counter("syncline_engine_faults_total",
                        "Failures of an engine; the CPU did those batches.", {{"engine", name}}),
        engine.faults_total);
    for (size_t i = 0; i < engine::kStageCount; ++i) {
      if (!engine.description.has_stage[i]) continue;
      const Labels labels = {
          {"engine", name},
          {"stage", std::string(engine::stage_name(static_cast<engine::Stage>(i)))}};
      raise_to(
          metrics.counter("syncline_engine_batches_total", "Batches that an engine did.", labels),
          engine.done_total[i]);
      raise_to(
          metrics.counter("syncline_engine_not_ready_total",
                          "Batches that an engine could not take yet; the CPU did them.", labels),
          engine.not_ready_total[i]);
      metrics
          .gauge("syncline_engine_out_of_service",
                 "1 while an engine is left out because it failed, 0 while it is in service.",
                 labels)
          .set(engine.is_out[i] ? 1 : 0);
    }
  }
}

}  // namespace syncline::dispatch
