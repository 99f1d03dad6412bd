// Text, bytes, and the types whose value is a short fixed form of either.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <vector>

#include <arpa/inet.h>

#include "host/model/types_internal.hpp"

namespace syncline::model {
namespace {

constexpr size_t kUuidSize = 16;
constexpr size_t kBitCountSize = 4;
constexpr size_t kSridSize = 4;
constexpr size_t kWkbSizeLeast = 5;  // byte order and kind

// Length of the well-formed sequence at the start of text, 0 if there is none (Unicode 15, table
// 3-7: no overlong forms, no surrogates, nothing beyond U+10FFFF).
size_t sequence_size(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const size_t size = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  if (size == 0 || text.size() < size) return 0;
  const uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  return size;
}

std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& letter : lowered) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return lowered;
}

// "0800.2b01.0203" -> its hex digits; empty where the groups are unequal or separators mixed.
std::string macaddr_digits(std::string_view text) {
  const size_t first = text.find_first_of(":-.");
  if (first == std::string_view::npos) return lower(text);
  const char separator = text[first];
  std::string digits;
  size_t start = 0;
  while (start <= text.size()) {
    const size_t end = std::min(text.find(separator, start), text.size());
    if (end - start != first) return {};
    digits += text.substr(start, end - start);
    start = end + 1;
  }
  return lower(digits);
}

}  // namespace

namespace detail {

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    text.push_back(kDigits[static_cast<uint8_t>(byte) >> 4]);
    text.push_back(kDigits[static_cast<uint8_t>(byte) & 15]);
  }
  return text;
}

int hex_digit(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
  return -1;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high * 16 + low));
  }
  return bytes;
}

std::optional<size_t> utf8_length(std::string_view text) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  size_t count = 0;
  while (!text.empty()) {
    uint64_t eight = kHighBits;
    if (text.size() >= sizeof eight) std::memcpy(&eight, text.data(), sizeof eight);
    if ((eight & kHighBits) == 0) {  // mostly it is plain ASCII
      text.remove_prefix(sizeof eight);
      count += sizeof eight;
      continue;
    }
    const size_t size = sequence_size(text);
    if (size == 0) return std::nullopt;
    text.remove_prefix(size);
    ++count;
  }
  return count;
}

std::optional<std::string> bit_text(std::string_view bytes) {
  if (bytes.size() < kBitCountSize) return std::nullopt;
  const auto count = read_big_endian<uint32_t>(bytes);
  bytes.remove_prefix(kBitCountSize);
  if (bytes.size() != (size_t{count} + 7) / 8) return std::nullopt;
  std::string digits;
  for (size_t i = 0; i < count; ++i) {
    const bool is_set = (static_cast<uint8_t>(bytes[i / 8]) >> (7 - i % 8) & 1) != 0;
    digits.push_back(is_set ? '1' : '0');
  }
  return digits;
}

std::optional<std::string> uuid_text(std::string_view bytes) {
  if (bytes.size() != kUuidSize) return std::nullopt;
  std::string text = to_hex(bytes);
  for (const size_t dash : {8, 13, 18, 23}) text.insert(dash, 1, '-');
  return text;
}

std::optional<std::string> spatial_text(std::string_view bytes) {
  if (bytes.size() < kSridSize) return std::nullopt;
  return std::to_string(read_big_endian<uint32_t>(bytes)) + ";" + to_hex(bytes.substr(kSridSize));
}

}  // namespace detail

Result<std::string> canonical_text(std::string_view text, const LogicalType& type) {
  const auto length = detail::utf8_length(text);
  if (!length) return detail::refuse(text, type, "it is not valid UTF-8");
  size_t count = *length;
  if (type.kind == TypeKind::kChar) {
    const std::string_view trimmed = text.substr(0, text.find_last_not_of(' ') + 1);
    count -= text.size() - trimmed.size();
    text = trimmed;
  }
  if (type.length > 0 && count > type.length) {
    return detail::refuse(text, type, "it has " + std::to_string(count) + " characters",
                          "shorten it, or widen the column in the systems that hold fewer");
  }
  return std::string(text);
}

Result<std::string> canonical_bytes(std::string_view bytes, const LogicalType& type) {
  if (type.length > 0 && bytes.size() > type.length) {
    return detail::refuse("0x" + detail::to_hex(bytes), type,
                          "it has " + std::to_string(bytes.size()) + " bytes");
  }
  std::string padded(bytes);
  if (type.length > 0) padded.resize(type.length, '\0');
  return padded;
}

Result<std::string> canonical_bit(std::string_view digits, const LogicalType& type) {
  if (digits.find_first_not_of("01") != std::string_view::npos) {
    return detail::refuse(digits, type, "bits are written as 0 and 1");
  }
  if (type.length > 0 && digits.size() != type.length) {
    return detail::refuse(digits, type, "it has " + std::to_string(digits.size()) + " bits",
                          "give the column the same number of bits in every system");
  }
  std::string out;
  detail::append_big_endian(static_cast<uint32_t>(digits.size()), out);
  out.resize(kBitCountSize + (digits.size() + 7) / 8, '\0');
  for (size_t i = 0; i < digits.size(); ++i) {
    if (digits[i] == '1') out[kBitCountSize + i / 8] |= static_cast<char>(1 << (7 - i % 8));
  }
  return out;
}

Result<std::string> canonical_uuid(std::string_view text) {
  constexpr LogicalType kType{.kind = TypeKind::kUuid};
  std::string_view inner = text;
  if (inner.size() > 2 && inner.front() == '{' && inner.back() == '}') {
    inner = inner.substr(1, inner.size() - 2);
  }
  std::string digits(inner);
  if (digits.size() == 2 * kUuidSize + 4) {
    for (const size_t dash : {23, 18, 13, 8}) {
      if (digits[dash] == '-') digits.erase(dash, 1);
    }
  }
  const auto bytes = detail::from_hex(digits);
  if (!bytes || bytes->size() != kUuidSize) {
    return detail::refuse(text, kType, "a uuid is 32 hex digits, grouped 8-4-4-4-12");
  }
  return *bytes;
}

Result<std::string> canonical_inet(std::string_view text) {
  constexpr LogicalType kType{.kind = TypeKind::kInet};
  const std::string host(text.substr(0, text.find('/')));
  const bool is_v6 = host.find(':') != std::string::npos;
  const int family = is_v6 ? AF_INET6 : AF_INET;
  const unsigned bit_count = is_v6 ? 128 : 32;
  std::array<unsigned char, sizeof(in6_addr)> address{};
  std::array<char, INET6_ADDRSTRLEN> printed{};
  if (inet_pton(family, host.c_str(), address.data()) != 1 ||
      host.find('\0') != std::string::npos ||
      inet_ntop(family, address.data(), printed.data(), printed.size()) == nullptr) {
    return detail::refuse(text, kType, "it is neither an IPv4 nor an IPv6 address");
  }
  std::string out(printed.data());
  if (host.size() == text.size()) return out;
  const std::string_view suffix = text.substr(host.size() + 1);
  unsigned prefix = 0;
  const char* end = suffix.data() + suffix.size();
  const auto parsed = std::from_chars(suffix.data(), end, prefix);
  if (parsed.ec != std::errc() || parsed.ptr != end || prefix > bit_count) {
    return detail::refuse(text, kType, "the number behind the slash is no prefix length");
  }
  if (prefix != bit_count) out += "/" + std::to_string(prefix);
  return out;
}

Result<std::string> canonical_macaddr(std::string_view text) {
  constexpr LogicalType kType{.kind = TypeKind::kMacaddr};
  const std::string digits = macaddr_digits(text);
  const bool is_hex = std::ranges::all_of(digits, [](char d) { return detail::hex_digit(d) >= 0; });
  if (!is_hex || (digits.size() != 12 && digits.size() != 16)) {
    return detail::refuse(text, kType, "a MAC address is 12 or 16 hex digits in equal groups");
  }
  std::string out = digits.substr(0, 2);
  for (size_t i = 2; i < digits.size(); i += 2) out += ":" + digits.substr(i, 2);
  return out;
}

Result<std::string> canonical_set(std::string_view labels) {
  constexpr LogicalType kType{.kind = TypeKind::kSet};
  if (!detail::utf8_length(labels)) return detail::refuse(labels, kType, "it is not valid UTF-8");
  if (labels.empty()) return std::string();
  std::vector<std::string_view> parts;
  size_t start = 0;
  while (start <= labels.size()) {
    const size_t end = std::min(labels.find(',', start), labels.size());
    if (end == start) return detail::refuse(labels, kType, "one of its labels is empty");
    parts.push_back(labels.substr(start, end - start));
    start = end + 1;
  }
  std::ranges::sort(parts);
  const auto repeated = std::ranges::unique(parts);
  parts.erase(repeated.begin(), repeated.end());
  std::string out;
  for (const std::string_view part : parts) {
    if (!out.empty()) out += ',';
    out += part;
  }
  return out;
}

std::string canonical_spatial(uint32_t srid, std::string_view wkb) {
  std::string out;
  detail::append_big_endian(srid, out);
  out += wkb;
  return out;
}

Result<std::string> canonical_spatial(std::string_view bytes) {
  if (bytes.size() >= kSridSize + kWkbSizeLeast) return std::string(bytes);
  return detail::refuse("0x" + detail::to_hex(bytes), {.kind = TypeKind::kSpatial},
                        "it is shorter than an SRID and a WKB");
}

}  // namespace syncline::model
