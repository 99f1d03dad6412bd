#include "host/config/detail/match.hpp"

#include <algorithm>

#include "host/config/nearest.hpp"

namespace syncline::config::detail {
namespace {

using model::TypeKind;

constexpr double kShareLeast = 0.6;  // of the larger table's columns that tell a likeness
constexpr size_t kColumnsLeast = 2;
constexpr size_t kPartLeast = 3;  // letters of a name inside another that tell a likeness

const ColumnShape* find_column(const TableShape& table, std::string_view name) {
  const auto found = std::ranges::find(table.columns, name, &ColumnShape::name);
  return found == table.columns.end() ? nullptr : &*found;
}

bool is_alike(const std::string& a, const std::string& b) {
  if (a.size() >= kPartLeast && b.find(a) != std::string::npos) return true;
  if (b.size() >= kPartLeast && a.find(b) != std::string::npos) return true;
  return typing_distance(a, b) <= std::min(a.size(), b.size()) / 3;
}

bool can_be_key(const TableShape& table, const std::string& name) {
  const ColumnShape* column = find_column(table, name);
  if (column == nullptr || column->is_generated) return false;
  const TypeKind kind = column->type.kind;
  return kind != TypeKind::kFloat32 && kind != TypeKind::kFloat64 && kind != TypeKind::kJson &&
         kind != TypeKind::kSpatial;
}

bool is_key_of(const TableShape& table, const std::set<std::string>& columns) {
  return std::ranges::any_of(table.keys, [&](const std::vector<std::string>& key) {
    return std::set<std::string>(key.begin(), key.end()) == columns;
  });
}

// Pairs the columns that `is_pair` takes for the same, each once.
template <class IsPair>
void pair_columns(const TableShape& here, const TableShape& there, std::set<std::string>& used_here,
                  std::set<std::string>& used_there, std::map<std::string, std::string>& out,
                  IsPair is_pair) {
  for (const ColumnShape& a : here.columns) {
    if (used_here.contains(a.name)) continue;
    for (const ColumnShape& b : there.columns) {
      if (used_there.contains(b.name) || !is_pair(a, b)) continue;
      used_here.insert(a.name);
      used_there.insert(b.name);
      out.emplace(a.name, b.name);
      break;
    }
  }
}

}  // namespace

std::string plain_name(std::string_view name) {
  const size_t point = name.rfind('.');
  if (point != std::string_view::npos) name.remove_prefix(point + 1);
  std::string plain;
  for (const char letter : name) {
    if (letter == '_' || letter == '-' || letter == ' ') continue;
    plain.push_back(letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a')
                                                   : letter);
  }
  if (plain.ends_with("ies")) return plain.replace(plain.size() - 3, 3, "y");
  if (plain.size() > 1 && plain.ends_with('s') && !plain.ends_with("ss")) plain.pop_back();
  return plain;
}

ColumnMatch match_columns(const TableShape& here, const TableShape& there) {
  ColumnMatch match;
  std::set<std::string> used_here;
  std::set<std::string> used_there;
  const auto fits = [&](const ColumnShape& a, const ColumnShape& b) {
    const ColumnOf both[] = {{&here, &a}, {&there, &b}};
    return !a.is_generated && !b.is_generated && common_type(both).has_value();
  };
  pair_columns(
      here, there, used_here, used_there, match.sure,
      [&](const ColumnShape& a, const ColumnShape& b) { return a.name == b.name && fits(a, b); });
  pair_columns(here, there, used_here, used_there, match.unfitting,
               [](const ColumnShape& a, const ColumnShape& b) {
                 return a.name == b.name && !a.is_generated && !b.is_generated;
               });
  pair_columns(here, there, used_here, used_there, match.sure,
               [&](const ColumnShape& a, const ColumnShape& b) {
                 return plain_name(a.name) == plain_name(b.name) && fits(a, b);
               });
  pair_columns(here, there, used_here, used_there, match.perhaps,
               [&](const ColumnShape& a, const ColumnShape& b) {
                 return is_alike(plain_name(a.name), plain_name(b.name)) && fits(a, b);
               });
  return match;
}

const TableShape* match_table(const TableShape& here, const std::vector<TableShape>& there,
                              const std::set<const TableShape*>& used) {
  const TableShape* best = nullptr;
  double best_share = 0;
  for (const TableShape& table : there) {
    if (used.contains(&table)) continue;
    if (plain_name(table.name) == plain_name(here.name)) return &table;
    const size_t same = match_columns(here, table).sure.size();
    const double share = static_cast<double>(same) /
                         static_cast<double>(std::max(here.columns.size(), table.columns.size()));
    if (same < kColumnsLeast || share < kShareLeast || share <= best_share) continue;
    best = &table;
    best_share = share;
  }
  return best;
}

void keep_common(const TableShape& here, std::vector<OtherTable>& others,
                 std::set<std::string>& unfitting) {
  for (const ColumnShape& column : here.columns) {
    std::vector<ColumnOf> columns = {{&here, &column}};
    bool is_everywhere = true;
    for (const OtherTable& other : others) {
      if (other.columns.unfitting.contains(column.name)) unfitting.insert(column.name);
      const auto found = other.columns.sure.find(column.name);
      is_everywhere = is_everywhere && found != other.columns.sure.end();
      if (is_everywhere) {
        columns.push_back({other.table, find_column(*other.table, found->second)});
      }
    }
    if (is_everywhere && !common_type(columns)) unfitting.insert(column.name);
    if (is_everywhere && !unfitting.contains(column.name)) continue;
    for (OtherTable& other : others) other.columns.sure.erase(column.name);
  }
}

std::vector<std::vector<std::string>> common_keys(const TableShape& here,
                                                  const std::vector<OtherTable>& others) {
  std::vector<std::vector<std::string>> keys;
  for (const std::vector<std::string>& key : here.keys) {
    const bool is_common = std::ranges::all_of(others, [&](const OtherTable& other) {
      std::set<std::string> there;
      for (const std::string& column : key) {
        const auto found = other.columns.sure.find(column);
        if (found == other.columns.sure.end() || !can_be_key(here, column) ||
            !can_be_key(*other.table, found->second)) {
          return false;
        }
        there.insert(found->second);
      }
      return is_key_of(*other.table, there);
    });
    if (is_common) keys.push_back(key);
  }
  return keys;
}

}  // namespace syncline::config::detail
