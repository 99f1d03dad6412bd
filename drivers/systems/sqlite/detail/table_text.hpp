// The text of a CREATE TABLE with some of its columns declared otherwise, and all else of it as the
// user wrote it: defaults, checks, foreign keys, comments.
//
// SQLite keeps that text and has no statement that changes what it says of a column. Threads: pure
// functions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace syncline::sqlite {

struct ColumnChange {
  std::string column;
  std::string type = {};       // empty: as it is
  std::string collation = {};  // likewise
  enum class Null : uint8_t { kAsItIs, kRefused, kAllowed };
  Null null = Null::kAsItIs;
  enum class Numbers : uint8_t { kAsTheyAre, kNeverTwice };  // AUTOINCREMENT
  Numbers numbers = Numbers::kAsTheyAre;
};

// What is wanted of one column is one change.
void add_change(std::vector<ColumnChange>& changes, const ColumnChange& more);

// create: as sqlite_master has it; name: of the new table. Empty where a column is not found.
std::string create_changed(std::string_view create, std::string_view name,
                           std::span<const ColumnChange> changes);

// A CREATE UNIQUE INDEX in parts.
struct IndexText {
  std::vector<std::string> terms;  // without COLLATE and order
  // The index as it is, with this word before INDEX, another name and other terms.
  std::string with(std::string_view unique, std::string_view name,
                   std::span<const std::string> terms) const;

  std::string create;
  std::vector<size_t> places;  // of name, terms: where each begins
  size_t name_size = 0;
};
IndexText index_text(std::string_view create);

}  // namespace syncline::sqlite
