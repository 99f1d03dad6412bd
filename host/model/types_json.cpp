// JSON in one form per value: a strict reader that writes the canonical text as it goes.
//
// Source: RFC 8259 for the grammar, RFC 8785 for the order of keys, the escapes and the layout of
// numbers; but numbers stay exact decimals, and of duplicate keys the last wins, as in jsonb.
#include <algorithm>
#include <map>

#include "host/model/types_internal.hpp"

namespace syncline::model {
namespace {

constexpr LogicalType kJson{.kind = TypeKind::kJson};
constexpr size_t kDepthMax = 256;
constexpr int64_t kPlainExponentMax = 21;  // ECMAScript's: beyond it numbers get an exponent
constexpr int64_t kPlainExponentMin = -6;

// As ECMAScript writes numbers, of the exact decimal.
std::string number_text(const detail::Decimal& value) {
  if (value.digits.empty()) return "0";
  if (value.exponent <= kPlainExponentMax && value.exponent > kPlainExponentMin) {
    return detail::plain_text(value, 0);
  }
  const int64_t exponent = value.exponent - 1;
  std::string text = value.is_negative ? "-" : "";
  text += value.digits[0];
  if (value.digits.size() > 1) text += "." + value.digits.substr(1);
  return text + (exponent < 0 ? "e" : "e+") + std::to_string(exponent);
}

// The order RFC 8785 sorts keys by. REQUIRES: text is valid UTF-8.
std::u16string to_utf16(std::string_view text) {
  std::u16string units;
  for (size_t i = 0; i < text.size();) {
    const auto first = static_cast<uint8_t>(text[i]);
    const size_t size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    uint32_t point = size == 1 ? first : first & (0xFFU >> (size + 1));
    for (size_t k = 1; k < size; ++k) {
      point = point << 6 | (static_cast<uint8_t>(text[i + k]) & 0x3FU);
    }
    i += size;
    if (point < 0x10000) {
      units.push_back(static_cast<char16_t>(point));
      continue;
    }
    units.push_back(static_cast<char16_t>(0xD800 + ((point - 0x10000) >> 10)));
    units.push_back(static_cast<char16_t>(0xDC00 + ((point - 0x10000) & 0x3FF)));
  }
  return units;
}

void append_utf8(uint32_t point, std::string& out) {
  if (point < 0x80) {
    out.push_back(static_cast<char>(point));
    return;
  }
  const int tail = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  const uint32_t mark = tail == 1 ? 0xC0 : tail == 2 ? 0xE0 : 0xF0;
  out.push_back(static_cast<char>(mark | point >> (6 * tail)));
  for (int i = tail - 1; i >= 0; --i) {
    out.push_back(static_cast<char>(0x80 | (point >> (6 * i) & 0x3F)));
  }
}

void append_quoted(std::string_view text, std::string& out) {
  constexpr std::string_view kShort = "\b\t\n\f\r\"\\";
  constexpr std::string_view kLetters = "btnfr\"\\";
  out.push_back('"');
  for (const char letter : text) {
    const size_t index = kShort.find(letter);
    if (index != std::string_view::npos) {
      out.push_back('\\');
      out.push_back(kLetters[index]);
    } else if (static_cast<uint8_t>(letter) < 0x20) {
      out += "\\u00" + detail::to_hex(std::string_view(&letter, 1));
    } else {
      out.push_back(letter);
    }
  }
  out.push_back('"');
}

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text), size_(text.size()) {}

  // The canonical form of the whole text; nothing where it is malformed (why() and at()).
  std::optional<std::string> document() {
    std::string out;
    if (!value(out, 0)) return std::nullopt;
    skip_space();
    if (!rest_.empty() && !stop("something follows the value")) return std::nullopt;
    return out;
  }
  const std::string& why() const { return why_; }
  size_t at() const { return size_ - rest_.size(); }

 private:
  bool stop(std::string why) {
    if (why_.empty()) why_ = std::move(why);
    return false;
  }
  void skip_space() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\n\r"), rest_.size()));
  }
  bool take(char letter) {
    skip_space();
    if (rest_.empty() || rest_.front() != letter) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool value(std::string& out, size_t depth) {
    if (depth > kDepthMax) return stop("it is nested too deeply");
    skip_space();
    if (rest_.empty()) return stop("it ends too early");
    switch (rest_.front()) {
      case '{':
        return object(out, depth);
      case '[':
        return array(out, depth);
      case '"': {
        std::string text;
        if (!string(text)) return false;
        append_quoted(text, out);
        return true;
      }
      case 't':
        return word("true", out);
      case 'f':
        return word("false", out);
      case 'n':
        return word("null", out);
      default:
        return number(out);
    }
  }

  bool word(std::string_view name, std::string& out) {
    if (!rest_.starts_with(name)) return stop("there is an unknown word");
    rest_.remove_prefix(name.size());
    out += name;
    return true;
  }

  // Stricter than parse_decimal: no "+1", ".5", "1." or "01".
  bool number(std::string& out) {
    const size_t size = std::min(rest_.find_first_not_of("0123456789+-.eE"), rest_.size());
    const std::string_view text = rest_.substr(0, size);
    const std::string_view whole = text.substr(text.starts_with('-') ? 1 : 0);
    const size_t point = text.find('.');
    const auto is_digit = [&](size_t i) {
      return i < text.size() && text[i] >= '0' && text[i] <= '9';
    };
    const bool is_strict =
        is_digit(text.size() - whole.size()) &&
        !(whole.size() > 1 && whole[0] == '0' && whole[1] >= '0' && whole[1] <= '9') &&
        (point == std::string_view::npos || is_digit(point + 1));
    const auto decimal = is_strict ? detail::parse_decimal(text) : std::nullopt;
    if (!decimal) return stop("there is no value where one is expected");
    rest_.remove_prefix(size);
    out += number_text(*decimal);
    return true;
  }

  bool array(std::string& out, size_t depth) {
    take('[');
    out.push_back('[');
    if (!take(']')) {
      do {
        if (out.back() != '[') out.push_back(',');
        if (!value(out, depth + 1)) return false;
      } while (take(','));
      if (!take(']')) return stop("an array lacks its ]");
    }
    out.push_back(']');
    return true;
  }

  bool object(std::string& out, size_t depth) {
    struct Member {
      std::string key;
      std::string value;
    };
    std::map<std::u16string, Member> members;
    take('{');
    if (!take('}')) {
      do {
        Member member;
        skip_space();
        if (!string(member.key)) return false;
        if (!take(':')) return stop("a key lacks its colon");
        if (!value(member.value, depth + 1)) return false;
        members.insert_or_assign(to_utf16(member.key), std::move(member));
      } while (take(','));
      if (!take('}')) return stop("an object lacks its }");
    }
    char separator = '{';
    for (const auto& [order, member] : members) {
      out.push_back(separator);
      append_quoted(member.key, out);
      out.push_back(':');
      out += member.value;
      separator = ',';
    }
    if (members.empty()) out.push_back('{');
    out.push_back('}');
    return true;
  }

  bool string(std::string& text) {
    if (rest_.empty() || rest_.front() != '"') return stop("there is no string where one must be");
    rest_.remove_prefix(1);
    while (!rest_.empty()) {
      const char letter = rest_.front();
      if (static_cast<uint8_t>(letter) < 0x20) return stop("a string holds a control character");
      rest_.remove_prefix(1);
      if (letter == '"') return true;
      if (letter != '\\') {
        text.push_back(letter);
      } else if (!escape(text)) {
        return false;
      }
    }
    return stop("a string does not end");
  }

  bool escape(std::string& text) {
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (rest_.empty()) return stop("a string does not end");
    const char letter = rest_.front();
    rest_.remove_prefix(1);
    const size_t index = kLetters.find(letter);
    if (index != std::string_view::npos) {
      text.push_back(kMeanings[index]);
      return true;
    }
    if (letter != 'u') return stop("a string holds an unknown escape");
    auto point = code_unit();
    if (point && *point >= 0xD800 && *point < 0xDC00 && rest_.starts_with("\\u")) {
      rest_.remove_prefix(2);
      const auto low = code_unit();
      const bool is_pair = low && *low >= 0xDC00 && *low < 0xE000;
      point = is_pair ? std::optional(0x10000 + ((*point - 0xD800) << 10) + (*low - 0xDC00))
                      : std::nullopt;
    }
    if (!point || (*point >= 0xD800 && *point < 0xE000)) {
      return stop("a string holds half of a surrogate pair, or a wrong \\u escape");
    }
    append_utf8(*point, text);
    return true;
  }

  std::optional<uint32_t> code_unit() {
    const auto bytes = detail::from_hex(rest_.substr(0, 4));
    if (!bytes || bytes->size() != 2) return std::nullopt;
    rest_.remove_prefix(4);
    return detail::read_big_endian<uint16_t>(*bytes);
  }

  std::string_view rest_;
  size_t size_;
  std::string why_;
};

}  // namespace

Result<std::string> canonical_json(std::string_view text) {
  if (!detail::utf8_length(text)) return detail::refuse(text, kJson, "it is not valid UTF-8");
  Reader reader(text);
  auto canonical = reader.document();
  if (!canonical) {
    return detail::refuse(text, kJson, reader.why() + " at byte " + std::to_string(reader.at()));
  }
  return *std::move(canonical);
}

}  // namespace syncline::model
