#include "kernels/cpu/aes_gcm.hpp"

#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/cpu/aes_gcm_ipsec.hpp"
#include "kernels/cpu/aes_gcm_openssl.hpp"
#include "kernels/cpu/seal.hpp"

namespace syncline::cpu {
namespace {

constexpr AesGcm kTable[] = {
    {"openssl", [] { return true; }, &encrypt_openssl, &decrypt_openssl},
#ifdef SYN_HAS_IPSEC_MB
    {"ipsec-mb", &has_ipsec, &encrypt_ipsec, &decrypt_ipsec},
#endif
};

// Nanoseconds for 16 KiB, the best of a few: a busy machine must not choose for us.
int64_t measure(const AesGcm& candidate) {
  constexpr int kRounds = 12;
  std::vector<uint8_t> buffer(16384, 0x5a);
  const AesKey key{};
  uint8_t tag[SYN_TAG_SIZE];
  int64_t best = INT64_MAX;
  for (int round = 0; round < kRounds; ++round) {
    const Nonce nonce = make_nonce(0, static_cast<uint64_t>(round));
    const auto start = std::chrono::steady_clock::now();
    const AesCall call{key, nonce, "calibration", buffer.data(), buffer.size(), buffer.data()};
    if (!candidate.encrypt(call, tag)) return INT64_MAX;
    best = std::min<int64_t>(best, (std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

const AesGcm* choose() {
  const AesGcm* chosen = &kTable[0];
  int64_t best = INT64_MAX;
  for (const AesGcm& candidate : kTable) {
    const int64_t cost = candidate.is_available() ? measure(candidate) : INT64_MAX;
    if (cost < best) {
      best = cost;
      chosen = &candidate;
    }
  }
  return chosen;
}

}  // namespace

Nonce make_nonce(uint32_t prefix, uint64_t counter) {
  Nonce nonce;
  std::memcpy(nonce.data(), &prefix, sizeof prefix);
  std::memcpy(nonce.data() + sizeof prefix, &counter, sizeof counter);
  return nonce;
}

std::span<const AesGcm> aes_table() {
  return kTable;
}

const AesGcm& aes_gcm() {
  static const AesGcm* const chosen = choose();
  return *chosen;
}

std::string_view aes_variant() {
  return aes_gcm().name;
}

}  // namespace syncline::cpu
