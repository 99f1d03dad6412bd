// Seal and open by way of a slot: what the CPU does of them, and what the device does.
//
// Sealing, the host chooses encodings and lays chunks out (kernels/cpu/chunk_plan.hpp); the device
// compresses pieces of 64 KiB, each a frame, gathers and encrypts. Opening, the device decrypts;
// the host compares the tags and finds the frames; the device decodes them. A large block goes
// round by round. Owner: the caller has the slot; what it held of fingerprints stays.
// Threads: any, one a slot. Errors: kInvalidArgument (seal) and kDamaged (open), as the CPU's;
// kEngine (the device); kEngineNotReady (it has no memory for a block); kInternal (what it gave is
// wrong, or the host failed).
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/device/device.hpp"

namespace syncline::device {

// engine: SYN_ENGINE_*.
Result<engine::Sealed> seal_block(Slot& slot, uint8_t engine,
                                  std::span<const engine::ColumnView> columns,
                                  const engine::SealKey& key, std::string_view associated_data);

Result<std::vector<engine::ColumnBytes>> open_block(Slot& slot, std::string_view sealed,
                                                    const engine::SealKey& key,
                                                    std::string_view associated_data,
                                                    std::array<uint8_t, 32>& tags_digest);

}  // namespace syncline::device
