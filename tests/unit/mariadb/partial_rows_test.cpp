// Sessions that log parts of rows (binlog_row_image): what the log leaves out is never made up.
#include "tests/unit/mariadb/mariadb_fixture.hpp"

namespace syncline::mariadb {
namespace {

using testing::AllOf, testing::ElementsAre, testing::HasSubstr, testing::IsEmpty, testing::SizeIs;

class PartialRows : public MariadbTest {
 protected:
  // Its records are known by `mail`, its rows by `id`; another table beside it.
  void start_by_mail(const std::string& mail = "varchar(50) NOT NULL DEFAULT 'none'") {
    user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, mail " + mail +
                  " UNIQUE, name varchar(50) DEFAULT 'nobody')",
              "CREATE TABLE other(id bigint PRIMARY KEY, name varchar(50))");
    start({make_schema("customer", "mail:text name:text"),
           make_schema("other", "id:int64 name:text")});
    user_.run("INSERT INTO customer VALUES (1, 'a@x', 'Ann'), (2, '', 'the empty one')");
    EXPECT_THAT(take(2), SizeIs(2));
  }
  // The change is not shown, the dataset is read whole, and others go on.
  void expect_scan_for(const std::string& statement) {
    user_.run(statement, "INSERT INTO other VALUES (7, 'x') ON DUPLICATE KEY UPDATE name = uuid()");
    EXPECT_THAT(take(1), ElementsAre(HasSubstr(" 7 "))) << statement;
    EXPECT_THAT(rescans_, ElementsAre(schemas_[0].dataset)) << statement;
    ASSERT_THAT(stopped_, SizeIs(1)) << statement;
    EXPECT_EQ(schemas_[0].dataset, stopped_[0].dataset);
    EXPECT_THAT(
        to_string(stopped_[0].error),
        AllOf(HasSubstr("binlog_row_image"), HasSubstr("SET GLOBAL binlog_row_image = 'FULL'")));
    rescans_.clear();
    stopped_.clear();
  }
};

TEST_F(PartialRows, ARowWithoutItsRecordsKeyIsNotShown) {
  start_by_mail();
  user_.run("SET SESSION binlog_row_image = 'MINIMAL'");
  expect_scan_for("UPDATE customer SET name = 'Anna' WHERE id = 1");
  expect_scan_for("UPDATE customer SET mail = 'b@x' WHERE id = 1");
  expect_scan_for("DELETE FROM customer WHERE id = 1");
  EXPECT_THAT(snapshot(), ElementsAre("snapshot  name=the empty one"));
}

TEST_F(PartialRows, AnInsertThatLeavesOutDefaultsIsNotShown) {
  start_by_mail();
  user_.run("SET SESSION binlog_row_image = 'MINIMAL'");
  expect_scan_for("INSERT INTO customer(id, name) VALUES (3, 'Cy')");
  expect_scan_for("INSERT INTO customer(id, mail) VALUES (4, 'd@x')");
  EXPECT_THAT(snapshot(), ElementsAre("snapshot  name=the empty one", "snapshot a@x name=Ann",
                                      "snapshot d@x name=nobody", "snapshot none name=Cy"));
}

TEST_F(PartialRows, AKeyOfATextThatIsLeftOutIsNotShown) {
  start_by_mail("text NOT NULL");
  user_.run("SET SESSION binlog_row_image = 'NOBLOB'");
  expect_scan_for("UPDATE customer SET name = 'Anna' WHERE id = 1");
  expect_scan_for("DELETE FROM customer WHERE id = 1");
}

TEST_F(PartialRows, AKeyThatIsThereInPartIsNotShown) {
  user_.run(
      "CREATE TABLE line(id bigint PRIMARY KEY, shop varchar(20) NOT NULL, place int NOT "
      "NULL, name varchar(50), UNIQUE (id, shop), UNIQUE (shop, place))",
      "CREATE TABLE other(id bigint PRIMARY KEY, name varchar(50))");
  start({make_schema("line", "id:int64 shop:text name:text", 2),
         make_schema("other", "id:int64 name:text")});
  user_.run("INSERT INTO line VALUES (1, 'a', 1, 'x')");
  EXPECT_THAT(take(1), SizeIs(1));
  user_.run("SET SESSION binlog_row_image = 'MINIMAL'");
  expect_scan_for("UPDATE line SET name = 'y' WHERE id = 1");
  expect_scan_for("UPDATE line SET shop = 'b' WHERE id = 1");
  expect_scan_for("DELETE FROM line WHERE id = 1");
}

// What the image has is all that is needed: records are known by what rows are.
TEST_F(PartialRows, AKeyThatIsThereIsEnough) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(50), mail varchar(50))");
  start({make_schema("customer", "id:int64 name:text mail:text")});
  user_.run("SET SESSION binlog_row_image = 'MINIMAL'",
            "INSERT INTO customer VALUES (1, 'Ann', NULL)", "UPDATE customer SET name = 'Anna'",
            "DELETE FROM customer");
  EXPECT_THAT(take(3),
              ElementsAre("insert 1 name=Ann mail=NULL", "update 1 name=Anna", "delete 1"));
  EXPECT_THAT(rescans_, IsEmpty());
  EXPECT_THAT(stopped_, IsEmpty());
}

TEST_F(PartialRows, OneWordIsEnoughForManyRows) {
  start_by_mail();
  user_.run("SET SESSION binlog_row_image = 'MINIMAL'", "BEGIN",
            "UPDATE customer SET name = 'Anna' WHERE id = 1",
            "UPDATE customer SET name = 'none' WHERE id = 2", "DELETE FROM customer", "COMMIT");
  poll_until([this] { return !rescans_.empty(); });
  EXPECT_THAT(rescans_, SizeIs(1));
  EXPECT_THAT(stopped_, SizeIs(1));
}

}  // namespace
}  // namespace syncline::mariadb
