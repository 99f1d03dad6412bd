// What of the driver a real MySQL can show: 5.6, whose log is MySQL 8's but for what it lacks.
#include "drivers/systems/mariadb/detail/decoder.hpp"
#include "drivers/systems/mariadb/detail/reads.hpp"
#include "drivers/systems/mariadb/detail/takeover.hpp"
#include "tests/unit/mariadb/mariadb_fixture.hpp"

namespace syncline::mariadb {
namespace {

class MysqlServer : public MariadbTest {
 protected:
  void SetUp() override {
    if (!is_mysql()) GTEST_SKIP() << "not run: it needs MySQL, which tests mysql_5_6 starts";
  }
  std::string mysql_url() const { return "mysql" + url().substr(url().find(':')); }
  void configure_customers() {
    user_.run(
        "CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(200), mail varchar(200) "
        "UNIQUE)");
    configure(mysql_url(), {make_schema("customer", "id:int64 name:text mail:text")}, "");
  }
  std::shared_ptr<Shared> shared() {
    auto made = std::make_shared<Shared>();
    made->config = config_;
    made->endpoint = parse_endpoint("shop", config_.url).value();
    return made;
  }
  // Without a source: no scan has to have shown a record before it is written.
  void open_target() {
    system_ = make_(config_, system_clock()).value();
    expect_ok(system_.target->open());
    const std::vector<model::StreamId> streams = {schemas_[0].stream};
    expect_ok(system_.target->open_epoch(kEpoch, streams, config_.lane_count));
  }
  std::string findings() {
    std::string all;
    const auto found = make_(config_, system_clock()).value().catalog->findings();
    expect_ok(found);
    for (const auto& finding : found.value()) all += finding.what + " / " + finding.fix + "\n";
    return all;
  }
};

// The log from its present end on, decoded; past the driver's refusal of logs from before 8.0.
class Tail {
 public:
  explicit Tail(std::shared_ptr<Shared> shared, std::optional<LogPosition> from = {})
      : connection_(Connection::open(shared->access(), Purpose::kSql).value()),
        decoder_(shared, [this]() -> Result<Connection*> { return connection_.get(); }) {
    const LogEnd end = read_log_end(*connection_).value();
    const uint32_t server = server_number(*connection_).value();
    const Place place{0, end.file.number, end.offset};
    const LogPosition now{
        {0, place.file, place.offset - 1}, {place, {}, 0, 0, {}}, end.file.base, {}, {}};
    const LogPosition position = from.value_or(now);
    EXPECT_TRUE(decoder_.look(Decoder::Which::kAll).has_value());
    stream_ = Stream::open(shared->access(), 4711, {server, position.base, position.from.place, {}})
                  .value();
    decoder_.begin_stream(position, server);
  }
  // What comes until the log has shown so many lines, and no more in a tenth of a second.
  std::vector<std::string> read(ports::Notebook& sink, size_t count) {
    decoder_.begin_poll(sink);
    for (int quiet = 0; quiet < 200 && (quiet == 0 || sink.lines.size() < count);) {
      auto event = stream_->next(100);
      if (!event) {
        ADD_FAILURE() << to_string(event.error());
        break;
      }
      quiet = event.value() ? 0 : quiet + 1;
      if (!event.value()) continue;
      const auto taken = decoder_.take(std::move(event).value());
      EXPECT_TRUE(taken.has_value()) << (taken ? "" : to_string(taken.error()));
    }
    decoder_.end_poll(result);
    return sink.take();
  }
  ErrorCode read_to_error(ports::Notebook& sink) {
    decoder_.begin_poll(sink);
    for (int i = 0; i < 100; ++i) {
      auto event = stream_->next(100);
      if (!event) return event.error().code;
      if (!event.value()) continue;
      if (auto taken = decoder_.take(std::move(event).value()); !taken) return taken.error().code;
    }
    return ErrorCode::kInternal;
  }
  Connection& connection() { return *connection_; }
  const Decoder& decoder() const { return decoder_; }

  ports::PollResult result;

 private:
  std::unique_ptr<Connection> connection_;
  Decoder decoder_;
  std::unique_ptr<Stream> stream_;
};

TEST_F(MysqlServer, IsKnownForWhatItIs) {
  configure_customers();
  const auto connection = Connection::open(shared()->access(), Purpose::kWrite).value();
  EXPECT_TRUE(connection->kind().is_mysql());
  EXPECT_GE(connection->kind().version, 50'600U);
  EXPECT_EQ("READ-COMMITTED", connection->query_text("SELECT @@tx_isolation").value());
  EXPECT_THAT(findings(), testing::HasSubstr("is a MySQL 5.6"));
}

TEST_F(MysqlServer, ALogWithoutDescriptionsIsRefusedWithWhatReadsItsTables) {
  configure_customers();
  EXPECT_THAT(findings(), testing::HasSubstr("does not tell which column is which"));
  system_ = make_(config_, system_clock()).value();
  const auto opened = system_.source->open({});
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(ErrorCode::kSystemOpen, opened.error().code);
  EXPECT_THAT(opened.error().fix, testing::HasSubstr("capture = \"scan\""));
}

TEST_F(MysqlServer, TransactionsAreShownGroupByGroup) {
  configure_customers();
  Tail tail(shared());
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x'), (2, 'Bö', NULL)", "START TRANSACTION",
            "UPDATE customer SET name = 'Anna' WHERE id = 1", "DELETE FROM customer WHERE id = 2",
            "COMMIT", "START TRANSACTION", "INSERT INTO customer VALUES (3, 'Cy', NULL)",
            "ROLLBACK");
  EXPECT_THAT(tail.read(*sink_, 4),
              testing::ElementsAre("insert 1 name=Ann mail=a@x", "insert 2 name=Bö mail=NULL",
                                   "update 1 name=Anna mail=a@x", "delete 2"));
  EXPECT_EQ(2U, sink_->times_us.size());
}

TEST_F(MysqlServer, BytesThatAreNoLetterAreRejectedFromTheLogAndFromTables) {
  user_.run(
      "CREATE TABLE thing(code varchar(9) CHARACTER SET cp1250 PRIMARY KEY, v longtext "
      "CHARACTER SET sjis)");
  configure(mysql_url(), {make_schema("thing", "code:text v:text")}, "");
  Tail tail(shared());
  user_.run(
      "INSERT INTO thing VALUES ('a?', '表'), (_cp1250 x'6181', ''), (_cp1250 x'6183', ''), "
      "('é', _sjis x'8540'), ('z', 'ソ')");
  EXPECT_THAT(tail.read(*sink_, 2), testing::ElementsAre("insert a? v=表", "insert z v=ソ"));
  EXPECT_THAT(tail.result.rejected, testing::SizeIs(3));
  config_.datasets[0].capture = ports::Capture::kScan;
  system_ = make_(config_, system_clock()).value();
  for (const size_t rows : {100, 2, 1}) {
    rejected_.clear();
    ASSERT_THAT(snapshot(rows), testing::ElementsAre("snapshot a? v=表", "snapshot z v=ソ"));
    EXPECT_THAT(rejected_, testing::SizeIs(3));
  }
}

TEST_F(MysqlServer, ALogGoesOnBehindAFilesEndAndATablesChange) {
  configure_customers();
  Tail tail(shared());
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)", "FLUSH LOGS",
            "ALTER TABLE customer ADD more int", "INSERT INTO customer VALUES (2, 'Bob', NULL, 5)");
  const auto lines = tail.read(*sink_, 2);
  EXPECT_EQ("insert 2 name=Bob mail=NULL", lines.back());
}

TEST_F(MysqlServer, APlaceInTheLogIsKnownAgainByItsGroupOrFile) {
  configure_customers();
  LogPosition group;
  LogPosition file;
  {
    Tail tail(shared());
    user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
    EXPECT_EQ(1U, tail.read(*sink_, 1).size());
    group = decode(sink_->position).value();
    user_.run("FLUSH LOGS");
    for (int i = 0; i < 100 && file.place.file <= group.place.file; ++i) {
      tail.read(*sink_, 0);
      file = decode(sink_->position).value();
    }
  }
  EXPECT_EQ(kMysqlGtid, group.from.gtid.sequence & kMysqlGtid);
  EXPECT_EQ(0U, file.from.gtid.sequence);
  user_.run("INSERT INTO customer VALUES (2, 'Bob', NULL)");
  for (const LogPosition& from : {group, file}) {
    Tail again(shared(), from);
    EXPECT_THAT(again.read(*sink_, 1), testing::ElementsAre("insert 2 name=Bob mail=NULL"));
    EXPECT_TRUE(again.decoder().is_verified());
  }
  group.from.gtid.sequence += 1;
  Tail other(shared(), group);
  EXPECT_EQ(ErrorCode::kSystemLost, other.read_to_error(*sink_));
}

TEST_F(MysqlServer, OurTransactionsAreKnownByTheirMarker) {
  configure_customers();
  open_target();
  Tail tail(shared());
  apply({"put 1 name=ours mail=NULL"});
  EXPECT_THAT(tail.read(*sink_, 2),
              testing::ElementsAre(marker(1), "ours insert 1 name=ours mail=NULL"));
}

TEST_F(MysqlServer, ASnapshotWaitsForWhatIsInTheLog) {
  configure_customers();
  Tail tail(shared());
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  EXPECT_EQ(1U, tail.read(*sink_, 1).size());
  ReadTransaction transaction(tail.connection());
  ASSERT_TRUE(begin_seeing(tail.connection(), transaction, {}).has_value());
  EXPECT_EQ("1", tail.connection().query_text("SELECT count(*) FROM customer").value());
}

// A session that holds a GTID and has not committed it: what it will write may be in the log by
// now.
TEST_F(MysqlServer, ASnapshotWaitsForGtidsThatAreStillOwned) {
  configure_customers();
  Tail tail(shared());
  User other(database_);
  other.run("SET SESSION gtid_next = '3e11fa47-71ca-11e1-9e33-c80aa9429562:1'", "BEGIN",
            "INSERT INTO customer VALUES (1, 'Ann', NULL)");
  ReadTransaction transaction(tail.connection());
  const auto begun = begin_seeing(tail.connection(), transaction, {});
  ASSERT_FALSE(begun.has_value());
  EXPECT_EQ(ErrorCode::kSystemBusy, begun.error().code);
  other.run("COMMIT", "SET SESSION gtid_next = 'AUTOMATIC'");
  EXPECT_TRUE(begin_seeing(tail.connection(), transaction, {}).has_value());
}

// Signs that SQL text could mistake, in columns of every kind of literal.
TEST_F(MysqlServer, ValuesTravelAsTextUnchanged) {
  user_.run(
      "CREATE TABLE `w?h`(`k'?` varchar(60) PRIMARY KEY, n bigint unsigned, f float, d double, "
      "m decimal(10,2), b varbinary(40), t timestamp(6) NULL)");
  configure(mysql_url(),
            {make_schema("w?h",
                         "k'?:text n:uint64 f:float32 d:float64 m:decimal(10,2) b:bytes "
                         "t:timestamp(6)")},
            "");
  open_target();
  apply({R"(put a'b\c"?-- n=18446744073709551615 f=0.1 d=-2.5 m=-12.30 b=00275c3f )"
         "t=2026-11-27~10:20:30.5Z",
         "put ? n=NULL f=NULL d=1e300 m=NULL b=NULL t=NULL"});
  EXPECT_EQ(R"(?|NULL|1e300|NULL|NULL;a'b\c"?--|18446744073709551615|-2.5|-12.30|00275C3F)",
            user_.ask("SELECT `k'?`, n, d, m, hex(b) FROM `w?h` ORDER BY 1"));
  EXPECT_EQ("0.10000000149011612|2026-11-27 10:20:30.500000",
            user_.ask("SELECT f * 1e0, CONVERT_TZ(t, 'SYSTEM', '+00:00') FROM `w?h` WHERE n > 0"));
}

TEST_F(MysqlServer, ManyRecordsAreWrittenInFewMessages) {
  configure_customers();
  open_target();
  std::vector<std::string> puts;
  for (int id = 1; id <= 2000; ++id) {
    puts.push_back("put " + std::to_string(id) + " name=" + std::string(190, 'x') + " mail=NULL");
  }
  apply(puts);
  EXPECT_EQ("2000", user_.ask("SELECT count(*) FROM customer"));
  for (std::string& put : puts) put.replace(put.find('x'), 190, "y");
  apply(puts);
  EXPECT_EQ("2000", user_.ask("SELECT count(*) FROM customer WHERE name = 'y'"));
}

}  // namespace
}  // namespace syncline::mariadb
