// AES-256-GCM by OpenSSL: on every machine. See aes_gcm.hpp for the contract.
#pragma once

#include "kernels/cpu/aes_gcm.hpp"

namespace syncline::cpu {

bool encrypt_openssl(const AesCall& call, uint8_t* tag);
bool decrypt_openssl(const AesCall& call, const uint8_t* tag);

}  // namespace syncline::cpu
