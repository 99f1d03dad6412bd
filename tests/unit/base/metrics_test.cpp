#include "host/base/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace syncline {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(MetricsTest, counts_of_many_threads_add_up) {
  Metrics metrics;
  Counter& counter = metrics.counter("syncline_changes_total", "Changes.");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&counter] {
      for (int n = 0; n < 10'000; ++n) counter.add(2);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 80'000u);
}

TEST(MetricsTest, the_same_name_and_labels_are_the_same_metric) {
  Metrics metrics;
  Counter& erp = metrics.counter("syncline_changes_total", "Changes.", {{"system", "erp"}});
  Counter& shop = metrics.counter("syncline_changes_total", "Changes.", {{"system", "shop"}});
  EXPECT_NE(&erp, &shop);
  EXPECT_EQ(&erp, &metrics.counter("syncline_changes_total", "Changes.", {{"system", "erp"}}));
}

TEST(MetricsTest, small_values_are_exact) {
  Histogram histogram;
  for (uint64_t value = 0; value < 32; ++value) histogram.record(value);
  EXPECT_EQ(histogram.percentile_us(50), 15u);
  EXPECT_EQ(histogram.percentile_us(100), 31u);
  EXPECT_EQ(histogram.percentile_us(0), 0u);
}

TEST(MetricsTest, percentiles_are_within_three_percent) {
  std::mt19937_64 random(7);
  Histogram histogram;
  std::vector<uint64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(random() >> (30 + random() % 30));
    histogram.record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double percentile : {1.0, 25.0, 50.0, 90.0, 99.0, 99.9}) {
    const auto rank = static_cast<size_t>(std::ceil(percentile / 100 * 20'000)) - 1;
    const auto exact = static_cast<double>(values[rank]);
    const auto told = static_cast<double>(histogram.percentile_us(percentile));
    EXPECT_GE(told, exact) << percentile;
    EXPECT_LE(told, exact * 1.032 + 1) << percentile;
  }
}

TEST(MetricsTest, a_value_beyond_the_range_counts_as_the_largest) {
  Histogram histogram;
  histogram.record(~uint64_t{0});
  EXPECT_EQ(histogram.count(), 1u);
  EXPECT_EQ(histogram.percentile_us(50), (uint64_t{1} << 40) - 1);
}

TEST(MetricsTest, nothing_recorded_is_zero) {
  EXPECT_EQ(Histogram().percentile_us(99), 0u);
}

TEST(MetricsTest, a_bound_of_a_power_of_two_minus_one_is_exact) {
  Histogram histogram;
  for (const uint64_t value : {63u, 64u, 255u, 256u, 1023u, 1024u}) histogram.record(value);
  EXPECT_EQ(histogram.count_up_to(63), 1u);
  EXPECT_EQ(histogram.count_up_to(255), 3u);
  EXPECT_EQ(histogram.count_up_to(1023), 5u);
}

TEST(MetricsTest, text_is_what_prometheus_reads) {
  Metrics metrics;
  metrics.counter("syncline_changes_total", "Changes\ncaptured.", {{"system", "e\"r\\p"}}).add(3);
  metrics.gauge("syncline_lag_seconds", "Lag.").set(1.5);
  metrics.histogram("syncline_commit_seconds", "Commits.", {{"lane", "2"}}).record(200);
  EXPECT_THAT(metrics.to_prometheus(),
              StartsWith("# HELP syncline_changes_total Changes\\ncaptured.\n"
                         "# TYPE syncline_changes_total counter\n"
                         "syncline_changes_total{system=\"e\\\"r\\\\p\"} 3\n"
                         "# HELP syncline_lag_seconds Lag.\n"
                         "# TYPE syncline_lag_seconds gauge\n"
                         "syncline_lag_seconds 1.5\n"
                         "# HELP syncline_commit_seconds"));
  EXPECT_THAT(metrics.to_prometheus(),
              HasSubstr("syncline_commit_seconds_bucket{lane=\"2\",le=\"6.3e-05\"} 0\n"
                        "syncline_commit_seconds_bucket{lane=\"2\",le=\"0.000255\"} 1\n"));
  EXPECT_THAT(metrics.to_prometheus(),
              HasSubstr("syncline_commit_seconds_bucket{lane=\"2\",le=\"+Inf\"} 1\n"
                        "syncline_commit_seconds_sum{lane=\"2\"} 0.0002\n"
                        "syncline_commit_seconds_count{lane=\"2\"} 1\n"));
}

}  // namespace
}  // namespace syncline
