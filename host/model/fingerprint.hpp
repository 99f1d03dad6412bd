// Fingerprints outside of batches: the formulas of kernels/contract/fingerprint.h.
//
// Threads: pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "host/model/cell.hpp"
#include "host/model/schema.hpp"
#include "kernels/contract/fingerprint.h"

namespace syncline::model {

// The appliance's own, derived from its master key.
using Secret = std::array<uint8_t, SYN_SECRET_SIZE>;

uint64_t fingerprint(const CellView& cell, const Secret& secret);

// The bits under which a fingerprint table knows a record. joined: its key (model/key.hpp).
uint64_t table_key_bits(std::string_view joined, const Schema& schema, const Secret& secret);

}  // namespace syncline::model
