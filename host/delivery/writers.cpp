#include "host/delivery/writers.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "host/base/assert.hpp"

namespace syncline::delivery {
namespace {

constexpr size_t kTogetherRounds = 64;
constexpr int64_t kMissingWaitUs = 30'000'000;

}  // namespace

Writers::Writers(std::vector<ports::Target*> targets, WorkPool* pool, Clock& clock)
    : missing_(std::move(targets)), pool_(pool), clock_(clock) {
  SYN_ASSERT(!missing_.empty());
  usable_ = {missing_.front()};
  missing_.erase(missing_.begin());
}

Result<void> Writers::open(uint32_t epoch, std::span<const model::StreamId> streams,
                           size_t lane_count) {
  SYN_TRY(usable_.front()->open());
  return usable_.front()->open_epoch(epoch, streams, lane_count);
}

Result<std::vector<ports::Checkpoint>> Writers::probe(uint32_t epoch) {
  SYN_TRY(auto checkpoints, usable_.front()->probe(epoch));
  // That ended the sessions of the others, too.
  missing_.insert(missing_.begin(), usable_.begin() + 1, usable_.end());
  usable_.resize(1);
  open_missing();
  return checkpoints;
}

void Writers::open_missing() {
  std::erase_if(missing_, [this](ports::Target* target) {
    if (!target->open()) return false;
    usable_.push_back(target);
    return true;
  });
  missing_due_us_ = clock_.steady_us() + kMissingWaitUs;
}

size_t Writers::share(size_t entries, size_t min) {
  const size_t wanted = entries / std::max<size_t>(min, 1);
  const bool is_due = !missing_.empty() && clock_.steady_us() >= missing_due_us_;
  if (is_due && wanted > usable_.size()) open_missing();
  if (together_rounds_ > 0) {
    --together_rounds_;
    return 1;
  }
  return std::clamp(wanted, size_t{1}, usable_.size());
}

std::vector<Result<ports::ApplyResult>> Writers::apply(
    const std::vector<Transaction>& transactions) {
  SYN_ASSERT(transactions.size() <= usable_.size());
  std::vector<std::optional<Result<ports::ApplyResult>>> outcomes(transactions.size());
  run_all(pool_, transactions.size(),
          [&](size_t i) { outcomes[i] = usable_[i]->apply(transactions[i].batch); });
  std::vector<Result<ports::ApplyResult>> results;
  results.reserve(outcomes.size());
  for (auto& outcome : outcomes) {
    SYN_ASSERT(outcome.has_value());
    results.push_back(std::move(outcome).value());
  }
  return results;
}

void Writers::go_together() {
  together_rounds_ = kTogetherRounds;
}

}  // namespace syncline::delivery
