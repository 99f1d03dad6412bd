// What columns keep of values that are finer than they are: the server rounds and cuts on its own,
// and tells nobody.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "drivers/systems/postgres/detail/value.hpp"

namespace syncline::postgres {
namespace {

using model::LogicalType, model::TypeKind;

constexpr int32_t kHeaderSize = 4;
constexpr size_t kNameBytesMax = 63;  // NAMEDATALEN is 64, unless a server was built otherwise
constexpr size_t kDateSize = 10;      // "2026-11-27"
constexpr size_t kShortAddressDigits = 12;
constexpr int64_t kMinuteUs = 60'000'000;
constexpr int64_t kHourUs = 60 * kMinuteUs;

// How many digits stand behind the first point, without zeros at their end.
size_t fraction_digits(std::string_view text) {
  const size_t point = text.find('.');
  if (point == std::string_view::npos) return 0;
  const size_t end = std::min(text.find_first_not_of("0123456789", point + 1), text.size());
  return text.substr(point + 1, end - point - 1).find_last_not_of('0') + 1;
}

// Of the clock in it: a date may be written with points.
size_t clock_digits(std::string_view text) {
  return fraction_digits(text.substr(std::min(text.find_first_of(":T"), text.size())));
}

std::string kept_digits(size_t count, const char* where) {
  return "the column keeps " + std::to_string(count) + (count == 1 ? " digit " : " digits ") +
         where;
}

bool is_rounded_decimal(std::string_view text, int32_t modifier) {
  const auto value = model::canonical_decimal(text, {.kind = TypeKind::kDecimal});
  if (!value) return false;  // no number: the server says so
  const std::string plain = model::text_from_canonical(value.value(), {.kind = TypeKind::kDecimal});
  const size_t last = plain.find_last_not_of('0');
  if (last == std::string::npos || plain[last] < '0' || plain[last] > '9') return false;  // 0, NaN
  const size_t point = plain.find('.');
  const int32_t scale = decimal_scale(modifier);
  if (point != std::string::npos) {
    return static_cast<int64_t>(plain.size() - point - 1) > scale;
  }
  return static_cast<int64_t>(plain.size() - 1 - last) < -int64_t{scale};
}

// As the server shows it: in the fewest digits between its neighbours' halves, of which neither
// counts, while std::to_chars takes the half that is read as this number.
template <class Real>
std::string shown_real(Real value) {
  constexpr Real kInfinity = std::numeric_limits<Real>::infinity();
  const long double own = value;
  const long double below = (own + std::nextafter(value, -kInfinity)) / 2;
  const long double above = (own + std::nextafter(value, kInfinity)) / 2;
  char text[64];
  char* end = text;
  for (int digits = 0; digits < std::numeric_limits<Real>::max_digits10; ++digits) {
    end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific, digits).ptr;
    long double shown = 0;
    std::from_chars(text, end, shown);
    if (value == 0 || (below < shown && shown < above)) break;
  }
  return {text, end};
}

// Whether the number nearest to it that the column has is another one, as the server shows both.
template <class Real>
bool is_other_real(std::string_view text) {
  Real value = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end || !std::isfinite(value)) return false;
  const LogicalType decimal{.kind = TypeKind::kDecimal};
  const auto kept = model::canonical_decimal(shown_real(value), decimal);
  const auto meant = model::canonical_decimal(text, decimal);
  return kept && meant && kept.value() != meant.value();
}

// A date's text with a time of that day behind it, which is not its beginning.
bool has_time_of_day(std::string_view text) {
  if (text.size() <= kDateSize || (text[kDateSize] != ' ' && text[kDateSize] != 'T')) return false;
  const std::string_view clock = text.substr(kDateSize + 1);
  return clock.substr(0, clock.find_first_of("Z+-")).find_first_of("123456789") !=
         std::string_view::npos;
}

// `interval(2)`, `interval year to month`: what is smaller than its last field is cut off.
std::string interval_loss(std::string_view text, int32_t modifier) {
  constexpr int32_t kYear = 1 << 2;
  constexpr int32_t kMonth = 1 << 1;
  constexpr int32_t kDay = 1 << 3;
  constexpr int32_t kHour = 1 << 10;
  constexpr int32_t kMinute = 1 << 11;
  constexpr int32_t kSecond = 1 << 12;
  constexpr int32_t kAllFields = 0x7fff;
  if (modifier < 0) return {};
  const int32_t fields = modifier >> 16 & kAllFields;
  const size_t digits = time_digits(modifier);
  const auto value = model::canonical_interval(text);
  if (!value) {  // another spelling, which the server may take
    return fraction_digits(text) > digits ? kept_digits(digits, "of a second") : std::string();
  }
  const model::Interval interval = model::interval_from_canonical(value.value());
  const auto is_whole = [&](int64_t unit) { return interval.microseconds % unit == 0; };
  if (fields == kAllFields || (fields & kSecond) != 0) {
    int64_t unit = 1;
    for (size_t digit = digits; digit < kTimeDigitsMax; ++digit) unit *= 10;
    return is_whole(unit) ? std::string() : kept_digits(digits, "of a second");
  }
  if ((fields & kMinute) != 0) return is_whole(kMinuteUs) ? "" : "the column keeps no seconds";
  if ((fields & kHour) != 0) return is_whole(kHourUs) ? "" : "the column keeps no minutes";
  if (interval.microseconds != 0) return "the column keeps no hours";
  if ((fields & kDay) != 0) return {};
  if (interval.days != 0) return "the column keeps no days";
  const bool is_of_years = (fields & kYear) != 0 && (fields & kMonth) == 0;
  return is_of_years && interval.months % 12 != 0 ? "the column keeps no months" : "";
}

// Spaces beyond its length are cut without a word; all else is the server's to refuse.
std::string varchar_loss(std::string_view text, int32_t modifier) {
  if (modifier < kHeaderSize || !text.ends_with(' ')) return {};
  const auto is_first_byte = [](char byte) { return (byte & '\xc0') != '\x80'; };
  if (std::ranges::count_if(text, is_first_byte) <= modifier - kHeaderSize) return {};
  return "the column keeps " + std::to_string(modifier - kHeaderSize) + " characters";
}

bool is_short_address(std::string_view text) {
  return std::ranges::count_if(text, [](char letter) {
           return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f') ||
                  (letter >= 'A' && letter <= 'F');
         }) == kShortAddressDigits;
}

}  // namespace

std::string loss_of(std::string_view text, Category category, int32_t modifier) {
  switch (category) {
    case Category::kDecimal:
      if (modifier < kHeaderSize || !is_rounded_decimal(text, modifier)) return {};
      if (decimal_scale(modifier) >= 0) {
        return kept_digits(static_cast<size_t>(decimal_scale(modifier)), "behind the point");
      }
      return "the column keeps no number whose last " + std::to_string(-decimal_scale(modifier)) +
             " digits are not 0";
    case Category::kFloat32:
      return is_other_real<float>(text) ? "the column has four bytes" : "";
    case Category::kFloat64:
      return is_other_real<double>(text) ? "the column has eight bytes" : "";
    case Category::kDate:
      return has_time_of_day(text) ? "the column keeps no time of day" : "";
    case Category::kDatetime:
    case Category::kTimestamp:
    case Category::kTime:
    case Category::kTimetz: {
      const size_t digits = time_digits(modifier);
      return clock_digits(text) > digits ? kept_digits(digits, "of a second") : std::string();
    }
    case Category::kInterval:
      return interval_loss(text, modifier);
    case Category::kVarchar:
      return varchar_loss(text, modifier);
    case Category::kChar:
      return modifier >= kHeaderSize && text.ends_with(' ')
                 ? "the column keeps no spaces at the end"
                 : "";
    case Category::kName:
      return text.size() > kNameBytesMax ? "the column keeps 63 bytes" : "";
    case Category::kByte:
      return text.size() > 1 ? "the column keeps one byte" : "";
    case Category::kMacaddr8:
      return is_short_address(text) ? "the column puts ff:fe into its middle" : "";
    default:
      return {};
  }
}

std::string loss_of(std::string_view text, const NativeType& native) {
  if (native.category == Category::kComposite) return loss_in_composite(text, native.attributes);
  return loss_of(text, native.category, native.modifier);
}

bool may_hold_less(const NativeType& native, const LogicalType& type) {
  if (native.is_array) return false;
  switch (native.category) {
    case Category::kDecimal: {
      if (native.modifier < kHeaderSize) return false;
      const bool is_bounded = type.kind == TypeKind::kDecimal && type.precision > 0;
      return !is_bounded || type.scale > decimal_scale(native.modifier);
    }
    case Category::kFloat32:
      return type.kind != TypeKind::kFloat32;
    case Category::kFloat64:
      return type.kind != TypeKind::kFloat32 && type.kind != TypeKind::kFloat64;
    case Category::kDate:
      return type.kind != TypeKind::kDate;
    case Category::kDatetime:
    case Category::kTimestamp:
    case Category::kTime:
      return logical_type_of(native).kind != type.kind ||
             type.precision > time_digits(native.modifier);
    case Category::kInterval:
      return native.modifier >= 0;
    case Category::kComposite:
      return type.kind != TypeKind::kJson;
    case Category::kVarchar:
    case Category::kChar:
    case Category::kName:
    case Category::kByte:
    case Category::kTimetz:
    case Category::kMacaddr8:
      return true;
    default:
      return false;
  }
}

}  // namespace syncline::postgres
