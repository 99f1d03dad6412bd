// The numbers and texts that events are made of.
//
// Owner: views borrow from the bytes. Threads: one at a time. Errors: is_ok() is false once more
// was taken than there is; what was taken then is empty.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace syncline::mariadb {

// A reader that never goes past its end: is_ok() is false after it would have.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : rest_(bytes) {}

  bool is_ok() const { return is_ok_; }
  bool is_at_end() const { return rest_.empty(); }
  std::string_view take(size_t size) {
    if (size > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return part;
  }
  uint64_t number(size_t size) {
    const std::string_view bytes = take(size);
    uint64_t value = 0;
    for (size_t i = bytes.size(); i > 0; --i)
      value = value << 8 | static_cast<uint8_t>(bytes[i - 1]);
    return value;
  }
  uint64_t count() {  // the protocol's length-encoded integer
    const uint64_t first = number(1);
    if (first < 251) return first;
    return number(first == 252 ? 2 : first == 253 ? 3 : 8);
  }
  void fail() {
    is_ok_ = false;
    rest_ = {};
  }
  std::string_view rest() const { return rest_; }
  std::string text() { return std::string(take(count())); }

 private:
  std::string_view rest_;
  bool is_ok_ = true;
};

}  // namespace syncline::mariadb
