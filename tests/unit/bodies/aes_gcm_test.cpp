// AES-256-GCM by the bodies, as groups of any width run it, against OpenSSL.
#include <array>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "kernels/bodies/gcm_group.h"
#include "tests/unit/bodies/gcm_parts.hpp"

namespace syncline::bodies {
namespace {

using Tag = std::array<uint8_t, SYN_TAG_SIZE>;

struct Sealed {
  std::vector<uint8_t> bytes;
  Tag tag{};
};

Sealed seal_by_openssl(const std::vector<uint8_t>& key, const std::vector<uint8_t>& nonce,
                       const std::vector<uint8_t>& additional, const std::vector<uint8_t>& plain) {
  Sealed out{std::vector<uint8_t>(plain.size()), {}};
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(
      EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  int done = 0;
  uint8_t nothing[16];
  EXPECT_EQ(EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data()),
            1);
  EVP_EncryptUpdate(context.get(), nullptr, &done, additional.data(),
                    static_cast<int>(additional.size()));
  EVP_EncryptUpdate(context.get(), out.bytes.data(), &done, plain.data(),
                    static_cast<int>(plain.size()));
  EXPECT_EQ(EVP_EncryptFinal_ex(context.get(), nothing, &done), 1);
  EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, SYN_TAG_SIZE, out.tag.data());
  return out;
}

// By a group of so many lanes.
Sealed run_body(const syn_gcm_key& key, const std::vector<uint8_t>& nonce,
                const std::vector<uint8_t>& additional, const std::vector<uint8_t>& input,
                uint32_t direction, uint32_t width) {
  syn_gcm_record record{};
  record.size = static_cast<uint32_t>(input.size());
  record.additional_size = static_cast<uint32_t>(additional.size());
  std::memcpy(record.nonce, nonce.data(), sizeof record.nonce);
  Sealed out{std::vector<uint8_t>(input.size()), {}};
  uint32_t tag[4];
  syn_gcm_memory memory;
  syn_gcm_run({0, width}, &memory, {&key, additional.data(), input.data(), out.bytes.data(), tag},
              &record, direction);
  std::memcpy(out.tag.data(), tag, sizeof tag);
  return out;
}

std::vector<uint8_t> random_bytes(size_t size, std::mt19937_64& random) {
  std::vector<uint8_t> bytes(size);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

void expect_equal(size_t size, size_t additional_size, std::mt19937_64& random) {
  SCOPED_TRACE(std::to_string(size) + " bytes, " + std::to_string(additional_size) + " additional");
  const auto key = random_bytes(32, random);
  const auto nonce = random_bytes(SYN_NONCE_SIZE, random);
  const auto additional = random_bytes(additional_size, random);
  const auto plain = random_bytes(size, random);
  const auto prepared = std::make_unique<syn_gcm_key>();
  syn_gcm_prepare(key.data(), prepared.get());
  const Sealed theirs = seal_by_openssl(key, nonce, additional, plain);
  for (const uint32_t width : {1u, 12u, 32u}) {
    const Sealed ours = run_body(*prepared, nonce, additional, plain, SYN_GCM_SEAL, width);
    ASSERT_EQ(ours.bytes, theirs.bytes);
    ASSERT_EQ(ours.tag, theirs.tag);
    const Sealed opened = run_body(*prepared, nonce, additional, ours.bytes, SYN_GCM_OPEN, width);
    ASSERT_EQ(opened.bytes, plain);
    ASSERT_EQ(opened.tag, theirs.tag);
  }
}

TEST(AesGcmBody, EqualsOpensslForEveryLengthUpTo600) {
  std::mt19937_64 random(1);
  for (size_t size = 0; size <= 600; ++size) expect_equal(size, size % 45, random);
}

TEST(AesGcmBody, EqualsOpensslAroundWholeTurns) {
  std::mt19937_64 random(2);
  for (size_t size = 1400; size < 1700; size += 7) expect_equal(size, 20 + size % 64, random);
  for (const size_t size : {4096u, 16384u, 65536u, 100001u}) expect_equal(size, 57, random);
}

// Up to more parts than there are threads to join them; whole ones, and those of a block more.
TEST(AesGcmBody, PartsAreJoinedToTheWhole) {
  constexpr size_t kPart = SYN_GCM_PART_TURNS * SYN_GCM_THREADS * 16;
  constexpr size_t kOther = 80;  // the additional data's blocks and that of the lengths
  const std::pair<size_t, uint32_t> sizes[] = {{0, 1},
                                               {kPart - kOther, 1},
                                               {kPart - kOther + 1, 2},
                                               {2 * kPart - kOther, 2},
                                               {3 * kPart + 513, 4},
                                               {32 * kPart - kOther, 32},
                                               {32 * kPart - kOther + 1, 33},
                                               {65 * kPart, 66}};
  std::mt19937_64 random(3);
  for (const auto& [size, part_count] : sizes) {
    SCOPED_TRACE(size);
    const auto key = random_bytes(32, random);
    const auto nonce = random_bytes(SYN_NONCE_SIZE, random);
    const auto additional = random_bytes(53, random);
    const auto plain = random_bytes(size, random);
    const auto prepared = std::make_unique<syn_gcm_key>();
    syn_gcm_prepare(key.data(), prepared.get());
    const Sealed wanted = seal_by_openssl(key, nonce, additional, plain);
    syn_gcm_record record{};
    record.size = static_cast<uint32_t>(size);
    record.additional_size = static_cast<uint32_t>(additional.size());
    std::memcpy(record.nonce, nonce.data(), sizeof record.nonce);
    EXPECT_EQ(syn_gcm_part_count(&record), part_count);
    std::vector<uint8_t> bytes(size);
    uint32_t tag[4];
    run_by_parts(*prepared, record, SYN_GCM_SEAL, additional.data(), plain.data(), bytes.data(),
                 tag);
    EXPECT_TRUE(bytes == wanted.bytes);
    EXPECT_EQ(std::memcmp(tag, wanted.tag.data(), sizeof tag), 0);
    run_by_parts(*prepared, record, SYN_GCM_OPEN, additional.data(), bytes.data(), bytes.data(),
                 tag);
    EXPECT_TRUE(bytes == plain);
    EXPECT_EQ(std::memcmp(tag, wanted.tag.data(), sizeof tag), 0);
  }
}

TEST(AesGcmBody, EncryptsThePublishedBlock) {  // FIPS 197, appendix C.3
  std::vector<uint8_t> key(32);
  for (size_t i = 0; i < key.size(); ++i) key[i] = static_cast<uint8_t>(i);
  const auto prepared = std::make_unique<syn_gcm_key>();
  syn_gcm_prepare(key.data(), prepared.get());
  uint32_t state[4] = {0x33221100, 0x77665544, 0xbbaa9988, 0xffeeddcc};
  syn_aes_encrypt(state, prepared->round_keys, prepared->table, 1);
  EXPECT_EQ(state[0], 0xcab7a28eu);
  EXPECT_EQ(state[1], 0xbf456751u);
  EXPECT_EQ(state[2], 0x9049fceau);
  EXPECT_EQ(state[3], 0x8960494bu);
}

}  // namespace
}  // namespace syncline::bodies
