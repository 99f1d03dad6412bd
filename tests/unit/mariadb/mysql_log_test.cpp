// MySQL 8's log as its manual prints it: events made field by field, whole, torn and damaged.
#include "drivers/systems/mariadb/detail/mysql_log.hpp"

#include <random>

#include <gtest/gtest.h>
#include <zstd.h>

#include "drivers/systems/mariadb/detail/row_image.hpp"
#include "drivers/systems/mariadb/detail/wire.hpp"
#include "tests/unit/mariadb/mysql_bytes.hpp"

namespace syncline::mariadb {
namespace {

using Bytes = std::vector<std::string>;

std::vector<Event> read(const Bytes& all) {
  MysqlLog log(MysqlLog::Checksums::kCrc32);
  std::vector<Event> events;
  for (const std::string& bytes : all) {
    const auto taken = log.take(bytes, events);
    EXPECT_TRUE(taken.has_value()) << (taken ? "" : to_string(taken.error()));
  }
  return events;
}

ErrorCode error_of(const Bytes& all) {
  MysqlLog log(MysqlLog::Checksums::kCrc32);
  std::vector<Event> events;
  for (const std::string& bytes : all) {
    if (const auto taken = log.take(bytes, events); !taken) return taken.error().code;
  }
  return ErrorCode::kInternal;
}

std::string kinds(const std::vector<Event>& events) {
  std::string out;
  for (const Event& event : events) {
    constexpr const char* kNames[] = {"other", "heartbeat", "rotate", "file",
                                      "group", "incident",  "sql",    "map",
                                      "rows",  "untold",    "commit", "prepared"};
    out += (out.empty() ? "" : " ") + std::string(kNames[static_cast<size_t>(event.kind)]);
  }
  return out;
}

// CREATE TABLE t (a int unsigned NOT NULL, b varchar(20) utf8mb4_0900_ai_ci)
std::string two_columns() {
  const std::string optional = made::field(1, made::hex("80")) +
                               made::field(2, made::hex("fcff00")) +
                               made::field(4, std::string("\1a\1b")) +
                               made::field(12, made::hex("c0")) + made::field(77, "unheard of");
  return made::event(19, made::table_map_body("\x03\x0f", made::le(80, 2), optional), 0);
}

std::string insert_row(int type = 30) {
  return made::event(
      type, made::rows_body(2, "\x03", std::string("\0", 1) + made::le(5, 4) + "\2hi", "extra"), 0);
}

TEST(MysqlLog, ATransactionBeginsWithItsGtidAndEndsWithItsXid) {
  const auto events = read({made::format_description(1), made::gtid(23, 300),
                            made::query("BEGIN", 0), two_columns(), insert_row(), made::xid(500)});
  EXPECT_EQ("file group sql map rows commit", kinds(events));
  EXPECT_EQ(made::kTime, events[0].time_s);
  EXPECT_EQ(GroupKind::kTransaction, events[1].group);
  EXPECT_EQ("3e11fa47-71ca-11e1-...:23", gtid_text(Flavour::kMysql, events[1].gtid));
  EXPECT_EQ(300U, events[1].end);
  EXPECT_EQ("BEGIN", events[2].sql);
  EXPECT_EQ("d", events[2].database);
  EXPECT_EQ(500U, events[5].end);
}

TEST(MysqlLog, RowsOfVersionTwoPassOverWhatIsExtra) {
  const auto events = read({made::format_description(1), two_columns(), insert_row()});
  const TableMap map = parse_table_map(events[1].body, events[1].flavour).value();
  ASSERT_EQ(2U, map.columns.size());
  EXPECT_EQ("b", map.columns[1].name);
  EXPECT_TRUE(map.columns[0].is_unsigned);
  EXPECT_EQ(255U, map.columns[1].collation_id);
  EXPECT_EQ(RowsKind::kWrite, events[2].rows.kind);
  EXPECT_EQ(108U, events[2].table);
  RowImage image;
  ImageReader images(map, events[2].rows.images);
  ASSERT_TRUE(images.next(events[2].rows.present, image).has_value());
  EXPECT_EQ(made::le(5, 4), image[0].bytes);
  EXPECT_EQ("\2hi", image[1].bytes);
  EXPECT_TRUE(images.is_at_end());
}

TEST(MysqlLog, YearsHaveNoSignAndGeometriesNoCollation) {
  // a year, b int unsigned, g point, c text
  const std::string optional = made::field(1, made::hex("80")) + made::field(3, made::hex("2d")) +
                               made::field(4, std::string("\1a\1b\1g\1c"));
  const auto map = parse_table_map(
      made::table_map_body("\x0d\x03\xff\xfc", made::hex("0402"), optional), Flavour::kMysql);
  ASSERT_TRUE(map.has_value());
  EXPECT_TRUE(map.value().columns[1].is_unsigned);
  EXPECT_EQ(0U, map.value().columns[2].collation_id);
  EXPECT_EQ(45U, map.value().columns[3].collation_id);
}

TEST(MysqlLog, TheKindOfAGroupIsWhatItsFirstStatementSays) {
  const auto kind_of = [](const std::string& sql) {
    return read({made::format_description(1), made::gtid(1, 300), made::query(sql, 0)})[1].group;
  };
  EXPECT_EQ(GroupKind::kAlone, kind_of("ALTER TABLE t ADD c int"));
  EXPECT_EQ(GroupKind::kTransaction, kind_of("BEGIN"));
  EXPECT_EQ(GroupKind::kTransaction, kind_of("CREATE TABLE u (a int) START TRANSACTION"));
  EXPECT_EQ(GroupKind::kPrepared, kind_of("XA START X'61',X'',1"));
  EXPECT_EQ(GroupKind::kDecided, kind_of("XA COMMIT X'61',X'',1"));
  EXPECT_EQ(GroupKind::kDecided, kind_of("XA ROLLBACK X'61',X'',1"));
}

TEST(MysqlLog, AnXaTransactionIsPreparedAndDecidedUnderOneName) {
  const auto prepare = [](char one_phase) {
    return made::event(38, one_phase + made::le(1, 4) + made::le(1, 4) + made::le(0, 4) + "a", 0);
  };
  const auto events =
      read({made::format_description(1), made::gtid(1, 300), made::query("XA START X'61',X'',1", 0),
            two_columns(), insert_row(), made::query("XA END X'61',X'',1", 0), prepare('\0'),
            made::gtid(2, 700), made::query("XA COMMIT X'61',X'',1", 0), made::gtid(3, 900),
            made::query("XA START X'62',X'',1", 0), prepare('\1')});
  EXPECT_EQ("file group sql map rows sql prepared group sql group sql prepared", kinds(events));
  EXPECT_EQ(events[1].xid, events[7].xid);
  EXPECT_FALSE(events[6].is_one_phase);
  EXPECT_TRUE(events[11].is_one_phase);
}

TEST(MysqlLog, GroupsAreToldWithoutAGtidAndWithATaggedOne) {
  const auto events =
      read({made::format_description(1), made::gtid(0, 300, 34), made::query("BEGIN", 0),
            made::xid(400), made::event(42, made::hex("02600a0b"), 500), made::query("BEGIN", 0)});
  EXPECT_EQ("file group sql commit group sql", kinds(events));
  EXPECT_NE(0U, events[1].gtid.sequence);
  EXPECT_EQ("of a tagged GTID", gtid_text(Flavour::kMysql, events[4].gtid));
}

TEST(MysqlLog, ACompressedTransactionIsGivenEventByEvent) {
  std::string inside = made::query("BEGIN", 0, made::Sum::kNone);
  inside += made::event(19, made::table_map_body("\x03", "", ""), 0, made::Sum::kNone);
  inside += made::event(32, made::rows_body(1, "\1", std::string("\0", 1) + made::le(5, 4)), 0,
                        made::Sum::kNone);
  inside += made::xid(0, made::Sum::kNone);
  std::string packed(ZSTD_compressBound(inside.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), inside.data(), inside.size(), 3));
  for (const bool is_packed : {true, false}) {
    const std::string body = is_packed ? made::payload(0, inside.size(), packed)
                                       : made::payload(255, inside.size(), inside);
    const auto events =
        read({made::format_description(1), made::gtid(1, 300), made::event(40, body, 640)});
    ASSERT_EQ("file group sql map rows commit", kinds(events));
    EXPECT_EQ(GroupKind::kTransaction, events[1].group);
    EXPECT_EQ(RowsKind::kDelete, events[4].rows.kind);
    EXPECT_EQ(0U, events[4].end);
    EXPECT_EQ(640U, events[5].end);
  }
  packed[packed.size() / 2] ^= 1;
  const Bytes damaged = {made::format_description(1),
                         made::event(40, made::payload(0, inside.size(), packed), 640)};
  EXPECT_EQ(ErrorCode::kSystemOpen, error_of(damaged));
  const Bytes huge = {made::format_description(1),
                      made::event(40, made::payload(0, 1, inside), 640)};
  EXPECT_EQ(ErrorCode::kSystemOpen, error_of(huge));
}

TEST(MysqlLog, PartsOfValuesAreSaidToBeUntold) {
  const auto events = read({made::format_description(1), two_columns(), insert_row(39)});
  EXPECT_EQ("file map untold", kinds(events));
  EXPECT_EQ(108U, events[2].table);
}

TEST(MysqlLog, HeartbeatsSayNothingAndFilesGoOnWithArtificialEvents) {
  const std::string next = made::event(4, made::le(4, 8) + "bin.000002", 0, made::Sum::kNone, 0x20);
  const auto events = read({next, made::format_description(1), made::event(27, "bin.000002", 200),
                            made::event(41, made::hex("0100"), 200),
                            made::event(4, made::le(4, 8) + "bin.000003", 300)});
  ASSERT_EQ("rotate file rotate", kinds(events));
  EXPECT_TRUE(events[0].is_artificial);
  EXPECT_EQ("bin.000002", events[0].file);
  EXPECT_FALSE(events[2].is_artificial);
  EXPECT_EQ("bin.000003", events[2].file);
}

TEST(MysqlLog, ADamagedByteIsNoticedByItsChecksumAlone) {
  std::string damaged = insert_row();
  damaged[30] ^= 1;
  EXPECT_EQ(ErrorCode::kSystemOpen,
            error_of({made::format_description(1), two_columns(), damaged}));
  const std::string plain = made::event(16, made::le(99, 8), 300, made::Sum::kNone);
  EXPECT_EQ(ErrorCode::kSystemOpen, error_of({made::format_description(1), plain}));
  EXPECT_EQ("file commit", kinds(read({made::format_description(0), plain})));
}

// Whatever a body is cut to or turned into, it is read or refused.
TEST(MysqlLog, NoBytesBreakIt) {
  std::mt19937 random(20261127);
  const Bytes whole = {made::gtid(1, 300),
                       made::query("BEGIN", 0),
                       two_columns(),
                       insert_row(),
                       insert_row(31),
                       made::event(38, made::hex("0001000000"), 0),
                       made::event(40, made::payload(255, 10, made::xid(0)), 700)};
  for (int round = 0; round < 20'000; ++round) {
    const std::string& one = whole[random() % whole.size()];
    std::string body = one.substr(19, one.size() - 23);
    body.resize(random() % (body.size() + 1));
    for (unsigned i = random() % 4; i > 0 && !body.empty(); --i) {
      body[random() % body.size()] = static_cast<char>(random());
    }
    const int type = static_cast<uint8_t>(one[4]);
    MysqlLog log(MysqlLog::Checksums::kCrc32);
    std::vector<Event> events;
    (void)log.take(made::format_description(1), events);
    (void)log.take(made::event(type, body, 900), events);
    for (const Event& event : events) {
      if (event.kind == EventKind::kTableMap) (void)parse_table_map(event.body, event.flavour);
    }
  }
}

}  // namespace
}  // namespace syncline::mariadb
