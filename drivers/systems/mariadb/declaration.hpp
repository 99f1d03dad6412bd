// A column as its table declares it, from its type to its CHECK: a MODIFY says all of it anew, and
// what it leaves out is gone.
//
// A declaration is what SHOW CREATE TABLE has behind the column's name. Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace syncline::mariadb {

// create: the table's SHOW CREATE TABLE. Nothing where it has no such column.
std::optional<std::string> declaration_in(std::string_view create, std::string_view column);

// The same column, but that it is of another type like its own ("timestamp(6)"), of whose digits
// the clock by default is then; that it takes no NULL; that it compares by a collation of its
// character set; that its values come from this expression; that every UPDATE sets it to this one.
std::string with_type(std::string_view declaration, const std::string& type);
std::string without_null(std::string_view declaration);
std::string with_collation(std::string_view declaration, const std::string& collation);
std::string with_default(std::string_view declaration, const std::string& expression);
std::string with_on_update(std::string_view declaration, const std::string& expression);

bool has_default(std::string_view declaration);  // other than NULL

}  // namespace syncline::mariadb
