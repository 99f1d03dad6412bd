#include "kernels/cpu/aes_gcm_openssl.hpp"

#include <memory>

#include <openssl/crypto.h>
#include <openssl/evp.h>

namespace syncline::cpu {
namespace {

const EVP_CIPHER* cipher() {
  static const EVP_CIPHER* const fetched = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  return fetched;
}

// One direction's context with the key it was last given; a nonce alone costs far less than a key.
class Context {
 public:
  explicit Context(int is_encrypting)
      : context_(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free), is_encrypting_(is_encrypting) {}
  ~Context() { OPENSSL_cleanse(key_.data(), key_.size()); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  bool start(const AesCall& call) {
    if (!has_key_ || CRYPTO_memcmp(key_.data(), call.key.data(), key_.size()) != 0) {
      has_key_ = context_ != nullptr && cipher() != nullptr &&
                 EVP_CipherInit_ex(context_.get(), cipher(), nullptr, call.key.data(), nullptr,
                                   is_encrypting_) == 1;
      key_ = call.key;
    }
    return has_key_ && EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr,
                                         call.nonce.data(), is_encrypting_) == 1;
  }

  bool update(const AesCall& call) {
    int done = 0;
    const auto* additional = reinterpret_cast<const uint8_t*>(call.additional.data());
    if (!call.additional.empty() &&
        EVP_CipherUpdate(context_.get(), nullptr, &done, additional,
                         static_cast<int>(call.additional.size())) != 1) {
      return false;
    }
    return call.size == 0 || EVP_CipherUpdate(context_.get(), call.output, &done, call.input,
                                              static_cast<int>(call.size)) == 1;
  }

  bool finish() {
    int done = 0;
    uint8_t nothing[SYN_TAG_SIZE];
    return EVP_CipherFinal_ex(context_.get(), nothing, &done) == 1;
  }

  bool control(int command, void* tag) {
    return EVP_CIPHER_CTX_ctrl(context_.get(), command, SYN_TAG_SIZE, tag) == 1;
  }

 private:
  std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context_;
  int is_encrypting_;
  bool has_key_ = false;
  AesKey key_{};
};

}  // namespace

bool encrypt_openssl(const AesCall& call, uint8_t* tag) {
  thread_local Context context(1);
  return context.start(call) && context.update(call) && context.finish() &&
         context.control(EVP_CTRL_AEAD_GET_TAG, tag);
}

bool decrypt_openssl(const AesCall& call, const uint8_t* tag) {
  thread_local Context context(0);
  return context.start(call) && context.update(call) &&
         context.control(EVP_CTRL_AEAD_SET_TAG, const_cast<uint8_t*>(tag)) && context.finish();
}

}  // namespace syncline::cpu
