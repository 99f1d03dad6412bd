// capture = "scan" and "poll" against a real MariaDB server.
#include "tests/support/poll_suite.hpp"
#include "tests/unit/mariadb/mariadb_fixture.hpp"

namespace syncline::mariadb {

class MariadbScan : public MariadbTest {
 public:
  static constexpr const char* kTablePrefix = "";
  static constexpr const char* kTextKey = "varchar(40) COLLATE utf8mb4_bin";
  static constexpr const char* kEchoTable = "syncline_echo";
  static constexpr bool kLocksRows = true;
  static constexpr const char* kNow = "now(6)";
  static constexpr const char* kOutlast = "SELECT sleep(1.2)";
  static constexpr const char* kTouch = ", changed_at = now(6)";
  static constexpr const char* kMayBeNull =
      "ALTER TABLE customer MODIFY changed_at datetime(6) NULL";
  static constexpr const char* kDropIndex = "DROP INDEX by_change ON customer";
  static constexpr const char* kIndexSql = "ALTER TABLE `customer` ADD INDEX (`changed_at`, `id`);";

  // Another user, in the midst of a transaction.
  class Holder {
   public:
    Holder(MariadbScan& test, const std::string& sql) : user_(test.database_) {
      user_.run("START TRANSACTION", sql);
    }
    ~Holder() { user_.run("ROLLBACK"); }
    void commit() { user_.run("COMMIT"); }

   private:
    User user_;
  };

 protected:
  void make_customers() {
    user_.run(
        "CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(200), mail varchar(200) UNIQUE)",
        "INSERT INTO customer VALUES (1, 'Ann', 'a@x'), (2, 'Bob', NULL)");
  }
  void make_poll_columns() {
    user_.run(
        "ALTER TABLE customer ADD changed_at datetime(6) NOT NULL DEFAULT '2026-01-01', ADD "
        "version bigint NOT NULL DEFAULT 1",
        "CREATE INDEX by_change ON customer (changed_at)",
        "CREATE INDEX by_version ON customer (version)");
  }
};

}  // namespace syncline::mariadb

namespace syncline::ports {
INSTANTIATE_TYPED_TEST_SUITE_P(Mariadb, ScanSuite, mariadb::MariadbScan);
INSTANTIATE_TYPED_TEST_SUITE_P(Mariadb, PollSuite, mariadb::MariadbScan);
}  // namespace syncline::ports
