// The log's own forms, from bytes that a 10.11 server wrote, and what damage does to them.
#include "drivers/systems/mariadb/detail/wire.hpp"

#include <random>

#include <gtest/gtest.h>

#include "drivers/systems/mariadb/detail/position.hpp"
#include "drivers/systems/mariadb/detail/row_image.hpp"

namespace syncline::mariadb {
namespace {

std::string bytes_of(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 3) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

// CREATE TABLE d3.y (a int unsigned, y year, b int, c bigint unsigned, u uuid, v varchar(5) latin1,
// w varchar(5) utf8mb4, b1 binary(3), g point, j json, e enum('x', 'y'), s set('p', 'q'), t text,
// i6 inet6)
std::string table_map() {
  return bytes_of(
      "19 00 00 00 00 00 01 00 02 64 33 00 01 79 00 0e 03 0d 03 08 fe 0f 0f fe ff fc fe fe fc fe "
      "11 "
      "fe 10 05 00 14 00 fe 03 04 04 f7 01 f8 01 02 fe 10 ff 3f 01 01 d0 03 08 3f 08 2d 3f 3f 2e "
      "2e "
      "3f 07 01 01 04 1e 01 61 01 79 01 62 01 63 01 75 01 76 01 77 02 62 31 01 67 01 6a 01 65 01 "
      "73 "
      "01 74 02 69 36 0b 02 08 2d 05 05 02 01 70 01 71 06 05 02 01 78 01 79 ");
}

// INSERT INTO y(a, u, i6) VALUES (1, uuid(), '::')
std::string row() {
  return bytes_of("ee df 01 00 00 00 10 70 e0 17 0e e9 a0 11 f1 9b 93 02 fc 00 00 00 01 00 ");
}

TEST(Wire, ATableIsDescribedWithNamesSignsCollationsAndLabels) {
  const TableMap map = parse_table_map(table_map(), Flavour::kMariadb).value();
  EXPECT_EQ(25U, map.id);
  EXPECT_EQ("d3.y", map.database + "." + map.table);
  ASSERT_EQ(14U, map.columns.size());
  std::string names;
  for (const WireColumn& column : map.columns) names += column.name + " ";
  EXPECT_EQ("a y b c u v w b1 g j e s t i6 ", names);
  EXPECT_TRUE(map.columns[0].is_unsigned && map.columns[1].is_unsigned);
  EXPECT_FALSE(map.columns[2].is_unsigned);
  EXPECT_TRUE(map.columns[3].is_unsigned);
  EXPECT_EQ(8U, map.columns[5].collation_id);
  EXPECT_EQ(45U, map.columns[6].collation_id);
  EXPECT_EQ(46U, map.columns[12].collation_id);
  EXPECT_EQ(WireType::kEnum, map.columns[10].type);
  EXPECT_EQ(std::vector<std::string>({"x", "y"}), map.columns[10].labels);
  EXPECT_EQ(std::vector<std::string>({"p", "q"}), map.columns[11].labels);
}

TEST(Wire, ARowsCellsAreFoundOrNull) {
  const TableMap map = parse_table_map(table_map(), Flavour::kMariadb).value();
  const std::string bytes = row();
  ImageReader reader(map, bytes);
  RowImage image;
  ASSERT_TRUE(reader.next("\xff\x3f", image).has_value());
  EXPECT_TRUE(reader.is_at_end());
  for (size_t i = 0; i < image.size(); ++i) {
    EXPECT_EQ(i == 0 || i == 4 || i == 13, image[i].state == ImageState::kValue) << i;
  }
  NativeType uuid;
  uuid.category = Category::kUuid;
  std::string out;
  ASSERT_TRUE(
      decode_cell(image[4].bytes, map.columns[4], uuid, {.kind = model::TypeKind::kUuid}, out)
          .has_value());
  EXPECT_EQ("70e0170e-e9a0-11f1-9b93-02fc00000001",
            model::text_from_canonical(out, {.kind = model::TypeKind::kUuid}));
}

TEST(Wire, ARowWithoutColumnsIsNoRow) {
  TableMap map;
  ImageReader reader(map, "x");
  RowImage image;
  EXPECT_FALSE(reader.next("", image).has_value());
}

TEST(Wire, DamageIsAnErrorAndNeverReadsBeyondTheEnd) {
  const auto seed = static_cast<unsigned>(std::random_device{}());
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 dice(seed);
  size_t refused = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string map_bytes = table_map();
    std::string row_bytes = row();
    for (unsigned hit = dice() % 4; hit > 0; --hit) {
      map_bytes[dice() % map_bytes.size()] = static_cast<char>(dice());
      row_bytes[dice() % row_bytes.size()] = static_cast<char>(dice());
    }
    if (dice() % 4 == 0) map_bytes.resize(dice() % map_bytes.size());
    if (dice() % 4 == 0) row_bytes.resize(dice() % row_bytes.size());
    // Exactly as long as they are, so that a reader that goes on is seen by the sanitizer.
    const std::vector<char> held(row_bytes.begin(), row_bytes.end());
    const auto map = parse_table_map(map_bytes, Flavour::kMariadb);
    if (!map) {
      EXPECT_EQ(ErrorCode::kSystemOpen, map.error().code);
      ++refused;
      continue;
    }
    ImageReader reader(map.value(), {held.data(), held.size()});
    RowImage image;
    while (!reader.is_at_end()) {
      const auto read = reader.next("\xff\x3f", image);
      refused += read ? 0 : 1;
      if (!read) break;
    }
  }
  EXPECT_GT(refused, 10'000U);
}

TEST(Place, BytesStandInTheLogsOrderAndReadBack) {
  LogPosition position;
  position.place = {0, 7, 300};
  position.from = {{0, 6, 200}, {1, 2, 3}, 4, 5, {}};
  position.base = "mariadb-bin";
  const model::Position bytes = encode(position);
  const auto back = decode(bytes);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(position.place, back->place);
  EXPECT_EQ(position.from.place, back->from.place);
  EXPECT_EQ("1-2-3", to_string(back->from.gtid));
  EXPECT_EQ(4U, back->from.time_s);
  EXPECT_EQ(5U, back->from.began_s);
  EXPECT_EQ("mariadb-bin", back->base);
  position.place.offset = 301;
  EXPECT_LT(bytes, encode(position));
  position.place = {0, 8, 4};
  EXPECT_LT(bytes, encode(position));
  EXPECT_FALSE(decode({"short"}).has_value());
  EXPECT_FALSE(decode({}).has_value());
}

TEST(Place, AnotherServersPlacesComeBehindAndItsGtidsReadBack) {
  LogPosition position;
  position.place = {0, kFileNumberMax, 300};
  position.from = {position.place, {1, 2, 4}, 4, 5, {1, 2, 3}};
  position.base = "bin";
  const model::Position old_form = encode(position);
  EXPECT_EQ(0U, decode(old_form)->history.server);
  position.history = {11, true, {1, 2, 9}};
  const model::Position bytes = encode(position);
  const auto back = decode(bytes);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ("bin", back->base);
  EXPECT_EQ("1-2-3", to_string(back->from.before));
  EXPECT_EQ(11U, back->history.server);
  EXPECT_TRUE(back->history.has_domains);
  EXPECT_EQ("1-2-9", to_string(back->history.last));
  position.place = {1, 1, 4};
  EXPECT_LT(bytes, encode(position));
  EXPECT_EQ(1U, decode(encode(position))->place.turn);
  EXPECT_FALSE(decode({bytes.bytes.substr(0, bytes.bytes.size() - 1)}).has_value());
}

TEST(Place, GtidsAreReadFromText) {
  const auto gtids = parse_gtids("0-7-42,1-4294967295-18446744073709551615");
  ASSERT_EQ(2U, gtids.size());
  EXPECT_EQ("0-7-42", to_string(gtids[0]));
  EXPECT_EQ("1-4294967295-18446744073709551615", to_string(gtids[1]));
  EXPECT_TRUE(parse_gtids("").empty());
  EXPECT_TRUE(parse_gtids("what").empty());
}

TEST(Place, FilesAreNamedByTheirNumber) {
  EXPECT_EQ("a.b.000007", file_name("a.b", 7));
  EXPECT_EQ("a.1234567", file_name("a", 1234567));
  EXPECT_EQ(7U, parse_file_name("a.b.000007")->number);
  EXPECT_EQ("a.b", parse_file_name("a.b.000007")->base);
  for (const char* name : {"a", "a.", "a.b", "a.7x", ""}) {
    EXPECT_FALSE(parse_file_name(name).has_value()) << name;
  }
}

}  // namespace
}  // namespace syncline::mariadb
