#include <algorithm>
#include <limits>
#include <utility>

#include "host/core/causality_internal.hpp"
#include "host/core/lane.hpp"

namespace syncline::core {
namespace {

constexpr int64_t kUnlistedRank = std::numeric_limits<int64_t>::min();

int64_t rank_of(const FieldPolicy& policy, model::SystemId system, int64_t time_us) {
  if (policy.policy == Policy::kOldest) return -time_us;
  const auto listed = policy.ranks.find(system);
  return listed == policy.ranks.end() ? kUnlistedRank : listed->second;
}

// Lower ranks are dropped when a higher one follows; equal ones are counted.
model::RankPath extended(const model::RankPath& path, int64_t rank) {
  std::vector<model::RankStep> steps(path.begin(), path.end());
  while (!steps.empty() && steps.back().rank < rank) steps.pop_back();
  const bool is_counted =
      !steps.empty() && (steps.back().rank == rank || steps.size() == model::kRankStepsMax);
  if (is_counted) {
    ++steps.back().count;
  } else {
    steps.push_back({rank, 1});
  }
  model::RankPath longer;
  longer.assign(std::move(steps));
  return longer;
}

}  // namespace

ChangeTime change_time(int64_t commit_time_us, int64_t resolution_us, int64_t now_us) {
  const int64_t latest = now_us + kFutureLimitUs;
  if (commit_time_us > latest) return {latest, true};
  if (resolution_us <= 1) return {commit_time_us, false};
  return {std::clamp(now_us, commit_time_us, commit_time_us + resolution_us), false};
}

model::Version version_above(const model::Version& base, const FieldPolicy& policy,
                             uint32_t policy_number, model::SystemId system, int64_t time_us) {
  model::Version version;
  version.policy_number = std::max(policy_number, base.policy_number);
  version.time_us = time_us;
  version.origin = system;
  const bool follows = !base.is_none() && base.policy_number == version.policy_number;
  if (policy.policy == Policy::kNewest) {
    if (follows) version.time_us = std::max(time_us, base.time_us + 1);
    return version;
  }
  version.path =
      extended(follows ? base.path : model::RankPath{}, rank_of(policy, system, time_us));
  return version;
}

}  // namespace syncline::core
