// A cell's fingerprint outside of batches: the formula of kernels/contract/fingerprint.h.
//
// Threads: pure functions.
#pragma once

#include <array>
#include <cstdint>

#include "host/model/cell.hpp"
#include "kernels/contract/fingerprint.h"

namespace syncline::model {

// The appliance's own, derived from its master key.
using Secret = std::array<uint8_t, SYN_SECRET_SIZE>;

uint64_t fingerprint(const CellView& cell, const Secret& secret);

}  // namespace syncline::model
