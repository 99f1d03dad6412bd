// PostgreSQL's array text and JSON arrays.
#include <charconv>
#include <cstdio>

#include "drivers/systems/postgres/detail/value.hpp"

namespace syncline::postgres {
namespace {

constexpr int kDepthMax = 6;  // PostgreSQL's MAXDIM

auto refuse(std::string_view text, std::string why) {
  return fail(ErrorCode::kValue,
              "'" + std::string(text.substr(0, 40)) + "' cannot be held as an array",
              std::move(why), "correct the value in its row, or leave the column out");
}

void append_json_string(std::string_view text, std::string& out) {
  out += '"';
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') {
      out += '\\';
      out += letter;
    } else if (static_cast<uint8_t>(letter) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(letter));
      out += escaped;
    } else {
      out += letter;
    }
  }
  out += '"';
}

bool is_json_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
}

void append_element(std::string_view text, Category element, std::string& out) {
  switch (element) {
    case Category::kBool:
      out += text == "t" || text == "true" ? "true" : "false";  // as the server writes it, as JSON
      return;
    case Category::kInteger:
    case Category::kDecimal:
    case Category::kFloat32:
    case Category::kFloat64:
      if (is_json_number(text)) {
        out += text;
        return;
      }
      break;
    default:
      break;
  }
  append_json_string(text, out);
}

class ArrayText {
 public:
  ArrayText(std::string_view text, Category element) : text_(text), element_(element) {}

  bool read() { return read_array(0) && at_ == text_.size(); }
  std::string take() { return std::move(out_); }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take_if(char letter) {
    if (peek() != letter || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }

  bool read_array(int depth) {
    if (depth > kDepthMax || !take_if('{')) return false;
    out_ += '[';
    if (!take_if('}')) {
      do {
        if (out_.back() != '[') out_ += ',';
        const bool is_read = peek() == '{' ? read_array(depth + 1) : read_element();
        if (!is_read) return false;
      } while (take_if(','));
      if (!take_if('}')) return false;
    }
    out_ += ']';
    return true;
  }

  bool read_element() {
    std::string value;
    const bool is_quoted = take_if('"');
    while (at_ < text_.size()) {
      char letter = text_[at_];
      if (is_quoted ? letter == '"' : (letter == ',' || letter == '}')) break;
      if (letter == '\\' && ++at_ < text_.size()) letter = text_[at_];
      value += letter;
      ++at_;
    }
    if (is_quoted && !take_if('"')) return false;
    if (!is_quoted && value == "NULL") {
      out_ += "null";
    } else {
      append_element(value, element_, out_);
    }
    return true;
  }

  std::string_view text_;
  Category element_;
  size_t at_ = 0;
  std::string out_;
};

// Canonical JSON: no spaces, keys sorted, so a value's text is found by counting brackets.
class JsonText {
 public:
  explicit JsonText(std::string_view text) : text_(text) {}

  bool read() { return read_array(0) && at_ == text_.size(); }
  std::string take() { return std::move(out_); }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool read_array(int depth) {
    if (depth > kDepthMax || peek() != '[') return false;
    ++at_;
    out_ += '{';
    if (peek() == ']' && depth == 0) {  // an array within another is never empty
      ++at_;
      out_ += '}';
      return true;
    }
    while (true) {
      const bool is_read = peek() == '[' ? read_array(depth + 1) : read_value();
      if (!is_read) return false;
      if (peek() == ']') break;
      if (peek() != ',') return false;
      ++at_;
      out_ += ',';
    }
    ++at_;
    out_ += '}';
    return true;
  }

  bool read_value() {
    std::string value;
    if (peek() == '"') {
      if (!read_string(value)) return false;
      append_quoted(value);
      return true;
    }
    const size_t begin = at_;
    skip_value();
    const std::string_view raw = text_.substr(begin, at_ - begin);
    if (raw.empty()) return false;
    if (raw == "null") {
      out_ += "NULL";
    } else {
      append_quoted(raw);
    }
    return true;
  }

  // A number, a word or an object, as it stands.
  void skip_value() {
    int depth = 0;
    bool is_string = false;
    for (; at_ < text_.size(); ++at_) {
      const char letter = text_[at_];
      if (is_string) {
        if (letter == '\\') ++at_;
        if (letter == '"') is_string = false;
        continue;
      }
      if (letter == '"') is_string = true;
      if (letter == '{' || letter == '[') ++depth;
      if (depth == 0 && (letter == ',' || letter == ']')) return;
      if (letter == '}' || letter == ']') --depth;
    }
  }

  bool read_string(std::string& value) {
    for (++at_; at_ < text_.size(); ++at_) {
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

  void append_quoted(std::string_view value) {
    out_ += '"';
    for (const char letter : value) {
      if (letter == '"' || letter == '\\') out_ += '\\';
      out_ += letter;
    }
    out_ += '"';
  }

  std::string_view text_;
  size_t at_ = 0;
  std::string out_;
};

}  // namespace

Result<std::string> json_from_array(std::string_view text, Category element) {
  if (text.starts_with('[')) return refuse(text, "its indexes do not begin at 1");
  ArrayText reader(text, element);
  if (!reader.read()) return refuse(text, "it is not an array's text");
  return reader.take();
}

Result<std::string> array_from_json(std::string_view json, Category element) {
  JsonText reader(json);
  if (!reader.read()) {
    return refuse(json, "the column is an array, and this is no JSON array that it can be");
  }
  std::string text = reader.take();
  SYN_TRY(const std::string again, json_from_array(text, element));
  const auto canonical = model::canonical_json(again);
  if (canonical && canonical.value() == json) return text;
  return refuse(json,
                "its elements are of another kind than the column's: they would come back as " +
                    again.substr(0, 40));
}

}  // namespace syncline::postgres
