#include "drivers/systems/mariadb/detail/wire_dates.hpp"

#include <cstdio>

namespace syncline::mariadb {
namespace {

using model::LogicalType, model::TypeKind;

constexpr int64_t kSecondUs = 1'000'000;

// Days since 1970 of a date in the proleptic calendar. Source: Howard Hinnant, days_from_civil.
int64_t days_of(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2 ? 1 : 0;
  const int64_t era = year / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
         719'468;
}

// What a fraction of `digits` digits in big endian bytes comes to.
int64_t fraction_us(int64_t value, uint16_t digits) {
  switch (fraction_size(digits)) {
    case 1:
      return value * 10'000;
    case 2:
      return value * 100;
    default:
      return value;
  }
}

auto not_a_date(const std::string& text) {
  return fail(ErrorCode::kValue, "'" + text + "' cannot be held as a date",
              "it is a zero or partial date", "correct the value in its row");
}

struct Day {
  unsigned year = 0;
  unsigned month = 0;
  unsigned day = 0;

  bool is_partial() const { return month == 0 || day == 0; }
  std::string text() const {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%04u-%02u-%02u", year, month, day);
    return buffer;
  }
};

Day day_of_date(std::string_view cell) {
  const auto packed = static_cast<unsigned>(little(cell));
  return {packed >> 9, packed >> 5 & 0xf, packed & 0x1f};
}

// Behind the sign: 17 bits of year and month, 5 of the day, then the clock.
uint64_t packed_datetime(std::string_view cell) {
  return big(cell.substr(0, 5)) - (uint64_t{1} << 39);
}

Day day_of_datetime(std::string_view cell) {
  const uint64_t packed = packed_datetime(cell);
  const auto year_month = static_cast<unsigned>(packed >> 22 & 0x1ffff);
  return {year_month / 13, year_month % 13, static_cast<unsigned>(packed >> 17 & 0x1f)};
}

// As a column of so many digits shows it: " 10:00:00.120".
std::string clock_text(uint64_t seconds, int64_t us, uint16_t digits) {
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, " %02u:%02u:%02u.%06u",
                static_cast<unsigned>(seconds / 3600), static_cast<unsigned>(seconds / 60 % 60),
                static_cast<unsigned>(seconds % 60), static_cast<unsigned>(us));
  return std::string(buffer).substr(0, digits == 0 ? 9 : 10U + digits);
}

// A TIME's bytes are one signed number: seconds packed by field, then the fraction, below zero too.
int64_t time_us(std::string_view cell, uint16_t digits) {
  const size_t size = fraction_size(digits);
  const int64_t unit = int64_t{1} << 8 * size;
  const int64_t zero = (int64_t{1} << 23) * unit;
  const int64_t packed = static_cast<int64_t>(big(cell)) - zero;
  const int64_t magnitude = packed < 0 ? -packed : packed;
  const int64_t fields = magnitude / unit;
  const int64_t seconds =
      (fields >> 12 & 0x3ff) * 3600 + (fields >> 6 & 0x3f) * 60 + (fields & 0x3f);
  const int64_t us = seconds * kSecondUs + fraction_us(magnitude % unit, digits);
  return packed < 0 ? -us : us;
}

}  // namespace

Result<std::string> from_logged_datetime(std::string_view cell, const WireColumn& wire,
                                         const LogicalType& type) {
  const uint64_t packed = packed_datetime(cell);
  const Day day = day_of_datetime(cell);
  const uint64_t seconds =
      (packed >> 12 & 0x1f) * 3600 + (packed >> 6 & 0x3f) * 60 + (packed & 0x3f);
  const int64_t fraction = fraction_us(static_cast<int64_t>(big(cell.substr(5))), wire.metadata);
  if (type.kind != TypeKind::kDatetime) {
    return model::canonical_from_text(day.text() + clock_text(seconds, fraction, wire.metadata),
                                      type);
  }
  if (day.is_partial()) return not_a_date(day.text());
  const int64_t days = days_of(day.year, day.month, day.day);
  const int64_t us = (days * 86'400 + static_cast<int64_t>(seconds)) * kSecondUs + fraction;
  return model::canonical_time_us(us, type);
}

Result<std::string> from_logged_timestamp(std::string_view cell, const WireColumn& wire,
                                          const LogicalType& type) {
  const auto seconds = static_cast<int64_t>(big(cell.substr(0, 4)));
  const int64_t us =
      seconds * kSecondUs + fraction_us(static_cast<int64_t>(big(cell.substr(4))), wire.metadata);
  const bool is_timestamp = type.kind == TypeKind::kTimestamp;
  if (us == 0) {
    const std::string zero = "0000-00-00" + clock_text(0, 0, wire.metadata);
    if (is_timestamp) return not_a_date(zero);
    return model::canonical_from_text(zero + "Z", type);
  }
  if (is_timestamp) return model::canonical_time_us(us, type);
  const LogicalType exact{.kind = TypeKind::kTimestamp, .precision = wire.metadata};
  SYN_TRY(const std::string bytes, model::canonical_time_us(us, exact));
  return model::canonical_from_text(model::text_from_canonical(bytes, exact), type);
}

Result<std::string> from_logged_time(std::string_view cell, const WireColumn& wire,
                                     const LogicalType& type) {
  const int64_t us = time_us(cell, wire.metadata);
  if (type.kind == TypeKind::kTime && us >= 0) return model::canonical_time_us(us, type);
  const int64_t whole = (us < 0 ? -us : us) / kSecondUs;
  char text[40];
  std::snprintf(text, sizeof text, "%s%02lld:%02d:%02d.%06d", us < 0 ? "-" : "",
                static_cast<long long>(whole / 3600), static_cast<int>(whole / 60 % 60),
                static_cast<int>(whole % 60), static_cast<int>((us < 0 ? -us : us) % kSecondUs));
  std::string shown(text);
  shown.resize(shown.size() - (wire.metadata == 0 ? 7U : 6U - wire.metadata));
  return model::canonical_from_text(shown, type);
}

Result<std::string> from_logged_date(std::string_view cell, const LogicalType& type) {
  const Day day = day_of_date(cell);
  if (day.is_partial() && type.kind == TypeKind::kDate) return not_a_date(day.text());
  return model::canonical_from_text(day.text(), type);
}

bool is_beyond_dates(std::string_view cell, const WireColumn& wire) {
  const auto has_zero = [](const Day& day) { return day.year == 0 || day.is_partial(); };
  if (wire.type == WireType::kDate) return has_zero(day_of_date(cell));
  if (wire.type == WireType::kDatetime) return has_zero(day_of_datetime(cell));
  return wire.type == WireType::kTimestamp && big(cell) == 0;
}

}  // namespace syncline::mariadb
