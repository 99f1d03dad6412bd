// A table with all that one can carry, and the SQL that its findings print.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/unit/sqlite/sqlite_fixture.hpp"

namespace syncline::sqlite {

class Mending : public SqliteTest {
 protected:
  // A customer with all that a table can carry, and others that refer to it.
  void create_customers(const std::string& columns, const std::string& options = "") {
    user_.run("CREATE TABLE customer(" + columns + ", note TEXT DEFAULT ('x, y')" + options);
    user_.run("CREATE INDEX by_note ON customer(note COLLATE NOCASE) WHERE note IS NOT NULL");
    user_.run("CREATE TABLE audit(what TEXT)");
    user_.run(
        "CREATE TRIGGER told AFTER UPDATE ON customer BEGIN\n  -- ;\n  INSERT INTO audit VALUES "
        "('it''s ' || NEW.note); END");
    user_.run("CREATE VIEW seen AS SELECT note FROM customer");
    user_.run("CREATE TRIGGER heard AFTER INSERT ON audit BEGIN SELECT note FROM customer; END");
  }
  void look(std::vector<model::Schema> schemas,
            model::KeyEquivalence equivalence = model::KeyEquivalence::kBytes) {
    for (model::Schema& schema : schemas) schema.key_equivalence = equivalence;
    start(std::move(schemas));
    expect_ok(system_.catalog->detach());
    set([](ports::DatasetMapping& mapping) { mapping.triggers = "fire"; });
  }
  void set(const std::function<void(ports::DatasetMapping&)>& how) {
    for (ports::DatasetMapping& mapping : config_.datasets) how(mapping);
    system_ = make_sqlite(config_, system_clock()).value();
  }
  // Empty where there is no such finding.
  std::string fix_of(const std::string& what) {
    const auto found = system_.catalog->findings();
    expect_ok(found);
    for (const ports::Finding& finding : found.value()) {
      if (finding.what.find(what) != std::string::npos) return finding.fix;
    }
    return {};
  }
  std::string objects() {
    return user_.ask(
        "SELECT type, name, sql FROM sqlite_master WHERE name <> 'customer' AND type <> 'table' "
        "ORDER BY type, name");
  }
  std::string declared() {
    return user_.ask("SELECT sql FROM sqlite_master WHERE name = 'customer'");
  }
  // The finding is there, and after its SQL nothing but it is not.
  void mend(const std::string& what, const std::string& rows = "SELECT * FROM customer") {
    const std::string before = objects();
    const std::string rows_before = user_.ask(rows);
    const std::string sql = fix_of(what);
    ASSERT_NE("", sql) << what;
    user_.run(sql);
    EXPECT_EQ("", fix_of(what)) << sql;
    EXPECT_EQ(before, objects()) << sql;
    EXPECT_EQ(rows_before, user_.ask(rows)) << sql;
    EXPECT_EQ("ok", user_.ask("PRAGMA integrity_check"));
    user_.run("UPDATE customer SET note = note");
    EXPECT_EQ("0", user_.ask("SELECT count(*) FROM sqlite_temp_master"));
  }
};

}  // namespace syncline::sqlite
