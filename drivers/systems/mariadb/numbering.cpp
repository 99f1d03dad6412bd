#include "drivers/systems/mariadb/detail/numbering.hpp"

#include <optional>
#include <set>

#include "drivers/systems/mariadb/declaration.hpp"
#include "drivers/systems/mariadb/detail/rights.hpp"

namespace syncline::mariadb {
namespace {

using ports::Finding, ports::Severity;

// Of the server: what a session of a user's counts by from its beginning on.
struct Steps {
  int64_t increment = 1;
  int64_t offset = 1;

  // An offset above the increment counts for nothing.
  bool gives(int64_t makers, int64_t index) const {
    return increment % makers == 0 && offset <= increment && offset % makers == index;
  }
};

// For a table alone, as servers with several systems need it: a sequence does not go on above what
// others bring, and has no need to.
std::string sequence_sql(const Mapped& mapped, const Column& column, const std::string& declared) {
  const std::string count = std::to_string(mapped.mapping->maker_count);
  const std::string table = quoted_name(mapped.table.name);
  const std::string sequence = quoted_name(mapped.table.name + "_" + column.name + "_numbers");
  return "SELECT (AUTO_INCREMENT DIV " + count + " + 1) * " + count + " + " +
         std::to_string(mapped.mapping->maker_index) +
         " INTO @start FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND "
         "TABLE_NAME = " +
         literal(mapped.table.name) + "; EXECUTE IMMEDIATE concat(" +
         literal("CREATE SEQUENCE " + sequence + " INCREMENT BY " + count + " START WITH ") +
         ", @start); ALTER TABLE " + table + " " +
         modify_sql(column.name, with_default(declared, "nextval(" + sequence + ")")) + ";";
}

std::string steps_sql(const Mapped& mapped) {
  const size_t count = mapped.mapping->maker_count;
  const size_t index = mapped.mapping->maker_index;
  // Offsets begin at 1: the first system's remainder, 0, is the increment itself.
  const std::string increment = std::to_string(count);
  const std::string offset = std::to_string(index == 0 ? count : index);
  return "SET GLOBAL auto_increment_increment = " + increment +
         "; SET GLOBAL auto_increment_offset = " + offset +
         "; and in the server's config, that it outlives a restart: auto_increment_increment = " +
         increment + " and auto_increment_offset = " + offset +
         ". Sessions of users that are open must connect anew";
}

Result<std::set<std::string>> numbered_columns(Connection& connection, const Mapped& mapped) {
  SYN_TRY(Answer rows, connection.query("SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE "
                                        "TABLE_SCHEMA = DATABASE() AND (EXTRA LIKE "
                                        "'%auto_increment%' OR COLUMN_DEFAULT LIKE "
                                        "'%nextval(%') AND TABLE_NAME = " +
                                        literal(mapped.table.name)));
  std::set<std::string> names;
  while (rows.next()) names.emplace(rows.text(0));
  return names;
}

// MySQL has no sequences.
std::string numbering_fix(const ServerKind& server, const Mapped& mapped, const Column& column,
                          const std::string& declared) {
  std::string steps = steps_sql(mapped) + ".";
  if (server.is_mysql()) return steps;
  return steps +
         " Where another system lies on this same server, whose settings are one for all: a "
         "sequence for this key, " +
         sequence_sql(mapped, column, declared);
}

// A number that both give is one record to the key, and a clash in any other column.
class Numbering {
 public:
  Numbering(Connection& connection, const Mapped& mapped, std::vector<Finding>& out)
      : connection_(connection), mapped_(mapped), out_(out) {}

  Result<void> look_at(size_t field) {
    const Column& column = mapped_.columns[field];
    is_key_ = field < mapped_.key_count();
    SYN_TRY(const std::string declared, read_declaration(connection_, mapped_.table.name, column));
    if (column.is_numbered) return look_at_server(column, declared);
    if (const auto name = sequence_in(declared)) return look_at_sequence(column, *name);
    return success();
  }

 private:
  int64_t makers() const { return static_cast<int64_t>(mapped_.mapping->maker_count); }
  int64_t index() const { return static_cast<int64_t>(mapped_.mapping->maker_index); }

  Result<Steps> server_steps() {
    SYN_TRY(Answer row, connection_.query("SELECT @@global.auto_increment_increment, "
                                          "@@global.auto_increment_offset"));
    row.next();
    return Steps{row.integer(0), row.integer(1)};
  }

  Result<void> look_at_server(const Column& column, const std::string& declared) {
    SYN_TRY(const Steps steps, server_steps());
    if (steps.gives(makers(), index())) return success();
    tell(column,
         "this server (auto_increment_increment = " + std::to_string(steps.increment) +
             ", auto_increment_offset = " + std::to_string(steps.offset) + ")",
         numbering_fix(connection_.kind(), mapped_, column, declared));
    return success();
  }

  // How it stands is told by the sequence itself; one that counts by 0 counts as the server does.
  Result<void> look_at_sequence(const Column& column, const std::string& name) {
    auto row = connection_.query("SELECT increment, next_not_cached_value FROM " + name);
    if (!row && !connection_.is_usable()) return row.error();
    if (!row || !row.value().next()) {
      SYN_TRY(const std::string user, account(connection_));
      tell(column, "sequence " + name + ", which cannot be looked at",
           "GRANT SELECT ON " + name + " TO " + user + ";");
      return success();
    }
    const int64_t next = row.value().integer(1);
    Steps steps{row.value().integer(0), next};
    const bool is_of_server = steps.increment == 0;
    if (is_of_server) {
      SYN_TRY(steps, server_steps());
    }
    const bool is_apart = is_of_server
                              ? steps.gives(makers(), index())
                              : steps.increment % makers() == 0 && next % makers() == index();
    if (is_apart) return success();
    tell(column,
         "sequence " + name + " (it is at " + std::to_string(next) + " and counts by " +
             std::to_string(steps.increment) + ")",
         restart_sql(column, name));
    return success();
  }

  // Above what it gave and what the table holds, with this system's remainder.
  std::string restart_sql(const Column& column, const std::string& name) const {
    const std::string count = std::to_string(makers());
    return "SELECT (greatest((SELECT next_not_cached_value FROM " + name +
           "), (SELECT ifnull(max(" + quoted_name(column.name) + "), 0) FROM " +
           quoted_name(mapped_.table.name) + ")) DIV " + count + " + 1) * " + count + " + " +
           std::to_string(index()) + " INTO @start; EXECUTE IMMEDIATE concat(" +
           literal("ALTER SEQUENCE " + name + " INCREMENT BY " + count + " RESTART WITH ") +
           ", @start);";
  }

  void tell(const Column& column, const std::string& by, std::string fix) {
    const std::string what = column.name + " of " + mapped_.table.name + " is numbered by " + by +
                             ", and another system makes records too: two would share a number";
    fix +=
        " Or numbers = \"apart\" in the dataset's section of this system, if its numbers are "
        "kept apart otherwise";
    if (is_key_) {
      out_.push_back({Severity::kStops, mapped_.schema->name, "key column " + what, fix});
      return;
    }
    out_.push_back(
        {Severity::kWarning, mapped_.schema->name,
         "column " + what + ", and where it is unique, one of them goes to quarantine",
         fix + ". Or leave it out: exclude = [\"" + column.name + "\"] in the dataset's section"});
  }

  // The sequence that a declaration's DEFAULT draws from: `shop`.`numbers`.
  static std::optional<std::string> sequence_in(std::string_view declared) {
    constexpr std::string_view kDraws = "nextval(";
    const size_t at = declared.find(kDraws);
    if (at == std::string_view::npos || !has_default(declared)) return std::nullopt;
    const std::string_view name = declared.substr(at + kDraws.size());
    bool is_quoted = false;
    for (size_t end = 0; end < name.size(); ++end) {
      if (name[end] == '`') is_quoted = !is_quoted;
      if (name[end] == ')' && !is_quoted) return std::string(name.substr(0, end));
    }
    return std::nullopt;
  }

  Connection& connection_;
  const Mapped& mapped_;
  std::vector<Finding>& out_;
  bool is_key_ = true;
};

}  // namespace

Result<void> find_numbering(Connection& connection, const Mapped& mapped,
                            std::vector<Finding>& out) {
  const ports::DatasetMapping& mapping = *mapped.mapping;
  if (mapping.direction == ports::Direction::kTo || mapping.maker_count < 2) return success();
  Numbering numbering(connection, mapped, out);
  SYN_TRY(const auto numbered, numbered_columns(connection, mapped));
  for (size_t i = 0; i < mapped.columns.size(); ++i) {
    if (!numbered.contains(mapped.columns[i].name)) continue;
    SYN_TRY(numbering.look_at(i));
  }
  return success();
}

}  // namespace syncline::mariadb
