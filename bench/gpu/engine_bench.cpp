// G5, G6 and the dispatcher: the CUDA engine as the appliance calls it, host rows in and verdicts
// out, beside the bus and beside the CPU engine.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/gpu/allocations.hpp"
#include "bench/gpu/benches.hpp"
#include "bench/gpu/rows.hpp"
#include "host/base/clock.hpp"
#include "host/dispatch/dispatcher.hpp"
#include "host/state/fingerprint_table.hpp"
#include "kernels/cpu/cpu_engine.hpp"
#include "kernels/cuda/cuda_engine.hpp"

namespace syncline::bench {
namespace {

constexpr uint32_t kLanes = 64;
constexpr int kSettleRounds = 80;

template <class T>
T take(Result<T> result) {
  if (result.has_value()) return std::move(result).value();
  std::fprintf(stderr, "bench: %s\n", to_string(result.error()).c_str());
  std::exit(1);
}
void take(Result<void> result) {
  if (result.has_value()) return;
  std::fprintf(stderr, "bench: %s\n", to_string(result.error()).c_str());
  std::exit(1);
}

// One system's rows and its table, which knows them all: what a scan of unchanged records costs.
class Scan {
 public:
  Scan(uint32_t row_count, uint64_t seed, RowMemory place)
      : rows_(row_count, seed, kLanes, place), table_(kRowValues, kLanes) {
    secret_.fill(0x6b);
    const auto cpu = cpu::make_cpu_engine();
    run(*cpu);
    for (uint32_t lane = 0; lane < kLanes; ++lane) {
      take(table_.apply(static_cast<model::LaneIndex>(lane), detected_.delta.lanes[lane]));
    }
  }

  // Any engine, or the dispatcher.
  template <class Stages>
  void run(Stages& stages) {
    const syn_batch batch = rows_.view();
    take(stages.fingerprint(batch, secret_, fingerprints_));
    take(stages.detect(batch, fingerprints_, table_.ref(), detected_));
  }

  void expect_all_same() const {
    for (const engine::Verdict verdict : detected_.verdicts) {
      if (verdict == engine::Verdict::kSame) continue;
      std::fprintf(stderr, "bench: a row is not the same: %d\n", static_cast<int>(verdict));
      std::exit(1);
    }
  }

  const HostRows& rows() const { return rows_; }

 private:
  HostRows rows_;
  state::FingerprintTable table_;
  engine::Secret secret_{};
  engine::Fingerprints fingerprints_;
  engine::Detected detected_;
};

Work scans(engine::Engine& engine, std::vector<std::unique_ptr<Scan>>& scans, int rounds) {
  return [&engine, &scans, rounds] {
    std::vector<std::thread> threads;
    for (const auto& scan : scans) {
      threads.emplace_back([&engine, &scan, rounds] {
        for (int i = 0; i < rounds; ++i) scan->run(engine);
      });
    }
    for (std::thread& thread : threads) thread.join();
    return static_cast<double>(scans.size()) * rounds *
           static_cast<double>(scans[0]->rows().input_size());
  };
}

// What has to cross the bus: the rows as the batch lays them out, pinned, to the card.
Work bus_copy(const HostRows& rows, CardMemory& card, int rounds) {
  const size_t size = rows.input_size();
  return repeated(rounds, static_cast<double>(size), [&rows, &card, size] {
    return cudaMemcpyAsync(card.as<uint8_t>(), rows.view().op, size, cudaMemcpyHostToDevice,
                           nullptr);
  });
}

double median_us(Scan& scan, auto& stages, int rounds) {
  using std::chrono::steady_clock;
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    const auto start = steady_clock::now();
    scan.run(stages);
    times.push_back(std::chrono::duration<double, std::micro>(steady_clock::now() - start).count());
  }
  return median(times);
}

// What the dispatcher believes, for whoever wonders why it chose as it did.
void explain(const dispatch::Dispatcher& dispatcher) {
  for (const dispatch::EngineReport& report : dispatcher.report()) {
    const dispatch::StageCost& fingerprint = report.cost[0];
    const dispatch::StageCost& detect = report.cost[1];
    std::fprintf(
        stderr,
        "    %s: fingerprint %.0f us + %.0f B/us, detect %.0f us + %.0f B/us, %llu batches, "
        "%llu faults %s\n",
        report.description.name.c_str(), fingerprint.fixed_us, fingerprint.bytes_per_us,
        detect.fixed_us, detect.bytes_per_us, static_cast<unsigned long long>(report.batches_total),
        static_cast<unsigned long long>(report.faults_total), report.last_fault.c_str());
  }
}

}  // namespace

void bench_card_whole(const Options& options) {
  const uint32_t row_count = options.is_quick ? 1u << 14 : 1u << 16;
  const auto cuda = take(cuda::make_cuda_engine());
  const auto cpu = cpu::make_cpu_engine();
  for (const RowMemory place : {RowMemory::kOrdinary, RowMemory::kPinned}) {
    for (const size_t thread_count : {size_t{1}, size_t{4}}) {
      std::vector<std::unique_ptr<Scan>> all;
      for (size_t i = 0; i < thread_count; ++i) {
        all.push_back(std::make_unique<Scan>(row_count, i + 11, place));
        all.back()->run(*cuda);
        all.back()->expect_all_same();
      }
      const bool is_pinned = place == RowMemory::kPinned;
      const std::string id = std::string("engines.cuda.whole.") + (is_pinned ? "pinned." : "") +
                             std::to_string(thread_count);
      const std::string what = std::string("host rows to verdicts by the engine, ") +
                               (is_pinned ? "pinned" : "ordinary") +
                               " memory, threads: " + std::to_string(thread_count);
      report(measure_rate(options, id + ".cpu", what, "bytes/s", scans(*cuda, all, 20),
                          {"the CPU engine, as many threads", scans(*cpu, all, 10)}));
      if (!is_pinned) continue;
      CardMemory card(all[0]->rows().input_size());
      report(measure_rate(options, id + ".bus", what, "bytes/s", scans(*cuda, all, 20),
                          {"copy of the pinned rows", bus_copy(all[0]->rows(), card, 40)}));
    }
  }
}

void bench_small_batch(const Options& options) {
  constexpr uint32_t kSmallRows = 65536 / kRowSize;
  const int rounds = options.is_quick ? 200 : 2000;
  const auto cuda = take(cuda::make_cuda_engine());
  const auto cpu = cpu::make_cpu_engine();
  Scan scan(kSmallRows, 3, RowMemory::kOrdinary);
  median_us(scan, *cuda, 50);
  scan.expect_all_same();
  const uint64_t card_before = cuda::allocations();
  const uint64_t host_before = host_allocations();
  std::vector<double> ours;
  std::vector<double> theirs;
  std::vector<double> ratios;
  for (int i = 0; i < repetitions(options); ++i) {
    ours.push_back(median_us(scan, *cuda, rounds));
    theirs.push_back(median_us(scan, *cpu, rounds));
    ratios.push_back(ours.back() / theirs.back());
  }
  const auto [least, most] = std::minmax_element(ours.begin(), ours.end());
  const double value = median(ours);
  const int runs = static_cast<int>(ours.size());
  report({"engines.cuda.small", "64 KB of rows: fingerprint and detect, p50", value, "us",
          "the CPU engine", median(theirs), median(ratios), (*most - *least) / value, runs});
  // The list of times above is the bench's own: one growing vector a repetition.
  const double batches = 2.0 * rounds * runs;
  report({"engines.cuda.small.card_allocations", "card and pinned allocations in those batches",
          static_cast<double>(cuda::allocations() - card_before), "allocations", "", 0, 0, 0,
          runs});
  report({"engines.cuda.small.host_allocations", "heap allocations a batch, the bench's among them",
          static_cast<double>(host_allocations() - host_before) / batches, "allocations", "", 0, 0,
          0, runs});
}

void bench_dispatcher(const Options& options) {
  const auto cuda = take(cuda::make_cuda_engine());
  const auto cpu = cpu::make_cpu_engine();
  std::vector<std::unique_ptr<engine::Engine>> engines;
  engines.push_back(take(cuda::make_cuda_engine()));
  engines.push_back(cpu::make_cpu_engine());
  Scan warm(64, 1, RowMemory::kOrdinary);
  warm.run(*engines[0]);  // creates the context, which calibration does not count
  auto dispatcher = take(dispatch::Dispatcher::make(std::move(engines), "auto", system_clock()));
  const int64_t start = system_clock().steady_us();
  dispatcher->calibrate();
  const double calibration = static_cast<double>(system_clock().steady_us() - start);
  report({"engines.dispatcher.calibration", "both engines, all stages", calibration, "us", "", 0, 0,
          0, 1});
  double worst = 1;
  std::string worst_what = "none";
  const uint32_t size_max = options.is_quick ? 1u << 20 : 1u << 26;
  for (uint32_t size = 1024; size <= size_max; size *= 4) {
    Scan scan(std::max(size / kRowSize, 1u), size, RowMemory::kOrdinary);
    const int rounds = static_cast<int>(std::clamp(20'000'000u / size, 5u, 400u));
    for (auto* engine : {cuda.get(), cpu.get()}) median_us(scan, *engine, 5);
    median_us(scan, *dispatcher, kSettleRounds);  // it refits as it goes
    const double on_card = median_us(scan, *cuda, rounds);
    const double on_cpu = median_us(scan, *cpu, rounds);
    const double chosen = median_us(scan, *dispatcher, rounds);
    const double ratio = std::min(on_card, on_cpu) / chosen;
    char what[160];
    std::snprintf(what, sizeof what, "%u KB: card %.1f us, CPU %.1f us, chosen %.1f us",
                  size / 1024, on_card, on_cpu, chosen);
    std::fprintf(stderr, "  %s\n", what);
    explain(*dispatcher);
    if (ratio < worst) {
      worst = ratio;
      worst_what = what;
    }
  }
  report({"engines.dispatcher",
          "better engine's time over the chosen one's, worst size: " + worst_what, worst, "ratio",
          "", 0, 0, 0, 1});
}

}  // namespace syncline::bench
