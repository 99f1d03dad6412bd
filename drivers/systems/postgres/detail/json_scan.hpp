// Goes through canonical JSON, which has no spaces: a value's text is found by counting brackets.
//
// Owner: it borrows the text. Threads: one at a time.
#pragma once

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

namespace syncline::postgres {

class JsonScan {
 public:
  explicit JsonScan(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ == text_.size(); }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take_if(char letter) {
    if (at_end() || peek() != letter) return false;
    ++at_;
    return true;
  }

  // A number, a word, an array or an object, as it stands.
  std::string_view skip_value() {
    const size_t begin = at_;
    int depth = 0;
    bool is_string = false;
    for (; at_ < text_.size(); ++at_) {
      const char letter = text_[at_];
      if (is_string) {
        if (letter == '\\') ++at_;
        if (letter == '"') is_string = false;
        continue;
      }
      const bool is_end = letter == '}' || letter == ']';
      if (depth == 0 && (letter == ',' || is_end)) break;
      if (letter == '"') is_string = true;
      if (letter == '{' || letter == '[') ++depth;
      if (is_end) --depth;
    }
    at_ = std::min(at_, text_.size());
    return text_.substr(begin, at_ - begin);
  }

  bool read_string(std::string& value) {
    if (!take_if('"')) return false;
    for (; at_ < text_.size(); ++at_) {
      const char letter = text_[at_];
      if (letter == '"') {
        ++at_;
        return true;
      }
      if (letter != '\\') {
        value += letter;
      } else if (!read_escape(value)) {
        return false;
      }
    }
    return false;
  }

 private:
  bool read_escape(std::string& value) {
    if (++at_ >= text_.size()) return false;
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const size_t found = kLetters.find(text_[at_]);
    if (found != std::string_view::npos) {
      value += kMeanings[found];
      return true;
    }
    // Canonical JSON escapes control characters only.
    unsigned code = 0;
    if (text_[at_] != 'u' || at_ + 4 >= text_.size()) return false;
    std::from_chars(text_.data() + at_ + 1, text_.data() + at_ + 5, code, 16);
    if (code == 0 || code >= 0x80) return false;
    value += static_cast<char>(code);
    at_ += 4;
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace syncline::postgres
