// Texts in all of the server's character sets: what its log holds is read as what its SELECT gives.
#include "drivers/systems/mariadb/detail/charset.hpp"

#include <iconv.h>

#include "drivers/systems/mariadb/detail/table.hpp"
#include "tests/unit/mariadb/mariadb_fixture.hpp"

namespace syncline::mariadb {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty, testing::SizeIs;

// Rows of letters, one for each beginning; and one each for a few byte sequences that the column
// takes and SELECT shows as '?'.
class Charsets : public MariadbTest {
 protected:
  static constexpr int kStrangeFrom = 1'000'000;

  std::vector<std::string> all_sets() {
    std::vector<std::string> names;
    std::istringstream in(
        user_.ask("SELECT GROUP_CONCAT(CHARACTER_SET_NAME ORDER BY 1 SEPARATOR ' ') FROM "
                  "information_schema.CHARACTER_SETS WHERE CHARACTER_SET_NAME <> 'binary'"));
    for (std::string name; in >> name;) names.push_back(name);
    return names;
  }
  // All sequences of one and two bytes, those of three that EUC has, and every 61st letter of
  // Unicode.
  void make_sequences() {
    user_.run("SET group_concat_max_len = 1000000", "SET sql_mode = ''",
              "CREATE TABLE sequence(bytes varbinary(4), point int)",
              "CREATE TABLE byte(bytes binary(1))",
              "INSERT INTO byte SELECT UNHEX(LPAD(HEX(seq), 2, '0')) FROM seq_0_to_255",
              "INSERT INTO sequence SELECT bytes, NULL FROM byte",
              "INSERT INTO sequence SELECT CONCAT(a.bytes, b.bytes), NULL FROM byte a, byte b",
              "INSERT INTO sequence SELECT CONCAT(x'8f', a.bytes, b.bytes), NULL FROM byte a, byte "
              "b WHERE a.bytes > x'a0' AND b.bytes > x'a0'",
              "INSERT INTO sequence SELECT NULL, seq FROM seq_1_to_1114111_step_61 WHERE seq NOT "
              "BETWEEN 0xd800 AND 0xdfff");
  }
  static std::string table_of(const std::string& set) { return "text_" + set; }
  void make_table(const std::string& set) {
    user_.run("CREATE TABLE " + table_of(set) + "(id int AUTO_INCREMENT PRIMARY KEY, v text " +
              "CHARACTER SET " + set + ")");
  }
  int count(const std::string& set, const std::string& where) {
    return std::stoi(user_.ask("SELECT count(*) FROM " + table_of(set) + where));
  }
  static bool is_of_unicode(const std::string& set) {
    return set.starts_with("utf") || set == "ucs2";
  }
  // Without halves of letters. Returns how many rows there are.
  int fill(const std::string& set) {
    const std::string of_point = "CONVERT(CHAR(point USING utf32) USING " + set + ")";
    user_.run("INSERT INTO " + table_of(set) + "(v) SELECT GROUP_CONCAT(" + of_point +
              " SEPARATOR '') FROM sequence WHERE CAST(" + of_point +
              " AS binary) <> CAST(CONVERT('?' USING " + set +
              ") AS binary) GROUP BY point DIV 4000");
    if (is_of_unicode(set)) return count(set, "");
    const std::string text = "CONVERT(" + letter_of(set) + " USING utf8mb4)";
    user_.run("INSERT INTO " + table_of(set) +
              "(v) SELECT CAST(GROUP_CONCAT(bytes ORDER BY bytes SEPARATOR '') AS CHAR CHARACTER "
              "SET " +
              set + ") FROM sequence WHERE CHAR_LENGTH(" + text + ") = 1 AND (CAST(" + text +
              " AS binary) <> '?' OR bytes = '?') GROUP BY LENGTH(bytes), LEFT(bytes, "
              "LENGTH(bytes) - 1)");
    return count(set, "");
  }
  int fill_strange(const std::string& set) {
    if (is_of_unicode(set)) return 0;
    user_.run("INSERT INTO " + table_of(set) + " SELECT " + std::to_string(kStrangeFrom) +
              " + ROW_NUMBER() OVER (), " + letter_of(set) +
              " FROM sequence WHERE MOD(CRC32(bytes), 9) = 0 AND CAST(" + letter_of(set) +
              " AS binary) = bytes AND bytes <> '?' AND CAST(CONVERT(" + letter_of(set) +
              " USING utf8mb4) AS binary) IN ('?', REPEAT('?', 2))");
    return count(set, " WHERE id > " + std::to_string(kStrangeFrom));
  }
  static std::string letter_of(const std::string& set) {
    return "CAST(bytes AS CHAR CHARACTER SET " + set + ")";
  }
};

TEST_F(Charsets, EveryLetterOfEverySetIsReadFromTheLogAsSelectGivesIt) {
  make_sequences();
  const std::vector<std::string> sets = all_sets();
  std::vector<model::Schema> schemas;
  for (const std::string& set : sets) {
    make_table(set);
    schemas.push_back(make_schema(table_of(set), "id:int64 v:text"));
  }
  start(std::move(schemas));
  int strange_count = 0;
  for (size_t i = 0; i < sets.size(); ++i) {
    const int row_count = fill(sets[i]);
    EXPECT_GT(row_count, 1) << sets[i];
    sink_->values.clear();
    EXPECT_THAT(take(static_cast<size_t>(row_count)), SizeIs(row_count)) << sets[i];
    const auto from_log = std::exchange(sink_->values, {});
    snapshot(1000, i);
    ASSERT_EQ(from_log.size(), sink_->values.size()) << sets[i];
    for (size_t row = 0; row < from_log.size(); ++row) {
      EXPECT_EQ(sink_->values[row], from_log[row]) << sets[i] << ", row " << row + 1;
    }
    EXPECT_THAT(rejected_, IsEmpty()) << sets[i];
    rejected_.clear();
    const int strange = fill_strange(sets[i]);
    poll_until([&] { return rejected_.size() >= static_cast<size_t>(strange); });
    EXPECT_THAT(sink_->take(), IsEmpty()) << sets[i];
    EXPECT_THAT(std::exchange(rejected_, {}), SizeIs(strange)) << sets[i];
    strange_count += strange;
    ASSERT_FALSE(HasFailure()) << sets[i];
  }
  EXPECT_GT(strange_count, 1'000);
  EXPECT_THAT(stopped_, IsEmpty());
  EXPECT_THAT(rescans_, IsEmpty());
}

// 晡 is the one that a write refuses.
TEST_F(Charsets, EveryLetterThatASetTakesComesBackButOne) {
  user_.run("SET sql_mode = ''");
  std::string others;
  for (const std::string& set : all_sets()) {
    const std::string taken = "CONVERT(CHAR(seq USING utf32) USING " + set + ")";
    std::string query = "SELECT HEX(seq) FROM seq_1_to_65535 WHERE seq NOT BETWEEN 0xd800 AND ";
    query.append("0xdfff AND CAST(").append(taken).append(" AS binary) <> '?' AND CONVERT(");
    query.append(taken).append(" USING utf32) <> CHAR(seq USING utf32) COLLATE utf32_bin");
    const std::string found = user_.ask(query);
    if (!found.empty()) others.append(set).append(" ").append(found).append("\n");
  }
  EXPECT_EQ("cp932 6661\n", others);
}

// 表 ends with the byte of a backslash.
TEST_F(Charsets, LabelsAreReadFromTheLogInAnySet) {
  user_.run(
      "CREATE TABLE thing(id int PRIMARY KEY, e enum('C:\\\\dir~', '表', 'it''s\\n') CHARACTER SET "
      "sjis, s set('~', '\\\\表') CHARACTER SET sjis, m enum('é', 'ß') CHARACTER SET macroman, k "
      "set('ř', 'ž') CHARACTER SET keybcs2)");
  start({make_schema("thing", "id:int64 e:enum s:set m:enum k:set")});
  user_.run(
      "INSERT INTO thing VALUES (1, 'C:\\\\dir~', '~,\\\\表', 'é', 'ž,ř'), (2, '表', '', 'ß', "
      "'ř'), "
      "(3, 'it''s\\n', '\\\\表', 'é', '')");
  const std::vector<std::string> rows = {" 1 e=C:\\dir~ s=\\表,~ m=é k=ř,ž", " 2 e=表 s= m=ß k=ř",
                                         " 3 e=it's\n s=\\表 m=é k="};
  EXPECT_THAT(take(3), ElementsAre("insert" + rows[0], "insert" + rows[1], "insert" + rows[2]));
  EXPECT_THAT(snapshot(),
              ElementsAre("snapshot" + rows[0], "snapshot" + rows[1], "snapshot" + rows[2]));
  apply({"put 4 e=表 s=\\表 m=ß k=ž"});
  EXPECT_EQ("表|\\表|ß|ž", user_.ask("SELECT e, s, m, k FROM thing WHERE id = 4"));
  EXPECT_THAT(rejected_, IsEmpty());
  EXPECT_THAT(rescans_, IsEmpty());
}

// The catalog is in three bytes a letter: what the labels are is not told.
TEST_F(Charsets, LabelsThatTheCatalogCannotShowStopTheirDatasetUntilTheyAreMended) {
  user_.run(
      "CREATE TABLE thing(id int PRIMARY KEY, e enum('🚲', 'yes?') DEFAULT 'yes?' COMMENT "
      "'how')");
  start({make_schema("thing", "id:int64 e:text")});
  user_.run("INSERT INTO thing VALUES (1, 'yes?')");
  poll_until([&] { return !rescans_.empty(); });
  user_.run("INSERT INTO thing VALUES (2, '🚲')");
  poll_until([&] { return !stopped_.empty(); });
  EXPECT_THAT(sink_->take(), IsEmpty());
  const Error error = stopped_[0].error;
  EXPECT_EQ(ErrorCode::kSystemSchema, error.code);
  EXPECT_THAT(error.why, HasSubstr("column e"));
  EXPECT_EQ(schemas_[0].dataset, stopped_[0].dataset);
  user_.run("INSERT INTO thing VALUES (3, 'yes?')");
  constexpr int kLongerThanALookMs = 6'000;
  EXPECT_THAT(take_for(kLongerThanALookMs), IsEmpty());
  EXPECT_THAT(stopped_, SizeIs(1));
  rescans_.clear();
  user_.run(error.fix.substr(0, error.fix.find(';')));
  poll_until([&] { return !rescans_.empty(); });
  EXPECT_THAT(snapshot(), ElementsAre("snapshot 1 e=yes?", "snapshot 2 e=🚲", "snapshot 3 e=yes?"));
  user_.run("INSERT INTO thing VALUES (4, '🚲'), (5, DEFAULT)");
  EXPECT_THAT(take(2), ElementsAre("insert 4 e=🚲", "insert 5 e=yes?"));
  EXPECT_THAT(user_.ask("SHOW CREATE TABLE thing"), HasSubstr("COMMENT 'how'"));
}

TEST_F(Charsets, ASetWhoseLettersAreNotKnownStopsItsDataset) {
  user_.run(
      "CREATE TABLE thing(id int PRIMARY KEY, v varchar(9) CHARACTER SET sjis NOT NULL COMMENT "
      "'x')");
  configure(url(), {make_schema("thing", "id:int64 v:text")}, "");
  const auto shared = shared_of(config_, {});
  const auto connection = Connection::open(shared->access(), Purpose::kSql).value();
  auto& charsets = *shared->charsets;
  Mapped mapped = read_mapped(*connection, config_.datasets[0], charsets).value();
  EXPECT_NE(nullptr, mapped.columns[1].type.letters);
  mapped.columns[1].type.charset = "klingon";
  const auto read = read_letters(*connection, charsets, mapped);
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(ErrorCode::kSystemSchema, read.error().code);
  EXPECT_THAT(read.error().why, HasSubstr("column v of thing has the character set klingon"));
  EXPECT_EQ(
      "ALTER TABLE `thing` MODIFY `v` varchar(9) CHARACTER SET utf8mb4 COLLATE "
      "utf8mb4_general_ci NOT NULL COMMENT 'x';",
      read.error().fix);
}

// One that MariaDB has not, asked of another that knows its letters.
std::string by_iconv(const char* set, std::string bytes) {
  iconv_t converter = iconv_open("UTF-8", set);
  std::string out(16, '\0');
  char* in = bytes.data();
  char* at = out.data();
  size_t in_left = bytes.size();
  size_t out_left = out.size();
  const bool is_done = iconv(converter, &in, &in_left, &at, &out_left) == 0 && in_left == 0;
  iconv_close(converter);
  out.resize(is_done ? out.size() - out_left : 0);
  return out;
}

Result<std::vector<Charset::Letter>> ask_iconv(std::span<const std::string> bytes_by_place) {
  std::vector<Charset::Letter> letters = {{"", ""}};
  for (const std::string& bytes : bytes_by_place) {
    std::vector<Charset::Letter> longer;
    for (const Charset::Letter& letter : letters) {
      for (const char byte : bytes) longer.push_back({letter.bytes + byte, ""});
    }
    letters = std::move(longer);
  }
  for (Charset::Letter& letter : letters) letter.text = by_iconv("GB18030", letter.bytes);
  return letters;
}

TEST(Charset, LettersOfFourBytesAreReadToTheEndOfUnicode) {
  const Charset charset = Charset::make("gb18030", 4, ask_iconv).value();
  EXPECT_TRUE(charset.is_plain("C:\\dir~"));
  std::string bytes;
  std::string text;
  for (const char* letter : {"a", "\xd6\xd0", "\x81\x30\x81\x30", "\x84\x31\xa4\x39",
                             "\x90\x30\x81\x30", "\x94\x39\xc8\x38", "\xe3\x32\x9a\x35"}) {
    const std::string one = by_iconv("GB18030", letter);
    ASSERT_FALSE(one.empty());
    EXPECT_EQ(one, charset.utf8_from(letter).value());
    bytes += letter;
    text += one;
  }
  EXPECT_EQ(text, charset.utf8_from(bytes).value());
  for (const char* none :
       {"\xe3\x32\x9a\x36", "\x81\x30\x81", "\x81", "\x80", "\x85\x30\x81\x30"}) {
    EXPECT_FALSE(charset.utf8_from(none).has_value());
  }
  EXPECT_FALSE(Charset::make("klingon", 4, ask_iconv).has_value()) << "which bytes are letters?";
}

TEST(Charset, FormsOfUnicodeAreReadAsTheyAreDefinedAndHalvesAreNone) {
  const auto read = [](const char* set, std::string_view bytes) {
    const auto text = Charset::make(set, 4, ask_iconv).value().utf8_from(bytes);
    return text ? text.value() : "refused";
  };
  EXPECT_EQ("aü語", read("ucs2", std::string_view("\0a\0\xfc\x8a\x9e", 6)));
  EXPECT_EQ("a🚲", read("utf16", std::string_view("\0a\xd8\x3d\xde\xb2", 6)));
  EXPECT_EQ("a🚲", read("utf16le", std::string_view("a\0\x3d\xd8\xb2\xde", 6)));
  EXPECT_EQ("a🚲", read("utf32", std::string_view("\0\0\0a\0\1\xf6\xb2", 8)));
  EXPECT_EQ("refused", read("ucs2", "\xd8\x3d\xde\xb2"));
  EXPECT_EQ("refused", read("utf16", "\xd8\x3d"));
  EXPECT_EQ("refused", read("utf16", std::string_view("\xd8\x3d\0a", 4)));
  EXPECT_EQ("refused", read("utf16", "\xde\xb2\xd8\x3d"));
  EXPECT_EQ("refused", read("utf32", std::string_view("\0\x11\0\0", 4)));
  EXPECT_EQ("refused", read("utf32", std::string_view("\0\0a", 3)));
}

}  // namespace
}  // namespace syncline::mariadb
