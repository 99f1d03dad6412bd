#include "tests/simulation/values.hpp"

#include <algorithm>
#include <charconv>

namespace syncline::simulation {

using model::Cell;
using model::CellState;
using model::TypeKind;

int stored_form(Rounding rounding, int form) {
  switch (rounding) {
    case Rounding::kExact:
      return form;
    case Rounding::kEven:
      return form - form % 2;
    case Rounding::kQuarter:
      return form - form % 4;
    case Rounding::kOdd:
      return form | 1;
  }
  return form;
}

Cell make_value(TypeKind kind, int64_t tag, int form) {
  if (tag == kNullTag) return Cell::null();
  if (kind == TypeKind::kInt64) return Cell::value(model::canonical_int64(tag * kFormCount + form));
  return Cell::value(std::to_string(tag) + "-" + std::string(static_cast<size_t>(form), 'x'));
}

int64_t tag_of(TypeKind kind, const Cell& cell) {
  if (cell.state == CellState::kNull) return kNullTag;
  if (cell.state != CellState::kValue) return -1;
  if (kind == TypeKind::kInt64) {
    if (cell.bytes.size() != 8) return -1;
    const int64_t number = model::int64_from_canonical(cell.bytes);
    return number < kFormCount ? -1 : number / kFormCount;
  }
  int64_t tag = -1;
  const char* const end = cell.bytes.data() + cell.bytes.size();
  const auto parsed = std::from_chars(cell.bytes.data(), end, tag);
  return parsed.ec == std::errc() && parsed.ptr != end && *parsed.ptr == '-' ? tag : -1;
}

int form_of(TypeKind kind, const Cell& cell) {
  if (cell.state != CellState::kValue) return 0;
  if (kind == TypeKind::kInt64) {
    return static_cast<int>(model::int64_from_canonical(cell.bytes) % kFormCount);
  }
  return static_cast<int>(cell.bytes.size() - cell.bytes.find('-') - 1);
}

Cell stored(TypeKind kind, Rounding rounding, const Cell& cell) {
  if (cell.state != CellState::kValue || rounding == Rounding::kExact) return cell;
  return make_value(kind, tag_of(kind, cell), stored_form(rounding, form_of(kind, cell)));
}

bool can_agree(const std::set<Rounding>& roundings) {
  for (int form = 0; form < kFormCount; ++form) {
    if (std::all_of(roundings.begin(), roundings.end(),
                    [form](Rounding rounding) { return stored_form(rounding, form) == form; })) {
      return true;
    }
  }
  return false;
}

std::set<int> reachable_forms(int form, const std::set<Rounding>& roundings) {
  std::set<int> forms = {form};
  for (size_t known = 0; known != forms.size();) {
    known = forms.size();
    for (const int each : std::set<int>(forms)) {
      for (const Rounding rounding : roundings) forms.insert(stored_form(rounding, each));
    }
  }
  return forms;
}

}  // namespace syncline::simulation
