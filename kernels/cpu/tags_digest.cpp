#include "kernels/cpu/tags_digest.hpp"

#include <openssl/evp.h>

namespace syncline::cpu {

bool TagsDigest::finish(std::array<uint8_t, 32>& out) const {
  static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  unsigned size = 0;
  return sha256 != nullptr &&
         EVP_Digest(tags_.data(), tags_.size(), out.data(), &size, sha256, nullptr) == 1 &&
         size == out.size();
}

}  // namespace syncline::cpu
