#include "host/dispatch/dispatcher.hpp"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <limits>
#include <utility>

#include "host/base/assert.hpp"
#include "host/dispatch/calibration.hpp"
#include "host/dispatch/slot.hpp"

namespace syncline::dispatch {
namespace {

using engine::Engine;
using engine::Stage;

// Of all engines together, what each does only once aside: to be shared among them, and for what is
// not measured at all by then.
constexpr int64_t kCalibrationLimitUs = 700'000;
constexpr int64_t kCalibrationReserveUs = 200'000;
// A lone engine has nobody to be compared with: only every so many calls are timed, for the report.
constexpr uint64_t kTimedEveryAlone = 64;
// Where the CPU takes less than this, and no other engine comes near, so many calls after one that
// was compared and timed go straight to it: to choose for each would cost as much as they do.
constexpr double kShortUs = 5;
constexpr uint64_t kStraightCalls = 31;
// The second best engine gets one batch in so many, or its cost would never be measured again.
constexpr uint64_t kSecondBestEvery = 32;
// Unless it is predicted to be this many times slower.
constexpr double kSecondBestFactorMax = 3;
// Batches of a stage and size stay with their engine until another takes less than this part of its
// time: what is measured is noise below that, and a change costs (a device's caches, its copies).
constexpr double kChangeBelow = 0.95;
// By powers of two.
constexpr size_t kSizeClassCount = 65;

class EngineDispatcher final : public Dispatcher {
 public:
  EngineDispatcher(std::vector<std::unique_ptr<Engine>> engines, size_t forced, Clock& clock,
                   OnFault on_fault)
      : forced_(forced), clock_(clock), on_fault_(std::move(on_fault)) {
    for (auto& engine : engines) slots_.push_back(std::make_unique<Slot>(std::move(engine)));
  }

  // The CPU's first: it takes what no other engine is known to do better.
  void calibrate() override {
    CalibrationTime time{clock_.steady_us() + kCalibrationLimitUs,
                         static_cast<int64_t>(slots_.size() * engine::kStageCount)};
    calibrate_slot(cpu(), time);
    for (const auto& slot : slots_) {
      if (slot.get() != &cpu()) calibrate_slot(*slot, time);
    }
    is_calibrated_ = true;
  }

  Result<void> fingerprint(const syn_batch& batch, const engine::Secret& secret,
                           engine::Fingerprints& out) override {
    return run(Stage::kFingerprint, fingerprint_bytes(batch),
               [&](Engine& engine) { return engine.fingerprint(batch, secret, out); });
  }

  Result<void> detect(const syn_batch& batch, const engine::Fingerprints& fingerprints,
                      const engine::TableRef& table, engine::Detected& out) override {
    return run(Stage::kDetect, detect_bytes(fingerprints),
               [&](Engine& engine) { return engine.detect(batch, fingerprints, table, out); });
  }

  Result<engine::Sealed> seal(std::span<const engine::ColumnView> columns,
                              const engine::SealKey& key,
                              std::string_view associated_data) override {
    return run(Stage::kSeal, seal_bytes(columns),
               [&](Engine& engine) { return engine.seal(columns, key, associated_data); });
  }

  Result<std::vector<engine::ColumnBytes>> open(std::string_view sealed, const engine::SealKey& key,
                                                std::string_view associated_data,
                                                std::array<uint8_t, 32>& tags_digest) override {
    return run(Stage::kOpen, static_cast<double>(sealed.size()), [&](Engine& engine) {
      return engine.open(sealed, key, associated_data, tags_digest);
    });
  }

  std::vector<EngineReport> report() const override {
    std::vector<EngineReport> out;
    out.reserve(slots_.size());
    for (const auto& slot : slots_) out.push_back(slot->report());
    return out;
  }

  std::vector<Explanation> explain(double bytes) const override {
    std::vector<Explanation> out;
    out.reserve(engine::kStageCount);
    for (size_t i = 0; i < engine::kStageCount; ++i) {
      out.push_back(explain_stage(static_cast<Stage>(i), bytes));
    }
    return out;
  }

 private:
  struct CalibrationTime {
    int64_t end_us;
    int64_t stages_left;  // of all engines
  };
  struct Choice {
    Slot* slot;
    Attempt attempt;
  };
  // Of the engines that may have the stage's next batch; null: there is none.
  struct Ranking {
    Slot* best = nullptr;
    Slot* second = nullptr;
    double best_us = std::numeric_limits<double>::infinity();
    double second_us = std::numeric_limits<double>::infinity();
    bool is_kept = false;  // best is the one of before: second is quicker, but not by enough
  };

  Slot& cpu() const { return *slots_.back(); }

  // A device's own word on damage is not believed, nor is any other: the CPU runs it again. What
  // the caller got wrong stays wrong on any engine.
  static bool is_fault(const Error& error) { return error.code != ErrorCode::kInvalidArgument; }

  template <class Call>
  auto run(Stage stage, double bytes, const Call& call) -> decltype(call(std::declval<Engine&>())) {
    if (slots_.size() == 1) return run_alone(stage, bytes, call);
    if (goes_straight(stage, bytes)) return call_counted(cpu(), stage, call);
    const Choice choice = choose(stage, bytes);
    auto result = run_timed(*choice.slot, stage, bytes, call);
    if (choice.slot == &cpu()) return result;
    if (result.has_value()) {
      choice.slot->succeed(stage, choice.attempt);
      return result;
    }
    if (!is_fault(result.error())) return result;
    if (result.error().code == ErrorCode::kEngineNotReady) {
      choice.slot->be_not_ready(stage, clock_.steady_us());
      return run_timed(cpu(), stage, bytes, call);
    }
    auto again = run_timed(cpu(), stage, bytes, call);
    // The CPU says the same of damaged input: then the device was right and stays in service.
    const bool is_agreed = !again.has_value() && again.error().code == result.error().code;
    if (is_agreed) {
      choice.slot->succeed(stage, choice.attempt);
    } else {
      take_out(*choice.slot, stage, choice.attempt, result.error());
    }
    return again;
  }

  template <class Call>
  auto run_alone(Stage stage, double bytes, const Call& call) {
    const bool is_timed = cpu().done_total(stage) % kTimedEveryAlone == 0;
    return is_timed ? call_timed(cpu(), stage, bytes, call) : call_counted(cpu(), stage, call);
  }

  template <class Call>
  auto run_timed(Slot& slot, Stage stage, double bytes, const Call& call) {
    const double predicted_us = slot.cost(stage).predict_us(bytes);
    slot.enter(predicted_us);
    auto result = call_timed(slot, stage, bytes, call);
    slot.leave(predicted_us);
    return result;
  }

  template <class Call>
  auto call_counted(Slot& slot, Stage stage, const Call& call) {
    auto result = call(slot.engine());
    if (result.has_value()) slot.count_done(stage);
    return result;
  }

  // How long a failure took says nothing.
  template <class Call>
  auto call_timed(Slot& slot, Stage stage, double bytes, const Call& call) {
    const int64_t start_us = clock_.steady_us();
    auto result = call_counted(slot, stage, call);
    if (result.has_value()) {
      slot.cost(stage).observe(bytes, static_cast<double>(clock_.steady_us() - start_us));
    }
    return result;
  }

  // When this engine would be done. Devices work through what waits for them; the CPU's callers
  // each have a core of their own. Before calibration all are alike, and priority decides; an
  // engine that came back counts as free until it is measured again.
  double finish_us(const Slot& slot, Stage stage, double bytes) const {
    if (!is_calibrated_.load(std::memory_order_relaxed)) return 0;
    if (!slot.cost(stage).is_measured()) return 0;
    const double backlog_us = &slot == &cpu() ? 0 : slot.backlog_us();
    return backlog_us + slot.cost(stage).predict_us(bytes);
  }

  static size_t size_class(double bytes) { return std::bit_width(static_cast<uint64_t>(bytes)); }

  Ranking rank(Stage stage, double bytes) const {
    Ranking ranking;
    const size_t last = last_[static_cast<size_t>(stage)][size_class(bytes)];
    double last_us = std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < slots_.size(); ++i) {
      Slot& slot = *slots_[i];
      if (!may_use(i) || !slot.has(stage) || !slot.is_in_service(stage)) continue;
      if (!slot.may_be_ready(stage, clock_)) continue;
      const double us = finish_us(slot, stage, bytes);
      if (i + 1 == last) last_us = us;
      if (us < ranking.best_us) {
        ranking.second = std::exchange(ranking.best, &slot);
        ranking.second_us = std::exchange(ranking.best_us, us);
      } else if (us < ranking.second_us) {
        ranking.second = &slot;
        ranking.second_us = us;
      }
    }
    ranking.is_kept = ranking.best_us < last_us && ranking.best_us > kChangeBelow * last_us;
    if (ranking.is_kept) {
      ranking.second = std::exchange(ranking.best, slots_[last - 1].get());
      ranking.second_us = std::exchange(ranking.best_us, last_us);
    }
    return ranking;
  }

  // An engine whose time out of service is up, for this call to try.
  Slot* claim_probe(Stage stage) {
    for (size_t i = 0; i < slots_.size(); ++i) {
      Slot& slot = *slots_[i];
      if (!may_use(i) || !slot.has(stage) || slot.is_in_service(stage)) continue;
      if (slot.claim_probe(stage, clock_.steady_us())) return &slot;
    }
    return nullptr;
  }

  Choice choose(Stage stage, double bytes) {
    if (Slot* slot = claim_probe(stage); slot != nullptr) {
      return {slot, Attempt::kProbe};
    }
    const Ranking ranking = rank(stage, bytes);
    if (ranking.best == nullptr) return {&cpu(), Attempt::kUsual};
    note_choice(stage, bytes, *ranking.best);
    const bool is_second_near =
        ranking.second != nullptr && ranking.second_us <= kSecondBestFactorMax * ranking.best_us;
    if (!is_second_near) {
      note_straight(stage, bytes, ranking);
    } else if (ranking.second_us > 0 &&
               turns_.fetch_add(1, std::memory_order_relaxed) % kSecondBestEvery ==
                   kSecondBestEvery - 1) {
      return {ranking.second, Attempt::kUsual};
    }
    return {ranking.best, Attempt::kUsual};
  }

  bool goes_straight(Stage stage, double bytes) const {
    return cpu().done_total(stage) <
           straight_until_[static_cast<size_t>(stage)][size_class(bytes)].load(
               std::memory_order_relaxed);
  }

  void note_straight(Stage stage, double bytes, const Ranking& ranking) {
    if (ranking.best != &cpu() || ranking.best_us >= kShortUs) return;
    if (!is_calibrated_ || !cpu().cost(stage).is_measured()) return;
    straight_until_[static_cast<size_t>(stage)][size_class(bytes)].store(
        cpu().done_total(stage) + 1 + kStraightCalls, std::memory_order_relaxed);
  }

  void note_choice(Stage stage, double bytes, const Slot& chosen) {
    size_t index = 0;
    while (slots_[index].get() != &chosen) ++index;
    std::atomic<uint8_t>& last = last_[static_cast<size_t>(stage)][size_class(bytes)];
    if (last != index + 1) last = static_cast<uint8_t>(index + 1);
  }

  void take_out(Slot& slot, Stage stage, Attempt attempt, const Error& error) {
    if (!slot.fault(stage, attempt, error, clock_.steady_us()) || !on_fault_) return;
    on_fault_(slot.description().name,
              std::string(engine::stage_name(stage)) + ": " + to_string(error));
  }

  Explanation explain_stage(Stage stage, double bytes) const {
    Explanation out;
    out.stage = stage;
    out.bytes = bytes;
    for (size_t i = 0; i < slots_.size(); ++i) {
      const Slot& slot = *slots_[i];
      Explanation::Candidate& candidate = out.candidates.emplace_back();
      candidate.name = slot.description().name;
      const bool is_known = is_calibrated_ && slot.cost(stage).is_measured();
      if (is_known) candidate.predicted_us = finish_us(slot, stage, bytes);
      if (!slot.has(stage)) {
        candidate.remark = "it does not have this stage";
      } else if (!may_use(i)) {
        candidate.remark = slot.description().is_only_forced
                               ? "it runs on the cpu's own cores: only if forced"
                               : "another engine is forced";
      } else if (!slot.is_in_service(stage)) {
        const bool is_due = slot.is_probe_due(stage, clock_.steady_us());
        candidate.remark =
            (is_due ? "out of service, and tried with the next batch: " : "out of service: ") +
            slot.last_fault(stage);
      } else if (!slot.may_be_ready(stage, clock_)) {
        candidate.remark = "it was not ready, and is asked again soon";
      }
    }
    const Ranking ranking = rank(stage, bytes);
    const Slot& chosen = ranking.best == nullptr ? cpu() : *ranking.best;
    out.chosen = chosen.description().name;
    out.why = reason_of(ranking);
    return out;
  }

  std::string reason_of(const Ranking& ranking) const {
    if (ranking.best == nullptr) return "the forced engine cannot: the CPU stands in";
    if (forced_ != slots_.size()) return "it is forced";
    if (ranking.second == nullptr) return "no other engine may take this stage now";
    if (!is_calibrated_) return "nothing is measured yet: the first in priority";
    char text[96];
    if (ranking.is_kept) {
      std::snprintf(text, sizeof text, "it stays: %.1f us, another would take hardly less: %.1f us",
                    ranking.best_us, ranking.second_us);
    } else {
      std::snprintf(text, sizeof text, "done first: %.1f us, the next would take %.1f us",
                    ranking.best_us, ranking.second_us);
    }
    return text;
  }

  bool may_use(size_t index) const {
    if (forced_ != slots_.size()) return forced_ == index;
    return !slots_[index]->description().is_only_forced;
  }

  void calibrate_slot(Slot& slot, CalibrationTime& time) {
    int64_t call_us = 0;  // what a small call of the engine took at least
    for (size_t i = 0; i < engine::kStageCount; ++i) {
      const auto stage = static_cast<Stage>(i);
      const int64_t now_us = clock_.steady_us();
      const int64_t share_us = (time.end_us - now_us) / time.stages_left--;
      // What is not measured here is measured by the first batches.
      const bool has_time =
          now_us + calls_needed(stage) * call_us < time.end_us + kCalibrationReserveUs;
      if (!slot.has(stage) || !has_time) continue;
      const Calibration measured = calibrate_stage(slot, stage, now_us + share_us);
      time.end_us += measured.once_us;
      if (measured.sizes.empty()) continue;
      const auto us = static_cast<int64_t>(measured.sizes.front().us);
      call_us = call_us == 0 ? us : std::min(call_us, us);
    }
  }

  Calibration calibrate_stage(Slot& slot, Stage stage, int64_t end_us) {
    const BatchSizes sizes = slots_.size() > 1 ? BatchSizes::kUpToLarge : BatchSizes::kUpToMiddle;
    Calibration measured = dispatch::calibrate_stage(slot.engine(), stage, clock_, end_us, sizes);
    if (!measured.sizes.empty()) slot.cost(stage).learn(measured.sizes);
    note_end(slot, stage, measured);
    return measured;
  }

  void note_end(Slot& slot, Stage stage, const Calibration& measured) {
    if (measured.end.has_value() || &slot == &cpu()) return;
    const Error& error = measured.end.error();
    if (error.code == ErrorCode::kEngineNotReady) {
      slot.be_not_ready(stage, clock_.steady_us());
    } else {
      take_out(slot, stage, Attempt::kUsual, error);
    }
  }

  std::vector<std::unique_ptr<Slot>> slots_;
  size_t forced_;  // an index, or how many there are: any
  Clock& clock_;
  OnFault on_fault_;
  std::atomic<uint64_t> turns_ = 0;
  // The engine of the last batch by stage and size, as its index and one; 0: none yet.
  std::atomic<uint8_t> last_[engine::kStageCount][kSizeClassCount] = {};
  // By stage and size: until the CPU has done so many batches of the stage it gets the next ones.
  std::atomic<uint64_t> straight_until_[engine::kStageCount][kSizeClassCount] = {};
  std::atomic<bool> is_calibrated_ = false;
};

}  // namespace

Result<std::unique_ptr<Dispatcher>> Dispatcher::make(std::vector<std::unique_ptr<Engine>> engines,
                                                     const std::string& forced, Clock& clock,
                                                     OnFault on_fault) {
  SYN_ASSERT(!engines.empty());
  size_t index = 0;
  std::string names;
  for (; index < engines.size(); ++index) {
    const std::string name = engines[index]->describe().name;
    if (name == forced) break;
    names += names.empty() ? name : ", " + name;
  }
  if (index == engines.size() && forced != "auto") {
    return fail(ErrorCode::kEngineAbsent, "engine '" + forced + "' is not there",
                "this machine has: " + names, "Set engine = \"auto\" or one of those.");
  }
  return std::unique_ptr<Dispatcher>(
      std::make_unique<EngineDispatcher>(std::move(engines), index, clock, std::move(on_fault)));
}

std::vector<Share> shares_of(const Dispatcher& dispatcher, engine::Stage stage) {
  constexpr double kSmallest = 1 << 10;
  constexpr double kLargest = 64 << 20;
  std::vector<Share> out;
  for (double bytes = kSmallest; bytes <= kLargest; bytes *= 2) {
    std::string chosen = dispatcher.explain(bytes)[static_cast<size_t>(stage)].chosen;
    if (!out.empty() && out.back().engine == chosen) continue;
    out.push_back({out.empty() ? 0 : bytes, std::move(chosen)});
  }
  return out;
}

}  // namespace syncline::dispatch
