// Fingerprint on the CPU: sizes the result, checks the batch, and runs one variant's kernel.
//
// Kernels are plain functions over the contract's layout; each variant is one file, the only one
// compiled with its flags, so a kernel file uses nothing that the linker could share with others.
// Threads: any. Errors: kInvalidArgument (a batch that contradicts itself).
#pragma once

#include "host/base/result.hpp"
#include "kernels/contract/fingerprint.h"
#include "kernels/engine/engine.hpp"

namespace syncline::cpu {

// keys: row_count; cells: row_count * (field_count - key_count), row-major.
using FingerprintKernel = void (*)(const syn_batch& batch, const uint8_t* secret, syn_hash128* keys,
                                   uint64_t* cells);

void fingerprint_scalar(const syn_batch& batch, const uint8_t* secret, syn_hash128* keys,
                        uint64_t* cells);
void fingerprint_avx2(const syn_batch& batch, const uint8_t* secret, syn_hash128* keys,
                      uint64_t* cells);
void fingerprint_avx512(const syn_batch& batch, const uint8_t* secret, syn_hash128* keys,
                        uint64_t* cells);

Result<void> fingerprint_batch(FingerprintKernel kernel, const syn_batch& batch,
                               const engine::Secret& secret, engine::Fingerprints& out);

}  // namespace syncline::cpu
