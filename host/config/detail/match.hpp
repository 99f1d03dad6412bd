// Which tables and columns of different systems look like the same thing.
//
// Threads: pure functions.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/config/resolve.hpp"

namespace syncline::config::detail {

// "public.Customers" -> "customer": without schema, case, separators and plural.
std::string plain_name(std::string_view name);

// How the columns of one table lie in another one.
struct ColumnMatch {
  std::map<std::string, std::string> sure;       // here -> there: same name, types that fit
  std::map<std::string, std::string> perhaps;    // similar name, types that fit
  std::map<std::string, std::string> unfitting;  // same name, types that do not fit
};
ColumnMatch match_columns(const TableShape& here, const TableShape& there);

// The table of `there` most like `here`, by name, else by most of its columns.
const TableShape* match_table(const TableShape& here, const std::vector<TableShape>& there,
                              const std::set<const TableShape*>& used);

struct OtherTable {
  const TableShape* table = nullptr;
  ColumnMatch columns;
};

// Leaves as sure only what is sure in every other table with types that fit all together; columns
// that all have, but with types that do not fit, go to `unfitting`.
void keep_common(const TableShape& here, std::vector<OtherTable>& others,
                 std::set<std::string>& unfitting);

// The keys of `here` that are keys of every other table too.
std::vector<std::vector<std::string>> common_keys(const TableShape& here,
                                                  const std::vector<OtherTable>& others);

}  // namespace syncline::config::detail
