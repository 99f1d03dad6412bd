// What orders the values of one cell (design: versions that rise along causality).
//
// A version is always above the one its writer was shown, whatever any clock says:
//   newest     path empty; time = max(commit time, shown + 1 us); then origin.
//   authority  path = the ranks along the causal path, lower ones dropped when a higher one
//              follows, equal ones counted, at most 8 steps; then time; then origin.
//   oldest     as authority, with earlier time as higher rank.
// Policy number 0 is a first sync's: below whatever was changed while anyone watched.
// A correction keeps the version it corrects and adds (round, corrector): just above that write,
// below whatever follows it. Comparison is the members' order, member by member.
//
// Threads: values. Source: ../../tests/model/core-model.py is the executable model.
#pragma once

#include <compare>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include "host/base/bytes.hpp"
#include "host/model/ids.hpp"

namespace syncline::model {

struct RankStep {
  int64_t rank = 0;
  uint32_t count = 0;
  auto operator<=>(const RankStep&) const = default;
};

inline constexpr size_t kRankStepsMax = 8;

// The ranks along a causal path. Copies share what never changes, so that versions stay small and
// cheap to copy; the empty path of `newest` allocates nothing.
class RankPath {
 public:
  RankPath() = default;
  RankPath(std::initializer_list<RankStep> steps) { assign(steps); }

  bool empty() const { return steps_ == nullptr; }
  size_t size() const { return empty() ? 0 : steps_->steps.size(); }
  const RankStep* begin() const { return empty() ? nullptr : steps_->steps.data(); }
  const RankStep* end() const { return begin() + size(); }
  const RankStep& back() const { return steps_->steps.back(); }
  void assign(std::vector<RankStep> steps);
  void push_back(const RankStep& step);

  std::strong_ordering operator<=>(const RankPath& other) const;
  bool operator==(const RankPath& other) const {
    return steps_ == other.steps_ || (size() == other.size() && (*this <=> other) == 0);
  }

 private:
  struct Steps : boost::intrusive_ref_counter<Steps> {
    std::vector<RankStep> steps;
  };
  boost::intrusive_ptr<const Steps> steps_;
};

struct Version {
  uint32_t policy_number = 0;  // raised by every change of the dataset's policy
  RankPath path;               // empty under `newest`; at most kRankStepsMax
  int64_t time_us = 0;
  SystemId origin = 0;            // 0: no version; below every other
  uint32_t correction_round = 0;  // 0: not a correction
  SystemId corrector = 0;

  auto operator<=>(const Version&) const = default;
  // What most often differs first.
  bool operator==(const Version& other) const {
    return time_us == other.time_us && origin == other.origin &&
           correction_round == other.correction_round && corrector == other.corrector &&
           policy_number == other.policy_number && path == other.path;
  }

  bool is_none() const { return origin == 0; }

  // Orders the writes themselves: a write and its corrections are equal.
  std::strong_ordering compare_write(const Version& other) const;
  bool is_same_write(const Version& other) const { return compare_write(other) == 0; }
};

void encode(const Version& version, ByteWriter& out);
// Bytes that are no version leave the reader not ok.
Version decode_version(ByteReader& in);

// "2026-11-23T08:32:00.000001Z erp", "first sync, erp" and the like, for people.
std::string describe(const Version& version, const std::string& origin_name);

}  // namespace syncline::model
