// appliance.no_databases: changes a second from one system's log into the other system and back as
// an echo, both ways at once. memory.record: what the appliance holds in memory per record.
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include <sys/resource.h>

#include "bench/pipeline/bench_appliance.hpp"
#include "bench/pipeline/benches.hpp"

namespace syncline::bench {
namespace {

constexpr size_t kRecords = 10'000'000;
constexpr size_t kRecordsQuick = 100'000;
constexpr size_t kChanges = 1'000'000;
constexpr size_t kChangesQuick = 200'000;
constexpr double kZipfExponent = 0.99;

struct Keys {  // each side's users have records of their own: nothing collides
  std::vector<uint32_t> left;
  std::vector<uint32_t> right;
  size_t count() const { return left.size() + right.size(); }
};

Keys uniform_keys(size_t record_count, size_t change_count) {
  std::mt19937_64 random(1);
  Keys keys;
  for (size_t i = 0; i < change_count / 2; ++i) {
    keys.left.push_back(static_cast<uint32_t>(random() % (record_count / 2) * 2));
    keys.right.push_back(static_cast<uint32_t>(random() % (record_count / 2) * 2 + 1));
  }
  return keys;
}

// The rank of a draw by Zipf's law, after Gray et al., "Quickly generating billion-record synthetic
// databases", 1994.
class Zipf {
 public:
  explicit Zipf(size_t count) : count_(count) {
    for (size_t rank = 1; rank <= count; ++rank) {
      sum_ += 1 / std::pow(static_cast<double>(rank), kZipfExponent);
    }
    const double first_two = 1 + std::pow(0.5, kZipfExponent);
    slope_ = (1 - std::pow(2.0 / static_cast<double>(count), 1 - kZipfExponent)) /
             (1 - first_two / sum_);
  }
  size_t rank(double unit) const {
    if (unit * sum_ < 1) return 0;
    if (unit * sum_ < 1 + std::pow(0.5, kZipfExponent)) return 1;
    const double at = std::pow(slope_ * unit - slope_ + 1, 1 / (1 - kZipfExponent));
    return std::min(count_ - 1, static_cast<size_t>(static_cast<double>(count_) * at));
  }

 private:
  size_t count_;
  double sum_ = 0;
  double slope_ = 0;
};

Keys zipf_keys(size_t record_count, size_t change_count) {
  const size_t half = record_count / 2;
  const Zipf zipf(half);
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> unit(0, 1);
  const auto draw = [&] {  // ranks far apart, so that hot records are not neighbours
    return zipf.rank(unit(random)) * 0x9e3779b1ull % half * 2;
  };
  Keys keys;
  for (size_t i = 0; i < change_count / 2; ++i) {
    keys.left.push_back(static_cast<uint32_t>(draw()));
    keys.right.push_back(static_cast<uint32_t>(draw() + 1));
  }
  return keys;
}

double cpu_us() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return static_cast<double>(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e6 +
         static_cast<double>(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

size_t record_count(const Options& options) {
  if (options.record_count > 0) return options.record_count;
  return options.is_quick ? kRecordsQuick : kRecords;
}

void measure(const Options& options, BenchAppliance& appliance, const Keys& keys,
             const std::string& draw) {
  std::vector<double> costs;
  const auto work = [&] {
    const double before_us = cpu_us();
    appliance.change(keys.left, keys.right);
    const auto count = static_cast<double>(keys.count());
    costs.push_back((cpu_us() - before_us) / count);
    return count;
  };
  Figure figure = measure_rate(options, "appliance.no_databases", "", "changes/s", work, {});
  char cost[32];
  std::snprintf(cost, sizeof cost, "%.2f", median(costs));
  figure.what = draw + " keys, " + std::to_string(record_count(options)) +
                " records of 8 fields, two ways, accepted, delivered and confirmed; " + cost +
                " us of CPU a change";
  report(figure);
}

}  // namespace

void bench_appliance(const Options& options) {
  const size_t records = record_count(options);
  const size_t changes = options.is_quick ? kChangesQuick : kChanges;
  BenchAppliance appliance(records);
  measure(options, appliance, zipf_keys(records, changes), "Zipf 0.99");
  measure(options, appliance, uniform_keys(records, changes), "uniform");
}

void bench_record_memory(const Options& options) {
  const auto records = static_cast<double>(record_count(options));
  const BenchAppliance appliance(record_count(options));
  const app::Status status = appliance.status();
  const double tables = static_cast<double>(status.table_size_bytes) / records;
  const double shadow = static_cast<double>(status.shadow_memory.size_bytes) / records;
  char what[120];
  std::snprintf(what, sizeof what,
                "%.0f records of 8 fields: %.1f in the tables of two systems, %.1f in the shadow",
                records, tables, shadow);
  Figure figure;
  figure.id = "memory.record";
  figure.what = what;
  figure.value = tables + shadow;
  figure.unit = "bytes/record";
  figure.runs = 1;
  report(figure);
}

}  // namespace syncline::bench
