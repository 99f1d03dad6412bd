// A SQLite file with a plain second connection that plays the user.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "drivers/systems/sqlite/sqlite.hpp"
#include "tests/support/system_test.hpp"

namespace syncline::sqlite {

class Folder {
 public:
  Folder() {
    std::string pattern = std::filesystem::temp_directory_path() / "syncline-sqlite-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

class User {
 public:
  explicit User(const std::string& path) {
    EXPECT_EQ(SQLITE_OK, sqlite3_open(path.c_str(), &handle_));
    sqlite3_busy_timeout(handle_, 5000);
  }
  ~User() { sqlite3_close(handle_); }
  User(const User&) = delete;
  User& operator=(const User&) = delete;

  void run(const std::string& sql) {
    char* message = nullptr;
    EXPECT_EQ(SQLITE_OK, sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, &message))
        << sql << ": " << (message == nullptr ? "" : message);
    sqlite3_free(message);
  }
  int code_of(const std::string& sql) {
    return sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  }
  // Rows joined by ';', columns by '|'.
  std::string ask(const std::string& sql) {
    std::string out;
    const auto add = [](void* to, int count, char** values, char**) {
      std::string& text = *static_cast<std::string*>(to);
      if (!text.empty()) text += ';';
      for (int i = 0; i < count; ++i) {
        text += (i == 0 ? "" : "|") + std::string(values[i] == nullptr ? "NULL" : values[i]);
      }
      return 0;
    };
    EXPECT_EQ(SQLITE_OK, sqlite3_exec(handle_, sql.c_str(), add, &out, nullptr))
        << sql << ": " << sqlite3_errmsg(handle_);
    return out;
  }

 private:
  sqlite3* handle_ = nullptr;
};

using ports::make_schema, ports::Notebook, ports::type_of;

// One file, one dataset by default, the three faces, and the user.
class SqliteTest : public ports::SystemTest {
 protected:
  SqliteTest() : SystemTest(make_sqlite, 0), path_(folder_.file("shop.db")), user_(path_) {
    user_.run("PRAGMA journal_mode=WAL");
  }

  // REQUIRES: user_ has created the tables.
  void start(std::vector<model::Schema> schemas) {
    start_at("sqlite://" + path_, std::move(schemas));
  }
  void start_customers(const std::string& more = "") {
    user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, mail TEXT UNIQUE" + more +
              ")");
    start({make_schema("customer", "id:int64 name:text mail:text")});
  }

  Folder folder_;
  std::string path_;
  User user_;
};

}  // namespace syncline::sqlite
