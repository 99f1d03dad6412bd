// What a system holds and what it lacks: for init, plan, check, doctor and detach.
//
// Threads: one at a time. Errors: kSystemOpen, kSystemBusy.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/base/result.hpp"
#include "host/model/position.hpp"
#include "host/model/schema.hpp"
#include "host/model/types.hpp"

namespace syncline::ports {

struct ColumnInfo {
  std::string name;
  model::LogicalType type;
  std::string native_type;
  bool is_nullable = true;
  bool is_generated = false;
  model::KeyEquivalence equivalence = model::KeyEquivalence::kBytes;  // by its collation
  // What a dataset may take it for where another system's column is that.
  std::optional<model::LogicalType> may_be = std::nullopt;
  bool is_of_own_kind = false;  // only systems of this kind understand its text
  std::string collation = {};   // its name, where it must be said when the column is declared anew
  bool is_numbered = false;     // the system gives new rows numbers here
  bool is_spelled = false;      // kept as a text: what is spelled otherwise is another value
  bool is_double = false;       // decimals are kept as doubles, of which 15 digits are sure
};

// Columns whose values no two rows share.
struct UniqueInfo {
  std::vector<std::string> columns;
  std::vector<model::KeyEquivalence> equivalences;  // per column
  bool are_nulls_equal = false;
  std::string drop = {};  // what gives it up: a statement, or words where there is none
};

struct TableInfo {
  std::string name;
  std::vector<ColumnInfo> columns;
  std::vector<std::vector<std::string>> keys;  // primary first, then unique ones without NULLs
  std::vector<std::string> references;         // tables that its foreign keys point to
  std::vector<UniqueInfo> uniques;             // the keys, and those that may be NULL
  uint64_t row_count = 0;
  // Why no dataset can live in it, of which nothing more is told then, and what mends that.
  std::string unread = {};
  std::string unread_fix = {};
};

enum class Severity : uint8_t { kNote, kWarning, kStops };

struct NarrowText {
  model::FieldIndex field = 0;
  std::string charset;
  bool operator==(const NarrowText&) const = default;
};

struct Finding {
  Severity severity = Severity::kNote;
  std::string dataset;  // empty: the whole system
  std::string what;
  std::string fix;  // the exact SQL or setting
  // A field that the system itself sets whenever a row is updated: proposed as `local`, and of no
  // interest where it is. The setting that makes it so is added to fix.
  std::optional<model::FieldIndex> kept_field = std::nullopt;
  // A field whose column lacks letters that others may have: of no interest where they lack the
  // same.
  std::optional<NarrowText> narrow_text = std::nullopt;
  // A field whose decimals are kept as doubles: of no interest where they come from such only.
  std::optional<model::FieldIndex> double_field = std::nullopt;
};

class Catalog {
 public:
  virtual ~Catalog() = default;
  virtual Result<std::vector<TableInfo>> tables() = 0;
  // What stands in the way of syncing the configured datasets, and what Syncline would create.
  virtual Result<std::vector<Finding>> findings() = 0;
  // What shows that the log is not the one that was read up to there, an older copy of it; nothing
  // where it is, and where that cannot be told from outside.
  virtual Result<std::optional<Finding>> find_gap(const model::Position& /*read_to*/) {
    return std::optional<Finding>();
  }
  // Removes everything of ours from the system; returns what was removed.
  virtual Result<std::vector<std::string>> detach() = 0;
};

}  // namespace syncline::ports
