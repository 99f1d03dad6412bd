// What a file holds, what stands in the way, and what is removed.
#include "tests/unit/sqlite/sqlite_fixture.hpp"

namespace syncline::sqlite {
namespace {

using testing::Contains, testing::ElementsAre, testing::HasSubstr, testing::IsEmpty;

class Catalog : public SqliteTest {
 protected:
  // Config alone: nothing is installed.
  void look_at(std::vector<model::Schema> schemas) {
    start(std::move(schemas));
    expect_ok(system_.catalog->detach());
  }
  std::vector<std::string> findings() {
    const auto found = system_.catalog->findings();
    expect_ok(found);
    std::vector<std::string> lines;
    for (const ports::Finding& finding : found.value()) {
      lines.push_back(std::to_string(static_cast<int>(finding.severity)) + " " + finding.dataset +
                      ": " + finding.what + " -> " + finding.fix);
    }
    return lines;
  }
};

TEST_F(Catalog, DescribesTables) {
  user_.run(
      "CREATE TABLE customer(id INTEGER PRIMARY KEY, mail TEXT NOT NULL COLLATE NOCASE "
      "UNIQUE, born DATE, price DECIMAL(10,2), ok BOOLEAN, full TEXT AS (mail || id), nick "
      "TEXT UNIQUE)");
  user_.run(
      "CREATE TABLE orders(country TEXT, number INT, customer INTEGER REFERENCES "
      "customer(id), PRIMARY KEY(country, number)) WITHOUT ROWID");
  user_.run("INSERT INTO orders VALUES ('CH', 1, 1)");
  start({make_schema("customer", "id:int64 mail:text")});
  const auto tables = system_.catalog->tables();
  expect_ok(tables);
  ASSERT_EQ(2U, tables.value().size());
  const ports::TableInfo& customer = tables.value()[0];
  EXPECT_EQ("customer", customer.name);
  EXPECT_THAT(customer.keys, ElementsAre(ElementsAre("id"), ElementsAre("mail")));
  ASSERT_EQ(7U, customer.columns.size());
  EXPECT_EQ("decimal(10,2)", model::to_string(customer.columns[3].type));
  EXPECT_EQ(model::TypeKind::kBool, customer.columns[4].type.kind);
  EXPECT_TRUE(customer.columns[5].is_generated);
  EXPECT_EQ(model::KeyEquivalence::kAsciiCaseInsensitive, customer.columns[1].equivalence);
  const ports::TableInfo& orders = tables.value()[1];
  EXPECT_THAT(orders.keys, ElementsAre(ElementsAre("country", "number")));
  EXPECT_THAT(orders.references, ElementsAre("customer"));
  EXPECT_EQ(1U, orders.row_count);
}

TEST_F(Catalog, AnnouncesWhatItWillCreateAndDetachRemovesAllOfIt) {
  start_customers();
  EXPECT_THAT(findings(), IsEmpty());
  const auto removed = system_.catalog->detach();
  expect_ok(removed);
  EXPECT_THAT(removed.value(), Contains("table syncline_changes"));
  EXPECT_EQ("", user_.ask("SELECT name FROM sqlite_master WHERE name LIKE 'syncline%'"));
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  EXPECT_THAT(findings(), Contains(HasSubstr("Syncline will create in")));
}

TEST_F(Catalog, AFileThatAnotherApplianceCapturesIsNamedWithTheSqlThatFreesIt) {
  start_customers();
  config_.appliance = "geneva";
  system_ = make_sqlite(config_, system_clock()).value();
  const auto found = system_.catalog->findings().value();
  ASSERT_EQ(1U, found.size());
  EXPECT_THAT(found[0].what, HasSubstr("is captured by the appliance zurich"));
  system_ = {};
  user_.run(found[0].fix);
  connect();
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(Catalog, NamesForeignKeysThatAreSilentForOurWrites) {
  user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, UNIQUE (id, name))");
  user_.run(
      "CREATE TABLE line(id INTEGER PRIMARY KEY, customer INTEGER REFERENCES Customer ON DELETE "
      "CASCADE, name TEXT, FOREIGN KEY (customer, name) REFERENCES customer(id, name))");
  user_.run("INSERT INTO customer VALUES (1, 'Ann')");
  user_.run("INSERT INTO line VALUES (5, 1, 'Ann')");
  start({make_schema("customer", "id:int64 name:text")});
  EXPECT_THAT(
      findings(),
      testing::UnorderedElementsAre(
          "1 customer: foreign key of line, which we do not write, is silent for our writes: where "
          "we delete a record of customer, or change its (primary key), what refers to it stays, "
          "though users' writes meet ON DELETE CASCADE ON UPDATE NO ACTION -> sync line too",
          HasSubstr("or change its (id, name), what refers to it stays, though users' writes meet "
                    "ON DELETE NO ACTION")));
  apply({"delete 1"});
  EXPECT_EQ("5|1|Ann", user_.ask("SELECT * FROM line"));
  system_ = {};
  start({make_schema("customer", "id:int64 name:text"), make_schema("line", "id:int64 name:text")});
  EXPECT_THAT(findings(), testing::Not(Contains(HasSubstr("silent"))));
}

TEST_F(Catalog, NamesForeignKeysToTablesThatWeDoNotWrite) {
  user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, UNIQUE (id, name))");
  user_.run(
      "CREATE TABLE line(id INTEGER PRIMARY KEY, customer INTEGER REFERENCES Customer, name TEXT, "
      "line INTEGER REFERENCES line, FOREIGN KEY (customer, name) REFERENCES customer(id, name))");
  start({make_schema("line", "id:int64 customer:int64")});
  EXPECT_THAT(findings(),
              testing::UnorderedElementsAre(
                  "1 line: foreign key of line to Customer, which we do not write, is silent for "
                  "our writes: a record comes also where none has the (customer) that it refers to "
                  "-> sync Customer too",
                  HasSubstr("of line to customer, which we do not write, is silent for our writes: "
                            "a record comes also where none has the (customer, name)")));
  apply({"put 6 customer=7"});
  EXPECT_EQ("7", user_.ask("SELECT customer FROM line"));
}

TEST_F(Catalog, NamesWhatStandsInTheWay) {
  user_.run("PRAGMA journal_mode = DELETE");
  user_.run("CREATE TABLE parent(id INTEGER PRIMARY KEY)");
  user_.run(
      "CREATE TABLE customer(id INTEGER PRIMARY KEY, mail TEXT, price DECIMAL(20,2), parent "
      "INTEGER REFERENCES parent ON DELETE CASCADE)");
  user_.run("CREATE TRIGGER audit AFTER UPDATE ON customer BEGIN SELECT 1; END");
  user_.run("CREATE UNIQUE INDEX lower_mail ON customer(lower(mail))");
  look_at({make_schema("customer", "id:int64 mail:text price:decimal(20,2)")});
  const auto lines = findings();
  EXPECT_THAT(lines, Contains(HasSubstr("PRAGMA journal_mode = WAL;")));
  EXPECT_THAT(lines, Contains(HasSubstr("2 customer: trigger audit on customer fires")));
  EXPECT_THAT(lines, Contains(HasSubstr("follows parent by a foreign key action")));
  EXPECT_THAT(lines, Contains(HasSubstr("keeps 15 digits of a decimal(20,2)")));
  EXPECT_THAT(lines, Contains(HasSubstr("unique index on an expression")));
  config_.datasets[0].triggers = "fire";
  system_ = make_sqlite(config_, system_clock()).value();
  EXPECT_THAT(findings(), Contains(HasSubstr("0 customer: trigger audit on customer fires")));
}

TEST_F(Catalog, AColumnThatATriggerKeepsIsProposedAsLocal) {
  user_.run(
      "CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, note TEXT, \"Updated at\" TEXT, "
      "changed TEXT)");
  user_.run(
      "CREATE TRIGGER touch AFTER UPDATE OF name ON customer WHEN NEW.name <> '' BEGIN UPDATE "
      "Customer SET changed = strftime('%s', 'now'),\n \"Changed\" = 1 WHERE id = NEW.id; UPDATE "
      "customer SET note = 'x' WHERE id = 1; END");
  user_.run(
      "CREATE TRIGGER birth AFTER INSERT ON customer BEGIN UPDATE customer SET note = '' WHERE "
      "id = NEW.id; END");
  look_at({make_schema("customer", "id:int64 name:text note:text changed:text")});
  const auto found = system_.catalog->findings().value();
  std::vector<std::string> kept;
  for (const ports::Finding& finding : found) {
    if (finding.kept_field) kept.push_back(schemas_[0].fields[*finding.kept_field].name);
  }
  EXPECT_THAT(kept, ElementsAre("changed"));
  user_.run("UPDATE customer SET name = 'x'");  // the trigger is one that SQLite takes
}

class Guarded : public Catalog {
 protected:
  // The statements that a finding prints.
  std::string printed() {
    for (const std::string& line : findings()) {
      const size_t begin = line.find("BEGIN; ");
      const size_t end = line.find(" COMMIT;");
      if (begin != std::string::npos && end != std::string::npos) {
        return line.substr(begin, end + 8 - begin);
      }
    }
    return {};
  }
  std::string customers() {
    return user_.ask(
        "SELECT group_concat(id || '|' || name, ' ') FROM "
        "(SELECT id, name FROM customer ORDER BY id)");
  }
};

TEST_F(Guarded, ATriggerThatNobodyAcceptedIsNotWrittenUnder) {
  user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT)");
  start({make_schema("customer", "id:int64 name:text")});
  user_.run(
      "CREATE TRIGGER shout AFTER INSERT ON customer BEGIN UPDATE customer SET name = "
      "upper(NEW.name) WHERE id = NEW.id; END");
  const auto result = try_apply({"put 1 name=Ann"});
  expect_ok(result);
  ASSERT_EQ(1U, result.value().stopped.size());
  EXPECT_THAT(to_string(result.value().stopped[0].error),
              HasSubstr("trigger shout on customer fires"));
  user_.run("DROP TRIGGER shout");
  apply({"put 1 name=Ann"});
  EXPECT_EQ("1|Ann", customers());
}

TEST_F(Guarded, WhatPlanPrintsLeavesOurWritesAlone) {
  user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT)");
  user_.run(
      "CREATE TRIGGER shout AFTER INSERT ON customer WHEN NEW.id < 9 BEGIN UPDATE customer SET "
      "name = upper(NEW.name) WHERE id = NEW.id; END");
  look_at({make_schema("customer", "id:int64 name:text")});
  config_.datasets[0].triggers = "guarded";
  system_ = make_sqlite(config_, system_clock()).value();
  EXPECT_THAT(findings(), Contains(HasSubstr("2 customer: trigger shout on customer fires")));
  user_.run(printed());
  user_.run("INSERT INTO customer VALUES (1, 'Ann')");  // before we were ever there
  EXPECT_THAT(findings(), Contains(HasSubstr("0 customer: trigger shout on customer asks")));
  connect();
  apply({"put 2 name=Ben"});
  user_.run("INSERT INTO customer VALUES (3, 'Cleo'), (9, 'Ida')");
  EXPECT_EQ("1|ANN 2|Ben 3|CLEO 9|Ida", customers());
  const auto removed = system_.catalog->detach();
  ASSERT_FALSE(removed.has_value());
  EXPECT_THAT(to_string(removed.error()), HasSubstr("trigger shout asks syncline_state"));
  user_.run(removed.error().fix);
  expect_ok(system_.catalog->detach());
  user_.run("INSERT INTO customer VALUES (4, 'Dan')");
  EXPECT_EQ("1|ANN 2|Ben 3|CLEO 4|DAN 9|Ida", customers());
}

TEST_F(Guarded, AScannedFileHasNothingToAsk) {
  user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT)");
  look_at({make_schema("customer", "id:int64 name:text")});
  config_.datasets[0].triggers = "guarded";
  config_.datasets[0].capture = ports::Capture::kScan;
  const auto system = make_sqlite(config_, system_clock());
  ASSERT_FALSE(system.has_value());
  EXPECT_THAT(to_string(system.error()), HasSubstr("triggers = \"guarded\" needs the log"));
}

// The numbers of another system, which counts in steps below, come between the user's own.
TEST_F(Catalog, NumbersOfTwoSystemsStopThePlanAndTheSqlBeginsARangeThatIsNeverMet) {
  user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)");
  user_.run("INSERT INTO customer(name) VALUES ('a')");
  look_at({make_schema("customer", "id:int64 name:text")});
  EXPECT_THAT(findings(), testing::Not(Contains(HasSubstr("share a number"))));
  config_.datasets[0].maker_count = 2;
  config_.datasets[0].do_others_step = true;
  config_.datasets[0].maker_index = 1;
  system_ = make_sqlite(config_, system_clock()).value();
  std::string sql;
  for (const std::string& line : findings()) {
    if (line.starts_with("2 customer: key column id of customer is numbered by SQLite")) {
      sql = line.substr(line.find("INSERT INTO main.sqlite_sequence"));
    }
  }
  user_.run(sql);
  EXPECT_THAT(findings(), testing::Not(Contains(HasSubstr("share a number"))));
  config_.datasets[0].maker_count = 1;  // numbers = "apart"
  connect();
  EXPECT_THAT(findings(), testing::Not(Contains(HasSubstr("share a number"))));
  for (int brought = 2; brought < 10; brought += 2) {
    apply({"put " + std::to_string(brought) + " name=brought"});
    user_.run("INSERT INTO customer(name) VALUES ('own')");
  }
  EXPECT_EQ("4|2000000000000001|2000000000000004",
            user_.ask("SELECT count(*), min(id), max(id) FROM customer WHERE name = 'own'"));
}

TEST_F(Catalog, OnlyKeysThatSqliteNumbersMayMeet) {
  user_.run("CREATE TABLE plain(id INTEGER PRIMARY KEY, name TEXT)");
  user_.run("CREATE TABLE bare(id INT PRIMARY KEY NOT NULL, name TEXT)");
  user_.run("CREATE TABLE pair(id INTEGER, name TEXT, PRIMARY KEY (id, name))");
  look_at({make_schema("plain", "id:int64 name:text"), make_schema("bare", "id:int64 name:text"),
           make_schema("pair", "id:int64 name:text", 2)});
  for (ports::DatasetMapping& mapping : config_.datasets) {
    mapping.maker_count = 2;
    mapping.do_others_step = true;
  }
  system_ = make_sqlite(config_, system_clock()).value();
  EXPECT_THAT(findings(), Contains(HasSubstr("2 plain: key column id of plain is numbered")));
  EXPECT_THAT(findings(), Contains(HasSubstr("(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)")));
  EXPECT_THAT(findings(), testing::Not(Contains(HasSubstr("bare is numbered"))));
  EXPECT_THAT(findings(), testing::Not(Contains(HasSubstr("pair is numbered"))));
  config_.datasets[0].direction = ports::Direction::kTo;
  system_ = make_sqlite(config_, system_clock()).value();
  EXPECT_THAT(findings(), testing::Not(Contains(HasSubstr("plain is numbered"))));
}

TEST_F(Catalog, OneColumnOfAPairIsNoKey) {
  user_.run("CREATE TABLE customer(id INTEGER, name TEXT, PRIMARY KEY (id, name))");
  start({});
  model::Schema schema = make_schema("customer", "id:int64 name:text");
  ports::DatasetMapping mapping;
  mapping.schema = &schema;
  mapping.table = "customer";
  mapping.columns = {"id", "name"};
  config_.datasets = {mapping};
  system_ = make_sqlite(config_, system_clock()).value();
  EXPECT_THAT(findings(), Contains(HasSubstr("does not keep its key (\"id\") unique")));
  ASSERT_EQ(1U, system_.catalog->tables().value().size());
  EXPECT_THAT(system_.catalog->tables().value()[0].keys, ElementsAre(ElementsAre("id", "name")));
}

TEST_F(Catalog, ATableWithoutAUsableKeyStopsItsDataset) {
  user_.run("CREATE TABLE customer(id INTEGER, name TEXT)");
  config_.appliance = "zurich";
  model::Schema schema = make_schema("customer", "id:int64 name:text");
  config_.url = path_;
  ports::DatasetMapping mapping;
  mapping.schema = &schema;
  mapping.table = "customer";
  mapping.columns = {"id", "name"};
  config_.datasets = {mapping};
  system_ = make_sqlite(config_, system_clock()).value();
  EXPECT_THAT(findings(), Contains(HasSubstr("2 customer: dataset customer: table customer does "
                                             "not keep its key (\"id\") unique")));
  user_.run("CREATE UNIQUE INDEX k ON customer(id)");
  EXPECT_THAT(findings(), Contains(HasSubstr("declared without NOT NULL")));
}

TEST_F(Catalog, AGeneratedColumnAndAViewCannotBeMapped) {
  user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY, twice INTEGER AS (id * 2))");
  user_.run("CREATE VIEW seen AS SELECT * FROM customer");
  start({});
  model::Schema schema = make_schema("customer", "id:int64 twice:int64");
  ports::DatasetMapping mapping;
  mapping.schema = &schema;
  mapping.table = "customer";
  mapping.columns = {"id", "twice"};
  config_.datasets = {mapping};
  system_ = make_sqlite(config_, system_clock()).value();
  EXPECT_THAT(findings(), Contains(HasSubstr("twice of customer is generated")));
  config_.datasets[0].table = "seen";
  system_ = make_sqlite(config_, system_clock()).value();
  EXPECT_THAT(findings(), Contains(HasSubstr("seen is a view")));
}

TEST_F(Catalog, AKeyFinerThanTheDatasetsIsNamedWithItsDdl) {
  user_.run("CREATE TABLE customer(mail TEXT PRIMARY KEY NOT NULL)");
  model::Schema schema = make_schema("customer", "mail:text");
  schema.key_equivalence = model::KeyEquivalence::kAsciiCaseInsensitive;
  start({schema});
  EXPECT_THAT(findings(), Contains(HasSubstr("(mail TEXT COLLATE NOCASE PRIMARY KEY NOT NULL)")));
}

}  // namespace
}  // namespace syncline::sqlite
