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

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "host/base/bytes.hpp"
#include "host/model/ids.hpp"

namespace syncline::model {

struct RankStep {
  int64_t rank = 0;
  uint32_t count = 0;
  auto operator<=>(const RankStep&) const = default;
};

inline constexpr size_t kRankStepsMax = 8;

struct Version {
  uint32_t policy_number = 0;  // raised by every change of the dataset's policy
  std::vector<RankStep> path;  // empty under `newest`; at most kRankStepsMax
  int64_t time_us = 0;
  SystemId origin = 0;            // 0: no version; below every other
  uint32_t correction_round = 0;  // 0: not a correction
  SystemId corrector = 0;

  auto operator<=>(const Version&) const = default;

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
