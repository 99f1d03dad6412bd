// A saved lane of a fingerprint table: docs/formats/fingerprint-table.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "host/base/result.hpp"
#include "host/model/ids.hpp"
#include "host/state/table_lane_internal.hpp"

namespace syncline::state {

std::string encode_table_lane(const TableLane& table, model::LaneIndex lane, uint64_t frame_number);

// Fills an empty lane; returns the frame number. Errors: kDamaged, naming the path; the lane may
// then hold anything.
Result<uint64_t> decode_table_lane(std::string_view bytes, const std::string& path,
                                   model::LaneIndex lane, TableLane& table);

}  // namespace syncline::state
