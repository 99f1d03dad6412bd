// What a finding prints is run as it is printed: the finding is gone then, and all else is there.
#include <sstream>

#include "drivers/systems/sqlite/detail/connection.hpp"
#include "drivers/systems/sqlite/detail/table_text.hpp"
#include "tests/unit/sqlite/mending_fixture.hpp"

namespace syncline::sqlite {
namespace {

using testing::HasSubstr, testing::Not, testing::StartsWith;

TEST(TableText, ChangesOneColumnAndKeepsTheRestAsItWasWritten) {
  const std::string create =
      "CREATE TABLE \"t (1)\"(id INTEGER PRIMARY KEY, -- ours, \"mail\"\n mail varchar ( 20 ) "
      "DEFAULT (upper('a, b)')) /* COLLATE x, */ COLLATE nocase NULL CHECK (mail COLLATE rtrim <> "
      "'NOT NULL'), [by \"who\"] REFERENCES p(a) ON DELETE SET NULL, note DEFAULT NULL CONSTRAINT "
      "nn NOT NULL ON CONFLICT IGNORE, PRIMARY KEY (id)) STRICT";
  const auto changed = [&](const ColumnChange& change) {
    return create_changed(create, "new", std::vector{change});
  };
  EXPECT_THAT(changed({.column = "MAIL", .type = "TEXT", .collation = "BINARY"}),
              HasSubstr("\"new\"(id INTEGER PRIMARY KEY, -- ours, \"mail\"\n mail TEXT DEFAULT "
                        "(upper('a, b)')) /* COLLATE x, */ COLLATE BINARY NULL CHECK (mail COLLATE "
                        "rtrim <>"));
  EXPECT_THAT(changed({.column = "mail", .null = ColumnChange::Null::kRefused}),
              HasSubstr("COLLATE nocase NOT NULL CHECK"));
  EXPECT_THAT(changed({.column = "by \"who\"", .type = "INT", .collation = "RTRIM"}),
              HasSubstr("[by \"who\"] INT COLLATE RTRIM REFERENCES"));
  EXPECT_THAT(changed({.column = "by \"who\"", .null = ColumnChange::Null::kRefused}),
              HasSubstr("[by \"who\"] NOT NULL REFERENCES p(a) ON DELETE SET NULL,"));
  EXPECT_THAT(changed({.column = "note", .null = ColumnChange::Null::kRefused}),
              HasSubstr("note DEFAULT NULL CONSTRAINT nn NOT NULL ON CONFLICT IGNORE,"));
  EXPECT_THAT(changed({.column = "note", .null = ColumnChange::Null::kAllowed}),
              HasSubstr("note DEFAULT NULL CONSTRAINT nn , PRIMARY KEY (id)) STRICT"));
  EXPECT_THAT(changed({.column = "id", .numbers = ColumnChange::Numbers::kNeverTwice}),
              HasSubstr("id INTEGER PRIMARY KEY AUTOINCREMENT, -- ours"));
  EXPECT_EQ("", changed({.column = "primary", .type = "TEXT"}));
  EXPECT_EQ("CREATE TABLE main.\"u\"(id INTEGER, PRIMARY KEY(id AUTOINCREMENT))",
            create_changed("CREATE TABLE t(id INTEGER, PRIMARY KEY(id))", "u",
                           std::vector<ColumnChange>{
                               {.column = "id", .numbers = ColumnChange::Numbers::kNeverTwice}}));
}

TEST(TableText, TermsOfAnIndexStandForThemselves) {
  const IndexText index = index_text(
      "CREATE UNIQUE INDEX \"a b\" ON t (lower(x, ','), y COLLATE nocase DESC, x + 1 ASC) WHERE z");
  EXPECT_THAT(index.terms, testing::ElementsAre("lower(x, ',')", "y", "x + 1"));
  const std::vector<std::string> terms = {"\"v\"", "y", "\"w\""};
  EXPECT_EQ("CREATE INDEX main.\"c\" ON t (\"v\", y COLLATE nocase DESC, \"w\" ASC) WHERE z",
            index.with("", "c", terms));
}

// SQLite itself says what a changed text declares: the column as it is wanted, and no other.
class Declared : public SqliteTest {
 protected:
  // Each column's name, type, NOT NULL and collation; of one column only its name.
  std::vector<std::string> columns(const std::string& table, const std::string& but) {
    std::vector<std::string> lines;
    const std::string names = user_.ask("SELECT name FROM pragma_table_xinfo('" + table + "')");
    std::istringstream in(names);
    for (std::string name; std::getline(in, name, ';');) {
      std::string& line = lines.emplace_back(name);
      if (name == but) continue;
      line.append("|").append(collation(table, name));
      line.append("|").append(about(table, name, "type, \"notnull\", pk, dflt_value, hidden"));
    }
    return lines;
  }
  std::string collation(const std::string& table, const std::string& column) {
    auto opened = Connection::open(path_, Access::kRead, "NORMAL", 0);
    return opened.value()->column_collation(table, column).value();
  }
  std::string about(const std::string& table, const std::string& column, const std::string& what) {
    return user_.ask("SELECT " + what + " FROM pragma_table_xinfo('" + table + "') WHERE name = '" +
                     column + "'");
  }
  // The table b, as table a with the change.
  void change(const ColumnChange& wanted) {
    user_.run("DROP TABLE IF EXISTS b");
    const std::string create = user_.ask("SELECT sql FROM sqlite_master WHERE name = 'a'");
    user_.run(create_changed(create, "b", std::vector{wanted}));
  }
  void change_each_column() {
    std::istringstream in(user_.ask("SELECT name FROM pragma_table_info('a') WHERE pk = 0"));
    for (std::string name; std::getline(in, name, ';');) {
      SCOPED_TRACE(name);
      change({.column = name, .type = "INT", .collation = "RTRIM"});
      EXPECT_EQ("INT", about("b", name, "type"));
      EXPECT_EQ("RTRIM", collation("b", name));
      EXPECT_EQ(columns("a", name), columns("b", name));
      change({.column = name, .null = ColumnChange::Null::kRefused});
      EXPECT_EQ("1", about("b", name, "\"notnull\""));
      EXPECT_EQ(columns("a", name), columns("b", name));
      change({.column = name, .null = ColumnChange::Null::kAllowed});
      EXPECT_EQ("0", about("b", name, "\"notnull\""));
      EXPECT_EQ(columns("a", name), columns("b", name));
    }
  }
};

TEST_F(Declared, EveryChangeOfEveryColumnChangesItAlone) {
  for (
      const char* create : {
          "CREATE TABLE a(x)",
          "CREATE TABLE a(x,y,z)",
          "CREATE TABLE IF NOT EXISTS main . a (x UNSIGNED BIG INT NOT NULL UNIQUE,y TEXT NULL)",
          "CREATE TABLE \"a\"(\"x, y\" TEXT DEFAULT 'COLLATE (', [check] INT, `primary` REAL)",
          "CREATE TABLE a(x VARCHAR(20, 3) NOT NULL ON CONFLICT REPLACE DEFAULT 7,\n y/**/TEXT--\n"
          "COLLATE/* ) */NOCASE DEFAULT -1.5 NOT NULL CHECK (y IN ('a', 'b') AND y NOT NULL))",
          "CREATE TABLE a(k INTEGER PRIMARY KEY DESC, x 'long type' CONSTRAINT c UNIQUE CONSTRAINT "
          "d NOT NULL CONSTRAINT e DEFAULT (1 + (2)), CONSTRAINT f CHECK (x > 0) UNIQUE (x))",
          "CREATE TABLE a(k TEXT, x DEFAULT NULL REFERENCES p ON UPDATE SET NULL DEFERRABLE "
          "INITIALLY DEFERRED NOT NULL, y DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (k COLLATE "
          "NOCASE), FOREIGN KEY (y) REFERENCES q(z)) WITHOUT ROWID",
          "CREATE TABLE a(k INT PRIMARY KEY NOT NULL, x ANY, g TEXT GENERATED ALWAYS AS (x || ',') "
          "STORED, y BLOB DEFAULT x'00') STRICT, WITHOUT ROWID",
      }) {
    SCOPED_TRACE(create);
    user_.run("DROP TABLE IF EXISTS a");
    user_.run(create);
    change_each_column();
  }
}

TEST_F(Mending, AKeyFinerThanTheDatasetsTakesItsCollation) {
  create_customers("mail TEXT PRIMARY KEY NOT NULL", ")");
  user_.run("INSERT INTO customer(rowid, mail) VALUES (7, 'a'), (3, 'b')");
  look({make_schema("customer", "mail:text note:text")},
       model::KeyEquivalence::kAsciiCaseInsensitive);
  mend("tells keys apart", "SELECT rowid, * FROM customer ORDER BY rowid");
  EXPECT_EQ(
      "CREATE TABLE \"customer\"(mail TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, note TEXT "
      "DEFAULT ('x, y'))",
      declared());
  EXPECT_EQ(SQLITE_CONSTRAINT, user_.code_of("INSERT INTO customer(mail) VALUES ('A')"));
}

TEST_F(Mending, AKeyWithoutATypeOrOfAnotherCollationTakesItToo) {
  user_.run("CREATE TABLE customer(a NOT NULL, b TEXT NOT NULL COLLATE RTRIM, PRIMARY KEY (a, b))");
  look({make_schema("customer", "a:text b:text", 2)}, model::KeyEquivalence::kAsciiCaseInsensitive);
  user_.run(fix_of("key column b tells keys apart"));
  EXPECT_EQ("", fix_of("key column b tells keys apart"));
  user_.run(fix_of("key column a tells keys apart"));
  EXPECT_EQ("", fix_of("tells keys apart"));
  EXPECT_THAT(declared(), HasSubstr("(a COLLATE NOCASE NOT NULL, b TEXT NOT NULL COLLATE NOCASE,"));
}

TEST_F(Mending, KeysThatDifferInTrailingSpacesTakeRtrim) {
  create_customers("mail TEXT NOT NULL", ", PRIMARY KEY (mail)) WITHOUT ROWID");
  user_.run("INSERT INTO customer(mail) VALUES ('a'), ('b')");
  look({make_schema("customer", "mail:text note:text")}, model::KeyEquivalence::kTrailingSpaces);
  mend("tells keys apart");
  EXPECT_EQ(SQLITE_CONSTRAINT, user_.code_of("INSERT INTO customer(mail) VALUES ('a ')"));
  EXPECT_THAT(declared(), HasSubstr(") WITHOUT ROWID"));
}

TEST_F(Mending, DecimalsOfManyDigitsKeepTheirType) {
  create_customers("id INTEGER PRIMARY KEY AUTOINCREMENT, price DECIMAL(20,2) NOT NULL", ")");
  user_.run("INSERT INTO customer(id, price) VALUES (1, 1.5), (9, 2)");
  user_.run("DELETE FROM customer WHERE id = 9");
  look({make_schema("customer", "id:int64 price:decimal(20,2) note:text")});
  mend("keeps 15 digits of a decimal(20,2)", "SELECT id, price + 0, note FROM customer");
  EXPECT_THAT(declared(), HasSubstr("price DECIMAL TEXT(20,2) NOT NULL"));
  EXPECT_EQ("decimal(20,2)",
            model::to_string(system_.catalog->tables().value()[1].columns[1].type));
  user_.run("INSERT INTO customer(price) VALUES ('123456789012345678.25')");
  EXPECT_EQ("10|123456789012345678.25", user_.ask("SELECT id, price FROM customer WHERE id <> 1"));
}

TEST_F(Mending, ColumnsOfAnotherAffinityTakeTheRightOne) {
  create_customers("id INTEGER PRIMARY KEY, code STRING, big REAL, ratio TEXT", ")");
  user_.run("INSERT INTO customer(code, big, ratio) VALUES ('abc', 7, '0.5')");
  look({make_schema("customer", "id:int64 code:text big:int64 ratio:float64 note:text")});
  EXPECT_THAT(fix_of("column big (REAL) keeps doubles"), HasSubstr("code STRING, big INTEGER, "));
  user_.run(fix_of("column ratio (TEXT)"));
  user_.run(fix_of("column big (REAL)"));
  mend("column code (STRING) keeps a text that looks like a number",
       "SELECT id, code, CAST(big AS INTEGER), ratio + 0, note FROM customer");
  EXPECT_THAT(declared(), HasSubstr("code TEXT, big INTEGER, ratio REAL"));
  EXPECT_EQ("", fix_of("column "));
}

TEST_F(Mending, AStrictTableTakesWhatItRefused) {
  create_customers("id INTEGER PRIMARY KEY, raw TEXT, born INTEGER, code ANY", ") STRICT");
  user_.run("INSERT INTO customer(id, raw) VALUES (1, 'kept')");
  look({make_schema("customer", "id:int64 raw:bytes born:date code:text note:text")});
  EXPECT_EQ("", fix_of("column code"));
  EXPECT_THAT(fix_of("column born (INTEGER): its table is STRICT and refuses texts"),
              HasSubstr("raw TEXT, born TEXT, code ANY"));
  mend("column raw (TEXT): its table is STRICT and refuses bytes");
  EXPECT_THAT(declared(), HasSubstr(") STRICT"));
}

TEST_F(Mending, RowsWithoutAKeyAreGivenOne) {
  create_customers("mail TEXT, number INT", ", PRIMARY KEY (mail, number))");
  look({make_schema("customer", "mail:text number:int64 note:text", 2)});
  EXPECT_THAT(fix_of("key column mail of customer may be NULL"), HasSubstr("mail TEXT NOT NULL"));
  user_.run("INSERT INTO customer VALUES (NULL, NULL, 'x'), (NULL, 4, 'y'), ('a', 5, 'z')");
  user_.run(fix_of("key column mail of customer is NULL in 2 rows"));
  user_.run(fix_of("key column number of customer is NULL in 1 row"));
  EXPECT_EQ("", fix_of("key column"));
  EXPECT_EQ("2|2|3", user_.ask("SELECT count(*) FILTER (WHERE mail GLOB 'key-*'), count(*) FILTER "
                               "(WHERE number IN (4, 6)), count(*) FROM customer"));
}

TEST_F(Mending, AColumnThatNobodyFillsMayBeNull) {
  create_customers(
      "id INTEGER PRIMARY KEY, owner TEXT CONSTRAINT n NOT NULL ON CONFLICT ABORT, "
      "state TEXT NOT NULL DEFAULT 'new'",
      ")");
  user_.run("INSERT INTO customer(owner) VALUES ('me')");
  look({make_schema("customer", "id:int64 note:text")});
  EXPECT_EQ("", fix_of("column state"));
  mend("column owner of customer is not synced, takes no NULL and has no default");
  connect();
  apply({"put 2 note=Ben"});
  EXPECT_EQ("2|NULL|new|Ben", user_.ask("SELECT * FROM customer WHERE id = 2"));
}

TEST_F(Mending, AKeyThatTheFileDoesNotKeepIsMadeOne) {
  create_customers("mail TEXT, name TEXT", ")");
  user_.run("INSERT INTO customer(mail) VALUES ('a'), ('b')");
  look({});
  model::Schema schema = make_schema("customer", "mail:text note:text");
  ports::DatasetMapping mapping;
  mapping.schema = &schema;
  mapping.table = "customer";
  mapping.columns = {"mail", "note"};
  mapping.triggers = "fire";
  config_.datasets = {mapping};
  system_ = make_sqlite(config_, system_clock()).value();
  user_.run(fix_of("does not keep its key (\"mail\") unique"));
  EXPECT_EQ("", fix_of("does not keep its key"));
  EXPECT_THAT(declared(), HasSubstr("mail TEXT NOT NULL, name TEXT"));
  EXPECT_THAT(objects(), HasSubstr("CREATE UNIQUE INDEX \"customer_syncline_key\""));
  EXPECT_THAT(objects(), HasSubstr("by_note"));
  EXPECT_EQ("2", user_.ask("SELECT count(*) FROM customer"));
}

TEST_F(Mending, AKeyWithoutAnIndexInItsOrderIsGivenOne) {
  user_.run("CREATE TABLE customer(a TEXT NOT NULL, b TEXT NOT NULL, PRIMARY KEY (a, b))");
  look({make_schema("customer", "b:text a:text", 2)});
  user_.run(fix_of("no index has the order of the dataset's key in customer"));
  EXPECT_EQ("", fix_of("no index has the order"));
  user_.run("CREATE INDEX by_a ON customer(a)");  // which the filter may well be looked up in
  set([](ports::DatasetMapping& mapping) { mapping.where = "a = 'x'"; });
  EXPECT_EQ("", fix_of("no index has the order"));
}

TEST_F(Mending, WhatReplaceRemovesByAnExpressionIsCapturedThen) {
  user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY, mail TEXT, note TEXT)");
  user_.run("CREATE UNIQUE INDEX lower_mail ON customer(lower(mail) DESC, id > 0) WHERE id < 9");
  user_.run("INSERT INTO customer VALUES (1, 'a', 'x'), (2, 'b', 'y')");
  look({make_schema("customer", "id:int64 mail:text note:text")});
  set([](ports::DatasetMapping& mapping) { mapping.capture = ports::Capture::kScan; });
  EXPECT_EQ("", fix_of("unique index on an expression"));
  set([](ports::DatasetMapping& mapping) { mapping.capture = ports::Capture::kLog; });
  user_.run(fix_of("unique index on an expression (lower_mail)"));
  EXPECT_EQ("", fix_of("unique index on an expression"));
  EXPECT_THAT(
      user_.ask("EXPLAIN QUERY PLAN SELECT 1 FROM customer WHERE lower(mail) = 'a' AND id < "
                "9"),
      HasSubstr("lower_mail_search"));
}

TEST_F(Mending, ARangeOfItsOwnBeginsWhereNumbersNeverComeTwice) {
  create_customers("number INTEGER", ", PRIMARY KEY (number))");
  user_.run("INSERT INTO customer(number) VALUES (4)");
  look({make_schema("customer", "number:int64 note:text")});
  set([](ports::DatasetMapping& mapping) {
    mapping.maker_count = 2;
    mapping.do_others_step = true;
  });
  const std::string what = "key column number of customer is numbered by SQLite";
  const std::string sql = fix_of(what);
  EXPECT_THAT(sql, StartsWith("-- direction = \"to\""));
  user_.run(sql);
  EXPECT_EQ("", fix_of(what));  // it is seen in the file
  set([](ports::DatasetMapping& mapping) { mapping.maker_index = 1; });
  EXPECT_THAT(fix_of(what), HasSubstr("\nINSERT INTO main.sqlite_sequence"));
  set([](ports::DatasetMapping& mapping) {
    mapping.maker_index = 0;
    mapping.do_others_step = false;
  });
  EXPECT_THAT(fix_of(what), Not(HasSubstr("sqlite_sequence")));
  user_.run("INSERT INTO customer(note) VALUES ('own')");
  EXPECT_EQ("4;1000000000000001", user_.ask("SELECT number FROM customer"));
}

// Numbers that SQLite keeps as integers are whole: nothing is lost of them.
TEST_F(Mending, WholeNumbersThatAnIntegerHoldsAreNotSaid) {
  create_customers("code DECIMAL(18) NOT NULL PRIMARY KEY, n NUMERIC, r REAL", ", x NUMERIC)");
  look({make_schema("customer", "code:decimal(18,0) n:decimal(18,0) r:decimal(18,0)")});
  EXPECT_EQ("", fix_of("column code"));
  EXPECT_EQ("", fix_of("column n (NUMERIC)"));
  EXPECT_NE("", fix_of("column r (REAL) keeps 15 digits"));
  look({make_schema("customer", "code:decimal(19,0) x:decimal(18,1)")});
  EXPECT_THAT(fix_of("column code (DECIMAL(18)) keeps 18 digits"), StartsWith("nothing"));
  EXPECT_NE("", fix_of("column x (NUMERIC) keeps 15 digits"));
}

TEST_F(Mending, BytesOfAStrictTableBecomeTheTextsThatTheySpell) {
  user_.run("CREATE TABLE customer(id TEXT PRIMARY KEY NOT NULL, name BLOB, note TEXT) STRICT");
  user_.run("INSERT INTO customer VALUES ('a', CAST('\xc3\xa9' AS BLOB), NULL), ('b', NULL, 'x')");
  look({make_schema("customer", "id:text name:text")});
  mend("column name (BLOB)", "SELECT id, CAST(name AS TEXT), note FROM customer");
  EXPECT_EQ("text;null", user_.ask("SELECT typeof(name) FROM customer"));
}

TEST_F(Mending, BytesWithAZeroAreNoText) {
  user_.run("CREATE TABLE customer(id TEXT PRIMARY KEY NOT NULL, name BLOB, note TEXT) STRICT");
  user_.run("INSERT INTO customer VALUES ('a', x'410042', NULL)");
  look({make_schema("customer", "id:text name:text")});
  EXPECT_EQ(SQLITE_CONSTRAINT, user_.code_of(fix_of("column name (BLOB)")));
  EXPECT_EQ("410042", user_.ask("SELECT hex(name) FROM customer"));
}

// As they are written: 16 bytes, and digits.
TEST_F(Mending, UuidsAreBytesInAStrictTableAndBitsAreTexts) {
  user_.run(
      "CREATE TABLE customer(id BLOB PRIMARY KEY NOT NULL, bits TEXT, more BLOB, note TEXT) "
      "STRICT");
  look({make_schema("customer", "id:uuid bits:bit(4) more:bit(4)")});
  EXPECT_EQ("", fix_of("column id"));
  EXPECT_EQ("", fix_of("column bits"));
  mend("column more (BLOB)");
}

// SQL of a UTF-16 file cannot write a text's bytes as UTF-8, which is what others hold of it.
TEST_F(Mending, TextsOfAUtf16FileDoNotBecomeBytes) {
  user_.run("PRAGMA encoding = 'UTF-16le'");
  user_.run("CREATE TABLE customer(id TEXT PRIMARY KEY NOT NULL, photo TEXT, note TEXT) STRICT");
  user_.run("INSERT INTO customer VALUES ('a', 'x', NULL)");
  look({make_schema("customer", "id:text photo:bytes")});
  const std::string sql = fix_of("column photo (TEXT)");
  EXPECT_EQ(SQLITE_CONSTRAINT, user_.code_of(sql));
  EXPECT_EQ("a|x|NULL", user_.ask("SELECT * FROM customer"));
  EXPECT_THAT(sql, HasSubstr("-- where photo holds texts, a program has to write their bytes"));
  user_.run("UPDATE customer SET photo = NULL");
  mend("column photo (TEXT)");
}

// Between plan and script somebody adds a column: nothing is lost, and it says so.
TEST_F(Mending, AScriptForATableAsItWasChangesNothing) {
  create_customers("id INTEGER PRIMARY KEY, price DECIMAL(20,2)", ")");
  look({make_schema("customer", "id:int64 price:decimal(20,2) note:text")});
  const std::string sql = fix_of("keeps 15 digits");
  user_.run("ALTER TABLE customer ADD COLUMN more TEXT");
  user_.run("INSERT INTO customer(more) VALUES ('kept')");
  EXPECT_EQ(SQLITE_CONSTRAINT, user_.code_of(sql));
  EXPECT_EQ("kept", user_.ask("SELECT more FROM customer"));
  mend("keeps 15 digits");
}

// Two rows of a coarser key: the script ends there, and the table stays.
TEST_F(Mending, AScriptThatTheRowsDoNotAllowChangesNothing) {
  create_customers("mail TEXT PRIMARY KEY NOT NULL", ")");
  user_.run("INSERT INTO customer(mail) VALUES ('a'), ('A')");
  look({make_schema("customer", "mail:text note:text")},
       model::KeyEquivalence::kAsciiCaseInsensitive);
  EXPECT_EQ(SQLITE_CONSTRAINT, user_.code_of(fix_of("tells keys apart")));
  EXPECT_EQ("2", user_.ask("SELECT count(*) FROM customer"));
}

// What was written while our triggers were gone is read by the scan that follows.
TEST_F(Mending, ATableMadeAnewWhileItIsReadIsScanned) {
  create_customers("id INTEGER PRIMARY KEY, owner TEXT NOT NULL", ")");
  start({make_schema("customer", "id:int64 note:text")});
  user_.run(fix_of("column owner of customer is not synced"));
  user_.run("INSERT INTO customer(owner) VALUES ('unseen')");
  EXPECT_THAT(fix_of("triggers of ours on customer are missing"), StartsWith("syncline run"));
  poll();
  EXPECT_EQ("", fix_of("triggers of ours"));
  EXPECT_THAT(last_poll_.rescan, testing::ElementsAre(schemas_[0].dataset));
  user_.run("INSERT INTO customer(note) VALUES ('seen')");
  EXPECT_THAT(poll(), testing::ElementsAre("insert 2 note=seen"));
}

}  // namespace
}  // namespace syncline::sqlite
