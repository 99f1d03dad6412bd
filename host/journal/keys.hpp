// The master key: 32 bytes in a file created with mode 0600 at the first run. It wraps the data
// keys; the fingerprint secret, the shadow's and the signing keys are derived from it (HKDF-SHA256
// by label).
//
// Errors: kKeyFile when it is missing though the data folder is not new, of a wrong size, or
// readable by others.
#pragma once

#include <string>
#include <string_view>

#include "host/base/disk.hpp"
#include "host/base/random.hpp"
#include "host/base/result.hpp"

namespace syncline::journal {

enum class KeyUse { kCreateIfNew, kMustExist };

Result<std::string> load_master_key(const std::string& path, KeyUse use, Random& random);

// HKDF-SHA256 of the master key. size_bytes at most 255 * 32.
std::string derive_key(std::string_view master_key, std::string_view label, size_t size_bytes);

}  // namespace syncline::journal
