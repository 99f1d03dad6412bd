// The labels of a column's type, as the catalog shows them: quoted and escaped.
#include "drivers/systems/mariadb/detail/value.hpp"

namespace syncline::mariadb {
namespace {

char escaped(char letter) {
  switch (letter) {
    case '0':
      return '\0';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    default:
      return letter;
  }
}

}  // namespace

std::vector<std::string> labels_of(std::string_view column_type) {
  std::vector<std::string> labels;
  bool is_inside = false;
  for (size_t i = 0; i < column_type.size(); ++i) {
    const char letter = column_type[i];
    const char next = i + 1 < column_type.size() ? column_type[i + 1] : '\0';
    if (is_inside && letter == '\'' && next == '\'') {
      labels.back() += column_type[i++];
    } else if (letter == '\'') {
      is_inside = !is_inside;
      if (is_inside) labels.emplace_back();
    } else if (is_inside && letter == '\\') {
      labels.back() += escaped(next);
      ++i;
    } else if (is_inside) {
      labels.back() += letter;
    }
  }
  return labels;
}

}  // namespace syncline::mariadb
