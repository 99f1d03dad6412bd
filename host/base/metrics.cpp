#include "host/base/metrics.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>

namespace syncline {
namespace {

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.15g", value);
  return text;
}

void append_escaped(std::string& out, const std::string& text, bool is_label) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && is_label) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

// `system="erp",lane="3"`, in the order given.
std::string labels_text(const Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    if (!out.empty()) out += ',';
    out += name + "=\"";
    append_escaped(out, value, true);
    out += '"';
  }
  return out;
}

std::string series(const std::string& name, const std::string& labels,
                   const std::string& more = {}) {
  const std::string all = labels.empty() || more.empty() ? labels + more : labels + "," + more;
  return all.empty() ? name : name + "{" + all + "}";
}

void append_head(std::string& out, const std::string& name, const std::string& help,
                 const char* kind) {
  out += "# HELP " + name + " ";
  append_escaped(out, help, false);
  out += "\n# TYPE " + name + " " + kind + "\n";
}

void append_histogram(std::string& out, const std::string& name, const std::string& labels,
                      const Histogram& histogram) {
  // Powers of four from 63 us to 67 s: 11 buckets, each bound exact.
  for (unsigned bits = 6; bits <= 26; bits += 2) {
    const uint64_t bound_us = (uint64_t{1} << bits) - 1;
    const std::string bound = "le=\"" + number_text(static_cast<double>(bound_us) / 1e6) + "\"";
    out += series(name + "_bucket", labels, bound) + " " +
           std::to_string(histogram.count_up_to(bound_us)) + "\n";
  }
  const std::string count = std::to_string(histogram.count());
  out += series(name + "_bucket", labels, "le=\"+Inf\"") + " " + count + "\n";
  out += series(name + "_sum", labels) + " " +
         number_text(static_cast<double>(histogram.sum_us()) / 1e6) + "\n";
  out += series(name + "_count", labels) + " " + count + "\n";
}

}  // namespace

size_t Counter::shard_of_thread() {
  // Every thread has its own copy, so its address tells threads apart without a shared count.
  static thread_local const char anchor = 0;
  const auto address = reinterpret_cast<uintptr_t>(&anchor);
  return static_cast<size_t>(address * 0x9E3779B97F4A7C15u >> 61) % kShards;
}

uint64_t Counter::value() const {
  uint64_t sum = 0;
  for (const Shard& shard : shards_) sum += shard.value.load(std::memory_order_relaxed);
  return sum;
}

size_t Histogram::bucket_of(uint64_t value_us) {
  constexpr uint64_t kValueMax = (uint64_t{1} << kValueBits) - 1;
  const uint64_t value = std::min(value_us, kValueMax);
  if (value < (1u << kPartBits)) return value;
  const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kPartBits - 1;
  return ((shift + 1) << kPartBits) + ((value >> shift) - (1u << kPartBits));
}

uint64_t Histogram::last_of(size_t bucket) {
  if (bucket < (1u << kPartBits)) return bucket;
  const unsigned shift = static_cast<unsigned>(bucket >> kPartBits) - 1;
  const uint64_t part = bucket & ((1u << kPartBits) - 1);
  return ((part + (1u << kPartBits) + 1) << shift) - 1;
}

void Histogram::record(uint64_t value_us) {
  buckets_[bucket_of(value_us)].fetch_add(1, std::memory_order_relaxed);
  sum_us_.fetch_add(value_us, std::memory_order_relaxed);
  uint64_t known = max_us_.load(std::memory_order_relaxed);
  while (known < value_us &&
         !max_us_.compare_exchange_weak(known, value_us, std::memory_order_relaxed)) {
  }
}

uint64_t Histogram::count() const {
  uint64_t sum = 0;
  for (const auto& bucket : buckets_) sum += bucket.load(std::memory_order_relaxed);
  return sum;
}

uint64_t Histogram::percentile_us(double percentile) const {
  const uint64_t total = count();
  if (total == 0) return 0;
  const double part = std::clamp(percentile, 0.0, 100.0) / 100.0;
  const auto wanted =
      std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(part * static_cast<double>(total))));
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += buckets_[bucket].load(std::memory_order_relaxed);
    if (seen >= wanted) return std::min(last_of(bucket), max_us());
  }
  return max_us();
}

uint64_t Histogram::count_up_to(uint64_t bound_us) const {
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets && last_of(bucket) <= bound_us; ++bucket) {
    seen += buckets_[bucket].load(std::memory_order_relaxed);
  }
  return seen;
}

void Histogram::reset() {
  for (auto& bucket : buckets_) bucket.store(0, std::memory_order_relaxed);
  sum_us_.store(0, std::memory_order_relaxed);
  max_us_.store(0, std::memory_order_relaxed);
}

template <class Metric>
Metric& Metrics::find(Families<Metric>& families, const std::string& name, const std::string& help,
                      const Labels& labels) {
  const std::lock_guard lock(mutex_);
  Family<Metric>& family = families[name];
  if (family.by_labels.empty()) family.help = help;
  std::unique_ptr<Metric>& metric = family.by_labels[labels_text(labels)];
  if (metric == nullptr) metric = std::make_unique<Metric>();
  return *metric;
}

Counter& Metrics::counter(const std::string& name, const std::string& help, const Labels& labels) {
  return find(counters_, name, help, labels);
}

Gauge& Metrics::gauge(const std::string& name, const std::string& help, const Labels& labels) {
  return find(gauges_, name, help, labels);
}

Histogram& Metrics::histogram(const std::string& name, const std::string& help,
                              const Labels& labels) {
  return find(histograms_, name, help, labels);
}

std::string Metrics::to_prometheus() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, family] : counters_) {
    append_head(out, name, family.help, "counter");
    for (const auto& [labels, metric] : family.by_labels) {
      out += series(name, labels) + " " + std::to_string(metric->value()) + "\n";
    }
  }
  for (const auto& [name, family] : gauges_) {
    append_head(out, name, family.help, "gauge");
    for (const auto& [labels, metric] : family.by_labels) {
      out += series(name, labels) + " " + number_text(metric->value()) + "\n";
    }
  }
  for (const auto& [name, family] : histograms_) {
    append_head(out, name, family.help, "histogram");
    for (const auto& [labels, metric] : family.by_labels) {
      append_histogram(out, name, labels, *metric);
    }
  }
  return out;
}

}  // namespace syncline
