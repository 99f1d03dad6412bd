// Readers of the columns of a block of frames, for bytes that may be anything. Private to the room.
//
// Owner: they borrow the columns. Threads: one at a time. Errors: past its end a reader gives zeros
// or less text, and is_at_end() is false.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <vector>

#include "host/model/ids.hpp"

namespace syncline::model {

// A column of fixed-size numbers, read in order. Past its end it gives zeros; is_at_end() tells
// whether exactly all were read.
template <class T>
class Numbers {
 public:
  explicit Numbers(std::string_view bytes) : bytes_(bytes) {}
  size_t count() const { return bytes_.size() / sizeof(T); }
  T at(size_t index) const {
    T value{};
    if (index < count()) std::memcpy(&value, bytes_.data() + index * sizeof(T), sizeof(T));
    return value;
  }
  T next() { return at(index_++); }
  bool is_at_end() const { return index_ * sizeof(T) == bytes_.size(); }

 private:
  std::string_view bytes_;
  size_t index_ = 0;
};

// A column of lengths with the column of their bytes.
class Texts {
 public:
  Texts(std::string_view lengths, std::string_view bytes) : lengths_(lengths), bytes_(bytes) {}
  std::string_view next() {
    const size_t size = lengths_.next();
    const std::string_view text = bytes_.substr(0, size);
    is_ok_ = is_ok_ && text.size() == size;
    bytes_.remove_prefix(text.size());
    return text;
  }
  size_t count() const { return lengths_.count(); }
  bool is_at_end() const { return is_ok_ && lengths_.is_at_end() && bytes_.empty(); }

 private:
  Numbers<uint32_t> lengths_;
  std::string_view bytes_;
  bool is_ok_ = true;
};

template <class T>
T narrow(uint64_t value, bool& is_ok) {
  is_ok = is_ok && value <= std::numeric_limits<T>::max();
  return static_cast<T>(value);
}

inline KeyHash read_hash(std::string_view bytes) {
  KeyHash hash;
  if (bytes.size() == 16) {
    std::memcpy(&hash.high, bytes.data(), 8);
    std::memcpy(&hash.low, bytes.data() + 8, 8);
  }
  return hash;
}

struct Shape {
  DatasetId dataset = 0;
  size_t first = 0;
  size_t count = 0;
};

// The cells' columns, taken list by list.
struct Cells {
  size_t count = 0;
  size_t next = 0;                      // in the order of lists
  std::vector<size_t> place_of_field;   // next cell of each field, in the order of fields
  std::vector<std::string_view> texts;  // in the order of fields
  std::string_view states;              // likewise
  Numbers<uint32_t> versions{std::string_view()};
  Numbers<uint32_t> bases{std::string_view()};
  Numbers<uint64_t> fingerprints{std::string_view()};
};

}  // namespace syncline::model
