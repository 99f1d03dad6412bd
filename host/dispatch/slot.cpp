#include "host/dispatch/slot.hpp"

#include <algorithm>

namespace syncline::dispatch {

bool Outage::claim(int64_t now_us) {
  int64_t until_us = until_us_.load(std::memory_order_relaxed);
  if (until_us == 0 || now_us < until_us) return false;
  const int64_t next_us = now_us + std::max(pause_us_.load(std::memory_order_relaxed), first_us_);
  return until_us_.compare_exchange_strong(until_us, next_us, std::memory_order_relaxed);
}

bool Outage::begin(int64_t now_us) {
  int64_t over = 0;
  const int64_t until_us = std::max<int64_t>(now_us + first_us_, 1);
  if (!until_us_.compare_exchange_strong(over, until_us, std::memory_order_relaxed)) return false;
  pause_us_.store(first_us_, std::memory_order_relaxed);
  return true;
}

void Outage::prolong(int64_t now_us) {
  const int64_t pause_us =
      std::clamp(2 * pause_us_.load(std::memory_order_relaxed), first_us_, max_us_);
  pause_us_.store(pause_us, std::memory_order_relaxed);
  until_us_.store(std::max<int64_t>(now_us + pause_us, 1), std::memory_order_relaxed);
}

void Outage::end() {
  pause_us_.store(0, std::memory_order_relaxed);
  until_us_.store(0, std::memory_order_relaxed);
}

Slot::Slot(std::unique_ptr<engine::Engine> engine)
    : engine_(std::move(engine)), description_(engine_->describe()) {
  for (size_t i = 0; i < engine::kStageCount; ++i) stages_[i].is_there = description_.has_stage[i];
}

bool Slot::claim_probe(engine::Stage stage, int64_t now_us) {
  Outage& own = of(stage).outage;
  if (!own.is_over() && !own.is_due(now_us)) return false;
  if (device_outage_.is_over()) return own.claim(now_us);
  if (!device_outage_.claim(now_us)) return false;
  own.claim(now_us);  // whoever has the device has its stages too
  return true;
}

void Slot::succeed(engine::Stage stage, Attempt attempt) {
  StageState& state = of(stage);
  if (failed_stages_.load(std::memory_order_relaxed) != 0) {
    failed_stages_.store(0, std::memory_order_relaxed);
    is_told_.store(false, std::memory_order_relaxed);
  }
  if (!state.delay.is_over()) state.delay.end();
  if (attempt == Attempt::kUsual) return;
  const std::lock_guard lock(fault_mutex_);
  state.is_told = false;
  state.cost.restart();
  state.outage.end();
  device_outage_.end();
}

void Slot::be_not_ready(engine::Stage stage, int64_t now_us) {
  StageState& state = of(stage);
  state.not_ready_total.fetch_add(1, std::memory_order_relaxed);
  // Of those that asked at once one counts.
  if (!state.delay.begin(now_us) && state.delay.is_due(now_us)) state.delay.prolong(now_us);
}

bool Slot::fault(engine::Stage stage, Attempt attempt, const Error& error, int64_t now_us) {
  StageState& state = of(stage);
  if (error.code == ErrorCode::kUnsupported) {  // not a fault: it never had this stage
    state.is_there.store(false, std::memory_order_relaxed);
    return false;
  }
  faults_total_.fetch_add(1, std::memory_order_relaxed);
  const auto bit = static_cast<uint8_t>(1u << static_cast<unsigned>(stage));
  const bool is_of_device = (failed_stages_.fetch_or(bit, std::memory_order_relaxed) & ~bit) != 0;
  const std::lock_guard lock(fault_mutex_);
  state.last_fault = last_fault_ = std::string(engine::stage_name(stage)) + ": " + to_string(error);
  // A usual call that fails when the outage is under way began before it.
  if (!state.outage.begin(now_us) && attempt == Attempt::kProbe) state.outage.prolong(now_us);
  const bool is_device_out = !device_outage_.is_over();
  if (is_device_out && attempt == Attempt::kProbe) device_outage_.prolong(now_us);
  if (is_of_device) device_outage_.begin(now_us);
  if (state.is_told || is_device_out || is_told_.load(std::memory_order_relaxed)) return false;
  state.is_told = true;
  is_told_.store(true, std::memory_order_relaxed);
  return true;
}

std::string Slot::last_fault(engine::Stage stage) const {
  const std::lock_guard lock(fault_mutex_);
  return of(stage).outage.is_over() ? last_fault_ : of(stage).last_fault;
}

EngineReport Slot::report() const {
  EngineReport out;
  out.description = engine_->describe();  // some choose a variant with the first batch
  for (size_t i = 0; i < engine::kStageCount; ++i) {
    const auto stage = static_cast<engine::Stage>(i);
    out.description.has_stage[i] = has(stage);
    out.cost[i] = cost(stage).cost();
    out.done_total[i] = done_total(stage);
    out.not_ready_total[i] = of(stage).not_ready_total.load(std::memory_order_relaxed);
    out.is_out[i] = has(stage) && !is_in_service(stage);
    out.batches_total += out.done_total[i];
    out.is_out_of_service = out.is_out_of_service || out.is_out[i];
  }
  out.faults_total = faults_total_.load(std::memory_order_relaxed);
  const std::lock_guard lock(fault_mutex_);
  out.last_fault = last_fault_;
  return out;
}

}  // namespace syncline::dispatch
