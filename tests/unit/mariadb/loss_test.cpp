// What is lost, and what is not: broken connections, stopped servers, other logs, changed tables.
#include <filesystem>

#include <unistd.h>

#include "drivers/systems/mariadb/detail/endpoint.hpp"
#include "tests/unit/mariadb/mariadb_fixture.hpp"

namespace syncline::mariadb {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty, testing::Not, testing::SizeIs;

class Loss : public MariadbTest {
 protected:
  // Polls through errors, as a capture does, until that many lines are there.
  std::vector<std::string> take_through_errors(size_t count) {
    std::vector<std::string> lines;
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (lines.size() < count && std::chrono::steady_clock::now() < deadline) {
      if (!errors_.empty() && errors_.back().code == ErrorCode::kSystemLost) break;
      auto polled = system_.source->poll(*sink_, 1000, kPollMs);
      if (!polled) {
        errors_.push_back(polled.error());
        sink_ =
            std::make_unique<ports::Notebook>(std::vector<const model::Schema*>{schemas_.data()});
        continue;
      }
      for (std::string& line : sink_->take()) lines.push_back(std::move(line));
    }
    return lines;
  }
  Error open_error(const model::Position& position) {
    system_ = make_mariadb(config_, system_clock()).value();
    const auto opened = system_.source->open(position);
    EXPECT_FALSE(opened.has_value());
    return opened ? Error{} : opened.error();
  }
  void insert(int id, const std::string& name) {
    user_.run("INSERT INTO customer VALUES (" + std::to_string(id) + ", '" + name + "', NULL)");
  }

  // A file that an ended session still reads is kept a while.
  void purge() {
    user_.run("FLUSH BINARY LOGS");
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    const auto file_count = [&] {
      const std::string files = user_.ask("SHOW BINARY LOGS");
      return std::count(files.begin(), files.end(), ';') + 1;
    };
    while (file_count() > 1 && std::chrono::steady_clock::now() < deadline) {
      user_.run("PURGE BINARY LOGS BEFORE now() + INTERVAL 1 DAY");
    }
    EXPECT_EQ(1, file_count());
  }

  std::vector<Error> errors_;
};

TEST_F(Loss, ALogThatWasPurgedIsNeverASilentGap) {
  start_customers();
  insert(1, "Ann");
  take(1);
  const model::Position position = sink_->position;
  system_ = {};
  insert(2, "Bob");
  purge();
  const Error error = open_error(position);
  EXPECT_EQ(ErrorCode::kSystemLost, error.code) << to_string(error);
  EXPECT_THAT(error.fix, HasSubstr("syncline resync --system shop"));
  connect();
  insert(3, "Cy");
  EXPECT_THAT(take(1), ElementsAre("insert 3 name=Cy mail=NULL"));
}

TEST_F(Loss, ALogThatWasResetIsAnother) {
  start_customers();
  insert(1, "Ann");
  take(1);
  const model::Position position = sink_->position;
  system_ = {};
  user_.run("DO SLEEP(1.1)", "RESET MASTER");
  for (int i = 2; i < 40; ++i) insert(i, "Bob");
  EXPECT_EQ(ErrorCode::kSystemLost, open_error(position).code);
}

TEST_F(Loss, AServerRestoredFromAnOlderBackupIsFoundOut) {
  start_customers();
  const std::string& folder = Server::instance().folder();
  const std::filesystem::path kept = folder + "/kept";
  system_ = {};
  Server::instance().stop("fast");
  std::filesystem::copy(folder + "/data", kept, std::filesystem::copy_options::recursive);
  Server::instance().start();
  connect();
  User(database_).run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  take(1);
  const model::Position position = sink_->position;
  system_ = {};
  Server::instance().stop("fast");
  std::filesystem::remove_all(folder + "/data");
  std::filesystem::rename(kept, folder + "/data");
  const std::string own = "chown -R nobody " + folder + "/data";
  EXPECT_TRUE(geteuid() != 0 || std::system(own.c_str()) == 0);
  Server::instance().start();
  const Error behind = open_error(position);
  EXPECT_EQ(ErrorCode::kSystemLost, behind.code) << to_string(behind);
  // The same place, the same number, the same length: only the time tells.
  User(database_).run("DO SLEEP(1.1)", "INSERT INTO customer VALUES (1, 'Eve', NULL)");
  const Error other = open_error(position);
  EXPECT_EQ(ErrorCode::kSystemLost, other.code) << to_string(other);
}

TEST_F(Loss, APositionOfAnotherKindIsRefused) {
  start_customers();
  EXPECT_THAT(to_string(open_error({"0123456789abcdef"})),
              HasSubstr("no position of a MariaDB log"));
}

TEST_F(Loss, AServerThatIsKilledIsReadOnFromWhereItWas) {
  start_customers();
  insert(1, "Ann");
  take(1);
  Server::instance().stop("immediate");
  EXPECT_FALSE(system_.source->poll(*sink_, 1000, 100).has_value());
  EXPECT_FALSE(system_.source->poll(*sink_, 1000, 0).has_value());
  Server::instance().start();
  User(database_).run("INSERT INTO customer VALUES (2, 'Bob', NULL)");
  EXPECT_THAT(take_through_errors(1), ElementsAre("insert 2 name=Bob mail=NULL"));
  EXPECT_FALSE(try_apply({"put 3 name=Cy mail=NULL"}).has_value());
  ASSERT_TRUE(system_.target->probe(kEpoch).has_value());
  apply({"put 3 name=Cy mail=NULL"});
}

TEST_F(Loss, ADroppedColumnStopsItsDatasetAloneAndAScanFollows) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(20))",
            "CREATE TABLE product(id bigint PRIMARY KEY, name varchar(20))");
  start({make_schema("customer", "id:int64 name:text"),
         make_schema("product", "id:int64 name:text")});
  user_.run("ALTER TABLE customer CHANGE name called varchar(20)",
            "INSERT INTO customer VALUES (1, 'Ann')", "INSERT INTO product VALUES (1, 'tea')");
  EXPECT_THAT(take(1), ElementsAre("insert 1 name=tea"));
  ASSERT_THAT(stopped_, SizeIs(1));
  EXPECT_THAT(to_string(stopped_[0].error), HasSubstr("has no column name"));
  user_.run("ALTER TABLE customer CHANGE called name varchar(20)");
  poll_until([&] { return !rescans_.empty(); });
  EXPECT_THAT(snapshot(), ElementsAre("snapshot 1 name=Ann"));
  user_.run("INSERT INTO customer VALUES (2, 'Bob')");
  EXPECT_THAT(take(1), ElementsAre("insert 2 name=Bob"));
}

TEST_F(Loss, ARetypedColumnIsScannedThoughItsRowsAreInNoLog) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, points int)");
  start({make_schema("customer", "id:int64 points:int64")});
  user_.run("INSERT INTO customer VALUES (1, 5)");
  take(1);
  user_.run("ALTER TABLE customer MODIFY points bigint", "INSERT INTO customer VALUES (2, 7)");
  EXPECT_THAT(take(1), ElementsAre("insert 2 points=7"));
  EXPECT_THAT(rescans_, ElementsAre(schemas_[0].dataset));
}

TEST_F(Loss, RowsFromBeforeAChangeThatWasSeenFirstAreScanned) {
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, mood enum('sad', 'glad'), note "
      "varchar(9) CHARACTER SET latin1)");
  start({make_schema("customer", "id:int64 mood:enum note:text")});
  for (const char* change : {"ALTER TABLE customer MODIFY mood enum('glad', 'sad')",
                             "ALTER TABLE customer MODIFY note varchar(9) CHARACTER SET utf8mb4",
                             "ALTER TABLE customer MODIFY id bigint unsigned",
                             "ALTER TABLE customer ADD first int FIRST"}) {
    user_.run("REPLACE INTO customer(id, mood, note) VALUES (1, 'sad', 'ü')", change);
    poll_until([&] { return !rescans_.empty(); });
    EXPECT_THAT(sink_->take(), IsEmpty()) << change;
    EXPECT_THAT(snapshot(), ElementsAre("snapshot 1 mood=sad note=ü")) << change;
    user_.run("UPDATE customer SET mood = 'glad'");
    EXPECT_THAT(take(1), ElementsAre("update 1 mood=glad note=ü")) << change;
    rescans_.clear();
  }
  EXPECT_THAT(stopped_, IsEmpty());
}

TEST_F(Loss, AChangeThatIsNotInTheLogIsNoticedWithTheNextRow) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, points int)");
  start({make_schema("customer", "id:int64 points:int64")});
  user_.run("SET sql_log_bin = 0", "ALTER TABLE customer MODIFY points bigint",
            "SET sql_log_bin = 1", "INSERT INTO customer VALUES (1, 7)");
  EXPECT_THAT(take(1), ElementsAre("insert 1 points=7"));
  EXPECT_THAT(rescans_, ElementsAre(schemas_[0].dataset));
}

TEST_F(Loss, AnAddedColumnThatIsNotMappedIsNothing) {
  start_customers();
  insert(1, "Ann");
  take(1);
  user_.run("ALTER TABLE customer ADD more varchar(9) DEFAULT 'x'",
            "INSERT INTO customer VALUES (2, 'Bob', NULL, 'y')");
  EXPECT_THAT(take(1), ElementsAre("insert 2 name=Bob mail=NULL"));
}

TEST_F(Loss, AWrongPasswordIsSaidAndNeverShown) {
  user_.run("CREATE OR REPLACE USER keeper IDENTIFIED BY 'right'",
            "GRANT SELECT ON " + database_ + ".* TO keeper");
  config_.appliance = "zurich";
  config_.name = "shop";
  config_.url = url("keeper");
  config_.password = "hush-hush";
  system_ = make_mariadb(config_, system_clock()).value();
  const auto tables = system_.catalog->tables();
  ASSERT_FALSE(tables.has_value());
  EXPECT_EQ(ErrorCode::kSystemOpen, tables.error().code);
  EXPECT_THAT(to_string(tables.error()), HasSubstr("Access denied for user 'keeper'"));
  EXPECT_THAT(to_string(tables.error()), Not(HasSubstr("hush")));
  config_.password = "right";
  system_ = make_mariadb(config_, system_clock()).value();
  expect_ok(system_.catalog->tables());
  system_ = {};
  user_.run("DROP USER keeper");
}

TEST_F(Loss, AServerWithoutTlsIsNotSpokenToWhereTlsIsAskedFor) {
  start_customers();
  for (const char* mode : {"require", "verify-full"}) {
    config_.url = url() + "&sslmode=" + mode;
    system_ = make_mariadb(config_, system_clock()).value();
    const auto tables = system_.catalog->tables();
    ASSERT_FALSE(tables.has_value()) << mode;
    EXPECT_EQ(ErrorCode::kSystemOpen, tables.error().code);
  }
}

TEST_F(Loss, LookingLeavesNothingBehind) {
  start_customers();
  system_.catalog->detach().value();
  system_ = make_mariadb(config_, system_clock()).value();
  insert(1, "Ann");
  EXPECT_THAT(snapshot(), ElementsAre("snapshot 1 name=Ann mail=NULL"));
  EXPECT_EQ("customer", user_.ask("SHOW TABLES"));
}

TEST_F(Loss, UrlsAreReadOrRefusedWithTheReason) {
  EXPECT_EQ("a b", parse_endpoint("s", "mysql://a%20b@[::1]:33/d?sslmode=require").value().user);
  EXPECT_EQ("::1", parse_endpoint("s", "mysql://a@[::1]:33/d").value().host);
  EXPECT_EQ(33, parse_endpoint("s", "mariadb://h:33/d").value().port);
  EXPECT_EQ("/x/s", parse_endpoint("s", "mariadb://a@/d?socket=%2Fx%2Fs").value().socket);
  for (const char* url :
       {"mariadb://h", "mariadb://h/", "postgres://h/d", "mariadb://h:x/d",
        "mariadb://h/d?sslmode=maybe", "mariadb://h/d?what=1", "mariadb://a:secret@h/d", ""}) {
    const auto parsed = parse_endpoint("s", url);
    ASSERT_FALSE(parsed.has_value()) << url;
    EXPECT_EQ(ErrorCode::kConfigValue, parsed.error().code);
    EXPECT_THAT(to_string(parsed.error()), Not(HasSubstr("secret")));
  }
}

}  // namespace
}  // namespace syncline::mariadb
