// Every AES-256-GCM that was built in gives the published results, and all give the same.
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "kernels/cpu/aes_gcm.hpp"
#include "kernels/cpu/seal.hpp"

namespace syncline::cpu {
namespace {

std::string from_hex(std::string_view hex) {
  std::string out;
  for (size_t i = 0; i < hex.size(); i += 2) {
    out.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return out;
}

struct Output {
  std::string bytes;
  std::string tag = std::string(SYN_TAG_SIZE, '\0');
  bool operator==(const Output&) const = default;
};

Output encrypt(const AesGcm& aes, const AesKey& key, const Nonce& nonce,
               std::string_view additional, std::string_view plain) {
  Output out;
  out.bytes.resize(plain.size());
  const AesCall call{key,          nonce,
                     additional,   reinterpret_cast<const uint8_t*>(plain.data()),
                     plain.size(), reinterpret_cast<uint8_t*>(out.bytes.data())};
  EXPECT_TRUE(aes.encrypt(call, reinterpret_cast<uint8_t*>(out.tag.data())));
  return out;
}

bool decrypt(const AesGcm& aes, const AesKey& key, const Nonce& nonce, std::string_view additional,
             const Output& sealed, std::string& plain) {
  plain.resize(sealed.bytes.size());
  const AesCall call{key,
                     nonce,
                     additional,
                     reinterpret_cast<const uint8_t*>(sealed.bytes.data()),
                     sealed.bytes.size(),
                     reinterpret_cast<uint8_t*>(plain.data())};
  return aes.decrypt(call, reinterpret_cast<const uint8_t*>(sealed.tag.data()));
}

template <class Check>
void for_each_available(const Check& check) {
  for (const AesGcm& aes : aes_table()) {
    if (!aes.is_available()) continue;
    SCOPED_TRACE(std::string(aes.name));
    check(aes);
  }
}

// McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13, 14 and 16.
TEST(Aes, PublishedVectors) {
  const std::string key16 =
      from_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
  const std::string plain16 = from_hex(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6"
      "b525b16aedf5aa0de657ba637b39");
  const std::string cipher16 = from_hex(
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b105682"
      "8838c5f61e6393ba7a0abcc9f662");
  for_each_available([&](const AesGcm& aes) {
    const AesKey zero{};
    const Nonce none{};
    EXPECT_EQ(encrypt(aes, zero, none, "", "").tag, from_hex("530f8afbc74536b9a963b4f1c4cb738b"));
    const Output second = encrypt(aes, zero, none, "", std::string(16, '\0'));
    EXPECT_EQ(second.bytes, from_hex("cea7403d4d606b6e074ec5d3baf39d18"));
    EXPECT_EQ(second.tag, from_hex("d0d1c8a799996bf0265b98b5d48ab919"));
    AesKey key;
    std::copy(key16.begin(), key16.end(), key.begin());
    Nonce nonce;
    const std::string nonce16 = from_hex("cafebabefacedbaddecaf888");
    std::copy(nonce16.begin(), nonce16.end(), nonce.begin());
    const Output third =
        encrypt(aes, key, nonce, from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2"), plain16);
    EXPECT_EQ(third.bytes, cipher16);
    EXPECT_EQ(third.tag, from_hex("76fc6ece0f4e1768cddf8853bb2d551b"));
  });
}

TEST(Aes, AllVariantsAgreeAtEverySize) {
  std::mt19937_64 random(3);
  for (size_t size = 0; size < 700; size += 1 + size / 40) {
    AesKey key;
    for (uint8_t& byte : key) byte = static_cast<uint8_t>(random());
    const Nonce nonce = make_nonce(static_cast<uint32_t>(random()), random());
    const std::string additional(random() % 100, 'a');
    const std::string plain(size, 'p');
    const Output expected = encrypt(aes_table()[0], key, nonce, additional, plain);
    for_each_available([&](const AesGcm& aes) {
      EXPECT_TRUE(encrypt(aes, key, nonce, additional, plain) == expected);
      std::string back;
      EXPECT_TRUE(decrypt(aes, key, nonce, additional, expected, back));
      EXPECT_EQ(back, plain);
    });
  }
}

TEST(Aes, AWrongTagIsRefusedByAll) {
  for_each_available([](const AesGcm& aes) {
    const AesKey key{};
    const Nonce nonce = make_nonce(1, 2);
    Output sealed = encrypt(aes, key, nonce, "a", "plain");
    std::string back;
    for (char& byte : sealed.tag) {
      byte ^= 1;
      EXPECT_FALSE(decrypt(aes, key, nonce, "a", sealed, back));
      byte ^= 1;
    }
    EXPECT_FALSE(decrypt(aes, key, nonce, "b", sealed, back));
  });
}

TEST(Aes, NoncesDifferByPrefixAndByCounter) {
  EXPECT_NE(make_nonce(1, 2), make_nonce(1, 3));
  EXPECT_NE(make_nonce(1, 2), make_nonce(2, 2));
  EXPECT_NE(make_nonce(0, 1ull << 40), make_nonce(0, 1));
}

TEST(Aes, TheChosenOneIsInTheTableAndAvailable) {
  EXPECT_TRUE(aes_gcm().is_available());
  EXPECT_EQ(aes_variant(), aes_gcm().name);
}

}  // namespace
}  // namespace syncline::cpu
