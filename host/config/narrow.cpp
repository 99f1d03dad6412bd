#include "host/config/narrow.hpp"

#include <algorithm>

namespace syncline::config {
namespace {

using model::Extent;
using model::LogicalType;
using model::TypeKind;

constexpr uint64_t kCharacterBytesMax = 4;
constexpr int16_t kClockDigitsMax = 6;
constexpr uint64_t kUnbounded = std::numeric_limits<uint64_t>::max();

bool is_time(TypeKind kind) {
  return kind == TypeKind::kDatetime || kind == TypeKind::kTimestamp || kind == TypeKind::kTime;
}

bool is_integer(TypeKind kind) {
  return kind == TypeKind::kInt64 || kind == TypeKind::kUint64;
}

bool is_real(TypeKind kind) {
  return kind == TypeKind::kFloat32 || kind == TypeKind::kFloat64;
}

bool is_text(TypeKind kind) {
  return kind == TypeKind::kText || kind == TypeKind::kChar;
}

uint64_t bounded(uint64_t size) {
  return size == 0 ? kUnbounded : size;
}

std::string counted(uint64_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

// Of which a text of so many bytes has no more.
uint64_t characters_max(const Extent& extent) {
  return bounded(extent.type.length != 0 ? extent.type.length : extent.size_bytes_max);
}

uint64_t bytes_max(const Extent& extent) {
  if (extent.size_bytes_max != 0 || extent.type.length == 0) return bounded(extent.size_bytes_max);
  return extent.type.length * (is_text(extent.type.kind) ? kCharacterBytesMax : 1);
}

uint64_t whole_digits(const LogicalType& type) {
  return type.precision == 0 ? kUnbounded : type.precision - type.scale;
}

uint64_t scale_digits(const LogicalType& type) {
  return type.precision == 0 ? kUnbounded : type.scale;
}

// The digits behind a point that are kept.
uint64_t fraction_digits(const Extent& extent) {
  return extent.type.kind == TypeKind::kDecimal ? scale_digits(extent.type) : extent.type.precision;
}

// Of an interval's seconds; a text has all of them.
uint16_t clock_digits(const Extent& extent) {
  if (extent.type.kind == TypeKind::kTime) return extent.type.precision;
  return static_cast<uint16_t>(extent.fraction_digits.value_or(kClockDigitsMax));
}

// One field's columns. A bound of the field's type, which is the coarsest, acts wherever values are
// read; one of a column alone acts where they are written to it.
class Search {
 public:
  Search(const LogicalType& type, std::span<const Holder> holders)
      : type_(type), holders_(holders) {}

  std::vector<Narrow> run() {
    for (size_t at = 0; at < holders_.size(); ++at) look_at(at);
    return std::move(found_);
  }

 private:
  void look_at(size_t at) {
    now_ = {at, false, "", holders_[at].extent};
    wider_.clear();
    told_.clear();
    if (is_time(type_.kind)) {
      compare_fractions("times are cut to ", " of a second");
      compare_with_declared("times", "of a second");
    } else if (type_.kind == TypeKind::kInterval) {
      compare_intervals();
    } else if (type_.kind == TypeKind::kDecimal) {
      compare_fractions("numbers are rounded to ", " behind the point");
      compare_with_declared("numbers", "behind the point");
      compare_whole_digits();
      widen_decimal();
      compare_odd_scales();
    } else if (is_integer(type_.kind)) {
      compare_integers();
    } else if (is_real(type_.kind)) {
      compare_floats();
      compare_fixed();
    } else if (is_text(type_.kind) || type_.kind == TypeKind::kBytes) {
      compare_lengths();
      compare_sizes();
    }
    if (!told_.empty()) finish();
  }

  const Holder& here() const { return holders_[now_.holder]; }

  // Whether values of it are read, and written to another.
  bool passes_on(const Holder& from) const {
    return from.is_read && std::ranges::any_of(holders_, [&](const Holder& to) {
             return &to != &from && to.is_written;
           });
  }

  // The columns of the same kind that hold more: by a bound of the field's type only where this one
  // is what bounds it.
  template <class Of>
  std::vector<const Holder*> exceeding(Of of) {
    std::vector<const Holder*> more;
    for (const Holder& other : holders_) {
      const bool is_comparable =
          other.extent.type.kind == here().extent.type.kind ||
          (is_text(other.extent.type.kind) && is_text(here().extent.type.kind));
      const bool is_odd = other.extent.type.kind == TypeKind::kDecimal &&
                          other.extent.fraction_digits.has_value();  // whose type says nothing
      if (!is_comparable || is_odd) continue;
      if (of(other.extent) < of(here().extent)) return {};
      if (of(other.extent) > of(here().extent) && passes_on(other)) more.push_back(&other);
    }
    return more;
  }

  void tell(const std::vector<const Holder*>& more, const std::string& text) {
    for (const Holder* one : more) {
      if (std::ranges::find(wider_, one) == wider_.end()) wider_.push_back(one);
    }
    told_ += (told_.empty() ? "" : "; ") + text;
  }

  void compare_fractions(const std::string& begin, const std::string& end) {
    const uint64_t digits = fraction_digits(here().extent);
    const uint64_t kept = is_time(type_.kind) ? type_.precision : scale_digits(type_);
    if (here().extent.type.kind != type_.kind || digits != kept) return;
    const auto more = exceeding(fraction_digits);
    if (more.empty()) return;
    now_.is_rounding = true;
    tell(more, begin + counted(digits, "digit") + end);
    want_fractions(more);
  }

  // A type that is finer than the column: its writes refuse what the others were not cut to.
  void compare_with_declared(const char* values, const char* where) {
    const uint64_t digits = fraction_digits(here().extent);
    const uint64_t kept = is_time(type_.kind) ? type_.precision : scale_digits(type_);
    const bool is_same_kind = here().extent.type.kind == type_.kind;
    if (!is_same_kind || digits >= kept || !may_refuse(here())) return;
    const auto more = readers([&](const Extent& extent) {
      return extent.type.kind == type_.kind && fraction_digits(extent) > digits;
    });
    if (more.empty()) return;
    tell_digits(more, values, digits, where);
    want_fractions(more);
  }

  void compare_intervals() {
    const Extent& own = here().extent;
    const bool has_clock = own.type.kind == TypeKind::kTime || own.type.kind == TypeKind::kInterval;
    if (!has_clock || !may_refuse(here())) return;
    const auto more =
        readers([&](const Extent& extent) { return clock_digits(extent) > clock_digits(own); });
    if (more.empty()) return;
    tell_digits(more, "intervals", clock_digits(own), "of a second");
    uint16_t digits = 0;
    for (const Holder* one : more) digits = std::max(digits, clock_digits(one->extent));
    if (own.type.kind == TypeKind::kTime) {
      now_.wanted.type.precision = digits;
    } else {
      now_.wanted.fraction_digits = digits;
    }
  }

  // numeric(5,-2), numeric(2,5): of any number of digits to all others.
  void compare_odd_scales() {
    const Extent& own = here().extent;
    if (!own.fraction_digits || own.type.kind != TypeKind::kDecimal || !may_refuse(here())) return;
    const int16_t digits = *own.fraction_digits;
    const auto more = readers([&](const Extent& extent) {
      if (extent.type.kind != TypeKind::kDecimal) return is_integer(extent.type.kind) && digits < 0;
      if (extent.fraction_digits) return *extent.fraction_digits > digits;
      return digits < 0 || scale_digits(extent.type) > static_cast<uint64_t>(digits);
    });
    if (more.empty()) return;
    if (digits >= 0) {
      tell_digits(more, "numbers", static_cast<uint64_t>(digits), "behind the point");
    } else {
      tell(more, "numbers whose last " + counted(static_cast<uint64_t>(-digits), "digit") +
                     " before the point " + (digits == -1 ? "is" : "are") +
                     " not 0 go to quarantine");
    }
    now_.wanted.fraction_digits.reset();
  }

  // FLOAT(8,2), which rounds what is written to it.
  void compare_fixed() {
    const auto& digits = here().extent.fraction_digits;
    if (!digits || !may_refuse(here())) return;
    const auto more = readers([&](const Extent& extent) {
      return is_real(extent.type.kind) && extent.fraction_digits.value_or(kAnyDigits) > *digits;
    });
    if (more.empty()) return;
    tell_digits(more, "numbers", static_cast<uint64_t>(*digits), "behind the point");
    now_.wanted.fraction_digits.reset();
  }

  // What holds more than this column, and is read.
  template <class HoldsMore>
  std::vector<const Holder*> readers(HoldsMore holds_more) {
    std::vector<const Holder*> more;
    for (const Holder& other : holders_) {
      if (&other != &here() && other.is_read && holds_more(other.extent)) more.push_back(&other);
    }
    return more;
  }

  static bool may_refuse(const Holder& one) { return one.is_written && one.extent.is_kept_to; }

  void tell_digits(const std::vector<const Holder*>& more, const char* values, uint64_t digits,
                   const char* where) {
    tell(more, std::string(values) + " of more than " + counted(digits, "digit") + " " + where +
                   " go to quarantine");
  }

  void want_fractions(const std::vector<const Holder*>& more) {
    if (!is_time(type_.kind)) return;
    for (const Holder* one : more) {
      LogicalType& wanted = now_.wanted.type;
      wanted.precision = std::max(wanted.precision, one->extent.type.precision);
    }
  }

  void compare_whole_digits() {
    const uint64_t digits = whole_digits(here().extent.type);
    if (here().extent.type.kind != type_.kind || digits > whole_digits(type_)) return;
    const auto more = exceeding([](const Extent& extent) { return whole_digits(extent.type); });
    if (more.empty()) return;
    tell(more,
         "numbers of more than " + counted(digits, "digit") + " before the point go to quarantine");
  }

  void widen_decimal() {
    LogicalType& wanted = now_.wanted.type;
    for (const Holder* one : wider_) {
      const LogicalType& other = one->extent.type;
      if (wanted.precision == 0) return;
      if (other.precision == 0) {
        wanted.precision = wanted.scale = 0;
        return;
      }
      const uint64_t whole = std::max(whole_digits(wanted), whole_digits(other));
      wanted.scale = std::max(wanted.scale, other.scale);
      wanted.precision = static_cast<uint16_t>(whole + wanted.scale);
    }
  }

  void compare_integers() {
    const Extent& own = here().extent;
    if (!here().is_written || !is_integer(own.type.kind)) return;
    std::vector<const Holder*> more;
    for (const Holder& other : holders_) {
      const Extent& extent = other.extent;
      if (!other.is_read || !is_integer(extent.type.kind)) continue;
      if (extent.least >= own.least && extent.most <= own.most) continue;
      more.push_back(&other);
      now_.wanted.least = std::min(now_.wanted.least, extent.least);
      now_.wanted.most = std::max(now_.wanted.most, extent.most);
    }
    if (more.empty()) return;
    std::string range;
    if (now_.wanted.least < own.least) range = "below " + std::to_string(own.least);
    if (now_.wanted.most > own.most) {
      range += (range.empty() ? "above " : " or above ") + std::to_string(own.most);
    }
    tell(more, "numbers " + range + " go to quarantine");
  }

  void compare_floats() {
    if (here().extent.type.kind != TypeKind::kFloat32) return;
    if (type_.kind == TypeKind::kFloat64 && !may_refuse(here())) return;
    std::vector<const Holder*> more;
    for (const Holder& other : holders_) {
      if (other.extent.type.kind == TypeKind::kFloat64 && passes_on(other)) more.push_back(&other);
    }
    if (more.empty()) return;
    now_.wanted.type = more.front()->extent.type;
    tell(more, "numbers that four bytes do not hold exactly go to quarantine");
  }

  void compare_lengths() {
    const uint32_t length = here().extent.type.length;
    if (!is_text(here().extent.type.kind) || length == 0) return;
    if (type_.length != 0 && length > type_.length) return;
    const auto more = exceeding(characters_max);
    if (more.empty()) return;
    tell(more, "texts of more than " + counted(length, "character") + " go to quarantine");
    widen_size(more);
  }

  void compare_sizes() {
    const Extent& own = here().extent;
    if (!here().is_written || own.size_bytes_max == 0) return;
    std::vector<const Holder*> more;
    for (const Holder& other : holders_) {
      const bool is_comparable =
          is_text(other.extent.type.kind) == is_text(own.type.kind) &&
          (is_text(own.type.kind) || other.extent.type.kind == own.type.kind);
      if (!is_comparable || !other.is_read) continue;
      if (bytes_max(other.extent) > own.size_bytes_max) more.push_back(&other);
    }
    if (more.empty()) return;
    tell(more, "values of more than " + counted(own.size_bytes_max, "byte") + " go to quarantine");
    widen_size(more);
  }

  void widen_size(const std::vector<const Holder*>& more) {
    Extent& wanted = now_.wanted;
    uint64_t characters = characters_max(wanted);
    uint64_t bytes = bytes_max(wanted);
    for (const Holder* one : more) {
      characters = std::max(characters, characters_max(one->extent));
      bytes = std::max(bytes, bytes_max(one->extent));
    }
    const bool is_long = !is_text(wanted.type.kind) || characters > kLengthMax;
    wanted.type.length = is_long ? 0 : static_cast<uint32_t>(characters);
    wanted.size_bytes_max = bytes == kUnbounded ? 0 : bytes;
  }

  void finish() {
    std::string others;
    for (const Holder* one : wider_) {
      others += (others.empty() ? "" : ", ") + one->column + " is " + one->declared;
    }
    now_.what = here().column + " is " + here().declared + ", " + others + ": " + told_;
    found_.push_back(std::move(now_));
  }

  static constexpr int16_t kAnyDigits = std::numeric_limits<int16_t>::max();
  // Beyond it a text is wanted as a large one.
  static constexpr uint64_t kLengthMax = 1000;

  const LogicalType& type_;
  std::span<const Holder> holders_;
  std::vector<Narrow> found_;
  Narrow now_;
  std::vector<const Holder*> wider_;
  std::string told_;
};

}  // namespace

std::vector<Narrow> find_narrow(const LogicalType& type, std::span<const Holder> holders) {
  return Search(type, holders).run();
}

}  // namespace syncline::config
