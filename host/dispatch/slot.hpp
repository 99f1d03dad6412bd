// One engine in the dispatcher: its costs, its health, what it did.
//
// Stages fail on their own: a stage that failed is out of service, and the others go on. One that
// fails while no call of the engine has succeeded since another stage's failure tells of the device
// itself (it hangs, or is lost): then all stages are out of service until one call succeeds.
//
// Owner: the dispatcher. Threads: any; everything on the path of a batch is an atomic.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "host/dispatch/dispatcher.hpp"

namespace syncline::dispatch {

// A time without batches, which a failed call begins; when it is up another call says whether it is
// over or begins anew, twice as long.
class Outage {
 public:
  Outage(int64_t first_us, int64_t max_us) : first_us_(first_us), max_us_(max_us) {}

  bool is_over() const { return until_us_.load(std::memory_order_relaxed) == 0; }
  bool is_due(int64_t now_us) const {
    const int64_t until_us = until_us_.load(std::memory_order_relaxed);
    return until_us != 0 && now_us >= until_us;
  }
  // True for exactly one caller once it is due.
  bool claim(int64_t now_us);
  // False where it is under way already: what failed began before that.
  bool begin(int64_t now_us);
  void prolong(int64_t now_us);
  void end();

 private:
  const int64_t first_us_;
  const int64_t max_us_;
  std::atomic<int64_t> until_us_ = 0;  // 0: over
  std::atomic<int64_t> pause_us_ = 0;  // how long the last one was
};

enum class Attempt : uint8_t {
  kUsual,
  kProbe,  // out of service until now: this call says whether that is over
};

class Slot {
 public:
  explicit Slot(std::unique_ptr<engine::Engine> engine);

  engine::Engine& engine() { return *engine_; }
  const engine::Description& description() const { return description_; }
  bool has(engine::Stage stage) const { return of(stage).is_there.load(std::memory_order_relaxed); }
  CostModel& cost(engine::Stage stage) { return of(stage).cost; }
  const CostModel& cost(engine::Stage stage) const { return of(stage).cost; }

  bool is_in_service(engine::Stage stage) const {
    return of(stage).outage.is_over() && device_outage_.is_over();
  }
  // Whether it is worth asking: it was ready when it was asked last, or that is a while ago.
  bool may_be_ready(engine::Stage stage, Clock& clock) const {
    const Outage& delay = of(stage).delay;
    return delay.is_over() || delay.is_due(clock.steady_us());
  }
  // Whether the time out of service is up.
  bool is_probe_due(engine::Stage stage, int64_t now_us) const {
    const Outage& own = of(stage).outage;
    const Outage& whole = device_outage_.is_over() ? own : device_outage_;
    return (own.is_over() || own.is_due(now_us)) && whole.is_due(now_us);
  }
  // True for exactly one caller once it is due: that one tries the engine.
  bool claim_probe(engine::Stage stage, int64_t now_us);

  // What came of a call.
  void succeed(engine::Stage stage, Attempt attempt);
  // kEngineNotReady: asked again after 1 ms, 2 ms, ... up to 32, for each time carries a table's
  // copy on by a few milliseconds.
  void be_not_ready(engine::Stage stage, int64_t now_us);
  // Whether somebody should be told: an outage began with it.
  bool fault(engine::Stage stage, Attempt attempt, const Error& error, int64_t now_us);

  // Predicted time of the calls that wait for this device.
  double backlog_us() const { return backlog_us_.load(std::memory_order_relaxed); }
  void enter(double us) { backlog_us_.fetch_add(us, std::memory_order_relaxed); }
  void leave(double us) { backlog_us_.fetch_sub(us, std::memory_order_relaxed); }

  uint64_t done_total(engine::Stage stage) const {
    return of(stage).done_total.load(std::memory_order_relaxed);
  }
  void count_done(engine::Stage stage) {
    of(stage).done_total.fetch_add(1, std::memory_order_relaxed);
  }

  // Why it is out of service.
  std::string last_fault(engine::Stage stage) const;
  EngineReport report() const;

 private:
  struct StageState {
    std::atomic<bool> is_there = false;
    CostModel cost;
    Outage outage{1'000'000, 64'000'000};
    Outage delay{1'000, 32'000};  // not ready
    std::atomic<uint64_t> done_total = 0;
    std::atomic<uint64_t> not_ready_total = 0;
    std::string last_fault;  // guarded by fault_mutex_, as what follows
    bool is_told = false;    // of the outage under way
  };
  StageState& of(engine::Stage stage) { return stages_[static_cast<size_t>(stage)]; }
  const StageState& of(engine::Stage stage) const { return stages_[static_cast<size_t>(stage)]; }

  std::unique_ptr<engine::Engine> engine_;
  engine::Description description_;
  StageState stages_[engine::kStageCount];
  Outage device_outage_{1'000'000, 64'000'000};
  // Since a call succeeded last: the stages that failed, a bit each, and whether somebody was told.
  std::atomic<uint8_t> failed_stages_ = 0;
  std::atomic<bool> is_told_ = false;
  std::atomic<double> backlog_us_ = 0;
  std::atomic<uint64_t> faults_total_ = 0;
  mutable std::mutex fault_mutex_;  // off the path: only faults, probes and reports take it
  std::string last_fault_;
};

}  // namespace syncline::dispatch
