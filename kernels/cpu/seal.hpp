// Seal and open on the CPU: typed columns -> cheap encodings -> zstd -> AES-256-GCM, and back.
//
// The bytes are those of kernels/contract/block.h and docs/formats/block.md; every engine opens
// them. Owner: the caller owns inputs and outputs; each thread keeps its own zstd and AES contexts
// and buffers between calls. Threads: any. Errors: kInvalidArgument (seal: more than the limits of
// block.h allow), kEngine (a library refused), kDamaged (open: a wrong tag, frame or length; the
// text names the chunk, and nothing of the block is returned).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "host/base/result.hpp"
#include "kernels/engine/engine.hpp"

namespace syncline::cpu {

Result<engine::Sealed> seal_block(std::span<const engine::ColumnView> columns,
                                  const engine::SealKey& key, std::string_view associated_data);

Result<std::vector<engine::ColumnBytes>> open_block(std::string_view sealed,
                                                    const engine::SealKey& key,
                                                    std::string_view associated_data,
                                                    std::array<uint8_t, 32>& tags_digest);

// The AES-256-GCM that was measured fastest on this machine: "openssl", "ipsec-mb".
std::string_view aes_variant();

}  // namespace syncline::cpu
