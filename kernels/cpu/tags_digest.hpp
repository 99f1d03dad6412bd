// SHA-256 over the tags of a block's chunks, in order: what the journal's hash chain covers.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace syncline::cpu {

class TagsDigest {
 public:
  void add(std::string_view tag) { tags_ += tag; }
  // False when the library refused.
  bool finish(std::array<uint8_t, 32>& out) const;

 private:
  std::string tags_;
};

}  // namespace syncline::cpu
