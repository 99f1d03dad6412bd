#ifdef SYN_HAS_IPSEC_MB

#include "kernels/cpu/aes_gcm_ipsec.hpp"

#include <cstring>

#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>

namespace syncline::cpu {
namespace {

// Only its table of functions is used, which nothing changes after this: shared by all threads.
IMB_MGR* manager() {
  static IMB_MGR* const made = [] {
    IMB_MGR* fresh = alloc_mb_mgr(0);
    if (fresh != nullptr) init_mb_mgr_auto(fresh, nullptr);
    return fresh;
  }();
  return made;
}

struct Schedule {
  ~Schedule() { OPENSSL_cleanse(this, sizeof *this); }

  const gcm_key_data* of(const AesKey& wanted) {
    if (!has_key || CRYPTO_memcmp(key.data(), wanted.data(), key.size()) != 0) {
      IMB_AES256_GCM_PRE(manager(), wanted.data(), &expanded);
      key = wanted;
      has_key = true;
    }
    return &expanded;
  }

  // The header asks for this only where LINUX is defined; the library relies on it.
  alignas(64) gcm_key_data expanded;
  AesKey key{};
  bool has_key = false;
};

const gcm_key_data* schedule_of(const AesKey& key) {
  thread_local Schedule schedule;
  return schedule.of(key);
}

}  // namespace

bool has_ipsec() {
  return manager() != nullptr && manager()->gcm256_enc != nullptr && imb_get_errno(manager()) == 0;
}

bool encrypt_ipsec(const AesCall& call, uint8_t* tag) {
  alignas(64) gcm_context_data context;
  IMB_AES256_GCM_ENC(manager(), schedule_of(call.key), &context, call.output, call.input, call.size,
                     call.nonce.data(), reinterpret_cast<const uint8_t*>(call.additional.data()),
                     call.additional.size(), tag, SYN_TAG_SIZE);
  return true;
}

bool decrypt_ipsec(const AesCall& call, const uint8_t* tag) {
  alignas(64) gcm_context_data context;
  uint8_t computed[SYN_TAG_SIZE];
  IMB_AES256_GCM_DEC(manager(), schedule_of(call.key), &context, call.output, call.input, call.size,
                     call.nonce.data(), reinterpret_cast<const uint8_t*>(call.additional.data()),
                     call.additional.size(), computed, SYN_TAG_SIZE);
  return CRYPTO_memcmp(computed, tag, SYN_TAG_SIZE) == 0;
}

}  // namespace syncline::cpu

#endif
