// Metrics: counters, gauges and histograms of one appliance, and their Prometheus text.
//
//   Metrics metrics;
//   Counter& changes = metrics.counter("syncline_changes_total", "Changes captured.",
//                                      {{"system", "erp"}});
//   changes.add();
//
// Names begin with syncline_, use base units, and counters end in _total. Asking twice for one name
// and labels gives the same one; a name keeps the kind and help it was first given.
// Owner: Metrics owns all it returns, until it is destroyed. Threads: any; updates are relaxed
// atomics (counters spread over cache lines), so a scrape is not one instant.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace syncline {

class Counter {
 public:
  void add(uint64_t count = 1) {
    shards_[shard_of_thread()].value.fetch_add(count, std::memory_order_relaxed);
  }
  uint64_t value() const;

 private:
  static constexpr size_t kShards = 8;
  struct alignas(64) Shard {
    std::atomic<uint64_t> value{0};
  };
  static size_t shard_of_thread();

  std::array<Shard, kShards> shards_;
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  void add(double delta) { value_.fetch_add(delta, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// Log-linear, as HdrHistogram: every power of two is cut into 32 equal parts, so a value is known
// to 3 %. Values are microseconds, up to 12 days; larger ones count as that.
class Histogram {
 public:
  void record(uint64_t value_us);
  uint64_t count() const;
  uint64_t sum_us() const { return sum_us_.load(std::memory_order_relaxed); }
  uint64_t max_us() const { return max_us_.load(std::memory_order_relaxed); }
  // The smallest value that at least this part of all are at or below (rounded up by at most 3 %).
  // percentile in 0..100; 0 when nothing was recorded.
  uint64_t percentile_us(double percentile) const;
  // How many values are at or below the bound, which is exact for powers of two minus one.
  uint64_t count_up_to(uint64_t bound_us) const;
  void reset();

 private:
  static constexpr unsigned kPartBits = 5;
  static constexpr unsigned kValueBits = 40;
  static constexpr size_t kBuckets = (kValueBits - kPartBits + 1) << kPartBits;
  static size_t bucket_of(uint64_t value_us);
  static uint64_t last_of(size_t bucket);

  std::array<std::atomic<uint64_t>, kBuckets> buckets_{};
  std::atomic<uint64_t> sum_us_{0};
  std::atomic<uint64_t> max_us_{0};
};

using Labels = std::vector<std::pair<std::string, std::string>>;

class Metrics {
 public:
  Metrics() = default;
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  Counter& counter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge& gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  // In the text it is a histogram in seconds: name it syncline_…_seconds.
  Histogram& histogram(const std::string& name, const std::string& help, const Labels& labels = {});

  // Prometheus text format 0.0.4, by name, then labels.
  std::string to_prometheus() const;

 private:
  template <class Metric>
  struct Family {
    std::string help;
    std::map<std::string, std::unique_ptr<Metric>> by_labels;  // key: the labels as text
  };
  template <class Metric>
  using Families = std::map<std::string, Family<Metric>>;

  template <class Metric>
  Metric& find(Families<Metric>& families, const std::string& name, const std::string& help,
               const Labels& labels);

  mutable std::mutex mutex_;
  Families<Counter> counters_;
  Families<Gauge> gauges_;
  Families<Histogram> histograms_;
};

}  // namespace syncline
