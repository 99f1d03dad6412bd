// What the decoder makes of MySQL 8's log: events made by hand, of a table that a MariaDB
// describes.
#include <zstd.h>

#include "drivers/systems/mariadb/detail/decoder.hpp"
#include "drivers/systems/mariadb/detail/mysql_log.hpp"
#include "tests/unit/mariadb/mariadb_fixture.hpp"
#include "tests/unit/mariadb/mysql_bytes.hpp"

namespace syncline::mariadb {
namespace {

constexpr uint32_t kBegin = 126;
constexpr size_t kPartBytes = 2'000;

class MysqlDecoder : public MariadbTest {
 protected:
  void SetUp() override {
    if (is_mysql()) GTEST_SKIP() << "not run: its table is described by a MariaDB";
    user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(200))");
    configure(url(), {make_schema("customer", "id:int64 name:text")}, "");
    Limits limits;
    limits.part_bytes = kPartBytes;
    const auto shared = shared_of(config_, limits);
    connection_ = Connection::open(shared->access(), Purpose::kSql).value();
    decoder_ = std::make_unique<Decoder>(
        shared, [this]() -> Result<Connection*> { return connection_.get(); });
    expect_ok(decoder_->look(Decoder::Which::kAll));
    const Place place{0, 1, kBegin};
    begin({{0, 1, kBegin - 1}, {place, {}, 0, 0, {}}, "bin", {}, {}});
  }
  void begin(const LogPosition& position) {
    decoder_->begin_stream(position, made::kServer);
    EXPECT_THAT(read({made::format_description(1)}), testing::IsEmpty());
  }
  std::vector<std::string> read(const std::vector<std::string>& all) {
    decoder_->begin_poll(*sink_);
    for (const std::string& bytes : all) {
      std::vector<Event> events;
      expect_ok(log_.take(bytes, events));
      for (Event& event : events) expect_ok(decoder_->take(std::move(event)));
    }
    found_ = {};
    decoder_->end_poll(found_);
    return sink_->take();
  }
  std::string table(made::Sum sum = made::Sum::kCrc32, const std::string& name = "customer") const {
    const std::string optional = made::field(1, made::hex("00")) + made::field(2, made::hex("2e")) +
                                 made::field(4, "\2id\4name");
    return made::event(
        19, made::table_map_body("\x08\x0f", made::le(800, 2), optional, database_, name), 0, sum);
  }
  static std::string insert(int id, made::Sum sum = made::Sum::kCrc32, int type = 30) {
    const std::string row =
        std::string("\0", 1) + made::le(static_cast<uint64_t>(id), 8) + made::le(3, 2) + "Ann";
    return made::event(type, made::rows_body(2, "\3", row), 0, sum);
  }
  static std::string prepared(char one_phase) {
    return made::event(38, one_phase + made::le(1, 4) + made::le(1, 4) + made::le(0, 4) + "a", 0);
  }

  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Decoder> decoder_;
  MysqlLog log_{MysqlLog::Checksums::kCrc32};
  ports::PollResult found_;
};

TEST_F(MysqlDecoder, ATransactionIsShownWithItsPlace) {
  EXPECT_THAT(
      read({made::gtid(1, 300), made::query("BEGIN", 400), table(), insert(5), made::xid(500)}),
      testing::ElementsAre("insert 5 name=Ann"));
  const LogPosition position = decode(sink_->position).value();
  EXPECT_EQ("3e11fa47-71ca-11e1-...:1", gtid_text(Flavour::kMysql, position.from.gtid));
  EXPECT_EQ((Place{0, 1, 500}), decoder_->reached());
}

TEST_F(MysqlDecoder, WhatNobodyKnowsIsScannedFor) {
  uint32_t end = 300;
  const auto scans_of = [&](int type, uint16_t flags) {
    end += 100;
    read({made::gtid(1, end), made::query("BEGIN", 0),
          made::event(type, "x", 0, made::Sum::kCrc32, flags), made::xid(end + 50)});
    EXPECT_EQ(found_.rescan.size(), found_.stopped.size());
    return found_.rescan.size();
  };
  for (const int type : {3, 5, 9, 11, 13, 14, 17, 28, 29, 35, 36, 37}) {
    EXPECT_EQ(0U, scans_of(type, 0)) << type;
  }
  for (const int type : {6, 8, 10, 12, 20, 21, 22, 43, 77, 172}) {
    EXPECT_EQ(1U, scans_of(type, 0)) << type;
    EXPECT_EQ(0U, scans_of(type, 0x80)) << type;
  }
}

TEST_F(MysqlDecoder, WhatNobodyKnowsIsScannedForWhereWhatItIsInCounts) {
  const std::string start = "XA START X'61',X'',1";
  read({made::gtid(1, 300), made::query(start, 0), made::event(77, "x", 0), prepared('\0')});
  EXPECT_THAT(found_.rescan, testing::IsEmpty());
  read({made::gtid(2, 900), made::query("XA COMMIT X'61',X'',1", 950)});
  EXPECT_THAT(found_.rescan, testing::SizeIs(1));
}

TEST_F(MysqlDecoder, WhatIsPreparedIsShownWhereItIsCommitted) {
  const std::string start = "XA START X'61',X'',1";
  EXPECT_THAT(read({made::gtid(1, 300), made::query(start, 0), table(), insert(5),
                    made::query("XA END X'61',X'',1", 0), prepared('\0')}),
              testing::IsEmpty());
  EXPECT_THAT(read({made::gtid(2, 900), made::query("XA COMMIT X'61',X'',1", 950)}),
              testing::ElementsAre("insert 5 name=Ann"));
  read({made::gtid(3, 1300), made::query(start, 0), table(), insert(6), prepared('\0')});
  EXPECT_THAT(read({made::gtid(4, 1900), made::query("XA ROLLBACK X'61',X'',1", 1950)}),
              testing::IsEmpty());
}

TEST_F(MysqlDecoder, WhatIsTooLargeIsReadAgainAndShownInParts) {
  std::vector<std::string> group = {made::gtid(1, 300), made::query("BEGIN", 400), table()};
  for (int id = 0; id < 100; ++id) group.push_back(insert(id));
  group.push_back(made::xid(9'000));
  EXPECT_THAT(read(group), testing::IsEmpty());
  ASSERT_TRUE(decoder_->is_to_be_read_again());
  begin(decoder_->read());
  EXPECT_THAT(read(group), testing::SizeIs(100));
  EXPECT_TRUE(decoder_->has_shown_part());
  EXPECT_EQ(0U, decode(sink_->position).value().part.taken);
}

TEST_F(MysqlDecoder, WhatIsTooLargeAndRolledBackIsNotShown) {
  std::vector<std::string> group = {made::gtid(1, 300), made::query("BEGIN", 400), table()};
  for (int id = 0; id < 100; ++id) group.push_back(insert(id));
  group.push_back(made::query("ROLLBACK", 9'000));
  EXPECT_THAT(read(group), testing::IsEmpty());
  ASSERT_TRUE(decoder_->is_to_be_read_again());
  begin(decoder_->read());
  EXPECT_THAT(read(group), testing::IsEmpty());
  EXPECT_TRUE(decoder_->has_shown_part());
  // Of tables that cannot roll back it did happen: the scan finds it.
  EXPECT_THAT(found_.rescan, testing::ElementsAre(schemas_[0].dataset));
  EXPECT_EQ(0U, decode(sink_->position).value().part.taken);
}

TEST_F(MysqlDecoder, WhatIsRolledBackIsNotShown) {
  EXPECT_THAT(read({made::gtid(1, 300), made::query("BEGIN", 400), table(), insert(5),
                    made::query("ROLLBACK", 900)}),
              testing::IsEmpty());
  EXPECT_THAT(found_.rescan, testing::ElementsAre(schemas_[0].dataset));
}

// An event tells 32 bits of its place. A stream begins below that: a position there is one to read
// on from, beginning with the group before.
TEST_F(MysqlDecoder, AFileBeyondFourGigabytesIsReadOn) {
  const std::vector<std::string> large = {made::gtid(1, 2'000'000'000), made::query("BEGIN", 0),
                                          table(), insert(5), made::xid(4'294'967'200)};
  const std::vector<std::string> behind = {made::gtid(2, 100), made::query("BEGIN", 0), table(),
                                           insert(6), made::xid(900)};
  const std::vector<std::string> last = {made::gtid(3, 1'000), made::query("BEGIN", 0), table(),
                                         insert(7), made::xid(1'900)};
  EXPECT_THAT(read(large), testing::ElementsAre("insert 5 name=Ann"));
  EXPECT_THAT(read(behind), testing::ElementsAre("insert 6 name=Ann"));
  EXPECT_EQ((Place{0, 1, (uint64_t{1} << 32) + 900}), decoder_->reached());
  begin(decode(sink_->position).value());
  EXPECT_THAT(read(large), testing::IsEmpty());
  EXPECT_THAT(read(behind), testing::IsEmpty());
  EXPECT_THAT(read(last), testing::ElementsAre("insert 7 name=Ann"));
}

TEST_F(MysqlDecoder, WhatBeginsWithAMarkerIsNeverCut) {
  std::vector<std::string> group = {made::gtid(1, 300), made::query("BEGIN", 400),
                                    table(made::Sum::kCrc32, "syncline_checkpoint"), table()};
  for (int id = 0; id < 100; ++id) group.push_back(insert(id));
  group.push_back(made::xid(9'000));
  EXPECT_THAT(read(group), testing::SizeIs(100));
  EXPECT_FALSE(decoder_->is_to_be_read_again());
  EXPECT_FALSE(decoder_->has_shown_part());
}

TEST_F(MysqlDecoder, APartOfATransactionThatIsGoneIsALostLog) {
  LogPosition part = decoder_->read();
  part.part = {{1, 2, 3}, 4, 5};
  begin(*decode(encode(part)));
  std::vector<Event> events;
  expect_ok(log_.take(made::gtid(1, 300), events));
  expect_ok(log_.take(made::query("BEGIN", 400), events));
  ASSERT_FALSE(events.empty());
  const auto taken = decoder_->take(std::move(events.front()));
  ASSERT_FALSE(taken);
  EXPECT_EQ(ErrorCode::kSystemLost, taken.error().code);
  EXPECT_THAT(taken.error().why, testing::HasSubstr("read in part"));
}

TEST_F(MysqlDecoder, WhatIsCommittedInOnePhaseIsShownAtOnce) {
  EXPECT_THAT(read({made::gtid(1, 300), made::query("XA START X'61',X'',1", 0), table(), insert(5),
                    made::query("XA END X'61',X'',1", 0), prepared('\1')}),
              testing::ElementsAre("insert 5 name=Ann"));
}

TEST_F(MysqlDecoder, ACompressedTransactionIsShownLikeAnyOther) {
  const std::string inside = made::query("BEGIN", 0, made::Sum::kNone) + table(made::Sum::kNone) +
                             insert(5, made::Sum::kNone) + made::xid(0, made::Sum::kNone);
  std::string packed(ZSTD_compressBound(inside.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), inside.data(), inside.size(), 3));
  EXPECT_THAT(
      read({made::gtid(1, 300), made::event(40, made::payload(0, inside.size(), packed), 640)}),
      testing::ElementsAre("insert 5 name=Ann"));
  EXPECT_EQ((Place{0, 1, 640}), decoder_->reached());
}

TEST_F(MysqlDecoder, PartsOfValuesAreSaidAndTheDatasetIsReadWhole) {
  EXPECT_THAT(read({made::gtid(1, 300), made::query("BEGIN", 0), table(),
                    insert(5, made::Sum::kCrc32, 39), made::xid(500)}),
              testing::IsEmpty());
  EXPECT_THAT(found_.rescan, testing::ElementsAre(schemas_[0].dataset));
  ASSERT_EQ(1U, found_.stopped.size());
  EXPECT_THAT(found_.stopped[0].error.fix, testing::HasSubstr("binlog_row_value_options = ''"));
}

TEST_F(MysqlDecoder, RowsBehindATableThatIsMadeAndFilledBelongToItsGroup) {
  EXPECT_THAT(
      read({made::gtid(1, 300), made::query("CREATE TABLE other (a int) START TRANSACTION", 0),
            table(), insert(5), made::xid(500)}),
      testing::ElementsAre("insert 5 name=Ann"));
}

}  // namespace
}  // namespace syncline::mariadb
