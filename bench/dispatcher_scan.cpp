#include "bench/dispatcher_scan.hpp"

#include <algorithm>
#include <string>

#include "bench/engine_scan.hpp"
#include "host/base/clock.hpp"
#include "host/dispatch/dispatcher.hpp"
#include "kernels/contract/block.h"
#include "kernels/cpu/cpu_engine.hpp"

namespace syncline::bench {
namespace {

using engine::Stage;

constexpr double kGoal = 0.9;
constexpr double kCalibrationUsMax = 1e6;
constexpr int kSettleRounds = 80;
constexpr size_t kRoundsMin = 5;
constexpr size_t kRoundsMax = 400;
constexpr double kGroupUs = 20;       // so long at least between two looks at the clock
constexpr double kHopelessTimes = 8;  // slower than the best one: it is not measured further

// The rows' columns, as bytes, and what the CPU engine made of them.
class Block {
 public:
  explicit Block(const syn_batch& rows) : columns_(rows.field_count) {
    for (size_t cell = 0; cell < size_t{rows.row_count} * rows.field_count; ++cell) {
      const uint32_t length = rows.cell_length[cell];
      if (length == SYN_LENGTH_NULL || length == SYN_LENGTH_UNCHANGED) continue;
      const auto* bytes = reinterpret_cast<const char*>(rows.arena + rows.cell_offset[cell]);
      columns_[cell % rows.field_count].append(bytes, length);
    }
    for (const std::string& column : columns_) {
      views_.push_back({static_cast<uint16_t>(views_.size()), SYN_COLUMN_BYTES, column});
    }
    sealed_ = take(cpu::make_cpu_engine()->seal(views_, {}, "header")).bytes;
  }

  template <class Stages>
  void seal(Stages& stages) {
    take(stages.seal(views_, {}, "header"));
  }
  template <class Stages>
  void open(Stages& stages) {
    std::array<uint8_t, 32> digest{};
    if (take(stages.open(sealed_, {}, "header", digest)).size() != columns_.size()) std::exit(1);
  }

 private:
  std::vector<std::string> columns_;
  std::vector<engine::ColumnView> views_;
  std::string sealed_;
};

// One size, for all stages.
struct Inputs {
  Inputs(MadeRows made, uint32_t lane_count)
      : rows(std::move(made)), scan(rows.view, lane_count), block(rows.view) {}

  template <class Stages>
  void run(Stages& stages, Stage stage) {
    switch (stage) {
      case Stage::kFingerprint:
        scan.fingerprint(stages);
        break;
      case Stage::kDetect:
        scan.detect(stages);
        break;
      case Stage::kSeal:
        block.seal(stages);
        break;
      case Stage::kOpen:
        block.open(stages);
        break;
    }
  }
  // A device finds its own fingerprints where it left them.
  template <class Stages>
  void prepare(Stages& stages, Stage stage) {
    if (stage == Stage::kDetect) scan.fingerprint(stages);
  }

  MadeRows rows;
  Scan scan;
  Block block;
};

// An engine, or the dispatcher, at one stage.
class Runner {
 public:
  template <class Stages>
  Runner(std::string name, Inputs& inputs, Stages& stages, Stage stage)
      : name_(std::move(name)),
        prepare_([&inputs, &stages, stage] { inputs.prepare(stages, stage); }),
        run_([&inputs, &stages, stage] { inputs.run(stages, stage); }) {}

  const std::string& name() const { return name_; }
  double median_us() const { return median(times_); }
  void forget() { times_.clear(); }

  double measure() {
    prepare_();
    const double us = time_us([this] {
                        for (int i = 0; i < group_; ++i) run_();
                      }) /
                      group_;
    times_.push_back(us);
    return us;
  }
  // Twice, for the first one takes memory; then as often at once as suits the clock.
  double warm() {
    measure();
    const double us = measure();
    group_ = static_cast<int>(std::clamp(kGroupUs / std::max(us, 0.01), 1.0, 1000.0));
    return us;
  }

 private:
  std::string name_;
  std::function<void()> prepare_;
  std::function<void()> run_;
  int group_ = 1;
  std::vector<double> times_;
};

std::vector<uint64_t> batch_counts(const dispatch::Dispatcher& dispatcher) {
  std::vector<uint64_t> counts;
  for (const auto& report : dispatcher.report()) counts.push_back(report.batches_total);
  return counts;
}

std::string microseconds(const std::string& name, double us) {
  char text[80];
  std::snprintf(text, sizeof text, "%s %.1f us", name.c_str(), us);
  return text;
}

// Those that can be the better one.
std::vector<Runner> without_hopeless(std::vector<Runner> engines) {
  double best = 0;
  std::vector<double> times;
  for (Runner& engine : engines) {
    times.push_back(engine.warm());
    best = times.size() == 1 ? times[0] : std::min(best, times.back());
  }
  std::vector<Runner> kept;
  for (size_t i = 0; i < engines.size(); ++i) {
    if (times[i] <= kHopelessTimes * best) kept.push_back(std::move(engines[i]));
  }
  return kept;
}

struct StageFigure {
  double ratio = 2;
  std::string what = "none";
};

// In turn, so that what slows the machine slows all of them.
StageFigure measure_stage(std::vector<Runner> engines, Runner chosen, double budget_us) {
  engines = without_hopeless(std::move(engines));
  chosen.warm();
  double spent_us = 0;
  for (int i = 0; i < kSettleRounds && spent_us < budget_us / 3; ++i) {
    spent_us += chosen.measure();  // it refits as it goes
  }
  for (Runner& engine : engines) engine.forget();
  chosen.forget();
  spent_us = 0;
  for (size_t i = 0; i < kRoundsMax && (i < kRoundsMin || spent_us < budget_us); ++i) {
    for (Runner& engine : engines) spent_us += engine.measure();
    spent_us += chosen.measure();
  }
  double better = engines[0].median_us();
  std::string what;
  for (const Runner& engine : engines) {
    better = std::min(better, engine.median_us());
    what += microseconds(engine.name(), engine.median_us()) + ", ";
  }
  return {better / chosen.median_us(), what + microseconds("chosen", chosen.median_us())};
}

// The dispatcher, calibrated.
std::unique_ptr<dispatch::Dispatcher> make_dispatcher(const Options& options,
                                                      const DispatcherBench& bench) {
  auto engines = bench.make_engines();
  Inputs few(bench.make_rows(8192), bench.lane_count);
  for (const auto& engine : engines) {
    // What a device does once, when it starts, is not what calibration is to take.
    few.scan.run(*engine);
    few.block.seal(*engine);
  }
  auto dispatcher = take(dispatch::Dispatcher::make(std::move(engines), "auto", system_clock()));
  const double calibration = time_us([&] { dispatcher->calibrate(); });
  report({"engines.dispatcher.calibration", "all engines, all stages", calibration, "us", "", 0, 0,
          0, 1});
  if (calibration >= kCalibrationUsMax) options.miss("engines.dispatcher.calibration");
  return dispatcher;
}

using Engines = std::vector<std::unique_ptr<engine::Engine>>;

StageFigure measure_size(const Engines& engines, dispatch::Dispatcher& dispatcher, Inputs& inputs,
                         Stage stage, double budget_us) {
  std::vector<Runner> runners;
  for (const auto& engine : engines) {
    runners.emplace_back(engine->describe().name, inputs, *engine, stage);
  }
  const auto before = batch_counts(dispatcher);
  StageFigure figure =
      measure_stage(std::move(runners), {"chosen", inputs, dispatcher, stage}, budget_us);
  const auto after = batch_counts(dispatcher);
  figure.what += ", who took them:";
  for (size_t i = 0; i < engines.size(); ++i) {
    figure.what += " " + engines[i]->describe().name + " " + std::to_string(after[i] - before[i]);
  }
  return figure;
}

void report_worst(const Options& options, const StageFigure (&worst)[engine::kStageCount]) {
  StageFigure worst_of_all;
  for (size_t i = 0; i < engine::kStageCount; ++i) {
    const std::string name(stage_name(static_cast<Stage>(i)));
    report({"engines.dispatcher." + name, "its worst size: " + worst[i].what, worst[i].ratio,
            "ratio", "", 0, 0, 0, 1});
    if (worst[i].ratio >= worst_of_all.ratio) continue;
    worst_of_all = {worst[i].ratio, name + ", " + worst[i].what};
  }
  report({"engines.dispatcher",
          "better engine's time over the chosen one's, worst stage and size: " + worst_of_all.what,
          worst_of_all.ratio, "ratio", "", 0, 0, 0, 1});
  if (worst_of_all.ratio < kGoal) options.miss("engines.dispatcher");
}

}  // namespace

void measure_dispatcher(const Options& options, const DispatcherBench& bench) {
  const auto dispatcher = make_dispatcher(options, bench);
  const Engines engines = bench.make_engines();
  const size_t size_max = options.is_quick ? 1u << 20 : 1u << 26;
  const double budget_us = options.is_quick ? 5e4 : 5e5;
  StageFigure worst[engine::kStageCount];
  for (size_t size = 1024; size <= size_max; size *= 2) {
    Inputs inputs(bench.make_rows(size), bench.lane_count);
    for (size_t i = 0; i < engine::kStageCount; ++i) {
      const auto stage = static_cast<Stage>(i);
      StageFigure figure = measure_size(engines, *dispatcher, inputs, stage, budget_us);
      figure.what = std::to_string(size / 1024) + " KB: " + figure.what;
      std::fprintf(stderr, "  %-11s %5.3f  %s\n", std::string(stage_name(stage)).c_str(),
                   figure.ratio, figure.what.c_str());
      if (figure.ratio < worst[i].ratio) worst[i] = figure;
    }
    inputs.scan.expect_all_same();
  }
  report_worst(options, worst);
}

}  // namespace syncline::bench
