#include <cstring>
#include <memory>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "host/base/assert.hpp"
#include "host/journal/crypto_internal.hpp"

namespace syncline::journal {
namespace {

template <auto kFree>
struct Free {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using DigestContext = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Free<EVP_CIPHER_CTX_free>>;
using Kdf = std::unique_ptr<EVP_KDF, Free<EVP_KDF_free>>;
using KdfContext = std::unique_ptr<EVP_KDF_CTX, Free<EVP_KDF_CTX_free>>;
using SigningKey = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;

const uint8_t* data(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}
uint8_t* data(std::string& text) {
  return reinterpret_cast<uint8_t*>(text.data());
}

SigningKey signing_key(const Key& seed) {
  SigningKey key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
  SYN_ASSERT(key != nullptr);
  return key;
}

}  // namespace

Digest sha256(std::span<const std::string_view> parts) {
  const DigestContext context(EVP_MD_CTX_new());
  SYN_ASSERT(EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1);
  for (const std::string_view part : parts) {
    SYN_ASSERT(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
  }
  Digest digest;
  SYN_ASSERT(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1);
  return digest;
}

std::string hkdf_sha256(std::string_view key, std::string_view info, size_t size_bytes) {
  const Kdf kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const KdfContext context(EVP_KDF_CTX_new(kdf.get()));
  std::string digest_name = "SHA256";
  std::string key_bytes(key);
  std::string info_bytes(info);
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest_name.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key_bytes.data(), key_bytes.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info_bytes.data(), info_bytes.size()),
      OSSL_PARAM_construct_end()};
  std::string out(size_bytes, '\0');
  SYN_ASSERT(EVP_KDF_derive(context.get(), data(out), out.size(), parameters) == 1);
  return out;
}

std::string wrap_key(const Key& wrapping_key, std::string_view nonce, std::string_view associated,
                     const Key& data_key) {
  SYN_ASSERT(nonce.size() == kWrapNonceSize);
  const CipherContext context(EVP_CIPHER_CTX_new());
  std::string out(data_key.size() + kWrapTagSize, '\0');
  int size = 0;
  SYN_ASSERT(EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, wrapping_key.data(),
                                data(nonce)) == 1);
  SYN_ASSERT(EVP_EncryptUpdate(context.get(), nullptr, &size, data(associated),
                               static_cast<int>(associated.size())) == 1);
  SYN_ASSERT(EVP_EncryptUpdate(context.get(), data(out), &size, data_key.data(),
                               static_cast<int>(data_key.size())) == 1);
  SYN_ASSERT(EVP_EncryptFinal_ex(context.get(), data(out) + size, &size) == 1);
  SYN_ASSERT(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kWrapTagSize,
                                 data(out) + data_key.size()) == 1);
  return out;
}

std::optional<Key> unwrap_key(const Key& wrapping_key, std::string_view nonce,
                              std::string_view associated, std::string_view wrapped) {
  Key key;
  if (wrapped.size() != key.size() + kWrapTagSize || nonce.size() != kWrapNonceSize) return {};
  const CipherContext context(EVP_CIPHER_CTX_new());
  std::string tag(wrapped.substr(key.size()));
  int size = 0;
  SYN_ASSERT(EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, wrapping_key.data(),
                                data(nonce)) == 1);
  SYN_ASSERT(EVP_DecryptUpdate(context.get(), nullptr, &size, data(associated),
                               static_cast<int>(associated.size())) == 1);
  SYN_ASSERT(EVP_DecryptUpdate(context.get(), key.data(), &size, data(wrapped),
                               static_cast<int>(key.size())) == 1);
  SYN_ASSERT(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kWrapTagSize, data(tag)) ==
             1);
  if (EVP_DecryptFinal_ex(context.get(), key.data() + size, &size) != 1) return {};
  return key;
}

std::string sign(const Key& seed, std::string_view message) {
  const SigningKey key = signing_key(seed);
  const DigestContext context(EVP_MD_CTX_new());
  std::string signature(kSignatureSize, '\0');
  size_t size = signature.size();
  SYN_ASSERT(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1);
  SYN_ASSERT(EVP_DigestSign(context.get(), data(signature), &size, data(message), message.size()) ==
             1);
  SYN_ASSERT(size == kSignatureSize);
  return signature;
}

bool is_signed(const Key& seed, std::string_view message, std::string_view signature) {
  const SigningKey key = signing_key(seed);
  const DigestContext context(EVP_MD_CTX_new());
  SYN_ASSERT(EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1);
  return EVP_DigestVerify(context.get(), data(signature), signature.size(), data(message),
                          message.size()) == 1;
}

}  // namespace syncline::journal
