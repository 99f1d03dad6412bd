#include "drivers/systems/mariadb/detail/json_binary.hpp"

#include <bit>
#include <charconv>
#include <cstdio>

#include "drivers/systems/mariadb/detail/wire.hpp"
#include "drivers/systems/mariadb/detail/wire_reader.hpp"

namespace syncline::mariadb {
namespace {

enum class JsonType : uint8_t {  // permanent values
  kSmallObject = 0,
  kLargeObject = 1,
  kSmallArray = 2,
  kLargeArray = 3,
  kLiteral = 4,
  kInt16 = 5,
  kUint16 = 6,
  kInt32 = 7,
  kUint32 = 8,
  kInt64 = 9,
  kUint64 = 10,
  kDouble = 11,
  kString = 12,
  kOpaque = 15,
};

enum class Opaque : uint8_t {  // permanent values: types of columns
  kTimestamp = 7,
  kDate = 10,
  kTime = 11,
  kDatetime = 12,
  kDecimal = 246,
};

constexpr size_t kDepthMax = 100;  // MySQL's own
constexpr size_t kDecimalDigitsMax = 65;

template <class Number>
std::string number_text(Number number) {
  char text[40];
  const auto written = std::to_chars(text, text + sizeof text, number);
  return {text, written.ptr};
}

std::string string_text(std::string_view bytes) {
  std::string out = "\"";
  for (const char letter : bytes) {
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
  return out + "\"";
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kSigns =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t three = 0;
    for (size_t k = 0; k < 3; ++k) {
      three = three << 8 | (i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0U);
    }
    for (size_t k = 0; k < 4; ++k) {
      out += i + k > bytes.size() ? '=' : kSigns[three >> (18 - 6 * k) & 0x3f];
    }
  }
  return out;
}

std::string clock_text(uint64_t packed) {
  char text[40];
  const uint64_t seconds = packed >> 24;
  std::snprintf(text, sizeof text, "%02u:%02u:%02u.%06u",
                static_cast<unsigned>(seconds >> 12 & 0x3ff),
                static_cast<unsigned>(seconds >> 6 & 0x3f), static_cast<unsigned>(seconds & 0x3f),
                static_cast<unsigned>(packed & 0xffffff));
  return text;
}

// Packed as the server keeps it: (year * 13 + month) 5 day 5 hour 6 minute 6 second 24
// microseconds.
std::string moment_text(Opaque type, uint64_t packed) {
  if (type == Opaque::kTime) {
    const bool is_negative = static_cast<int64_t>(packed) < 0;
    return (is_negative ? "-" : "") + clock_text(is_negative ? 0 - packed : packed);
  }
  const uint64_t days = packed >> 41;
  char text[40];
  std::snprintf(text, sizeof text, "%04u-%02u-%02u", static_cast<unsigned>((days >> 5) / 13),
                static_cast<unsigned>((days >> 5) % 13), static_cast<unsigned>(days & 0x1f));
  if (type == Opaque::kDate) return text;
  constexpr uint64_t kClock = (uint64_t{1} << 41) - 1;
  return std::string(text) + " " + clock_text(packed & kClock);
}

class Writer {
 public:
  explicit Writer(size_t values_max) : values_left_(values_max) {}

  std::string take() { return std::move(out_); }

  // data: of the value, and of what stands behind it.
  bool write(JsonType type, std::string_view data, size_t depth) {
    if (values_left_ == 0 || depth > kDepthMax) return false;
    --values_left_;
    switch (type) {
      case JsonType::kSmallObject:
      case JsonType::kLargeObject:
      case JsonType::kSmallArray:
      case JsonType::kLargeArray:
        return write_container(type, data, depth);
      case JsonType::kString: {
        WireReader in(data);
        out_ += string_text(sized(in));
        return in.is_ok();
      }
      case JsonType::kOpaque:
        return write_opaque(data);
      default:
        return write_plain(type, data);
    }
  }

 private:
  static std::string_view sized(WireReader& in) {
    uint64_t size = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
      const uint64_t byte = in.number(1);
      size |= (byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return in.take(size);
    }
    in.fail();
    return {};
  }

  bool write_plain(JsonType type, std::string_view data) {
    WireReader in(data);
    switch (type) {
      case JsonType::kLiteral: {
        constexpr std::string_view kLiterals[] = {"null", "true", "false"};
        const uint64_t literal = in.number(1);
        if (!in.is_ok() || literal > 2) return false;
        out_ += kLiterals[literal];
        return true;
      }
      case JsonType::kInt16:
        out_ += number_text(static_cast<int16_t>(in.number(2)));
        return in.is_ok();
      case JsonType::kUint16:
        out_ += number_text(in.number(2));
        return in.is_ok();
      case JsonType::kInt32:
        out_ += number_text(static_cast<int32_t>(in.number(4)));
        return in.is_ok();
      case JsonType::kUint32:
        out_ += number_text(in.number(4));
        return in.is_ok();
      case JsonType::kInt64:
        out_ += number_text(static_cast<int64_t>(in.number(8)));
        return in.is_ok();
      case JsonType::kUint64:
        out_ += number_text(in.number(8));
        return in.is_ok();
      case JsonType::kDouble:
        out_ += number_text(std::bit_cast<double>(in.number(8)));
        return in.is_ok();
      default:
        return false;
    }
  }

  // 1 digits | 1 of them behind the point | the digits as a DECIMAL column has them
  bool write_decimal(std::string_view data) {
    if (data.size() < 2) return false;
    const auto digits = static_cast<uint8_t>(data[0]);
    const auto scale = static_cast<uint8_t>(data[1]);
    if (digits == 0 || digits > kDecimalDigitsMax || scale > digits) return false;
    WireColumn column;
    column.type = WireType::kDecimal;
    column.metadata = static_cast<uint16_t>(digits << 8 | scale);
    const std::string_view cell = data.substr(2);
    if (cell_size(column, cell) != cell.size()) return false;
    const std::string text = decimal_text(cell, column);
    const size_t sign = text.starts_with('-') ? 1 : 0;
    const size_t end = std::min(text.find('.'), text.size());
    const size_t first = std::min(text.find_first_not_of('0', sign), end - 1);
    out_ += text.substr(0, sign) + text.substr(first);  // JSON has no zeros in front
    return true;
  }

  bool write_opaque(std::string_view data) {
    WireReader in(data);
    const auto type = static_cast<Opaque>(in.number(1));
    const std::string_view value = sized(in);
    if (!in.is_ok()) return false;
    switch (type) {
      case Opaque::kDecimal:
        return write_decimal(value);
      case Opaque::kTimestamp:
      case Opaque::kDate:
      case Opaque::kTime:
      case Opaque::kDatetime:
        if (value.size() != 8) return false;
        out_ += string_text(moment_text(type, WireReader(value).number(8)));
        return true;
    }
    out_ +=
        "\"base64:type" + std::to_string(static_cast<unsigned>(type)) + ":" + base64(value) + "\"";
    return true;
  }

  static bool is_inlined(JsonType type, size_t word) {
    const bool is_wide = type == JsonType::kInt32 || type == JsonType::kUint32;
    return type == JsonType::kLiteral || type == JsonType::kInt16 || type == JsonType::kUint16 ||
           (word == 4 && is_wide);
  }

  bool write_container(JsonType type, std::string_view data, size_t depth) {
    const bool is_object = type == JsonType::kSmallObject || type == JsonType::kLargeObject;
    const size_t word = type == JsonType::kLargeObject || type == JsonType::kLargeArray ? 4 : 2;
    WireReader in(data);
    const uint64_t count = in.number(word);
    const uint64_t size = in.number(word);
    if (!in.is_ok() || size > data.size() || count > size) return false;
    data = data.substr(0, size);
    WireReader keys = in;
    if (is_object) in.take(count * (word + 2));
    out_ += is_object ? '{' : '[';
    for (uint64_t i = 0; i < count; ++i) {
      if (i > 0) out_ += ',';
      if (is_object && !write_key(data, keys, word)) return false;
      const auto inner = static_cast<JsonType>(in.number(1));
      const std::string_view entry = in.take(word);
      const uint64_t offset = WireReader(entry).number(word);
      const bool is_there = is_inlined(inner, word);
      if (!in.is_ok() || (!is_there && offset > data.size())) return false;
      if (!write(inner, is_there ? entry : data.substr(offset), depth + 1)) return false;
    }
    out_ += is_object ? '}' : ']';
    return true;
  }

  bool write_key(std::string_view data, WireReader& keys, size_t word) {
    const uint64_t offset = keys.number(word);
    const uint64_t size = keys.number(2);
    if (!keys.is_ok() || offset > data.size() || size > data.size() - offset) return false;
    out_ += string_text(data.substr(offset, size)) + ":";
    return true;
  }

  std::string out_;
  size_t values_left_;
};

}  // namespace

// Of a value in a row that was never given one there are no bytes.
Result<std::string> json_text(std::string_view bytes) {
  if (bytes.empty()) return std::string("null");
  Writer writer(bytes.size());  // each value takes a byte at least
  const auto type = static_cast<JsonType>(static_cast<uint8_t>(bytes[0]));
  if (writer.write(type, bytes.substr(1), 0)) return writer.take();
  return fail(ErrorCode::kValue, "a JSON value cannot be read",
              "its bytes are not as MySQL has them",
              "update the row with the same value; if it is refused again, report this");
}

}  // namespace syncline::mariadb
