// Events that this version does not know: what they may have changed is read whole, and none stands
// in the way of those behind it.
#include <fstream>

#include "drivers/systems/mariadb/detail/findings.hpp"
#include "tests/unit/mariadb/mysql_bytes.hpp"
#include "tests/unit/mariadb/node.hpp"

namespace syncline::mariadb {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty, testing::SizeIs;

constexpr size_t kTypeAt = 4;  // in an event
constexpr size_t kSizeAt = 9;
constexpr size_t kEndAt = 13;
constexpr size_t kBodyAt = 19;
constexpr uint8_t kAnnotateRows = 160;
constexpr uint8_t kIncident = 26;
constexpr uint8_t kOfNoVersion = 231;
constexpr uint16_t kIgnorable = 0x80;

uint64_t number_at(const std::string& bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = size; i > 0; --i) value = value << 8 | static_cast<uint8_t>(bytes[at + i - 1]);
  return value;
}

class StrangeEvents : public ports::SystemTest {
 protected:
  StrangeEvents() : SystemTest(make_mariadb, 200) {
    node_.start();
    node_.user().run("CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    node_.user("shop").run("CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(20))",
                           "CREATE TABLE other(id bigint PRIMARY KEY, name varchar(20))");
    start_at(node_.url("shop"), {make_schema("customer", "id:int64 name:text"),
                                 make_schema("other", "id:int64 name:text")});
    poll();
  }
  ~StrangeEvents() override { system_ = {}; }

  // A statement of which the log has another event in place of the one that quotes it, and one
  // more behind it.
  void log_with(uint8_t type, uint16_t flags) {
    const model::Position before = system_.source->current_position().value();
    system_ = {};
    node_.user("shop").run("INSERT INTO customer VALUES (1, 'Ann')",
                           "INSERT INTO customer VALUES (2, 'Bob')");
    const std::string log = node_.user().ask("SHOW MASTER STATUS");
    node_.stop();
    change_quote(node_.folder() + "/data/" + log.substr(0, log.find('|')), type, flags);
    node_.start();
    connect(before);
  }
  static void change_quote(const std::string& file, uint8_t type, uint16_t flags) {
    std::fstream log(file, std::ios::in | std::ios::out | std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(log), {}};
    size_t at = 4;
    size_t size = number_at(bytes, at + kSizeAt, 4);
    while (static_cast<uint8_t>(bytes[at + kTypeAt]) != kAnnotateRows ||
           bytes.substr(at, size).find("'Ann'") == std::string::npos) {
      at += size;
      ASSERT_LT(at, bytes.size());
      size = number_at(bytes, at + kSizeAt, 4);
    }
    std::string changed = made::event(type, bytes.substr(at + kBodyAt, size - kBodyAt - 4),
                                      static_cast<uint32_t>(number_at(bytes, at + kEndAt, 4)),
                                      made::Sum::kCrc32, flags);
    EXPECT_EQ(size, changed.size());
    log.seekp(static_cast<std::streamoff>(at));
    log.write(changed.data(), static_cast<std::streamsize>(size));
  }
  void expect_all_scanned(const std::string& why) {
    EXPECT_THAT(take(2), ElementsAre("insert 1 name=Ann", "insert 2 name=Bob"));
    EXPECT_THAT(rescans_, testing::UnorderedElementsAre(schemas_[0].dataset, schemas_[1].dataset));
    ASSERT_THAT(stopped_, SizeIs(2));
    EXPECT_THAT(to_string(stopped_[0].error), HasSubstr(why));
  }

  Node node_{8, ""};
};

TEST_F(StrangeEvents, OneThatNobodyKnowsIsScannedFor) {
  log_with(kOfNoVersion, 0);
  expect_all_scanned("an event of type 231");
}

TEST_F(StrangeEvents, OneThatMayBePassedOverIs) {
  log_with(kOfNoVersion, kIgnorable);
  EXPECT_THAT(take(2), ElementsAre("insert 1 name=Ann", "insert 2 name=Bob"));
  EXPECT_THAT(rescans_, IsEmpty());
}

TEST_F(StrangeEvents, AnIncidentIsScannedFor) {
  log_with(kIncident, 0);
  expect_all_scanned("INCIDENT");
}

TEST(Versions, OneThatIsNewerThanTheTestedIsNamed) {
  const auto said_of = [](uint32_t version, const std::string& text) {
    std::vector<ports::Finding> found;
    const auto kind = kind_of_server(Flavour::kMariadb, version, text, "shop").value();
    find_flavour(kind, "shop", found);
    return found;
  };
  EXPECT_THAT(said_of(101'119, "10.11.19"), IsEmpty());
  EXPECT_THAT(said_of(110'412, "11.4.12"), IsEmpty());
  const auto found = said_of(110'802, "11.8.2");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(ports::Severity::kWarning, found[0].severity);
  EXPECT_THAT(found[0].what, HasSubstr("11.8.2"));
}

}  // namespace
}  // namespace syncline::mariadb
