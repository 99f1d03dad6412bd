// The version of a change: above the one its writer was shown, whatever any clock says.
//
// Threads: pure functions.
#pragma once

#include "host/core/rules.hpp"
#include "host/model/version.hpp"

namespace syncline::core {

struct ChangeTime {
  int64_t time_us = 0;
  bool is_clamped = false;  // it lay beyond the future limit
};

// A coarse time t of resolution r becomes clamp(arrival, t, t + r); a time far ahead is cut back.
ChangeTime change_time(int64_t commit_time_us, int64_t resolution_us, int64_t now_us);

model::Version version_above(const model::Version& base, const FieldPolicy& policy,
                             uint32_t policy_number, model::SystemId system, int64_t time_us);

}  // namespace syncline::core
