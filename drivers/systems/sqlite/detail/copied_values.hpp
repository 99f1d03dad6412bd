// What a column's values become where its table is made anew with another type, as SQL: never less
// than they were, or the script ends as a whole.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "drivers/systems/sqlite/detail/table.hpp"
#include "drivers/systems/sqlite/detail/table_text.hpp"

namespace syncline::sqlite {

// The column of the row t as the new table takes it.
std::string copied_value(const Column& column, std::span<const ColumnChange> changes);
// The condition under which it is still what it was; empty: it always is.
enum class Encoding : uint8_t { kUtf8, kUtf16 };  // of the file's texts
std::string survives(const Column& column, std::span<const ColumnChange> changes,
                     Encoding encoding);

}  // namespace syncline::sqlite
