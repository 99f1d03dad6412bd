// A server that takes the names of tables and databases in any case for one.
#include "tests/unit/mariadb/node.hpp"

namespace syncline::mariadb {
namespace {

using testing::AllOf, testing::ElementsAre, testing::HasSubstr, testing::IsEmpty, testing::SizeIs;

class Names : public ports::SystemTest {
 protected:
  Names() : SystemTest(make_mariadb, 200) {
    node_.start();
    node_.user().run("CREATE DATABASE Shop CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    user_ = std::make_unique<User>("shop", node_.socket());
    user_->run("CREATE TABLE Customer(id bigint PRIMARY KEY, name varchar(20))",
               "CREATE TABLE Kid(id bigint PRIMARY KEY, parent bigint, FOREIGN KEY (parent) "
               "REFERENCES CUSTOMER(id))");
  }
  ~Names() override { system_ = {}; }

  // Without opening anything: the config alone.
  void describe(const std::string& database, std::vector<model::Schema> schemas) {
    configure(node_.url(database), std::move(schemas), "");
    system_ = make_mariadb(config_, system_clock()).value();
  }
  std::vector<ports::Finding> findings(ports::Severity severity) {
    auto found = system_.catalog->findings().value();
    std::erase_if(found, [&](const auto& finding) { return finding.severity != severity; });
    return found;
  }

  Node node_{8, "--lower-case-table-names=1"};
  std::unique_ptr<User> user_;
};

TEST_F(Names, ADatabaseIsNamedAsTheLogDoes) {
  describe("Shop", {make_schema("customer", "id:int64 name:text")});
  const auto stops = findings(ports::Severity::kStops);
  ASSERT_THAT(stops, SizeIs(1));
  EXPECT_THAT(stops[0].what, HasSubstr("knows database Shop as shop"));
  EXPECT_EQ("write shop in the system's url", stops[0].fix);
  const auto opened = system_.source->open({});
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(stops[0].fix, opened.error().fix);
}

TEST_F(Names, ATableIsNamedAsTheLogDoes) {
  describe("shop", {make_schema("Customer", "id:int64 name:text")});
  const auto stops = findings(ports::Severity::kStops);
  ASSERT_THAT(stops, SizeIs(1));
  EXPECT_THAT(stops[0].what, AllOf(HasSubstr("dataset Customer: table Customer is customer to"),
                                   HasSubstr("lower_case_table_names")));
  EXPECT_EQ("table = \"customer\" in the config", stops[0].fix);
  connect();
  poll_until([this] { return !stopped_.empty(); });
  EXPECT_EQ(stops[0].fix, stopped_[0].error.fix);
}

TEST_F(Names, SoNamedAllIsRead) {
  describe("shop", {make_schema("customer", "id:int64 name:text"),
                    make_schema("kid", "id:int64 parent:int64")});
  EXPECT_THAT(findings(ports::Severity::kStops), IsEmpty());
  EXPECT_THAT(findings(ports::Severity::kWarning), IsEmpty());
  connect();
  user_->run("INSERT INTO Customer VALUES (1, 'Ann')", "TRUNCATE KID");
  EXPECT_THAT(take(1), ElementsAre("insert 1 name=Ann"));
  apply({"put 2 name=Bob"});
  EXPECT_THAT(take(2), ElementsAre(marker(1), "ours insert 2 name=Bob"));
  poll_until([this] { return !rescans_.empty(); });
  EXPECT_THAT(rescans_, ElementsAre(schemas_[1].dataset));
}

}  // namespace
}  // namespace syncline::mariadb
