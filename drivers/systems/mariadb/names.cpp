#include "drivers/systems/mariadb/detail/names.hpp"

namespace syncline::mariadb {

std::string logged_name(const std::string& column) {
  return "IF(@@lower_case_table_names = 0, " + column + ", LOWER(" + column + "))";
}

Result<std::string> logged_database(Connection& connection) {
  return connection.query_text("SELECT " + logged_name("DATABASE()"));
}

std::optional<Error> other_database(const Connection& connection, const std::string& named,
                                    const std::string& logged) {
  if (logged == named) return std::nullopt;
  return Error{ErrorCode::kSystemOpen,
               "the log of " + connection.place() + " knows database " + named + " as " + logged,
               "the server takes names in any case for one (lower_case_table_names)",
               "write " + logged + " in the system's url"};
}

}  // namespace syncline::mariadb
