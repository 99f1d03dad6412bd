#include "host/model/plain_values.hpp"

#include <charconv>
#include <chrono>

#include "host/model/types_internal.hpp"

namespace syncline::model {
namespace {

constexpr uint64_t kSignBit = uint64_t{1} << 63;
constexpr uint32_t kSignBit32 = uint32_t{1} << 31;
constexpr int64_t kSecondUs = 1'000'000;
constexpr size_t kDigitsMax = 40;  // of a decimal

bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

template <class T>
void put(T value, std::string& out) {
  out.clear();
  detail::append_big_endian(value, out);
}

void put_int64(int64_t value, std::string& out) {
  put(static_cast<uint64_t>(value) ^ kSignBit, out);
}

template <class T>
bool read_whole(std::string_view text, T& value) {
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  return read.ec == std::errc() && read.ptr == end;
}

bool put_text(std::string_view text, const LogicalType& type, std::string& out) {
  const auto length = detail::utf8_length(text);
  if (!length || (type.length > 0 && *length > type.length)) return false;
  out.assign(text);
  return true;
}

// Digits with a point somewhere, no more behind it than the type has.
bool put_decimal(std::string_view text, const LogicalType& type, std::string& out) {
  const bool is_negative = text.starts_with('-');
  if (is_negative) text.remove_prefix(1);
  if (text.empty() || text.size() > kDigitsMax) return false;
  char digits[kDigitsMax + 1];
  size_t count = 0;  // without zeros in front
  size_t point = text.size();
  size_t whole = 0;  // digits before the point, of those counted
  size_t gap = 0;    // zeros between the point and the first digit
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '.' && point == text.size()) {
      point = i;
      whole = count;
      continue;
    }
    if (!is_digit(text[i])) return false;
    if (count > 0 || text[i] != '0') {
      digits[count++] = text[i];
    } else if (point < i) {
      ++gap;
    }
  }
  if (point == text.size()) whole = count;
  if (point == 0 || point + 1 == text.size()) return false;
  const size_t fraction = point < text.size() ? text.size() - point - 1 : 0;
  if (type.precision > 0 && fraction > type.scale) return false;
  if (type.precision > 0 && whole + type.scale > type.precision) return false;
  while (count > 0 && digits[count - 1] == '0') --count;
  const int64_t exponent = whole > 0 ? static_cast<int64_t>(whole) : -static_cast<int64_t>(gap);
  detail::put_decimal({{digits, count}, exponent, is_negative}, out);
  return true;
}

// Two digits at a place; -1: not digits.
int two(std::string_view text, size_t at) {
  if (!is_digit(text[at]) || !is_digit(text[at + 1])) return -1;
  return 10 * (text[at] - '0') + (text[at + 1] - '0');
}

// YYYY-MM-DD in front of the text.
bool read_day(std::string_view text, int64_t& day) {
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return false;
  const int century = two(text, 0);
  const int year = two(text, 2);
  const int month = two(text, 5);
  const int of_month = two(text, 8);
  if (century < 0 || year < 0 || month < 0 || of_month < 0 || century + year == 0) return false;
  const std::chrono::year_month_day date(std::chrono::year(100 * century + year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(of_month)));
  if (!date.ok()) return false;
  day = std::chrono::sys_days(date).time_since_epoch().count();
  return true;
}

// YYYY-MM-DD HH:MM:SS[.f to .ffffff], all of the text, no finer than the precision.
bool read_moment(std::string_view text, uint16_t precision, int64_t& moment) {
  if (text.size() < 19 || text[10] != ' ' || text[13] != ':' || text[16] != ':') return false;
  int64_t day = 0;
  const int hour = two(text, 11);
  const int minute = two(text, 14);
  const int second = two(text, 17);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return false;
  if (!read_day(text, day)) return false;
  int64_t fraction = 0;
  if (text.size() > 19) {
    const size_t count = text.size() - 20;
    if (text[19] != '.' || count == 0 || count > precision || count > 6) return false;
    for (size_t i = 0; i < 6; ++i) {
      const char letter = i < count ? text[20 + i] : '0';
      if (!is_digit(letter)) return false;
      fraction = 10 * fraction + (letter - '0');
    }
  }
  moment = ((day * 24 + hour) * 60 + minute) * 60 + second;
  moment = moment * kSecondUs + fraction;
  return true;
}

bool put_moment(std::string_view text, const LogicalType& type, std::string& out) {
  int64_t moment = 0;
  if (!read_moment(text, type.precision, moment)) return false;
  put_int64(moment, out);
  return true;
}

bool put_instant(std::string_view text, const LogicalType& type, std::string& out) {
  const size_t zone = text.ends_with("+00") ? 3 : text.ends_with('Z') ? 1 : 0;
  return zone > 0 && put_moment(text.substr(0, text.size() - zone), type, out);
}

bool put_date(std::string_view text, std::string& out) {
  int64_t day = 0;
  if (text.size() != 10 || !read_day(text, day)) return false;
  put(static_cast<uint32_t>(day) ^ kSignBit32, out);
  return true;
}

}  // namespace

bool canonical_if_plain(std::string_view text, const LogicalType& type, std::string& out) {
  int64_t number = 0;
  uint64_t positive = 0;
  switch (type.kind) {
    case TypeKind::kInt64:
      if (!read_whole(text, number)) return false;
      put_int64(number, out);
      return true;
    case TypeKind::kUint64:
      if (!read_whole(text, positive)) return false;
      put(positive, out);
      return true;
    case TypeKind::kDecimal:
      return put_decimal(text, type, out);
    case TypeKind::kText:
    case TypeKind::kEnum:
      return put_text(text, type, out);
    case TypeKind::kDate:
      return put_date(text, out);
    case TypeKind::kDatetime:
      return put_moment(text, type, out);
    case TypeKind::kTimestamp:
      return put_instant(text, type, out);
    default:
      return false;
  }
}

}  // namespace syncline::model
