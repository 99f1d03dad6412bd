// One MariaDB server for the whole program, or a MySQL where MYSQL_BIN names one; a database of its
// own for each test, and a plain connection that plays the user. The server stands east of UTC, as
// ours must not take it to.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <mysql.h>

#include "drivers/systems/mariadb/detail/shared.hpp"
#include "drivers/systems/mariadb/mariadb.hpp"
#include "tests/support/system_test.hpp"

namespace syncline::mariadb {

using ports::make_schema, ports::type_of;

inline bool is_mysql() {
  return std::getenv("MYSQL_BIN") != nullptr;
}

class Server {
 public:
  static Server& instance() {
    static Server server;
    return server;
  }
  const std::string& folder() const { return folder_; }
  std::string socket() const { return folder_ + "/socket"; }
  void start() { call("start", ""); }
  void stop(const std::string& how) { call("stop", how); }
  std::string new_database() { return "t" + std::to_string(++database_count_); }

 private:
  Server() {
    std::string pattern = std::filesystem::temp_directory_path() / "syncline-maria-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    start();
  }
  ~Server() { call("remove", ""); }
  void call(const std::string& command, const std::string& how) {
    const std::string line = std::string("TZ=Europe/Zurich tests/support/") +
                             (is_mysql() ? "mysql_server " : "mariadb_server ") + command + " " +
                             folder_ + " " + how;
    EXPECT_EQ(0, std::system(line.c_str())) << line;
  }

  std::string folder_;
  int database_count_ = 0;
};

class User {
 public:
  explicit User(const std::string& database,
                const std::string& socket = Server::instance().socket()) {
    handle_ = mysql_init(nullptr);
    mysql_optionsv(handle_, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    EXPECT_NE(nullptr, mysql_real_connect(handle_, nullptr, "root", "",
                                          database.empty() ? nullptr : database.c_str(), 0,
                                          socket.c_str(), 0))
        << mysql_error(handle_);
  }
  ~User() { mysql_close(handle_); }
  User(const User&) = delete;
  User& operator=(const User&) = delete;

  // Several statements, one behind the other.
  template <class... More>
  void run(const std::string& sql, const More&... more) {
    EXPECT_EQ(0U, error_of(sql)) << sql << ": " << mysql_error(handle_);
    if constexpr (sizeof...(more) > 0) run(more...);
  }
  // The server's number; 0: it was done.
  unsigned error_of(const std::string& sql) {
    if (mysql_real_query(handle_, sql.data(), sql.size()) != 0) return mysql_errno(handle_);
    mysql_free_result(mysql_store_result(handle_));
    return mysql_errno(handle_);
  }
  // Rows joined by ';', columns by '|'.
  std::string ask(const std::string& sql) {
    EXPECT_EQ(0, mysql_real_query(handle_, sql.data(), sql.size()))
        << sql << ": " << mysql_error(handle_);
    MYSQL_RES* result = mysql_store_result(handle_);
    std::string out;
    while (result != nullptr) {
      const MYSQL_ROW row = mysql_fetch_row(result);
      if (row == nullptr) break;
      if (!out.empty()) out += ';';
      const auto* sizes = mysql_fetch_lengths(result);
      for (unsigned column = 0; column < mysql_num_fields(result); ++column) {
        if (column > 0) out += '|';
        out += row[column] == nullptr ? "NULL" : std::string(row[column], sizes[column]);
      }
    }
    mysql_free_result(result);
    return out;
  }

 private:
  MYSQL* handle_ = nullptr;
};

// As make_mariadb makes it, with other limits.
inline std::shared_ptr<const Shared> shared_of(const ports::SystemConfig& config,
                                               const Limits& limits) {
  auto shared = std::make_shared<Shared>();
  shared->config = config;
  shared->limits = limits;
  shared->endpoint = parse_endpoint(config.name, config.url).value();
  if (!config.replica_url.empty()) {
    shared->replica = parse_endpoint(config.name, config.replica_url).value();
  }
  return shared;
}

class MariadbTest : public ports::SystemTest {
 protected:
  static constexpr int kPollMs = 200;

  MariadbTest() : SystemTest(make_mariadb, kPollMs), database_(make_database()), user_(database_) {}
  ~MariadbTest() override {
    system_ = {};
    User("").run("DROP DATABASE IF EXISTS " + database_);
  }

  static std::string make_database() {
    const std::string name = Server::instance().new_database();
    // Before 5.7 a unique text of 200 characters has no room in an index if each takes four bytes.
    const std::string charset = is_mysql() ? "utf8" : "utf8mb4";
    User("").run("CREATE DATABASE " + name + " CHARACTER SET " + charset + " COLLATE " + charset +
                 "_bin");
    return name;
  }
  std::string url(const std::string& user = "root") const {
    return "mariadb://" + user + "@localhost/" + database_ +
           "?socket=" + Server::instance().socket();
  }
  // REQUIRES: user_ has created the tables.
  void start(std::vector<model::Schema> schemas) { start_at(url(), std::move(schemas)); }
  void start_customers(const std::string& more = "") {
    user_.run(
        "CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(200), mail varchar(200) "
        "UNIQUE" +
        more + ")");
    start({make_schema("customer", "id:int64 name:text mail:text")});
  }
  std::string customers() { return user_.ask("SELECT * FROM customer ORDER BY 1"); }

  std::string database_;
  User user_;
};

}  // namespace syncline::mariadb
