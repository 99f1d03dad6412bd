// Dates and times: counts of days and of microseconds, floored to the type's precision.
//
// The calendar is the proleptic Gregorian one. Source of the day arithmetic: Howard Hinnant,
// "chrono-Compatible Low-Level Date Algorithms", by way of std::chrono.
#include <algorithm>
#include <charconv>
#include <chrono>

#include "host/base/assert.hpp"
#include "host/model/types_internal.hpp"

namespace syncline::model {
namespace {

using std::chrono::sys_days;
using std::chrono::year_month_day;

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kMinuteUs = 60 * kSecondUs;
constexpr int64_t kHourUs = 60 * kMinuteUs;
constexpr int64_t kDayUs = 24 * kHourUs;
constexpr uint32_t kSignBit32 = uint32_t{1} << 31;
constexpr size_t kDateSize = 4;
constexpr size_t kIntervalSize = 16;
constexpr int kYearMax = 9999;

constexpr int64_t kFirstDay =
    sys_days(year_month_day(std::chrono::year(1), std::chrono::month(1), std::chrono::day(1)))
        .time_since_epoch()
        .count();
constexpr int64_t kLastDay = sys_days(year_month_day(std::chrono::year(kYearMax),
                                                     std::chrono::month(12), std::chrono::day(31)))
                                 .time_since_epoch()
                                 .count();

int64_t floor_divide(int64_t value, int64_t by) {
  return value / by - (value % by < 0 ? 1 : 0);
}

int64_t floor_to_precision(int64_t microseconds, uint16_t precision) {
  int64_t step = kSecondUs;
  for (int digit = 0; digit < precision; ++digit) step /= 10;
  return step <= 1 ? microseconds : floor_divide(microseconds, step) * step;
}

// Reads text from its start; every take_ leaves it where it was if it does not fit.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  bool take(char letter) {
    if (rest_.empty() || rest_.front() != letter) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // Exactly `size` digits.
  std::optional<int64_t> digits(size_t size) {
    int64_t value = 0;
    if (rest_.size() < size) return std::nullopt;
    for (size_t i = 0; i < size; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return std::nullopt;
      value = 10 * value + (rest_[i] - '0');
    }
    rest_.remove_prefix(size);
    return value;
  }
  std::optional<int64_t> number() {
    int64_t value = 0;
    if (rest_.empty() || rest_[0] < '0' || rest_[0] > '9') return std::nullopt;
    const auto parsed = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (parsed.ec != std::errc()) return std::nullopt;
    rest_.remove_prefix(static_cast<size_t>(parsed.ptr - rest_.data()));
    return value;
  }
  // ".25" -> 250,000; 0 where there is no point. Digits beyond the sixth are floored away.
  std::optional<int64_t> fraction_us() {
    if (!take('.')) return 0;
    int64_t value = 0;
    size_t count = 0;
    while (count < rest_.size() && rest_[count] >= '0' && rest_[count] <= '9') {
      if (count < 6) value = 10 * value + (rest_[count] - '0');
      ++count;
    }
    if (count == 0) return std::nullopt;
    rest_.remove_prefix(count);
    for (size_t i = count; i < 6; ++i) value *= 10;
    return value;
  }

 private:
  std::string_view rest_;
};

std::optional<int64_t> scan_date(Scanner& in) {
  const auto year = in.digits(4);
  if (!year || !in.take('-')) return std::nullopt;
  const auto month = in.digits(2);
  if (!month || !in.take('-')) return std::nullopt;
  const auto day = in.digits(2);
  if (!day || *year == 0) return std::nullopt;
  const year_month_day date(std::chrono::year(static_cast<int>(*year)),
                            std::chrono::month(static_cast<unsigned>(*month)),
                            std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  return sys_days(date).time_since_epoch().count();
}

// HH:MM[:SS[.ffffff]], up to 24:00:00.
std::optional<int64_t> scan_time(Scanner& in) {
  const auto hour = in.digits(2);
  if (!hour || !in.take(':')) return std::nullopt;
  const auto minute = in.digits(2);
  if (!minute || *minute > 59) return std::nullopt;
  int64_t time = *hour * kHourUs + *minute * kMinuteUs;
  if (in.take(':')) {
    const auto second = in.digits(2);
    if (!second || *second > 59) return std::nullopt;
    const auto fraction = in.fraction_us();
    if (!fraction) return std::nullopt;
    time += *second * kSecondUs + *fraction;
  }
  return time <= kDayUs ? std::optional(time) : std::nullopt;
}

// Z, +02, +0200, +02:00, +00:34:08: how far local time is ahead of UTC.
std::optional<int64_t> scan_zone(Scanner& in) {
  if (in.take('Z') || in.take('z')) return 0;
  const bool is_west = in.take('-');
  if (!is_west && !in.take('+')) return std::nullopt;
  const auto hour = in.digits(2);
  if (!hour || *hour > 15) return std::nullopt;
  int64_t ahead = *hour * kHourUs;
  const bool has_colon = in.take(':');
  if (has_colon || !in.at_end()) {
    const auto minute = in.digits(2);
    if (!minute || *minute > 59) return std::nullopt;
    ahead += *minute * kMinuteUs;
  }
  if (has_colon && in.take(':')) {
    const auto second = in.digits(2);
    if (!second || *second > 59) return std::nullopt;
    ahead += *second * kSecondUs;
  }
  return is_west ? -ahead : ahead;
}

// Date, then optionally 'T' or a space and a time of that day.
std::optional<int64_t> scan_datetime(Scanner& in) {
  const auto date = scan_date(in);
  if (!date) return std::nullopt;
  int64_t moment = *date * kDayUs;
  if (in.take('T') || in.take(' ')) {
    const auto time = scan_time(in);
    if (!time || *time == kDayUs) return std::nullopt;
    moment += *time;
  }
  return moment;
}

// Exactly `size` digits; no snprintf, because every written time passes here.
void append_digits(int64_t value, size_t size, std::string& out) {
  out.append(size, '0');
  for (size_t i = out.size(); value > 0; value /= 10) {
    out[--i] = static_cast<char>('0' + value % 10);
  }
}

std::string date_text(int64_t day) {
  const year_month_day date{sys_days{std::chrono::days(day)}};
  std::string text;
  append_digits(static_cast<int>(date.year()), 4, text);
  text += '-';
  append_digits(static_cast<unsigned>(date.month()), 2, text);
  text += '-';
  append_digits(static_cast<unsigned>(date.day()), 2, text);
  return text;
}

// ".250000" cut to precision digits; empty for none.
std::string fraction_text(int64_t microseconds, uint16_t precision) {
  if (precision == 0) return {};
  std::string text = ".";
  append_digits(microseconds % kSecondUs, 6, text);
  return text.substr(0, size_t{1} + precision);
}

std::string clock_text(int64_t time, uint16_t precision) {
  std::string text;
  append_digits(time / kHourUs, 2, text);
  text += ':';
  append_digits(time / kMinuteUs % 60, 2, text);
  text += ':';
  append_digits(time / kSecondUs % 60, 2, text);
  return text + fraction_text(time, precision);
}

bool is_date(int64_t day) {
  return day >= kFirstDay && day <= kLastDay;
}

std::string interval_text(const Interval& value) {
  std::string text = "P";
  if (value.months != 0) text += std::to_string(value.months) + "M";
  if (value.days != 0) text += std::to_string(value.days) + "D";
  if (value.microseconds != 0) {
    const auto size = value.microseconds < 0 ? 0 - static_cast<uint64_t>(value.microseconds)
                                             : static_cast<uint64_t>(value.microseconds);
    text += value.microseconds < 0 ? "T-" : "T";
    text += std::to_string(size / kSecondUs);
    std::string fraction = fraction_text(static_cast<int64_t>(size % kSecondUs), 6);
    fraction.resize(fraction.find_last_not_of('0') + 1);
    if (fraction.size() > 1) text += fraction;
    text += "S";
  }
  return text == "P" ? "PT0S" : text;
}

bool add_product(int64_t& sum, int64_t count, int64_t unit) {
  int64_t product = 0;
  return !__builtin_mul_overflow(count, unit, &product) &&
         !__builtin_add_overflow(sum, product, &sum);
}

struct WideInterval {
  int64_t months = 0;
  int64_t days = 0;
  int64_t microseconds = 0;
};

// One "-12H" of an ISO 8601 duration, added to the part it belongs to.
bool scan_duration_part(Scanner& in, bool is_clock, WideInterval& sum) {
  const int64_t sign = in.take('-') ? -1 : 1;
  const auto count = in.number();
  const auto fraction = in.fraction_us();
  if (!count || !fraction) return false;
  const int64_t number = sign * *count;
  if (is_clock && in.take('S')) {
    return add_product(sum.microseconds, number, kSecondUs) &&
           add_product(sum.microseconds, sign, *fraction);
  }
  if (*fraction != 0) return false;
  if (is_clock && in.take('H')) return add_product(sum.microseconds, number, kHourUs);
  if (is_clock) return in.take('M') && add_product(sum.microseconds, number, kMinuteUs);
  if (in.take('Y')) return add_product(sum.months, number, 12);
  if (in.take('M')) return add_product(sum.months, number, 1);
  if (in.take('W')) return add_product(sum.days, number, 7);
  return in.take('D') && add_product(sum.days, number, 1);
}

bool scan_duration(Scanner& in, WideInterval& sum) {
  bool is_clock = false;
  bool has_part = false;
  while (!in.at_end()) {
    if (!is_clock && in.take('T')) {
      is_clock = true;
      has_part = false;
    }
    if (!scan_duration_part(in, is_clock, sum)) return false;
    has_part = true;
  }
  return has_part;
}

// "-838:59:59.5"
bool scan_hours(Scanner& in, WideInterval& sum) {
  const int64_t sign = in.take('-') ? -1 : 1;
  const auto hour = in.number();
  if (!hour || !in.take(':')) return false;
  const auto minute = in.digits(2);
  if (!minute || *minute > 59 || !in.take(':')) return false;
  const auto second = in.digits(2);
  const auto fraction = in.fraction_us();
  if (!second || *second > 59 || !fraction || !in.at_end()) return false;
  return add_product(sum.microseconds, sign * *hour, kHourUs) &&
         add_product(sum.microseconds, sign, *minute * kMinuteUs + *second * kSecondUs + *fraction);
}

auto refuse_date(std::string_view text, const LogicalType& type, std::string_view form) {
  return detail::refuse(
      text, type, "it is not of the form " + std::string(form) + " with a year from 0001 to 9999",
      "correct the value; zero, partial, infinite and BC dates cannot travel");
}

}  // namespace

namespace detail {

std::optional<std::string> time_text(std::string_view bytes, const LogicalType& type) {
  if (type.kind == TypeKind::kInterval) {
    if (bytes.size() != kIntervalSize) return std::nullopt;
    return interval_text(interval_from_canonical(bytes));
  }
  if (type.kind == TypeKind::kDate) {
    if (bytes.size() != kDateSize) return std::nullopt;
    const auto day = static_cast<int32_t>(read_big_endian<uint32_t>(bytes) ^ kSignBit32);
    return is_date(day) ? std::optional(date_text(day)) : std::nullopt;
  }
  if (bytes.size() != sizeof(int64_t)) return std::nullopt;
  const int64_t moment = int64_from_canonical(bytes);
  if (type.kind == TypeKind::kTime) {
    if (moment < 0 || moment > kDayUs) return std::nullopt;
    return clock_text(moment, type.precision);
  }
  const int64_t day = floor_divide(moment, kDayUs);
  if (!is_date(day)) return std::nullopt;
  const std::string clock = clock_text(moment - day * kDayUs, type.precision);
  return date_text(day) + " " + clock + (type.kind == TypeKind::kTimestamp ? "Z" : "");
}

}  // namespace detail

Result<std::string> canonical_date(std::string_view iso, const LogicalType& type) {
  Scanner in(iso);
  const auto day = scan_date(in);
  if (!day || !in.at_end()) return refuse_date(iso, type, "YYYY-MM-DD");
  std::string out;
  detail::append_big_endian(static_cast<uint32_t>(*day) ^ kSignBit32, out);
  return out;
}

Result<std::string> canonical_datetime(std::string_view iso, const LogicalType& type) {
  Scanner in(iso);
  const auto moment = scan_datetime(in);
  if (!moment || !in.at_end()) return refuse_date(iso, type, "YYYY-MM-DD HH:MM:SS[.ffffff]");
  return canonical_int64(floor_to_precision(*moment, type.precision));
}

Result<std::string> canonical_timestamp(std::string_view iso, const LogicalType& type) {
  Scanner in(iso);
  const auto moment = scan_datetime(in);
  if (!moment) return refuse_date(iso, type, "YYYY-MM-DD HH:MM:SS[.ffffff]Z");
  if (in.at_end()) {
    return detail::refuse(iso, type, "without a time zone it is no instant",
                          "write Z or an offset, or map the column as datetime");
  }
  const auto ahead = scan_zone(in);
  if (!ahead || !in.at_end() || !is_date(floor_divide(*moment - *ahead, kDayUs))) {
    return refuse_date(iso, type, "YYYY-MM-DD HH:MM:SS[.ffffff]Z");
  }
  return canonical_int64(floor_to_precision(*moment - *ahead, type.precision));
}

Result<std::string> canonical_time(std::string_view iso, const LogicalType& type) {
  Scanner in(iso);
  const auto time = scan_time(in);
  if (!time || !in.at_end()) {
    return detail::refuse(iso, type, "it is not of the form HH:MM:SS[.ffffff], up to 24:00:00",
                          "map times of more than a day as interval");
  }
  return canonical_int64(floor_to_precision(*time, type.precision));
}

Result<std::string> canonical_time_us(int64_t microseconds, const LogicalType& type) {
  const bool is_time = type.kind == TypeKind::kTime;
  SYN_ASSERT(is_time || type.kind == TypeKind::kDatetime || type.kind == TypeKind::kTimestamp);
  const bool is_held = is_time ? microseconds >= 0 && microseconds <= kDayUs
                               : is_date(floor_divide(microseconds, kDayUs));
  if (!is_held) {
    return detail::refuse(
        std::to_string(microseconds), type,
        is_time ? "it is not within one day" : "it is not in the years from 0001 to 9999");
  }
  return canonical_int64(floor_to_precision(microseconds, type.precision));
}

std::string canonical_interval(int32_t months, int32_t days, int64_t microseconds) {
  std::string out;
  detail::append_big_endian(static_cast<uint32_t>(months) ^ kSignBit32, out);
  detail::append_big_endian(static_cast<uint32_t>(days) ^ kSignBit32, out);
  return out + canonical_int64(microseconds);
}

Result<std::string> canonical_interval(std::string_view text) {
  constexpr LogicalType kType{.kind = TypeKind::kInterval};
  Scanner in(text);
  WideInterval sum;
  if (!(in.take('P') ? scan_duration(in, sum) : scan_hours(in, sum))) {
    return detail::refuse(text, kType, "it is neither an ISO 8601 duration nor HHH:MM:SS");
  }
  const auto months = static_cast<int32_t>(sum.months);
  const auto day_count = static_cast<int32_t>(sum.days);
  if (months != sum.months || day_count != sum.days) {
    return detail::refuse(text, kType, "its months or days are beyond 32 bits");
  }
  return canonical_interval(months, day_count, sum.microseconds);
}

Interval interval_from_canonical(std::string_view bytes) {
  SYN_ASSERT(bytes.size() == kIntervalSize);
  return {static_cast<int32_t>(detail::read_big_endian<uint32_t>(bytes) ^ kSignBit32),
          static_cast<int32_t>(detail::read_big_endian<uint32_t>(bytes.substr(4)) ^ kSignBit32),
          int64_from_canonical(bytes.substr(8))};
}

Result<std::string> canonical_year(int64_t year) {
  if (year < 0 || year > kYearMax) {
    return detail::refuse(std::to_string(year), {.kind = TypeKind::kYear},
                          "years go from 0 to 9999");
  }
  return canonical_int64(year);
}

}  // namespace syncline::model
