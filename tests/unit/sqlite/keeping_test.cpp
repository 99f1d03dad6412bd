// What a finding prints loses nothing, and ends as a whole where it would.
#include <functional>

#include "tests/unit/sqlite/mending_fixture.hpp"

namespace syncline::sqlite {
namespace {

using testing::HasSubstr, testing::Not, testing::StartsWith;

class Keeping : public Mending {};

TEST_F(Keeping, ConflictClausesOfTheTableTakeNoRow) {
  create_customers(
      "id INTEGER PRIMARY KEY, mail TEXT NOT NULL ON CONFLICT IGNORE UNIQUE ON CONFLICT "
      "REPLACE, price DECIMAL(20,2)",
      ")");
  user_.run("INSERT INTO customer(id, mail) VALUES (1, 'a'), (2, 'A')");
  look({make_schema("customer", "mail:text note:text")},
       model::KeyEquivalence::kAsciiCaseInsensitive);
  EXPECT_EQ(SQLITE_CONSTRAINT, user_.code_of(fix_of("tells keys apart")));
  EXPECT_EQ("1|a;2|A", user_.ask("SELECT id, mail FROM customer ORDER BY id"));
  EXPECT_EQ("0", user_.ask("SELECT count(*) FROM sqlite_temp_master"));
}

TEST_F(Keeping, ScriptsEndWhereTextsOfTheSameLengthTookOthersPlace) {
  create_customers("id INTEGER PRIMARY KEY, price DECIMAL(20,2)", ")");
  user_.run("INSERT INTO customer(note) VALUES ('kept')");
  look({make_schema("customer", "id:int64 price:decimal(20,2)")});
  const std::string of_column = fix_of("keeps 15 digits");
  EXPECT_THAT(of_column, HasSubstr("t.\"note\""));
  user_.run("ALTER TABLE customer RENAME COLUMN note TO memo");
  EXPECT_EQ(SQLITE_CONSTRAINT, user_.code_of(of_column));
  const std::string of_index = fix_of("keeps 15 digits");
  user_.run("DROP INDEX by_note; CREATE INDEX by_memo ON customer(memo)");
  const std::string changed = fix_of("keeps 15 digits");
  user_.run("DROP INDEX by_memo; CREATE INDEX by_omem ON customer(memo)");
  EXPECT_EQ(SQLITE_CONSTRAINT, user_.code_of(of_index));
  EXPECT_EQ(SQLITE_CONSTRAINT, user_.code_of(changed));
  EXPECT_EQ("kept", user_.ask("SELECT memo FROM customer"));
}

TEST_F(Keeping, CommentsAtTheEndSwallowNothing) {
  user_.run(
      "CREATE TABLE customer(id TEXT PRIMARY KEY, price DECIMAL(20,2), note TEXT) WITHOUT "
      "ROWID -- small");
  user_.run("CREATE INDEX first ON customer(note) -- why");
  user_.run("CREATE INDEX second ON customer(price) /* open");
  user_.run("CREATE UNIQUE INDEX once ON customer(lower(note)) -- once");
  look({make_schema("customer", "id:text price:decimal(20,2) note:text")});
  user_.run(fix_of("keeps 15 digits"));
  EXPECT_EQ("", fix_of("keeps 15 digits"));
  EXPECT_EQ("first;once;second", user_.ask("SELECT name FROM sqlite_master WHERE type = 'index' "
                                           "AND sql IS NOT NULL ORDER BY name"));
  user_.run(fix_of("unique index on an expression"));
  EXPECT_EQ("", fix_of("unique index on an expression"));
}

TEST_F(Keeping, DoublesBecomePlainDigitsOrTheScriptEnds) {
  create_customers("id INTEGER PRIMARY KEY, price DECIMAL(20,2), rate DECIMAL", ")");
  user_.run("INSERT INTO customer VALUES (1, 1234567890123456.25, 0.1, 'x')");
  look({make_schema("customer", "id:int64 price:decimal(20,2) rate:decimal note:text")});
  user_.run(fix_of("column price"));
  EXPECT_EQ("1234567890123456.25", user_.ask("SELECT price FROM customer"));
  user_.run("UPDATE customer SET rate = 1e-30");
  EXPECT_EQ(SQLITE_CONSTRAINT, user_.code_of(fix_of("column rate")));
  user_.run("UPDATE customer SET rate = 0.1");
  user_.run(fix_of("column rate"));
  EXPECT_EQ("text|0.1", user_.ask("SELECT typeof(rate), rate FROM customer"));
}

TEST_F(Keeping, TextsThatADoubleDoesNotHoldEndTheScript) {
  create_customers("id INTEGER PRIMARY KEY, ratio TEXT", ")");
  user_.run("INSERT INTO customer(ratio) VALUES ('0.12345678901234567'), ('0.50')");
  look({make_schema("customer", "id:int64 ratio:float64 note:text")});
  EXPECT_EQ(SQLITE_CONSTRAINT, user_.code_of(fix_of("column ratio")));
  user_.run("UPDATE customer SET ratio = '0.25' WHERE id = 1");
  mend("column ratio", "SELECT id, ratio + 0 FROM customer");
}

TEST_F(Keeping, KeysOfManyDigitsKeepTheirType) {
  user_.run("CREATE TABLE customer(id DECIMAL(20,2) PRIMARY KEY NOT NULL, note TEXT)");
  look({make_schema("customer", "id:decimal(20,2) note:text")});
  EXPECT_THAT(fix_of("key column id (DECIMAL(20,2)) keeps 15 digits"), StartsWith("nothing"));
}

TEST_F(Keeping, CountersGoOnFromWhereTheyAreWhenTheScriptRuns) {
  create_customers("id INTEGER PRIMARY KEY AUTOINCREMENT, price DECIMAL(20,2)", ")");
  look({make_schema("customer", "id:int64 price:decimal(20,2) note:text")});
  const std::string sql = fix_of("keeps 15 digits");
  user_.run("INSERT INTO customer(id) VALUES (9); DELETE FROM customer");
  user_.run(sql);
  user_.run("INSERT INTO customer(note) VALUES ('x')");
  EXPECT_EQ("10", user_.ask("SELECT id FROM customer"));
}

TEST_F(Keeping, ObjectsOfUsersCalledLikeOursStay) {
  create_customers("id INTEGER PRIMARY KEY, price DECIMAL(20,2)", ")");
  user_.run("CREATE INDEX syncline_mine ON customer(price)");
  user_.run("CREATE TABLE syncline_users(a INTEGER PRIMARY KEY)");
  user_.run("CREATE TRIGGER syncline_told_insert AFTER INSERT ON customer BEGIN SELECT 1; END");
  look({make_schema("customer", "id:int64 price:decimal(20,2) note:text")});
  EXPECT_EQ("3", user_.ask("SELECT count(*) FROM sqlite_master WHERE name GLOB 'syncline_*'"));
  mend("keeps 15 digits");
}

TEST_F(Keeping, AnotherAppliancesTableStaysWhileATriggerAsksIt) {
  create_customers("id INTEGER PRIMARY KEY", ")");
  start({make_schema("customer", "id:int64 note:text")});
  user_.run(
      "CREATE TRIGGER shout AFTER INSERT ON customer WHEN (SELECT applying FROM "
      "syncline_state) = 0 BEGIN SELECT 1; END");
  config_.appliance = "another";
  set([](ports::DatasetMapping&) {});
  const std::string fix = fix_of("is captured by the appliance");
  EXPECT_THAT(fix, StartsWith("BEGIN; DROP TRIGGER main.\"shout\""));
  EXPECT_THAT(fix, Not(HasSubstr("DROP TABLE")));
}

TEST_F(Keeping, ADatasetThatIsNewInAFileIsAnnounced) {
  user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY, note TEXT)");
  user_.run("CREATE TABLE more(id INTEGER PRIMARY KEY, note TEXT)");
  start({make_schema("customer", "id:int64 note:text")});
  model::Schema schema = make_schema("more", "id:int64 note:text");
  schema.dataset = 77;
  ports::DatasetMapping mapping;
  mapping.schema = &schema;
  mapping.table = "more";
  mapping.columns = {"id", "note"};
  config_.datasets.push_back(mapping);
  set([](ports::DatasetMapping&) {});
  EXPECT_EQ("", fix_of("triggers of ours on more"));
  EXPECT_NE("", fix_of("Syncline will create in"));
}

TEST_F(Keeping, ReferencesThatWouldBreakEndTheScript) {
  create_customers("mail TEXT PRIMARY KEY COLLATE NOCASE NOT NULL, price DECIMAL(20,2)", ")");
  user_.run("CREATE TABLE line(id INTEGER PRIMARY KEY, mail TEXT REFERENCES customer(mail))");
  user_.run("INSERT INTO customer(mail) VALUES ('a'); INSERT INTO line VALUES (1, 'A')");
  look({make_schema("customer", "mail:text price:decimal(20,2) note:text")});
  const auto sql = finer_key_sql(config_, "customer", std::vector<std::string>{"mail"});
  expect_ok(sql);
  EXPECT_THAT(sql.value(), StartsWith("PRAGMA busy_timeout = 5000;"));
  EXPECT_THAT(sql.value(), HasSubstr("\n-- in a shell of its own"));
  EXPECT_EQ(SQLITE_CONSTRAINT, user_.code_of(sql.value()));
  EXPECT_THAT(declared(), HasSubstr("COLLATE NOCASE"));
  user_.run("INSERT INTO line VALUES (2, 'nobody')");
  mend("keeps 15 digits");  // no more of them than before
}

TEST_F(Keeping, UniqueExpressionsKeepACollationWithinThem) {
  user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY, mail TEXT, note TEXT)");
  user_.run("CREATE UNIQUE INDEX once ON customer((trim(mail) COLLATE NOCASE))");
  user_.run("INSERT INTO customer VALUES (1, 'a', 'x')");
  look({make_schema("customer", "id:int64 mail:text note:text")});
  user_.run(fix_of("unique index on an expression"));
  EXPECT_EQ(SQLITE_CONSTRAINT, user_.code_of("INSERT INTO customer(mail) VALUES ('A')"));
}

TEST_F(Keeping, KeysWithACollationOfTheirOwnAreToldInWords) {
  for (const char* create :
       {"CREATE TABLE customer(mail TEXT NOT NULL, note TEXT, PRIMARY KEY(mail COLLATE BINARY))",
        "CREATE TABLE customer(mail TEXT NOT NULL, note TEXT); CREATE UNIQUE INDEX once ON "
        "customer(mail COLLATE BINARY)"}) {
    user_.run(std::string("DROP TABLE IF EXISTS customer; ") + create);
    look({make_schema("customer", "mail:text note:text")},
         model::KeyEquivalence::kAsciiCaseInsensitive);
    EXPECT_THAT(fix_of("tells keys apart"), StartsWith("-- make table"));
  }
}

TEST_F(Keeping, AWordInACommentIsNoCounter) {
  user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY /* AUTOINCREMENT */, note TEXT)");
  look({make_schema("customer", "id:int64 note:text")});
  set([](ports::DatasetMapping& mapping) { mapping.maker_count = 2; });
  EXPECT_THAT(fix_of("is numbered by SQLite"), StartsWith("-- direction = \"to\""));
  EXPECT_THAT(fix_of("is numbered by SQLite"), Not(HasSubstr("sqlite_sequence")));
  set([](ports::DatasetMapping& mapping) { mapping.do_others_step = true; });
  EXPECT_THAT(fix_of("is numbered by SQLite"), HasSubstr("PRIMARY KEY AUTOINCREMENT"));
}

}  // namespace
}  // namespace syncline::sqlite
