// One PostgreSQL server for the whole program, a database of its own for each test, and a plain
// connection that plays the user.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <libpq-fe.h>
#include <unistd.h>

#include "drivers/systems/postgres/postgres.hpp"
#include "tests/support/system_test.hpp"

namespace syncline::postgres {

using ports::make_schema, ports::type_of;

class Server {
 public:
  static Server& instance() {
    static Server server;
    return server;
  }
  const std::string& folder() const { return folder_; }
  void start() { call("start", ""); }
  void stop(const std::string& how) { call("stop", how); }
  std::string new_database() { return "t" + std::to_string(++database_count_); }

 private:
  Server() {
    std::string pattern = std::filesystem::temp_directory_path() / "syncline-pg-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    setenv("POSTGRES_OWNER", std::to_string(getpid()).c_str(), 1);
    start();
  }
  ~Server() { call("remove", ""); }
  void call(const std::string& command, const std::string& how) {
    const std::string line = "tests/support/postgres_server " + command + " " + folder_ + " " + how;
    EXPECT_EQ(0, std::system(line.c_str())) << line;
  }

  std::string folder_;
  int database_count_ = 0;
};

class User {
 public:
  User(const std::string& database, const std::string& role = "postgres",
       const std::string& folder = Server::instance().folder()) {
    const std::string url = "host=" + folder + " dbname=" + database + " user=" + role +
                            " application_name=user options='-c client_min_messages=error'";
    handle_ = PQconnectdb(url.c_str());
    EXPECT_EQ(CONNECTION_OK, PQstatus(handle_)) << PQerrorMessage(handle_);
  }
  ~User() { PQfinish(handle_); }
  User(const User&) = delete;
  User& operator=(const User&) = delete;

  void run(const std::string& sql) const { EXPECT_EQ("", error_of(sql)) << sql; }
  // SQLSTATE; empty: it was done.
  std::string error_of(const std::string& sql) const {
    PGresult* result = PQexec(handle_, sql.c_str());
    const ExecStatusType status = PQresultStatus(result);
    const bool is_done = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    std::string code = is_done ? "" : state == nullptr ? "gone" : state;
    PQclear(result);
    return code;
  }
  // Rows joined by ';', columns by '|'.
  std::string ask(const std::string& sql) const {
    PGresult* result = PQexec(handle_, sql.c_str());
    EXPECT_EQ(PGRES_TUPLES_OK, PQresultStatus(result)) << sql << ": " << PQerrorMessage(handle_);
    std::string out;
    for (int row = 0; row < PQntuples(result); ++row) {
      if (row > 0) out += ';';
      for (int column = 0; column < PQnfields(result); ++column) {
        if (column > 0) out += '|';
        out += PQgetisnull(result, row, column) != 0 ? "NULL" : PQgetvalue(result, row, column);
      }
    }
    PQclear(result);
    return out;
  }

 private:
  PGconn* handle_ = nullptr;
};

class PostgresTest : public ports::SystemTest {
 protected:
  static constexpr int kPollMs = 200;

  PostgresTest()
      : SystemTest(make_postgres, kPollMs), database_(make_database()), user_(database_) {}
  ~PostgresTest() override {
    system_ = {};
    User admin("postgres");
    admin.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
        "pg_backend_pid() AND backend_type IN ('client backend', 'walsender')");
    const std::string gone = "SELECT count(*) FROM pg_replication_slots WHERE active";
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (admin.ask(gone) != "0" && std::chrono::steady_clock::now() < deadline) {
      admin.ask("SELECT pg_sleep(0.01)");
    }
    admin.run("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
    admin.run("DROP DATABASE IF EXISTS " + database_ + " WITH (FORCE)");
  }

  static std::string make_database() {
    const std::string name = Server::instance().new_database();
    User("postgres").run("CREATE DATABASE " + name);
    return name;
  }
  std::string url(const std::string& role = "postgres") const {
    return "postgres://" + role + "@/" + database_ + "?host=" + Server::instance().folder();
  }
  // REQUIRES: user_ has created the tables.
  void start(std::vector<model::Schema> schemas) { start_at(url(), std::move(schemas), "public."); }
  void start_customers(const std::string& more = "") {
    user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text, mail text UNIQUE" + more +
              ")");
    start({make_schema("customer", "id:int64 name:text mail:text")});
  }

  std::string database_;
  User user_;
};

}  // namespace syncline::postgres
