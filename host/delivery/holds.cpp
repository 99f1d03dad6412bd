#include "host/delivery/holds.hpp"

#include <algorithm>

namespace syncline::delivery {
namespace {

constexpr int64_t kOthersUsMax = 30'000'000;
constexpr int64_t kVainUs = 300'000'000;

}  // namespace

void Holds::back_off(Retry& retry) {
  retry.wait_us = std::clamp(retry.wait_us * 2, wait_us_min_, wait_us_max_);
  const auto jitter = static_cast<int64_t>(random_.u64() % static_cast<uint64_t>(retry.wait_us));
  retry.at_us = clock_.steady_us() + retry.wait_us / 2 + jitter / 2;
}

// Several datasets of one stream are reported one after the other: one pause for all.
void Holds::stop(model::StreamId stream, const ports::DatasetStop& stop,
                 const std::map<FlowId, model::Sequence>& met) {
  Stopped& stopped = stopped_[stream];
  if (!waits(stream)) back_off(stopped.retry);
  StoppedDataset& dataset = stopped.datasets[stop.dataset];
  dataset.why = to_string(stop.error);
  for (const auto& [flow, sequence] : met) {
    dataset.met[flow] = std::max(dataset.met[flow], sequence);
  }
}

// One of many cannot be told from the others: each is tried alone, at once.
void Holds::meet_busy(const std::vector<FlowId>& flows) {
  for (const FlowId& flow : flows) {
    Retry& retry = busy_[flow];
    if (flows.size() == 1) back_off(retry);
  }
}

// Of many records that will never be taken, one alone is waited for, also where others stand
// between them. What was met long ago says nothing of today.
bool Holds::wait_for_others(const FlowId& flow) {
  const int64_t now_us = clock_.steady_us();
  const auto [at, is_new] = others_.try_emplace(flow, Others{now_us, now_us});
  Others& others = at->second;
  const int64_t forgotten_us = others.met_us + (others.was_vain ? kVainUs : kOthersUsMax);
  if (now_us > forgotten_us) others = {now_us, now_us};
  others.met_us = now_us;
  others.was_vain = others.was_vain || now_us - others.since_us >= kOthersUsMax;
  if (others.was_vain) return false;
  back_off(busy_[flow]);
  return true;
}

void Holds::forget_others(const FlowId& flow) {
  const auto at = others_.find(flow);
  if (at != others_.end() && !at->second.was_vain) others_.erase(at);
}

// What else of the stream passes says nothing of what the target cannot take.
void Holds::pass(const FlowId& flow, model::Sequence applied) {
  busy_.erase(flow);
  const auto stopped = stopped_.find(flow.first);
  if (stopped == stopped_.end()) return;
  auto& datasets = stopped->second.datasets;
  for (auto& [id, dataset] : datasets) {
    const auto met = dataset.met.find(flow);
    if (met != dataset.met.end() && met->second <= applied) dataset.met.erase(met);
  }
  std::erase_if(datasets, [](const auto& each) { return each.second.met.empty(); });
  if (datasets.empty()) stopped_.erase(stopped);
}

bool Holds::waits(model::StreamId stream) const {
  const auto stopped = stopped_.find(stream);
  return stopped != stopped_.end() && clock_.steady_us() < stopped->second.retry.at_us;
}

bool Holds::waits(const FlowId& flow) const {
  const auto busy = busy_.find(flow);
  return waits(flow.first) || (busy != busy_.end() && clock_.steady_us() < busy->second.at_us);
}

std::map<model::DatasetId, std::string> Holds::stopped() const {
  std::map<model::DatasetId, std::string> all;
  for (const auto& [stream, stopped] : stopped_) {
    for (const auto& [id, dataset] : stopped.datasets) all.emplace(id, dataset.why);
  }
  return all;
}

}  // namespace syncline::delivery
