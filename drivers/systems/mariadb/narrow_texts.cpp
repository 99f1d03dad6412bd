// Columns whose character set lacks letters that other systems' texts may have, of which each
// record with one is refused; and columns whose own letters are not known.
#include <algorithm>
#include <set>
#include <string>

#include "drivers/systems/mariadb/detail/charset.hpp"
#include "drivers/systems/mariadb/detail/findings.hpp"

namespace syncline::mariadb {
namespace {

constexpr std::string_view kWide[] = {"utf8mb4", "utf16", "utf16le", "utf32", "gb18030"};

bool is_narrow(const Column& column, model::TypeKind kind) {
  const bool is_text = kind == model::TypeKind::kText || kind == model::TypeKind::kChar ||
                       kind == model::TypeKind::kJson;
  return is_text && holds_characters(column.type) && !column.is_generated &&
         std::ranges::find(kWide, column.type.charset) == std::end(kWide);
}

Result<std::set<std::string>> read_wide_collations(Connection& connection) {
  SYN_TRY(Answer rows,
          connection.query("SELECT COLLATION_NAME FROM information_schema.COLLATIONS WHERE "
                           "CHARACTER_SET_NAME = 'utf8mb4'"));
  std::set<std::string> names;
  while (rows.next()) names.emplace(rows.text(0));
  return names;
}

// The like of a collation: it tells as much apart. Empty: the server's default for the set.
std::string wide_collation(const std::set<std::string>& known, const Column& column) {
  const size_t end = column.collation.find('_');
  if (end == std::string::npos) return "";
  std::string like = "utf8mb4" + column.collation.substr(end);
  // Of all sets, and listed of none.
  if (like.find("_uca1400_") != std::string::npos || known.contains(like)) return like;
  return like.ends_with("_cs") ? "utf8mb4_bin" : "utf8mb4_general_ci";
}

// What SHOW CREATE TABLE says of the column behind its type and character set: whether it may be
// NULL, its default, its comment.
std::string rest_of(std::string_view table, const Column& column) {
  const std::string begin = "\n  " + quoted_name(column.name) + " " + column.type.name;
  const size_t at = table.find(begin);
  if (at == std::string_view::npos) return column.is_nullable ? "" : " NOT NULL";
  std::string_view line = table.substr(at + begin.size());
  line = line.substr(0, line.find('\n'));
  if (line.ends_with(',')) line.remove_suffix(1);
  for (const std::string_view words : {" CHARACTER SET ", " COLLATE "}) {
    if (!line.starts_with(words)) continue;
    line.remove_prefix(words.size());
    line.remove_prefix(std::min(line.find(' '), line.size()));
  }
  return std::string(line);
}

// created: SHOW CREATE TABLE; known: the collations of utf8mb4.
std::string wide_sql(std::string_view created, const std::set<std::string>& known,
                     const Mapped& mapped, const Column& column) {
  const std::string collation = wide_collation(known, column);
  return "ALTER TABLE " + quoted_name(mapped.table.name) + " MODIFY " + quoted_name(column.name) +
         " " + column.type.name + " CHARACTER SET utf8mb4" +
         (collation.empty() ? "" : " COLLATE " + collation) + rest_of(created, column) + ";";
}

Result<void> unreadable_text(Connection& connection, const Mapped& mapped, const Column& column) {
  SYN_TRY(const std::string created, read_created(connection, mapped.table.name));
  SYN_TRY(const auto known, read_wide_collations(connection));
  return fail(ErrorCode::kSystemSchema, "dataset " + mapped.schema->name + " is not read",
              "column " + column.name + " of " + mapped.table.name + " has the character set " +
                  column.type.charset + ", whose letters this version does not know",
              wide_sql(created, known, mapped, column));
}

}  // namespace

Result<void> find_narrow_texts(Connection& connection, const Mapped& mapped,
                               std::vector<ports::Finding>& out) {
  if (mapped.mapping->direction == ports::Direction::kFrom) return success();
  std::string created;
  std::set<std::string> known;
  for (size_t i = 0; i < mapped.columns.size(); ++i) {
    const Column& column = mapped.columns[i];
    if (!is_narrow(column, mapped.schema->fields[i].type.kind)) continue;
    if (created.empty()) {
      SYN_TRY(created, read_created(connection, mapped.table.name));
      SYN_TRY(known, read_wide_collations(connection));
    }
    const std::string& charset = column.type.charset;
    ports::Finding finding{
        ports::Severity::kNote, mapped.schema->name,
        "column " + column.name + " of " + mapped.table.name + " has the character set " + charset +
            ": a record with a letter that it lacks, from another system, is refused and goes to "
            "quarantine",
        wide_sql(created, known, mapped, column)};
    finding.narrow_text = {static_cast<model::FieldIndex>(i), charset};
    out.push_back(std::move(finding));
  }
  return success();
}

Result<void> read_letters(Connection& connection, Charsets& charsets, Mapped& mapped) {
  for (Column& column : mapped.columns) {
    auto letters = charsets.get(connection, column.type.charset);
    if (!letters && letters.error().code == ErrorCode::kSystemSchema) {
      return unreadable_text(connection, mapped, column);
    }
    SYN_TRY(column.type.letters, std::move(letters));
  }
  return success();
}

}  // namespace syncline::mariadb
