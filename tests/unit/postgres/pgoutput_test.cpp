// The parser of foreign bytes: what the manual lays out is read, and whatever else comes is an
// error.
#include "drivers/systems/postgres/detail/pgoutput.hpp"

#include <random>
#include <string>

#include <gtest/gtest.h>

#include "drivers/systems/postgres/detail/reads.hpp"

namespace syncline::postgres {
namespace {

std::string number(uint64_t value, size_t size) {
  std::string out;
  for (size_t i = size; i-- > 0;) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

std::string text_cell(const std::string& text) {
  return "t" + number(text.size(), 4) + text;
}

std::string relation() {
  return "R" + number(77, 4) + std::string("public\0customer\0d", 17) + number(2, 2) + '\1' +
         std::string("id\0", 3) + number(20, 4) + number(0xffffffff, 4) + '\0' +
         std::string("name\0", 5) + number(1043, 4) + number(44, 4);
}

std::string update() {
  return "U" + number(77, 4) + "K" + number(2, 2) + text_cell("1") + "n" + "N" + number(2, 2) +
         text_cell("2") + "u";
}

std::vector<std::string> messages() {
  return {"B" + number(0x10000002A, 8) + number(5, 8) + number(99, 4),
          std::string("C") + '\0' + number(42, 8) + number(43, 8) + number(5, 8),
          relation(),
          "I" + number(77, 4) + "N" + number(2, 2) + text_cell("1") + text_cell("Ann"),
          update(),
          "D" + number(77, 4) + "O" + number(2, 2) + text_cell("1") + "n",
          "T" + number(2, 4) + '\0' + number(77, 4) + number(78, 4),
          "S" + number(99, 4) + '\1',
          "E",
          "c" + number(99, 4) + '\0' + number(42, 8) + number(43, 8) + number(5, 8),
          "A" + number(99, 4) + number(101, 4)};
}

TEST(Pgoutput, ReadsWhatTheManualLaysOut) {
  const auto all = messages();
  const auto begin = std::get<Begin>(parse_message(all[0]).value());
  EXPECT_EQ(0x10000002AU, begin.commit_lsn);
  EXPECT_EQ(946684800000005, begin.commit_time_us);
  EXPECT_EQ("1/2A", lsn_text(begin.commit_lsn));
  EXPECT_EQ(begin.commit_lsn, parse_lsn("1/2A").value());
  EXPECT_EQ(43U, std::get<Commit>(parse_message(all[1]).value()).end_lsn);
  const auto described = std::get<Relation>(parse_message(all[2]).value());
  EXPECT_EQ("customer", described.name);
  ASSERT_EQ(2U, described.columns.size());
  EXPECT_TRUE(described.columns[0].is_identity);
  EXPECT_EQ(44, described.columns[1].modifier);
  const auto changed = std::get<Update>(parse_message(all[4]).value());
  EXPECT_EQ(OldRow::kKey, changed.old_kind);
  EXPECT_EQ("2", changed.row[0].text);
  EXPECT_EQ(TupleState::kUnchanged, changed.row[1].state);
  EXPECT_EQ(2U, std::get<Truncate>(parse_message(all[6]).value()).relations.size());
  EXPECT_TRUE(std::get<StreamStart>(parse_message(all[7]).value()).is_first);
  EXPECT_EQ(42U, std::get<StreamCommit>(parse_message(all[9]).value()).commit_lsn);
  EXPECT_EQ(101U, std::get<StreamAbort>(parse_message(all[10]).value()).subxid);
}

TEST(Pgoutput, EveryCutAndEveryTailIsAnError) {
  for (const std::string& message : messages()) {
    for (size_t size = 0; size < message.size(); ++size) {
      EXPECT_FALSE(parse_message(std::string_view(message).substr(0, size)).has_value());
    }
    EXPECT_FALSE(parse_message(message + "x").has_value());
  }
}

// Bytes from anywhere: an error or a message, never a read past the end (the sanitizers watch).
TEST(Pgoutput, HostileBytesNeverReadPastTheirEnd) {
  std::mt19937 random(7);
  size_t read_count = 0;
  for (int round = 0; round < 200'000; ++round) {
    const auto all = messages();
    std::string bytes = all[random() % all.size()];
    for (size_t i = random() % 4; i > 0; --i)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    bytes.resize(random() % 3 == 0 ? random() % (bytes.size() + 1) : bytes.size());
    const std::vector<char> exact(bytes.begin(), bytes.end());
    const auto parsed = parse_message({exact.data(), exact.size()});
    read_count += parsed.has_value() ? 1 : 0;
  }
  EXPECT_GT(read_count, 1000U);
  EXPECT_LT(read_count, 200'000U);
}

TEST(Visibility, SeesWhatHadCommittedAlsoAroundTheWrap) {
  const Visibility plain("10:20:12,15");
  for (const uint32_t xid : {3U, 10U, 14U, 19U}) EXPECT_TRUE(plain.sees(xid)) << xid;
  for (const uint32_t xid : {12U, 15U, 20U, 21U}) EXPECT_FALSE(plain.sees(xid)) << xid;
  const Visibility wrapped("4294967290:4294967300:4294967295");
  EXPECT_TRUE(wrapped.sees(4294967290U));
  EXPECT_TRUE(wrapped.sees(3));
  EXPECT_FALSE(wrapped.sees(4294967295U));
  EXPECT_FALSE(wrapped.sees(4));
  std::vector<uint32_t> xids = {3, 12, 14};
  EXPECT_FALSE(plain.sees_all(xids));
  EXPECT_EQ(std::vector<uint32_t>{12}, xids);
}

}  // namespace
}  // namespace syncline::postgres
