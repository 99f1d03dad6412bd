// One engine in the dispatcher: its costs, its health, what it did.
//
// Owner: the dispatcher. Threads: any; everything on the path of a batch is an atomic.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "host/dispatch/dispatcher.hpp"

namespace syncline::dispatch {

class Slot {
 public:
  explicit Slot(std::unique_ptr<engine::Engine> engine);

  engine::Engine& engine() { return *engine_; }
  const engine::Description& description() const { return description_; }
  bool has(engine::Stage stage) const {
    return has_stage_[static_cast<size_t>(stage)].load(std::memory_order_relaxed);
  }
  CostModel& cost(engine::Stage stage) { return costs_[static_cast<size_t>(stage)]; }
  const CostModel& cost(engine::Stage stage) const { return costs_[static_cast<size_t>(stage)]; }

  bool is_in_service() const { return out_until_us_.load(std::memory_order_relaxed) == 0; }
  // True for exactly one caller once the time out of service is up: that one tries the engine.
  bool claim_probe(int64_t now_us);
  void recover(engine::Stage stage);  // a probe went well
  // Whether it was in service until now: then somebody should be told.
  bool fault(engine::Stage stage, const Error& error, int64_t now_us);

  // Predicted time of the calls that wait for this device.
  double backlog_us() const { return backlog_us_.load(std::memory_order_relaxed); }
  void enter(double us) { backlog_us_.fetch_add(us, std::memory_order_relaxed); }
  void leave(double us) { backlog_us_.fetch_sub(us, std::memory_order_relaxed); }
  uint64_t count() { return batches_total_.fetch_add(1, std::memory_order_relaxed); }

  EngineReport report() const;

 private:
  std::unique_ptr<engine::Engine> engine_;
  engine::Description description_;
  std::atomic<bool> has_stage_[engine::kStageCount];
  CostModel costs_[engine::kStageCount];
  std::atomic<int64_t> out_until_us_ = 0;  // 0: in service
  std::atomic<int64_t> pause_us_ = 0;      // how long the last time out was
  std::atomic<double> backlog_us_ = 0;
  std::atomic<uint64_t> batches_total_ = 0;
  std::atomic<uint64_t> faults_total_ = 0;
  mutable std::mutex fault_mutex_;  // off the path: only faults and reports take it
  std::string last_fault_;
};

}  // namespace syncline::dispatch
