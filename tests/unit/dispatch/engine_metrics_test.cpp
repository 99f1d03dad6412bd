// What Prometheus reads of the engines.
#include "host/dispatch/engine_metrics.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace syncline::dispatch {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<EngineReport> reports() {
  std::vector<EngineReport> engines(2);
  engines[0].description.name = "card";
  engines[1].description.name = "cpu";
  for (EngineReport& engine : engines) {
    std::fill_n(engine.description.has_stage, engine::kStageCount, true);
  }
  engines[0].description.has_stage[3] = false;
  engines[0].done_total[2] = 7;
  engines[0].not_ready_total[1] = 2;
  engines[0].faults_total = 3;
  engines[0].is_out[2] = true;
  return engines;
}

TEST(EngineMetrics, TellWhatEachEngineDidByStage) {
  Metrics metrics;
  note_engines(reports(), metrics);
  const std::string text = metrics.to_prometheus();
  EXPECT_THAT(text, HasSubstr("# TYPE syncline_engine_batches_total counter\n"));
  EXPECT_THAT(text, HasSubstr("syncline_engine_batches_total{engine=\"card\",stage=\"seal\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("syncline_engine_batches_total{engine=\"cpu\",stage=\"seal\"} 0\n"));
  EXPECT_THAT(text,
              HasSubstr("syncline_engine_not_ready_total{engine=\"card\",stage=\"detect\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("syncline_engine_faults_total{engine=\"card\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("syncline_engine_faults_total{engine=\"cpu\"} 0\n"));
  EXPECT_THAT(text,
              HasSubstr("syncline_engine_out_of_service{engine=\"card\",stage=\"seal\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("syncline_engine_out_of_service{engine=\"card\",stage=\"detect\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("engine=\"card\",stage=\"open\""))) << "it has no such stage";
}

TEST(EngineMetrics, FollowTheNextReport) {
  Metrics metrics;
  std::vector<EngineReport> engines = reports();
  note_engines(engines, metrics);
  engines[0].done_total[2] = 12;
  engines[0].is_out[2] = false;
  note_engines(engines, metrics);
  note_engines(engines, metrics);
  const std::string text = metrics.to_prometheus();
  EXPECT_THAT(text,
              HasSubstr("syncline_engine_batches_total{engine=\"card\",stage=\"seal\"} 12\n"));
  EXPECT_THAT(text, HasSubstr("syncline_engine_faults_total{engine=\"card\"} 3\n"));
  EXPECT_THAT(text,
              HasSubstr("syncline_engine_out_of_service{engine=\"card\",stage=\"seal\"} 0\n"));
}

}  // namespace
}  // namespace syncline::dispatch
