// The bodies as C++ against libxxhash.
#include "kernels/bodies/xxh3.h"

#include <array>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <xxhash.h>

#include "kernels/contract/vectors.h"

namespace syncline::bodies {
namespace {

using Secret = std::array<uint8_t, SYN_SECRET_SIZE>;

Secret random_secret(std::mt19937_64& random) {
  Secret secret;
  for (uint8_t& byte : secret) byte = static_cast<uint8_t>(random());
  return secret;
}

void expect_equal(const std::vector<uint8_t>& input, const Secret& secret) {
  const auto length = static_cast<uint32_t>(input.size());
  SCOPED_TRACE("length " + std::to_string(length));
  ASSERT_EQ(syn_xxh3_64(input.data(), length, secret.data()),
            XXH3_64bits_withSecret(input.data(), length, secret.data(), secret.size()));
  const syn_hash128 ours = syn_xxh3_128(input.data(), length, secret.data());
  const XXH128_hash_t theirs =
      XXH3_128bits_withSecret(input.data(), length, secret.data(), secret.size());
  ASSERT_EQ(ours.low, theirs.low64);
  ASSERT_EQ(ours.high, theirs.high64);
}

// Inputs of exactly their size, at odd addresses too: the address sanitizer finds what reads past.
TEST(Xxh3Body, EqualsLibxxhashForEveryLengthUpTo1100) {
  std::mt19937_64 random(1);
  for (uint32_t length = 0; length <= 1100; ++length) {
    const Secret secret = random_secret(random);
    std::vector<uint8_t> input(length);
    for (uint8_t& byte : input) byte = static_cast<uint8_t>(random());
    expect_equal(input, secret);
  }
}

TEST(Xxh3Body, EqualsLibxxhashAroundBlocksOfLongInputs) {
  std::mt19937_64 random(2);
  for (const uint32_t middle : {1024u, 2048u, 4096u, 16384u, 1u << 20}) {
    for (uint32_t length = middle - 66; length <= middle + 66; length += 3) {
      const Secret secret = random_secret(random);
      std::vector<uint8_t> input(length);
      for (uint8_t& byte : input) byte = static_cast<uint8_t>(random());
      expect_equal(input, secret);
    }
  }
}

TEST(Xxh3Body, EqualsThePublishedVectors) {
  Secret secret;
  for (size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<uint8_t>(i * 7 + 3);
  for (const syn_fingerprint_vector& vector : syn_fingerprint_vectors) {
    std::vector<uint8_t> input(vector.size);
    for (uint32_t i = 0; i < vector.size; ++i)
      input[i] = static_cast<uint8_t>(i * 31 + vector.size);
    EXPECT_EQ(syn_xxh3_64(input.data(), vector.size, secret.data()), vector.xxh3_64);
    const syn_hash128 hash = syn_xxh3_128(input.data(), vector.size, secret.data());
    EXPECT_EQ(hash.low, vector.xxh3_128_low);
    EXPECT_EQ(hash.high, vector.xxh3_128_high);
  }
}

}  // namespace
}  // namespace syncline::bodies
