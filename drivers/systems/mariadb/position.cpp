#include "drivers/systems/mariadb/detail/position.hpp"

#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cstdio>

namespace syncline::mariadb {
namespace {

constexpr size_t kFixedSize = 48;
constexpr size_t kHistorySize = 38;
constexpr size_t kPartSize = 28;
constexpr unsigned kFileBits = 24;

void append(uint64_t value, size_t size, std::string& out) {
  for (size_t i = size; i > 0; --i) out += static_cast<char>(value >> (8 * (i - 1)) & 0xff);
}

uint64_t take(std::string_view& bytes, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  bytes.remove_prefix(size);
  return value;
}

void append(const Place& place, std::string& out) {
  append(place.turn << kFileBits | place.file, 4, out);
  append(place.offset, 8, out);
}

void append(const Gtid& gtid, std::string& out) {
  append(gtid.domain, 4, out);
  append(gtid.server, 4, out);
  append(gtid.sequence, 8, out);
}

Place take_place(std::string_view& bytes) {
  Place place;
  const auto file = static_cast<uint32_t>(take(bytes, 4));
  place.turn = file >> kFileBits;
  place.file = file & kFileNumberMax;
  place.offset = take(bytes, 8);
  return place;
}

Gtid take_gtid(std::string_view& bytes) {
  Gtid gtid;
  gtid.domain = static_cast<uint32_t>(take(bytes, 4));
  gtid.server = static_cast<uint32_t>(take(bytes, 4));
  gtid.sequence = take(bytes, 8);
  return gtid;
}

}  // namespace

std::string to_string(const Gtid& gtid) {
  return std::to_string(gtid.domain) + "-" + std::to_string(gtid.server) + "-" +
         std::to_string(gtid.sequence);
}

std::vector<Gtid> parse_gtids(std::string_view text) {
  std::vector<Gtid> gtids;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string part(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
    Gtid gtid;
    const int read = std::sscanf(part.c_str(), "%" SCNu32 "-%" SCNu32 "-%" SCNu64, &gtid.domain,
                                 &gtid.server, &gtid.sequence);
    if (read == 3) gtids.push_back(gtid);
  }
  return gtids;
}

model::Position encode(const LogPosition& position) {
  model::Position out;
  append(position.place, out.bytes);
  append(position.from.place, out.bytes);
  append(position.from.gtid, out.bytes);
  append(position.from.time_s, 4, out.bytes);
  append(position.from.began_s, 4, out.bytes);
  out.bytes += position.base;
  const History& history = position.history;
  if (history.server == 0 && position.part.taken == 0) return out;
  out.bytes += '\0';
  append(history.server, 4, out.bytes);
  out.bytes += history.has_domains ? '\1' : '\0';
  append(position.from.before, out.bytes);
  append(history.last, out.bytes);
  if (position.part.taken == 0) return out;
  append(position.part.gtid, out.bytes);
  append(position.part.time_s, 4, out.bytes);
  append(position.part.taken, 8, out.bytes);
  return out;
}

std::optional<LogPosition> decode(const model::Position& position) {
  std::string_view bytes = position.bytes;
  if (bytes.size() <= kFixedSize) return std::nullopt;
  LogPosition out;
  out.place = take_place(bytes);
  out.from.place = take_place(bytes);
  out.from.gtid = take_gtid(bytes);
  out.from.time_s = static_cast<uint32_t>(take(bytes, 4));
  out.from.began_s = static_cast<uint32_t>(take(bytes, 4));
  const size_t base_size = std::min(bytes.find('\0'), bytes.size());
  out.base = bytes.substr(0, base_size);
  bytes.remove_prefix(base_size);
  if (bytes.empty()) return out;
  const bool has_part = bytes.size() == kHistorySize + kPartSize;
  if (!has_part && bytes.size() != kHistorySize) return std::nullopt;
  bytes.remove_prefix(1);
  out.history.server = static_cast<uint32_t>(take(bytes, 4));
  out.history.has_domains = take(bytes, 1) != 0;
  out.from.before = take_gtid(bytes);
  out.history.last = take_gtid(bytes);
  if (!has_part) return out;
  out.part.gtid = take_gtid(bytes);
  out.part.time_s = static_cast<uint32_t>(take(bytes, 4));
  out.part.taken = take(bytes, 8);
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
