// What outlives the journal's segments: conflicts and quarantined entries, kept as the shadow's
// items and written with the commit of the frame that holds them. And their serial form.
//
// Item names: "conflict/<inverted time>-<lane>-<frame number>-<index>", in hex;
// "quarantine/<target>/<dataset>/<key hash>/<sequence>". Threads: pure functions over the shadow.
#pragma once

#include <string>
#include <string_view>

#include "host/base/result.hpp"
#include "host/model/frame.hpp"
#include "host/state/shadow.hpp"

namespace syncline::pipeline {

inline constexpr std::string_view kConflictPrefix = "conflict/";
inline constexpr std::string_view kQuarantinePrefix = "quarantine/";

// Stores a durable frame's conflicts and skips. Storing a frame twice is harmless.
Result<void> record_ledger(const model::Frame& frame, state::Shadow& shadow);

// A row that its own system's driver refused; sequence 0. Or one that is another's twin.
inline constexpr model::Sequence kTwinSequence = ~model::Sequence{0};
Result<void> quarantine(const model::Skip& skip, state::Shadow& shadow);
Result<void> forget_quarantined(const model::Skip& skip, state::Shadow& shadow);

std::string encode_conflict(const model::Conflict& conflict);
Result<model::Conflict> decode_conflict(std::string_view bytes);
std::string encode_skip(const model::Skip& skip);
Result<model::Skip> decode_skip(std::string_view bytes);

}  // namespace syncline::pipeline
