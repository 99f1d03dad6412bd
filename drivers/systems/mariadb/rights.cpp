#include "drivers/systems/mariadb/detail/rights.hpp"

#include <algorithm>

#include <mysqld_error.h>

#include "drivers/systems/mariadb/detail/objects.hpp"

namespace syncline::mariadb {
namespace {

using ports::Finding, ports::Severity;

// Active roles' grants are among them.
Result<std::string> read_grants(Connection& connection) {
  SYN_TRY(Answer rows, connection.query("SHOW GRANTS"));
  std::string grants;
  while (rows.next()) grants += std::string(rows.text(0)) + "\n";
  return grants;
}

// LIKE's patterns, as the databases of grants are.
bool is_like(std::string_view name, std::string_view pattern) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() == '%') {
    for (size_t at = 0; at <= name.size(); ++at) {
      if (is_like(name.substr(at), pattern.substr(1))) return true;
    }
    return false;
  }
  if (name.empty()) return false;
  const bool is_any = pattern.front() == '_';
  if (pattern.front() == '\\' && pattern.size() > 1) pattern.remove_prefix(1);
  return (is_any || pattern.front() == name.front()) && is_like(name.substr(1), pattern.substr(1));
}

// Takes a name off the text, quoted or *; what a quoted one holds, without its quotes.
std::string take_name(std::string_view& text) {
  if (text.starts_with('*')) {
    text.remove_prefix(1);
    return "*";
  }
  std::string name;
  size_t at = text.starts_with('`') ? 1 : 0;
  for (; at < text.size() && text.front() == '`'; ++at) {
    if (text[at] == '`' && (at + 1 == text.size() || text[at + 1] != '`')) break;
    if (text[at] == '`') ++at;
    name += text[at];
  }
  text.remove_prefix(std::min(text.size(), at + 1));
  return name;
}

bool lists_right(std::string_view rights, std::string_view right) {
  if (rights == "ALL PRIVILEGES") return true;
  for (size_t at = 0; at < rights.size();) {
    const size_t end = std::min(rights.find(", ", at), rights.size());
    if (rights.substr(at, end - at) == right) return true;
    at = end + 2;
  }
  return false;
}

bool gives(std::string_view line, std::string_view right, std::string_view database,
           std::string_view table) {
  constexpr std::string_view kGrant = "GRANT ";
  const size_t on = line.find(" ON ");
  if (!line.starts_with(kGrant) || on == std::string_view::npos) return false;
  if (!lists_right(line.substr(kGrant.size(), on - kGrant.size()), right)) return false;
  std::string_view object = line.substr(on + 4);
  const std::string of_database = take_name(object);
  if (!object.starts_with('.')) return false;
  object.remove_prefix(1);
  const std::string of_table = take_name(object);
  if (of_table == "*") return of_database == "*" || is_like(database, of_database);
  return of_database == database && of_table == table;
}

// An INSERT asks for rights on what the table's defaults draw from too; of that the server speaks:
// "command denied to user 'a'@'b' for table `shop`.`numbers` [1142, 42000]". Or empty.
std::string denied_sequence(const std::string& message, const std::string& table) {
  constexpr std::string_view kFor = " for table ";
  const size_t at = message.find(std::string(kFor) + "`");
  if (at == std::string::npos) return {};
  const size_t begin = at + kFor.size();
  const std::string named = message.substr(begin, message.rfind(" [") - begin);
  return named.ends_with(quoted_name(table)) ? "" : named;
}

}  // namespace

Result<std::string> account(Connection& connection) {
  return connection.query_text(
      "SELECT concat('''', replace(substring_index(current_user(), '@', length(current_user()) - "
      "length(replace(current_user(), '@', ''))), '''', ''''''), '''@''', "
      "substring_index(current_user(), '@', -1), '''')");
}

bool grants_everywhere(std::string_view grants, std::string_view right) {
  for (size_t at = 0; at < grants.size();) {
    const size_t end = std::min(grants.find('\n', at), grants.size());
    const std::string_view line = grants.substr(at, end - at);
    const bool is_global = line.find(" ON *.* TO ") != std::string_view::npos;
    if (is_global && gives(line, right, {}, {})) return true;
    at = end + 1;
  }
  return false;
}

bool grants_on_table(std::string_view grants, std::string_view right, std::string_view database,
                     std::string_view table) {
  for (size_t at = 0; at < grants.size();) {
    const size_t end = std::min(grants.find('\n', at), grants.size());
    if (gives(grants.substr(at, end - at), right, database, table)) return true;
    at = end + 1;
  }
  return false;
}

Result<void> find_log_rights(Connection& connection, std::vector<Finding>& out) {
  SYN_TRY(const std::string user, account(connection));
  SYN_TRY(const std::string grants, read_grants(connection));
  if (!grants_everywhere(grants, "REPLICATION SLAVE")) {
    out.push_back({Severity::kStops, "", "user " + user + " may not read the log",
                   "GRANT REPLICATION SLAVE ON *.* TO " + user + ";"});
  }
  if (connection.kind().is_mysql() && !grants_everywhere(grants, "REPLICATION CLIENT")) {
    out.push_back({Severity::kStops, "", "user " + user + " may not ask where the log ends",
                   "GRANT REPLICATION CLIENT ON *.* TO " + user + ";"});
  }
  return success();
}

Result<void> find_own_table_rights(Connection& connection, const std::string& table,
                                   std::vector<Finding>& out) {
  SYN_TRY(const std::string grants, read_grants(connection));
  SYN_TRY(const std::string database, connection.query_text("SELECT DATABASE()"));
  SYN_TRY(const auto present, installed_objects(connection));
  const bool is_there =
      std::find(present.begin(), present.end(), "table " + table) != present.end();
  std::vector<std::string> wanted = {"SELECT", "INSERT", "UPDATE", "DELETE"};
  if (!is_there) wanted.emplace_back("CREATE");
  const bool has_all = std::all_of(wanted.begin(), wanted.end(), [&](const std::string& right) {
    return grants_on_table(grants, right, database, table);
  });
  if (has_all) return success();
  SYN_TRY(const std::string user, account(connection));
  const std::string what =
      is_there ? " may not read and write the table " : " may not create the table ";
  out.push_back({Severity::kStops, "", "user " + user + what + table,
                 "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP ON " + quoted_name(database) +
                     "." + quoted_name(table) + " TO " + user + ";"});
  return success();
}

Result<bool> may_write_all_the_same(Connection& connection) {
  SYN_TRY(const std::string grants, read_grants(connection));
  const bool is_mysql = connection.kind().is_mysql();
  return grants_everywhere(grants, is_mysql ? "SUPER" : "READ_ONLY ADMIN") ||
         grants_everywhere(grants, is_mysql ? "CONNECTION_ADMIN" : "SUPER");
}

// EXPLAIN asks for the rights of what it explains, and does nothing.
Result<void> find_table_rights(Connection& connection, const Mapped& mapped,
                               std::vector<Finding>& out) {
  SYN_TRY(const std::string database, connection.query_text("SELECT DATABASE()"));
  const std::string table = quoted_name(database) + "." + quoted_name(mapped.table.name);
  const std::string key = quoted_name(mapped.columns[0].name);
  const bool is_written = mapped.mapping->direction != ports::Direction::kFrom;
  std::vector<std::string> statements = {"SELECT 1 FROM " + table};
  if (is_written) {
    statements.push_back("UPDATE " + table + " SET " + key + " = " + key + " WHERE FALSE");
    statements.push_back("DELETE FROM " + table + " WHERE FALSE");
    statements.push_back("INSERT INTO " + table + " (" + key + ") SELECT " + key + " FROM " +
                         table + " WHERE FALSE");
  }
  for (const std::string& statement : statements) {
    const auto explained = connection.query("EXPLAIN " + statement);
    if (explained) continue;
    const unsigned number = mysql_errno(connection.handle());
    const bool is_denied =
        number == ER_TABLEACCESS_DENIED_ERROR || number == ER_COLUMNACCESS_DENIED_ERROR;
    if (code_of(number) == ErrorCode::kSystemOpen && number != ER_OPTION_PREVENTS_STATEMENT) {
      return explained.error();
    }
    if (!is_denied) continue;  // of a server that is read_only we tell already
    SYN_TRY(const std::string user, account(connection));
    const std::string what = is_written ? "read and write " : "read ";
    const std::string rights = is_written ? "SELECT, INSERT, UPDATE, DELETE" : "SELECT";
    const std::string sequence = denied_sequence(explained.error().why, mapped.table.name);
    std::string fix = "GRANT " + (sequence.empty() ? rights : "SELECT, INSERT");
    fix.append(" ON ").append(sequence.empty() ? table : sequence);
    fix.append(" TO ").append(user).append(";");
    std::string problem = "user " + user;
    problem.append(" may not ").append(what).append(mapped.table.name);
    out.push_back({Severity::kStops, mapped.schema->name, std::move(problem), std::move(fix)});
    break;
  }
  return success();
}

Result<void> find_unseen_triggers(Connection& connection, const Mapped& mapped,
                                  std::vector<Finding>& out) {
  const bool is_written = mapped.mapping->direction != ports::Direction::kFrom;
  if (!is_written || mapped.mapping->triggers == "fire") return success();
  SYN_TRY(const std::string grants, read_grants(connection));
  SYN_TRY(const std::string database, connection.query_text("SELECT DATABASE()"));
  if (grants_on_table(grants, "TRIGGER", database, mapped.table.name)) return success();
  SYN_TRY(const std::string user, account(connection));
  out.push_back({Severity::kStops, mapped.schema->name,
                 "user " + user + " is not told of triggers on " + mapped.table.name +
                     ": they would fire for our writes unseen",
                 "GRANT TRIGGER ON " + quoted_name(database) + "." +
                     quoted_name(mapped.table.name) + " TO " + user +
                     "; or triggers = \"fire\" in the dataset's section accepts them all"});
  return success();
}

}  // namespace syncline::mariadb
