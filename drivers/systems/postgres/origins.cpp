#include "drivers/systems/postgres/detail/origins.hpp"

namespace syncline::postgres {
namespace {

constexpr int kFiltering = 160000;  // the first version that leaves rows out by origin
constexpr const char* kHere = "(SELECT oid FROM pg_database WHERE datname = current_database())";
constexpr const char* kFunctions =
    "ARRAY['pg_replication_origin_create(text)', 'pg_replication_origin_drop(text)', "
    "'pg_replication_origin_session_setup(text)', 'pg_replication_origin_session_reset()', "
    "'pg_replication_origin_session_is_setup()']";

// An origin belongs to a server. Those that are known to write to other databases of it only:
// subscriptions of those, and appliances that keep those in step.
std::string foreign_sql(const std::string& object) {
  return "SELECT 1 FROM pg_replication_origin o WHERE NOT " + is_ours(object) +
         " AND NOT (o.roname ~ '^syncline_.*@[0-9]+$' AND o.roname !~ ('@' || " +
         std::string(kHere) +
         " || '$')) AND NOT EXISTS (SELECT FROM pg_subscription s WHERE s.subdbid <> " + kHere +
         " AND (o.roname = 'pg_' || s.oid OR o.roname ~ ('^pg_' || s.oid || '_')))";
}

Result<bool> is_foreign(Connection& connection, const std::string& object) {
  SYN_TRY(const Answer answer, connection.query(foreign_sql(object) + " LIMIT 1"));
  return answer.row_count() > 0;
}

// What our role lacks to use one; empty: nothing.
Result<std::string> origin_grants(Connection& connection) {
  SYN_TRY(const Answer missing,
          connection.query("SELECT 'GRANT EXECUTE ON FUNCTION ' || string_agg(f, ', ') || ' TO ' "
                           "|| quote_ident(current_user) || ';' FROM unnest(" +
                           std::string(kFunctions) +
                           ") AS f WHERE NOT has_function_privilege(f, 'EXECUTE') HAVING count(*) "
                           "> 0"));
  return missing.row_count() == 0 ? std::string() : std::string(missing.text(0, 0));
}

}  // namespace

std::string is_ours(const std::string& object) {
  return "o.roname ~ (" + literal("^" + object + "([.][0-9]+)?@") + " || " + kHere + " || '$')";
}

std::string origin_sql(const std::string& object, size_t place) {
  const std::string number = place == 0 ? "" : "." + std::to_string(place + 1);
  return "(" + literal(object + number + "@") + " || " + kHere + ")";
}

Result<Origins> look_at_origins(Connection& connection, const std::string& object) {
  Origins origins;
  if (connection.version() < kFiltering) return origins;
  SYN_TRY(const std::string end, connection.query_text("SELECT pg_current_wal_insert_lsn()"));
  SYN_TRY(origins.end, parse_lsn(end));
  SYN_TRY(const Answer row,
          connection.query("SELECT pg_stat_get_tuples_inserted('pg_replication_origin'::regclass), "
                           "EXISTS (SELECT FROM pg_replication_origin o WHERE " +
                           is_ours(object) + "), EXISTS (" + foreign_sql(object) + ")"));
  origins.made_count = row.integer(0, 0);
  if (row.is_true(0, 1)) origins.ours = row.is_true(0, 2) ? Origin::kForeign : Origin::kOurs;
  return origins;
}

Result<bool> may_use_origin(Connection& connection, const std::string& object, size_t place) {
  SYN_TRY(const Origins origins, look_at_origins(connection, object));
  if (origins.ours != Origin::kOurs) return false;
  SYN_TRY(const Answer made, connection.query("SELECT FROM pg_replication_origin WHERE roname = " +
                                              origin_sql(object, place)));
  if (made.row_count() == 0) return false;
  SYN_TRY(const std::string lacking, origin_grants(connection));
  return lacking.empty();
}

Result<std::string> wanted_origin(Connection& connection, const std::string& object, size_t place) {
  if (connection.version() < kFiltering) return std::string();
  SYN_TRY(const std::string lacking, origin_grants(connection));
  if (!lacking.empty()) return std::string();
  SYN_TRY(const bool is_shared, is_foreign(connection, object));
  if (is_shared) return std::string();
  return connection.query_text("SELECT " + origin_sql(object, place));
}

Result<void> install_origins(Connection& connection, const std::string& object, size_t count) {
  for (size_t place = 0; place < count; ++place) {
    SYN_TRY(const std::string name, wanted_origin(connection, object, place));
    if (name.empty()) return success();
    SYN_TRY(connection.query(
        "SELECT pg_replication_origin_create(" + literal(name) +
        ") WHERE NOT EXISTS (SELECT FROM pg_replication_origin WHERE roname = " + literal(name) +
        ")"));
  }
  return success();
}

// To ask for the right to drop them, where there is none to drop, would be refused already.
Result<void> drop_origins(Connection& connection, const std::string& object) {
  if (connection.version() < kFiltering) return success();
  SYN_TRY(const Answer ours,
          connection.query("SELECT quote_literal(roname) FROM pg_replication_origin o WHERE " +
                           is_ours(object)));
  for (size_t row = 0; row < ours.row_count(); ++row) {
    SYN_TRY(connection.query("SELECT pg_replication_origin_drop(" + std::string(ours.text(row, 0)) +
                             ")"));
  }
  return success();
}

Result<void> find_needless_echoes(Connection& connection, const std::string& object,
                                  std::vector<ports::Finding>& out) {
  if (connection.version() < kFiltering) return success();
  const std::string what = "the server sends us our own writes again: ";
  SYN_TRY(std::string lacking, origin_grants(connection));
  if (!lacking.empty()) {
    out.push_back({ports::Severity::kNote,
                   {},
                   what + "we may not use a replication origin, by which it could leave them out",
                   std::move(lacking)});
    return success();
  }
  SYN_TRY(const bool is_shared, is_foreign(connection, object));
  if (!is_shared) return success();
  out.push_back({ports::Severity::kNote,
                 {},
                 what + "somebody else writes here under a replication origin, and it could leave "
                        "out only both",
                 "nothing, or: SELECT * FROM pg_replication_origin; and drop those that are left "
                 "over"});
  return success();
}

}  // namespace syncline::postgres
