// AES-256-GCM by Intel's multi-buffer library, where it was there at configure time: VAES on
// machines that have it. See aes_gcm.hpp for the contract.
#pragma once

#include "kernels/cpu/aes_gcm.hpp"

namespace syncline::cpu {

bool has_ipsec();
bool encrypt_ipsec(const AesCall& call, uint8_t* tag);
bool decrypt_ipsec(const AesCall& call, const uint8_t* tag);

}  // namespace syncline::cpu
