// The few cryptographic functions of the journal, so that OpenSSL stays in one file. Private to the
// room.
//
// Threads: pure functions. Errors: none that can happen; a library that refuses is a defect.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace syncline::journal {

using Digest = std::array<uint8_t, 32>;
using Key = std::array<uint8_t, 32>;

inline constexpr size_t kWrapNonceSize = 12;
inline constexpr size_t kWrapTagSize = 16;
inline constexpr size_t kSignatureSize = 64;

// Of the parts, one after the other.
Digest sha256(std::span<const std::string_view> parts);

// RFC 5869, without salt.
std::string hkdf_sha256(std::string_view key, std::string_view info, size_t size_bytes);

// AES-256-GCM of a data key under the wrapping key: 32 bytes of ciphertext, then the tag.
std::string wrap_key(const Key& wrapping_key, std::string_view nonce, std::string_view associated,
                     const Key& data_key);
// Nothing where the tag does not fit.
std::optional<Key> unwrap_key(const Key& wrapping_key, std::string_view nonce,
                              std::string_view associated, std::string_view wrapped);

// Ed25519 (RFC 8032) with the key whose seed this is.
std::string sign(const Key& seed, std::string_view message);
bool is_signed(const Key& seed, std::string_view message, std::string_view signature);

inline std::string_view text_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace syncline::journal
