// What a statement in the log says, as far as it matters here: whether it may have touched a table
// in a way that no row event tells. In doubt it has.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace syncline::mariadb {

enum class StatementKind : uint8_t {
  kBegin,   // BEGIN, START TRANSACTION, SAVEPOINT, XA START, SET ...
  kCommit,  // COMMIT, ROLLBACK
  kRollback,
  kXaEnd,
  kXaCommit,
  kXaRollback,
  kSchema,    // a table's shape may have changed: ALTER
  kColumns,   // likewise, and the values of columns that it names: DROP, MODIFY, CHANGE
  kContents,  // a table's rows may be gone or others: TRUNCATE, DROP, CREATE TABLE, partitions
  kRows,      // INSERT, UPDATE, DELETE, ... : rows changed by statement
  kOther,     // users, views, procedures, indexes, ...
};

struct Word {
  std::string text;       // without quotes
  std::string qualifier;  // what stands before it and a dot
  bool is_quoted = false;
};

struct Statement {
  StatementKind kind = StatementKind::kOther;
  std::vector<Word> words;  // comments and text literals are left out
};
Statement read_statement(std::string_view sql);

// Statements are in their session's character set: names beyond ASCII are all alike below.

// Whether it has one of these as a word.
bool names_any(const Statement& statement, const std::vector<std::string>& names);

// Whether it may have been about this table. default_database: that of the session it ran in.
bool may_touch(const Statement& statement, std::string_view default_database,
               std::string_view database, std::string_view table);

}  // namespace syncline::mariadb
