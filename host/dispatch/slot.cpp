#include "host/dispatch/slot.hpp"

#include <algorithm>

namespace syncline::dispatch {
namespace {

constexpr int64_t kPauseFirstUs = 1'000'000;
constexpr int64_t kPauseMaxUs = 64'000'000;

}  // namespace

Slot::Slot(std::unique_ptr<engine::Engine> engine)
    : engine_(std::move(engine)), description_(engine_->describe()) {
  for (size_t i = 0; i < engine::kStageCount; ++i) has_stage_[i] = description_.has_stage[i];
}

bool Slot::claim_probe(int64_t now_us) {
  int64_t until = out_until_us_.load(std::memory_order_relaxed);
  if (until == 0 || now_us < until) return false;
  const int64_t next = now_us + std::max(pause_us_.load(std::memory_order_relaxed), kPauseFirstUs);
  return out_until_us_.compare_exchange_strong(until, next, std::memory_order_relaxed);
}

void Slot::recover(engine::Stage stage) {
  cost(stage).restart();
  pause_us_.store(0, std::memory_order_relaxed);
  out_until_us_.store(0, std::memory_order_relaxed);
}

bool Slot::fault(engine::Stage stage, const Error& error, int64_t now_us) {
  if (error.code == ErrorCode::kUnsupported) {  // not a fault: it never had this stage
    has_stage_[static_cast<size_t>(stage)].store(false, std::memory_order_relaxed);
    return false;
  }
  faults_total_.fetch_add(1, std::memory_order_relaxed);
  const int64_t pause =
      std::clamp(2 * pause_us_.load(std::memory_order_relaxed), kPauseFirstUs, kPauseMaxUs);
  pause_us_.store(pause, std::memory_order_relaxed);
  const int64_t until =
      out_until_us_.exchange(std::max<int64_t>(now_us + pause, 1), std::memory_order_relaxed);
  const std::lock_guard lock(fault_mutex_);
  last_fault_ = std::string(engine::stage_name(stage)) + ": " + to_string(error);
  return until == 0;
}

EngineReport Slot::report() const {
  EngineReport out;
  out.description = description_;
  for (size_t i = 0; i < engine::kStageCount; ++i) {
    out.description.has_stage[i] = has_stage_[i].load(std::memory_order_relaxed);
    out.cost[i] = costs_[i].cost();
  }
  out.batches_total = batches_total_.load(std::memory_order_relaxed);
  out.faults_total = faults_total_.load(std::memory_order_relaxed);
  out.is_out_of_service = !is_in_service();
  const std::lock_guard lock(fault_mutex_);
  out.last_fault = last_fault_;
  return out;
}

}  // namespace syncline::dispatch
