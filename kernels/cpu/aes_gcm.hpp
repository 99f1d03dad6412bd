// AES-256-GCM by the fastest implementation this machine has: one table, measured once.
//
// Each thread keeps one key schedule per implementation; a block's chunks share it. In place
// (input == output) is allowed. Threads: any. Errors: false when the library refused or, from
// decrypt, when the tag does not match; the output is then undefined and must not be used.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/contract/block.h"

namespace syncline::cpu {

using AesKey = std::array<uint8_t, 32>;
using Nonce = std::array<uint8_t, SYN_NONCE_SIZE>;

Nonce make_nonce(uint32_t prefix, uint64_t counter);

struct AesCall {
  const AesKey& key;
  const Nonce& nonce;
  std::string_view additional;
  const uint8_t* input;
  size_t size;
  uint8_t* output;
};

struct AesGcm {
  std::string_view name;
  bool (*is_available)();
  bool (*encrypt)(const AesCall& call, uint8_t* tag);
  bool (*decrypt)(const AesCall& call, const uint8_t* tag);
};

// All that were built in, in order of preference when they measure alike.
std::span<const AesGcm> aes_table();

// The fastest available one; measured at the first call, in some milliseconds.
const AesGcm& aes_gcm();

}  // namespace syncline::cpu
