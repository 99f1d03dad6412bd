#include "bench/engine_scan.hpp"

#include <algorithm>
#include <chrono>
#include <string>

#include "host/base/clock.hpp"
#include "kernels/cpu/cpu_engine.hpp"

namespace syncline::bench {
namespace {

constexpr int kSettleRounds = 80;
constexpr int kWarmRounds = 5;

struct SizeFigure {
  double ratio = 0;
  std::string what;
};

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

std::string microseconds(const std::string& name, double us) {
  char text[80];
  std::snprintf(text, sizeof text, "%s %.1f us", name.c_str(), us);
  return text;
}

// In turn, so that what slows the machine slows all of them.
SizeFigure measure_size(Scan& scan, std::vector<std::unique_ptr<engine::Engine>>& engines,
                        dispatch::Dispatcher& dispatcher, int rounds) {
  for (int i = 0; i < kWarmRounds; ++i) {
    for (const auto& engine : engines) scan.run(*engine);
  }
  for (int i = 0; i < kSettleRounds; ++i) scan.run(dispatcher);  // it refits as it goes
  std::vector<std::vector<double>> times(engines.size());
  std::vector<double> chosen;
  for (int i = 0; i < rounds; ++i) {
    for (size_t e = 0; e < engines.size(); ++e) {
      times[e].push_back(time_us([&] { scan.run(*engines[e]); }));
    }
    chosen.push_back(time_us([&] { scan.run(dispatcher); }));
  }
  scan.expect_all_same();
  SizeFigure figure;
  double better = 0;
  for (size_t e = 0; e < engines.size(); ++e) {
    const double us = median(times[e]);
    better = e == 0 ? us : std::min(better, us);
    figure.what += microseconds(engines[e]->describe().name, us) + ", ";
  }
  figure.what += microseconds("chosen", median(chosen));
  figure.ratio = better / median(chosen);
  return figure;
}

}  // namespace

void take(Result<void> result) {
  if (result.has_value()) return;
  std::fprintf(stderr, "bench: %s\n", to_string(result.error()).c_str());
  std::exit(1);
}

Scan::Scan(const syn_batch& rows, uint32_t lane_count)
    : rows_(rows), table_(rows.field_count - rows.key_count, lane_count) {
  secret_.fill(0x6b);
  const auto cpu = cpu::make_cpu_engine();
  run(*cpu);
  for (uint32_t lane = 0; lane < lane_count; ++lane) {
    take(table_.apply(static_cast<model::LaneIndex>(lane), detected_.delta.lanes[lane]));
  }
}

void Scan::expect_all_same() const {
  for (const engine::Verdict verdict : detected_.verdicts) {
    if (verdict == engine::Verdict::kSame) continue;
    std::fprintf(stderr, "bench: a row is not the same: %d\n", static_cast<int>(verdict));
    std::exit(1);
  }
}

double time_us(const std::function<void()>& run) {
  using std::chrono::steady_clock;
  const auto start = steady_clock::now();
  run();
  return std::chrono::duration<double, std::micro>(steady_clock::now() - start).count();
}

void measure_dispatcher(const Options& options, const DispatcherBench& bench) {
  auto engines = bench.make_engines();
  auto dispatched = bench.make_engines();
  const MadeRows few = bench.make_rows(8192);
  Scan warm(few.view, bench.lane_count);
  // What a device does once, when it starts, is not what calibration is to take.
  for (const auto& engine : dispatched) warm.run(*engine);
  auto dispatcher = take(dispatch::Dispatcher::make(std::move(dispatched), "auto", system_clock()));
  const double calibration = time_us([&] { dispatcher->calibrate(); });
  report({"engines.dispatcher.calibration", "all engines, all stages", calibration, "us", "", 0, 0,
          0, 1});
  SizeFigure worst{2, "none"};
  const size_t size_max = options.is_quick ? 1u << 20 : 1u << 26;
  for (size_t size = 1024; size <= size_max; size *= 4) {
    const MadeRows rows = bench.make_rows(size);
    Scan scan(rows.view, bench.lane_count);
    const int rounds = static_cast<int>(std::clamp<size_t>(20'000'000u / size, 5u, 400u));
    SizeFigure figure = measure_size(scan, engines, *dispatcher, rounds);
    figure.what = std::to_string(size / 1024) + " KB: " + figure.what;
    std::fprintf(stderr, "  %s\n", figure.what.c_str());
    explain(*dispatcher);
    if (figure.ratio < worst.ratio) worst = figure;
  }
  report({"engines.dispatcher",
          "better engine's time over the chosen one's, worst size: " + worst.what, worst.ratio,
          "ratio", "", 0, 0, 0, 1});
}

}  // namespace syncline::bench
