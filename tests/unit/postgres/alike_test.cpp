// Keys that citext or a collation takes for one, where they are two records to us.
#include "tests/unit/postgres/postgres_fixture.hpp"

namespace syncline::postgres {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty;

// Of a column's type.
class Alike : public PostgresTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    const std::string citext = "FROM pg_available_extensions WHERE name = 'citext'";
    if (user_.ask("SELECT count(*) " + citext) == "0") GTEST_SKIP() << "citext is not installed";
    user_.run("CREATE EXTENSION citext");
    for (const char* level : {"1", "2"}) {
      user_.run(std::string("CREATE COLLATION level") + level +
                " (provider = icu, locale = 'und-u-ks-level" + level + "', deterministic = false)");
    }
    user_.run(std::string("CREATE TABLE customer(name ") + GetParam() + " PRIMARY KEY, n bigint)");
    model::Schema schema = make_schema("customer", "name:text n:int64");
    schema.key_equivalence = model::KeyEquivalence::kAsciiCaseInsensitive;
    start({schema});
  }
  std::string customers() { return user_.ask("SELECT * FROM customer ORDER BY n"); }
  ports::Poison refused(const std::vector<std::string>& texts) {
    const auto applied = try_apply(texts);
    expect_ok(applied);
    if (applied && applied.value().poison) return *applied.value().poison;
    ADD_FAILURE() << "nothing was refused";
    return {};
  }
  // What is not known yet is asked for, and shown by the next look.
  Result<ports::ApplyResult> apply_guarded(const std::vector<std::string>& texts) {
    auto applied = try_apply(texts);
    for (int looks = 0; !applied && looks < 5; ++looks) {
      drain();
      applied = try_apply(texts);
    }
    return applied;
  }
  std::vector<std::string> record(const std::string& key) {
    const std::vector<std::string> keys = {key_of(schemas_[0], key)};
    expect_ok(system_.source->read_records(schemas_[0].dataset, keys, *sink_));
    return sink_->take();
  }
};

TEST_P(Alike, ARecordIsMetByItsOwnKeyAlone) {
  user_.run("INSERT INTO customer VALUES ('ä', 1)");
  apply({"set Ä n=9"});
  apply({"delete Ä"});
  EXPECT_EQ("ä|1", customers());
  EXPECT_THAT(record("Ä"), IsEmpty());
  EXPECT_THAT(record("ä"), ElementsAre("snapshot ä n=1"));
  apply({"set ä n=2"});
  EXPECT_EQ("ä|2", customers());
  apply({"delete ä"});
  EXPECT_EQ("", customers());
}

TEST_P(Alike, AWholeRecordBesideItsLikeIsRefusedWithTheReason) {
  user_.run("INSERT INTO customer VALUES ('ä', 1)");
  const ports::Poison poison = refused({"put b n=2", "put Ä n=9"});
  EXPECT_EQ(1U, poison.write_index);
  EXPECT_EQ(ErrorCode::kSystemRefused, poison.error.code);
  EXPECT_THAT(poison.error.what, HasSubstr("record name=Ä: table public.customer takes it for the "
                                           "record name=ä"));
  EXPECT_EQ("ä|1", customers());
  user_.run(poison.error.fix.substr(0, poison.error.fix.find("; or ")));
  connect();
  apply({"put b n=2", "put Ä n=9"});
  EXPECT_EQ("ä|1;b|2;Ä|9", customers());
}

TEST_P(Alike, AmongManyMissingRecordsTheOneThatIsTakenForAnotherIsRefused) {
  user_.run("INSERT INTO customer VALUES ('ä', 1)");
  std::vector<std::string> texts;
  for (int n = 1000; n < 1100; ++n) texts.push_back("put k" + std::to_string(n) + " n=2");
  apply(texts);
  for (std::string& text : texts) text[4] = 'l';
  texts[50] = "put Ä n=9";
  EXPECT_EQ(50U, refused(texts).write_index);
  EXPECT_EQ("101", user_.ask("SELECT count(*) FROM customer"));
}

TEST_P(Alike, LettersOfAsciiAreOneRecordInAnyCase) {
  user_.run("INSERT INTO customer VALUES ('A', 1)");
  apply({"set a n=2"});
  EXPECT_EQ("A|2", customers());
  apply({"put a n=3"});
  EXPECT_EQ("A|3", customers());
  EXPECT_THAT(record("a"), ElementsAre("snapshot A n=3"));
  apply({"delete a"});
  EXPECT_EQ("", customers());
}

TEST_P(Alike, ADeletedRecordGivesItsPlaceToItsLike) {
  user_.run("INSERT INTO customer VALUES ('ä', 1)");
  apply({"put Ä n=9", "delete ä"});
  EXPECT_EQ("Ä|9", customers());
}

TEST_P(Alike, AGuardedRecordIsToldFromItsLikeToo) {
  user_.run("INSERT INTO customer VALUES ('ä', 1), ('B', 2)");
  config_.datasets[0].capture = ports::Capture::kScan;
  connect();
  expect_ok(apply_guarded({"set Ä n=9", "set B n=3"}));
  expect_ok(apply_guarded({"delete Ä"}));
  EXPECT_EQ("ä|1;B|3", customers());
  const auto refused = apply_guarded({"put Ä n=9"});
  ASSERT_TRUE(refused.has_value() && refused.value().poison.has_value());
  EXPECT_THAT(refused.value().poison->error.what, HasSubstr("takes it for the record name=ä"));
  EXPECT_EQ("ä|1;B|3", customers());
}

// It went, and its like came, before we read that it had been given that key.
TEST_P(Alike, WhatTheLogLeavesOutOfARecordIsNotReadFromItsLike) {
  user_.run(std::string("CREATE TABLE letter(name ") + GetParam() + " PRIMARY KEY, body text)");
  user_.run("ALTER TABLE letter ALTER body SET STORAGE EXTERNAL");
  model::Schema schema = make_schema("letter", "name:text body:text");
  schema.key_equivalence = model::KeyEquivalence::kAsciiCaseInsensitive;
  start({schema});
  user_.run("INSERT INTO letter VALUES ('b', repeat('x', 5000))");
  take(1);
  user_.run("UPDATE letter SET name = 'Ä'");
  user_.run("DELETE FROM letter");
  user_.run("INSERT INTO letter VALUES ('ä', repeat('y', 5000))");
  const auto lines = take(3);
  EXPECT_EQ("update Ä", lines.at(0));
  EXPECT_EQ("insert ä body=" + std::string(5000, 'y'), lines.at(2));
}

INSTANTIATE_TEST_SUITE_P(Types, Alike,
                         testing::Values("citext", "text COLLATE level2",
                                         "varchar(20) COLLATE level1"));

}  // namespace
}  // namespace syncline::postgres
