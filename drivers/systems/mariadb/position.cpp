#include "drivers/systems/mariadb/detail/position.hpp"

#include <charconv>
#include <cstdio>

namespace syncline::mariadb {
namespace {

constexpr size_t kFixedSize = 48;

void append(uint64_t value, size_t size, std::string& out) {
  for (size_t i = size; i > 0; --i) out += static_cast<char>(value >> (8 * (i - 1)) & 0xff);
}

uint64_t take(std::string_view& bytes, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  bytes.remove_prefix(size);
  return value;
}

Place take_place(std::string_view& bytes) {
  Place place;
  place.file = static_cast<uint32_t>(take(bytes, 4));
  place.offset = take(bytes, 8);
  return place;
}

}  // namespace

std::string to_string(const Gtid& gtid) {
  return std::to_string(gtid.domain) + "-" + std::to_string(gtid.server) + "-" +
         std::to_string(gtid.sequence);
}

model::Position encode(const LogPosition& position) {
  model::Position out;
  append(position.place.file, 4, out.bytes);
  append(position.place.offset, 8, out.bytes);
  append(position.from.place.file, 4, out.bytes);
  append(position.from.place.offset, 8, out.bytes);
  append(position.from.gtid.domain, 4, out.bytes);
  append(position.from.gtid.server, 4, out.bytes);
  append(position.from.gtid.sequence, 8, out.bytes);
  append(position.from.time_s, 4, out.bytes);
  append(position.from.began_s, 4, out.bytes);
  out.bytes += position.base;
  return out;
}

std::optional<LogPosition> decode(const model::Position& position) {
  std::string_view bytes = position.bytes;
  if (bytes.size() <= kFixedSize) return std::nullopt;
  LogPosition out;
  out.place = take_place(bytes);
  out.from.place = take_place(bytes);
  out.from.gtid.domain = static_cast<uint32_t>(take(bytes, 4));
  out.from.gtid.server = static_cast<uint32_t>(take(bytes, 4));
  out.from.gtid.sequence = take(bytes, 8);
  out.from.time_s = static_cast<uint32_t>(take(bytes, 4));
  out.from.began_s = static_cast<uint32_t>(take(bytes, 4));
  out.base = bytes;
  return out;
}

std::string file_name(const std::string& base, uint32_t number) {
  char digits[16];
  std::snprintf(digits, sizeof digits, ".%06u", number);
  return base + digits;
}

std::optional<FileName> parse_file_name(std::string_view name) {
  const size_t point = name.rfind('.');
  if (point == std::string_view::npos) return std::nullopt;
  FileName out{std::string(name.substr(0, point)), 0};
  const char* end = name.data() + name.size();
  const auto read = std::from_chars(name.data() + point + 1, end, out.number);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return out;
}

}  // namespace syncline::mariadb
