// PostgreSQL's array text and JSON arrays.
#include <cstdio>

#include "drivers/systems/postgres/detail/json_scan.hpp"
#include "drivers/systems/postgres/detail/value.hpp"
#include "host/model/quote.hpp"

namespace syncline::postgres {
namespace {

constexpr int kDepthMax = 6;  // PostgreSQL's MAXDIM

auto refuse(std::string_view text, std::string why) {
  return fail(ErrorCode::kValue, "'" + model::quote(text) + "' cannot be held as an array",
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
      append_json(value, element_, out_);
    }
    return true;
  }

  std::string_view text_;
  Category element_;
  size_t at_ = 0;
  std::string out_;
};

// As the text of an array.
class JsonText : private JsonScan {
 public:
  JsonText(std::string_view text, Category element, int32_t modifier)
      : JsonScan(text), element_(element), modifier_(modifier) {}

  const std::string& loss() const { return loss_; }  // of an element
  bool read() { return read_array(0) && at_end(); }
  std::string take() { return std::move(out_); }

 private:
  bool read_array(int depth) {
    if (depth > kDepthMax || !take_if('[')) return false;
    out_ += '{';
    if (depth > 0 || peek() != ']') {  // an array within another is never empty
      do {
        if (out_.back() != '{') out_ += ',';
        const bool is_read = peek() == '[' ? read_array(depth + 1) : read_element();
        if (!is_read) return false;
      } while (take_if(','));
    }
    out_ += '}';
    return take_if(']');
  }

  bool read_element() {
    if (peek() == '"') {
      std::string value;
      if (!read_string(value)) return false;
      append_quoted(value);
      return true;
    }
    const std::string_view raw = skip_value();
    if (raw.empty()) return false;
    if (raw == "null") {
      out_ += "NULL";
    } else {
      append_quoted(raw);
    }
    return true;
  }

  void append_quoted(std::string_view value) {
    if (loss_.empty()) loss_ = loss_of(value, element_, modifier_);
    out_ += '"';
    for (const char letter : value) {
      if (letter == '"' || letter == '\\') out_ += '\\';
      out_ += letter;
    }
    out_ += '"';
  }

  Category element_;
  int32_t modifier_;
  std::string loss_;
  std::string out_;
};

}  // namespace

void append_json(std::string_view text, Category category, std::string& out) {
  switch (category) {
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
    case Category::kChar:
      text = text.substr(0, text.find_last_not_of(' ') + 1);
      break;
    default:
      break;
  }
  append_json_string(text, out);
}

Result<std::string> json_from_array(std::string_view text, Category element) {
  if (text.starts_with('[')) return refuse(text, "its indexes do not begin at 1");
  ArrayText reader(text, element);
  if (!reader.read()) return refuse(text, "it is not an array's text");
  return reader.take();
}

std::string loss_in_array(std::string_view text, Category element, int32_t modifier) {
  const auto json = json_from_array(text, element);
  if (!json) return {};
  JsonText reader(json.value(), element, modifier);
  return reader.read() ? reader.loss() : std::string();
}

Result<std::string> array_from_json(std::string_view json, Category element, int32_t modifier) {
  JsonText reader(json, element, modifier);
  if (!reader.read()) {
    return refuse(json, "the column is an array, and this is no JSON array that it can be");
  }
  if (!reader.loss().empty()) return refuse(json, "of an element " + reader.loss());
  std::string text = reader.take();
  SYN_TRY(const std::string again, json_from_array(text, element));
  const auto canonical = model::canonical_json(again);
  if (canonical && canonical.value() == json) return text;
  return refuse(json,
                "its elements are of another kind than the column's: they would come back as " +
                    model::quote(again));
}

}  // namespace syncline::postgres
