#include "drivers/systems/sqlite/detail/column_findings.hpp"

#include <algorithm>

#include "drivers/systems/sqlite/detail/numbering.hpp"
#include "drivers/systems/sqlite/detail/rebuild.hpp"

namespace syncline::sqlite {
namespace {

using model::TypeKind;
using ports::Finding, ports::Severity;

constexpr uint16_t kDecimalDigitsOfReal = 15;
constexpr uint16_t kDigitsOfInteger = 18;

bool is_numeric(Affinity affinity) {
  return affinity != Affinity::kText && affinity != Affinity::kNone;
}

bool is_label(TypeKind kind) {
  return kind == TypeKind::kText || kind == TypeKind::kChar || kind == TypeKind::kEnum ||
         kind == TypeKind::kSet || kind == TypeKind::kBit;
}

bool is_number(TypeKind kind) {
  return kind == TypeKind::kInt64 || kind == TypeKind::kUint64 || kind == TypeKind::kYear ||
         kind == TypeKind::kBool || kind == TypeKind::kDecimal || kind == TypeKind::kFloat32 ||
         kind == TypeKind::kFloat64;
}

bool is_bytes(TypeKind kind) {
  return kind == TypeKind::kBytes || kind == TypeKind::kSpatial;
}

struct Unfit {
  std::string type;  // that the column should have
  std::string what;
};

// A STRICT table refuses what is of another storage class.
Unfit unfit_in_strict(TypeKind kind, const Column& column) {
  const std::string refused = ": its table is STRICT and refuses ";
  const bool is_blob = column.affinity == Affinity::kNone && column.declared_type != "ANY";
  if (column.declared_type == "ANY") return {};
  if (is_blob && kind == TypeKind::kUuid) return {};  // kept as its 16 bytes
  if (is_bytes(kind) && !is_blob) return {"BLOB", refused + "bytes"};
  if (!is_bytes(kind) && is_blob) return {is_number(kind) ? "ANY" : "TEXT", refused + "all else"};
  const bool is_text = !is_number(kind) && !is_bytes(kind);
  if (is_text && column.affinity != Affinity::kText) return {"TEXT", refused + "texts"};
  return {};
}

// Whole numbers stay integers, unless the column makes doubles of all.
uint16_t sure_digits(const model::LogicalType& type, const Column& column) {
  const bool is_whole = type.precision > 0 && type.scale == 0 && column.affinity != Affinity::kReal;
  return is_whole ? kDigitsOfInteger : kDecimalDigitsOfReal;
}

bool is_beyond_double(const model::LogicalType& type, const Column& column) {
  if (type.kind != TypeKind::kDecimal || !is_numeric(column.affinity)) return false;
  return type.precision == 0 || type.precision > sure_digits(type, column);
}

// What would be refused when it is written, because SQLite would keep another value.
Unfit unfit(const model::LogicalType& type, const Column& column, const Table& table) {
  if (table.is_strict) {
    if (Unfit found = unfit_in_strict(type.kind, column); !found.type.empty()) return found;
  }
  if (is_beyond_double(type, column)) {
    return {decimal_declaration(type, table),
            " keeps " + std::to_string(sure_digits(type, column)) + " digits of a " +
                model::to_string(type) + "; longer values go to quarantine"};
  }
  const bool is_float = type.kind == TypeKind::kFloat32 || type.kind == TypeKind::kFloat64;
  if (is_float && column.affinity == Affinity::kText) {
    return {"REAL", " keeps texts, and 15 digits of a number: numbers go to quarantine"};
  }
  const bool is_integer = type.kind == TypeKind::kInt64 || type.kind == TypeKind::kUint64;
  if (is_integer && column.affinity == Affinity::kReal) {
    return {"INTEGER", " keeps doubles: numbers beyond 2^53 go to quarantine"};
  }
  if (is_label(type.kind) && is_numeric(column.affinity)) {
    return {"TEXT",
            " keeps a text that looks like a number (007, 1.0) as a number: such texts go "
            "to quarantine"};
  }
  return {};
}

// A key for a row that has none; empty: none that would fit the type.
std::string made_key(const model::LogicalType& type, const Column& column, const Table& table) {
  switch (type.kind) {
    case TypeKind::kInt64:
    case TypeKind::kUint64:
      return "(SELECT coalesce(max(" + quoted(column.name) + "), 0) FROM main." +
             quoted(table.name) + ") + rowid";
    case TypeKind::kText:
    case TypeKind::kChar:
      return "'key-' || lower(hex(randomblob(16)))";
    case TypeKind::kUuid:
      if (column.affinity == Affinity::kNone) return "randomblob(16)";
      return "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || "
             "substr(hex(randomblob(2)), 2) || '-8' || substr(hex(randomblob(2)), 2) || '-' || "
             "hex(randomblob(6)))";
    default:
      return {};
  }
}

class Search {
 public:
  Search(Connection& connection, const Mapped& mapped, std::vector<Finding>& out)
      : connection_(connection), mapped_(mapped), table_(mapped.table), out_(out) {}

  Result<void> run() {
    for (size_t i = 0; i < mapped_.columns.size(); ++i) {
      SYN_TRY(const bool is_rowid, is_numbered(connection_, table_, mapped_.columns[i]));
      if (is_rowid) continue;
      SYN_TRY(look_at_type(i));
      if (i >= mapped_.key_count()) continue;
      SYN_TRY(look_at_collation(i));
      SYN_TRY(look_at_null(i));
    }
    for (const Column& column : table_.columns) {
      SYN_TRY(look_at_unsynced(column));
    }
    return success();
  }

 private:
  const model::LogicalType& type_of(size_t field) const {
    return mapped_.schema->fields[field].type;
  }
  bool is_written() const { return mapped_.mapping->direction != ports::Direction::kFrom; }

  // more: what is said behind the script.
  Result<void> tell(Severity severity, const std::string& what, const ColumnChange& change,
                    const std::string& more = "", const std::string& before = "") {
    const Rebuild rebuild{.changes = {change}, .before = before};
    SYN_TRY(const std::string script, rebuild_sql(connection_, table_, rebuild));
    out_.push_back({severity, mapped_.schema->name, what, script + more});
    return success();
  }

  Result<void> look_at_type(size_t field) {
    const Column& column = mapped_.columns[field];
    const Unfit found = unfit(type_of(field), column, table_);
    if (found.type.empty() || !is_written()) return success();
    const bool is_double = is_beyond_double(type_of(field), column);
    const std::string what = "column " + column.name + " (" + column.declared_type + ")";
    const bool has_fractions = type_of(field).precision == 0 || type_of(field).scale > 0;
    const bool is_refused = table_.is_strict && has_fractions;  // by an INTEGER there
    if (is_double && !is_refused && field < mapped_.key_count()) {
      // As texts, 1.5 and 1.50 would be two keys.
      out_.push_back({Severity::kNote, mapped_.schema->name, "key " + what + found.what,
                      "nothing, where no key has more digits"});
    } else {
      const ColumnChange change{.column = column.name, .type = found.type};
      SYN_TRY(const std::string encoding, connection_.query_text("PRAGMA encoding"));
      const bool is_by_hand =
          encoding != "UTF-8" && (found.type == "BLOB" || column.declared_type == "BLOB");
      const std::string more =
          is_by_hand
              ? " -- where " + column.name +
                    (found.type == "BLOB" ? " holds texts, a program has to write their bytes"
                                          : " holds bytes, a program has to write their texts") +
                    ": to SQL they are those of UTF-16, as this file is"
              : (is_double ? kTextMind : "");
      SYN_TRY(tell(Severity::kWarning, what + found.what, change, more));
    }
    if (is_double) out_.back().double_field = static_cast<model::FieldIndex>(field);
    return success();
  }

  Result<void> look_at_collation(size_t field) {
    const Column& column = mapped_.columns[field];
    const auto equivalence = mapped_.schema->key_equivalence;
    const bool is_case = equivalence == model::KeyEquivalence::kAsciiCaseInsensitive;
    const bool is_finer =
        equivalence != model::KeyEquivalence::kBytes &&
        (column.collation == "BINARY" || (is_case && column.collation == "RTRIM"));
    const bool is_text = column.affinity == Affinity::kText || is_label(type_of(field).kind);
    if (!is_finer || !is_text) return success();
    // One that folds in part was chosen by somebody.
    return tell(column.collation == "BINARY" ? Severity::kStops : Severity::kWarning,
                "key column " + column.name + " tells keys apart that another system takes for one",
                {.column = column.name, .collation = is_case ? "NOCASE" : "RTRIM"});
  }

  // SQLite lets NULL into a primary key, as often as it comes.
  Result<void> look_at_null(size_t field) {
    const Column& column = mapped_.columns[field];
    if (!column.is_nullable) return success();
    const std::string name = quoted(column.name);
    const std::string rows = "main." + quoted(table_.name) + " WHERE " + name + " IS NULL";
    SYN_TRY(const int64_t count, connection_.query_integer("SELECT count(*) FROM " + rows));
    const std::string where = "key column " + column.name + " of " + table_.name;
    const ColumnChange change{.column = column.name, .null = ColumnChange::Null::kRefused};
    if (count == 0) {
      return tell(Severity::kNote, where + " may be NULL: such a row would not be synced", change);
    }
    const std::string what = where + " is NULL in " + std::to_string(count) +
                             (count == 1 ? " row, which is" : " rows, which are") + " not synced";
    const std::string key = made_key(type_of(field), column, table_);
    if (key.empty() || table_.find("rowid") != nullptr) {
      out_.push_back({Severity::kWarning, mapped_.schema->name, what,
                      "SELECT * FROM " + rows + "; -- give them keys"});
      return success();
    }
    return tell(Severity::kWarning, what, change, " -- or give or take them keys of yours before",
                "UPDATE OR ROLLBACK main." + quoted(table_.name) + " SET " + name + " = " + key +
                    " WHERE " + name + " IS NULL; ");
  }

  // What every new record lacks: neither synced, nor given by the file.
  Result<void> look_at_unsynced(const Column& column) {
    if (!is_written() || column.is_nullable || column.has_default || column.is_generated) {
      return success();
    }
    const bool is_synced =
        std::any_of(mapped_.columns.begin(), mapped_.columns.end(),
                    [&](const Column& synced) { return synced.name == column.name; });
    SYN_TRY(const bool is_rowid, is_numbered(connection_, table_, column));
    if (is_synced || is_rowid) return success();
    const std::string what = "column " + column.name + " of " + table_.name +
                             " is not synced, takes no NULL and has no default: no record of "
                             "another system's can be inserted";
    if (column.primary_key_place > 0) {
      out_.push_back({Severity::kWarning, mapped_.schema->name, what,
                      "sync it too: give the other systems a column for it"});
      return success();
    }
    return tell(Severity::kWarning, what,
                {.column = column.name, .null = ColumnChange::Null::kAllowed},
                " -- or sync it too");
  }

  Connection& connection_;
  const Mapped& mapped_;
  const Table& table_;
  std::vector<Finding>& out_;
};

bool is_kept_unique(const Table& table, std::span<const std::string> columns) {
  return std::any_of(table.uniques.begin(), table.uniques.end(), [&](const UniqueSet& unique) {
    return !unique.is_partial && std::is_permutation(unique.columns.begin(), unique.columns.end(),
                                                     columns.begin(), columns.end());
  });
}

}  // namespace

std::string decimal_declaration(const model::LogicalType& type, const Table& table) {
  if (table.is_strict) return "TEXT";
  if (type.precision == 0) return "DECIMAL TEXT";
  return "DECIMAL TEXT(" + std::to_string(type.precision) + "," + std::to_string(type.scale) + ")";
}

Result<void> find_in_columns(Connection& connection, const Mapped& mapped,
                             std::vector<Finding>& out) {
  return Search(connection, mapped, out).run();
}

Result<std::string> key_sql(Connection& connection, const Table& table,
                            std::span<const std::string> columns) {
  Rebuild rebuild;
  std::string names;
  for (const std::string& name : columns) {
    names += (names.empty() ? "" : ", ") + quoted(name);
    const Column* column = table.find(name);
    if (column == nullptr || !column->is_nullable) continue;
    SYN_TRY(const bool is_rowid, is_numbered(connection, table, *column));
    if (!is_rowid) {
      add_change(rebuild.changes, {.column = name, .null = ColumnChange::Null::kRefused});
    }
  }
  if (!is_kept_unique(table, columns)) {
    rebuild.after = "CREATE UNIQUE INDEX main." + quoted(table.name + "_syncline_key") + " ON " +
                    quoted(table.name) + "(" + names + ");";
  }
  if (rebuild.changes.empty()) return std::move(rebuild.after);
  if (!rebuild.after.empty()) rebuild.after += ' ';
  return rebuild_sql(connection, table, rebuild);
}

}  // namespace syncline::sqlite
