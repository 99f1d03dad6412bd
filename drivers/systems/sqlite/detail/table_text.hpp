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

// Statements as sqlite_master has them. Ended so that no comment at their end swallows what
// follows.
std::string ended(std::string_view sql);
// CREATE INDEX main."name" ..., and triggers likewise.
std::string in_main(std::string_view create);
// Whether it stands there outside of comments and quotes.
bool has_word(std::string_view sql, std::string_view wanted);
// Whether a PRIMARY KEY (...) or UNIQUE (...) of a table has a COLLATE of its own.
bool has_key_collation(std::string_view create);

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
