#include "bench/engine_scan.hpp"

#include <chrono>

#include "kernels/cpu/cpu_engine.hpp"

namespace syncline::bench {

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

}  // namespace syncline::bench
