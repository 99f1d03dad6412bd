// G5, G6 and the dispatcher: the CUDA engine as the appliance calls it, host rows in and verdicts
// out, beside the bus and beside the CPU engine.
#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/dispatcher_scan.hpp"
#include "bench/engine_scan.hpp"
#include "bench/gpu/allocations.hpp"
#include "bench/gpu/benches.hpp"
#include "bench/gpu/rows.hpp"
#include "kernels/cpu/cpu_engine.hpp"
#include "kernels/cuda/cuda_engine.hpp"
#include "kernels/cuda/graphs.hpp"

namespace syncline::bench {
namespace {

constexpr uint32_t kLanes = 64;

// Rows in a memory of their own, and a scan of them.
class CardScan {
 public:
  CardScan(uint32_t row_count, uint64_t seed, RowMemory place)
      : rows_(row_count, seed, kLanes, place), scan_(rows_.view(), kLanes) {}
  Scan& scan() { return scan_; }
  const HostRows& rows() const { return rows_; }

 private:
  HostRows rows_;
  Scan scan_;
};

Work scans(engine::Engine& engine, std::vector<std::unique_ptr<CardScan>>& scans, int rounds) {
  return [&engine, &scans, rounds] {
    std::vector<std::thread> threads;
    for (const auto& scan : scans) {
      threads.emplace_back([&engine, &scan, rounds] {
        for (int i = 0; i < rounds; ++i) scan->scan().run(engine);
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

double median_us(Scan& scan, engine::Engine& engine, int rounds) {
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) times.push_back(time_us([&] { scan.run(engine); }));
  return median(times);
}

}  // namespace

void bench_card_whole(const Options& options) {
  const uint32_t row_count = options.is_quick ? 1u << 14 : 1u << 16;
  const auto cuda = take(cuda::make_cuda_engine());
  const auto cpu = cpu::make_cpu_engine();
  for (const RowMemory place : {RowMemory::kOrdinary, RowMemory::kPinned}) {
    for (const size_t thread_count : {size_t{1}, size_t{4}, size_t{8}}) {
      std::vector<std::unique_ptr<CardScan>> all;
      for (size_t i = 0; i < thread_count; ++i) {
        all.push_back(std::make_unique<CardScan>(row_count, i + 11, place));
        all.back()->scan().run(*cuda);
        all.back()->scan().expect_all_same();
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
  const auto by_command = take(cuda::make_cuda_engine({.trips = cuda::Trips::kByCommand}));
  const auto cpu = cpu::make_cpu_engine();
  CardScan small(kSmallRows, 3, RowMemory::kOrdinary);
  Scan& scan = small.scan();
  median_us(scan, *by_command, 50);
  scan.expect_all_same();
  median_us(scan, *cuda, 50);
  scan.expect_all_same();
  const cuda::GraphCounts graphs_before = cuda::graph_counts();
  const uint64_t card_before = cuda::allocations();
  const uint64_t host_before = host_allocations();
  std::vector<double> ours;
  std::vector<double> theirs;
  std::vector<double> ratios;
  std::vector<double> plain;
  std::vector<double> plain_ratios;
  for (int i = 0; i < repetitions(options); ++i) {
    ours.push_back(median_us(scan, *cuda, rounds));
    theirs.push_back(median_us(scan, *cpu, rounds));
    plain.push_back(median_us(scan, *by_command, rounds));
    ratios.push_back(ours.back() / theirs.back());
    plain_ratios.push_back(ours.back() / plain.back());
  }
  const cuda::GraphCounts graphs = cuda::graph_counts();
  const auto [least, most] = std::minmax_element(ours.begin(), ours.end());
  const double value = median(ours);
  const int runs = static_cast<int>(ours.size());
  report({"engines.cuda.small", "64 KB of rows: fingerprint and detect, p50", value, "us",
          "the CPU engine", median(theirs), median(ratios), (*most - *least) / value, runs});
  report({"engines.cuda.small.graphs", "the same, trips as CUDA graphs, p50", value, "us",
          "command by command", median(plain), median(plain_ratios), (*most - *least) / value,
          runs});
  const auto per_batch = [&](uint64_t now, uint64_t before) {
    return static_cast<double>(now - before) / (static_cast<double>(rounds) * runs);
  };
  report({"engines.cuda.small.graph_launches", "graphs sent a batch: 2 where all went so",
          per_batch(graphs.launches, graphs_before.launches), "launches", "captures",
          per_batch(graphs.captures, graphs_before.captures), 0, 0, runs});
  // The list of times above is the bench's own: one growing vector a repetition.
  const double batches = 3.0 * rounds * runs;
  report({"engines.cuda.small.card_allocations", "card and pinned allocations in those batches",
          static_cast<double>(cuda::allocations() - card_before), "allocations", "", 0, 0, 0,
          runs});
  report({"engines.cuda.small.host_allocations", "heap allocations a batch, the bench's among them",
          static_cast<double>(host_allocations() - host_before) / batches, "allocations", "", 0, 0,
          0, runs});
}

void bench_dispatcher(const Options& options) {
  const auto make_engines = [] {
    std::vector<std::unique_ptr<engine::Engine>> engines;
    engines.push_back(take(cuda::make_cuda_engine()));
    engines.push_back(cpu::make_cpu_engine());
    return engines;
  };
  const auto make_rows = [](size_t size) {
    const auto row_count = static_cast<uint32_t>(std::max<size_t>(size / kRowSize, 1));
    const auto rows = std::make_shared<HostRows>(row_count, size, kLanes, RowMemory::kOrdinary);
    return MadeRows{rows, rows->view()};
  };
  measure_dispatcher(options, {make_engines, make_rows, kLanes});
}

}  // namespace syncline::bench
