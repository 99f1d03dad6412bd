// The config: what it becomes, and every way it can be wrong, with its place.
#include "host/config/config.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/config/nearest.hpp"

namespace syncline::config {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Offer test_offer() {
  return {.kinds = {{"embedded", {"log", "scan"}, {"fire", "guarded"}, {"refuse"}},
                    {"server", {"log"}, {"suppress", "fire"}, {"refuse", "derive"}, true, 8, true}},
          .engines = {"cpu"}};
}

constexpr std::string_view kWhole = R"toml(
[appliance]
name = "zurich"
data = "data"
engine = "cpu"
lanes = 128
threads = 3

[journal]
retain = "36h"
limit = "2GiB"
segment = "8MiB"

[systems.erp]
kind = "server"
url = "server://sync@erp.example/erp"
password = { env = "ERP_PASSWORD" }

[systems.shop]
kind = "embedded"
url = "shop.db"

[datasets.customer]
key = ["email"]
tier = "critical"
first = "erp"
atomic = "sales"
exclude = ["photo"]
key_equivalence = "trailing_spaces"

[datasets.customer.types]
balance = "decimal(10,2)"

[datasets.customer.on.shop]
table = "customers"
fields = { name = "full_name" }
where = "region = 'CH'"
capture = "scan"

[datasets.customer.on.erp]
table = "public.customer"
direction = "from"
numbers = "apart"
cascade = "derive"

[datasets.customer.conflict]
default = "oldest"
delete = "update_wins"

[datasets.customer.conflict.fields]
credit_limit = ["erp", "shop"]
notes = "shop"
updated_at = "local"
)toml";

Parsed parsed(std::string_view text) {
  return parse_config(text, "dir/test.toml", test_offer());
}

// kWhole with one text replaced by another.
std::string with(std::string_view from, std::string_view to) {
  std::string text(kWhole);
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string all_errors(const Parsed& result) {
  std::string text;
  for (const Error& error : result.errors) text += to_string(error) + "\n";
  return text;
}

// The text of the only error.
std::string only_error(std::string_view text) {
  const Parsed result = parsed(text);
  EXPECT_EQ(result.errors.size(), 1U) << all_errors(result);
  return result.errors.empty() ? "" : to_string(result.errors[0]);
}

TEST(Config, ReadsEverything) {
  const Parsed result = parsed(kWhole);
  ASSERT_TRUE(result.errors.empty()) << all_errors(result);
  const Config& config = result.config;
  EXPECT_EQ(config.appliance.name, "zurich");
  EXPECT_EQ(config.appliance.data, "dir/data");
  EXPECT_EQ(config.appliance.key_file, "dir/data/key");
  EXPECT_EQ(config.appliance.lane_count, 128U);
  EXPECT_EQ(config.appliance.thread_count, 3U);
  EXPECT_EQ(config.journal.retain_us, 36LL * 3600 * 1'000'000);
  EXPECT_EQ(config.journal.limit_bytes, 2ULL << 30);
  EXPECT_EQ(config.journal.segment_size_bytes, 8ULL << 20);
  ASSERT_EQ(config.systems.size(), 2U);
  EXPECT_EQ(config.systems[0].name, "erp");
  EXPECT_EQ(config.systems[0].id, model::stable_id("erp"));
  EXPECT_EQ(config.systems[0].password.source, SecretSource::kEnvironment);
  EXPECT_EQ(config.systems[1].url, "shop.db");
}

TEST(Config, ReadsDatasetsInTheFilesOrder) {
  const Parsed result = parsed(kWhole);
  ASSERT_EQ(result.config.datasets.size(), 1U);
  const Dataset& dataset = result.config.datasets[0];
  EXPECT_EQ(dataset.key, std::vector<std::string>{"email"});
  EXPECT_EQ(dataset.tier, Tier::kCritical);
  EXPECT_EQ(dataset.first.name, "erp");
  EXPECT_EQ(dataset.stream, model::stable_id("sales"));
  EXPECT_EQ(dataset.exclude, std::vector<std::string>{"photo"});
  EXPECT_EQ(dataset.key_equivalence, model::KeyEquivalence::kTrailingSpaces);
  EXPECT_EQ(to_string(dataset.types.at("balance")), "decimal(10,2)");
  ASSERT_EQ(dataset.mappings.size(), 2U);
  const Mapping& shop = dataset.mappings[0];
  EXPECT_EQ(shop.system, "shop");
  EXPECT_EQ(shop.fields.at("name"), "full_name");
  EXPECT_EQ(shop.where, "region = 'CH'");
  EXPECT_EQ(shop.capture, Capture::kScan);
  EXPECT_EQ(shop.triggers, Triggers::kFire) << "the first that its kind offers";
  const Mapping& erp = dataset.mappings[1];
  EXPECT_EQ(erp.direction, Direction::kFrom);
  EXPECT_EQ(erp.triggers, Triggers::kSuppress);
  EXPECT_EQ(erp.cascade, Cascade::kDerive);
  EXPECT_EQ(erp.numbers, Numbers::kApart);
  EXPECT_EQ(shop.numbers, Numbers::kChecked);
}

TEST(Config, ReadsWhatBecomesOfZeroDates) {
  EXPECT_EQ(parsed(kWhole).config.datasets.at(0).zero_dates, ZeroDates::kReject);
  const auto said = [](const std::string& word) {
    return parsed(with("atomic = \"sales\"", "zero_dates = \"" + word + "\""));
  };
  EXPECT_EQ(said("null").config.datasets.at(0).zero_dates, ZeroDates::kNull);
  EXPECT_THAT(all_errors(said("nil")), HasSubstr("unknown zero_dates"));
}

TEST(Config, ReadsPolicies) {
  const Parsed result = parsed(kWhole);
  const Conflict& conflict = result.config.datasets.at(0).conflict;
  EXPECT_EQ(conflict.default_policy.kind, PolicyKind::kOldest);
  EXPECT_EQ(conflict.deletes, DeletePolicy::kUpdateWins);
  EXPECT_EQ(conflict.fields.at("credit_limit").kind, PolicyKind::kAuthority);
  EXPECT_EQ(conflict.fields.at("credit_limit").text, "erp, shop");
  EXPECT_EQ(conflict.fields.at("notes").authority, std::vector<std::string>{"shop"});
  EXPECT_EQ(conflict.fields.at("updated_at").kind, PolicyKind::kLocal);
}

TEST(Config, HasDefaults) {
  const Parsed result = parsed(R"(
appliance = { name = "a", data = "/var/lib/a" }
systems = { x = { kind = "embedded", url = "x" }, y = { kind = "embedded", url = "y" } }
[datasets.d]
key = ["id"]
first = "x"
on = { x = { table = "d" }, y = { table = "d" } }
)");
  ASSERT_TRUE(result.errors.empty()) << all_errors(result);
  EXPECT_EQ(result.config.appliance.engine, "auto");
  EXPECT_EQ(result.config.appliance.data, "/var/lib/a");
  EXPECT_EQ(result.config.appliance.lane_count, 64U);
  const Dataset& dataset = result.config.datasets.at(0);
  EXPECT_EQ(dataset.stream, dataset.id);
  EXPECT_EQ(dataset.tier, Tier::kStandard);
  EXPECT_EQ(dataset.conflict.default_policy.kind, PolicyKind::kNewest);
  EXPECT_EQ(dataset.mappings.at(0).direction, Direction::kBoth);
}

struct Wrong {
  const char* from;
  const char* to;
  const char* where;  // line:column
  const char* said;
  const char* fix;
};

TEST(Config, NamesPlaceAndFixOfEveryMistake) {
  const Wrong cases[] = {
      {"lanes = 128", "lane = 128", "6:1", "unknown key in appliance \"lane\"", "mean \"lanes\"?"},
      {"lanes = 128", "lanes = 100", "6:9", "\"appliance.lanes\" is 100", "power of two"},
      {"lanes = 128", "lanes = 9999999", "6:9", "out of range", "1 to 4096"},
      {"lanes = 128", "lanes = \"many\"", "6:9", "must be a whole number", ""},
      {"engine = \"cpu\"", "engine = \"cup\"", "5:10", "unknown engine \"cup\"", "mean \"cpu\"?"},
      {"name = \"zurich\"", "name = \"\"", "3:8", "\"appliance.name\" is empty", "fill"},
      {"name = \"zurich\"", "name = \"a b\"", "3:8", "no name for the appliance", "another"},
      {"name = \"zurich\"\n", "\n", "2:1", "\"appliance.name\" is missing", "add it"},
      {"36h", "36 weeks", "10:10", "\"36 weeks\" is not a duration", "\"7d\""},
      {"36h", "99999999999999999d", "10:10", "is not a duration", ""},
      {"2GiB", "2 gigs", "11:9", "\"2 gigs\" is not a size", "\"16GiB\""},
      {"2GiB", "16MiB", "9:2", "is less than 4 times", "raise"},
      {"8MiB", "8KiB", "12:11", "too small", "1MiB"},
      {"[systems.erp]", "[systems.newest]", "14:10", "\"newest\" is no name", "another"},
      {"kind = \"server\"", "kind = \"sever\"", "15:8", "no system of kind \"sever\"",
       "mean \"server\"?"},
      {"sync@erp", "sync:hush@erp", "16:7", "holds a password", "\"password\""},
      {"sync@erp.example/erp", "sync@erp.example/erp?password=hush", "16:7", "holds a password",
       "\"password\""},
      {"{ env = \"ERP_PASSWORD\" }", "\"hush\"", "17:12", "must name one source", "env"},
      {"env = \"ERP", "evn = \"ERP", "17:14", "unknown key in systems.erp.password \"evn\"",
       "mean \"env\"?"},
      {"first = \"erp\"", "first = \"epr\"", "26:9", "no system of this dataset", "mean \"erp\"?"},
      {"first = \"erp\"\n", "", "23:1", "\"datasets.customer.first\" is missing", ""},
      {"first = \"erp\"", "first = 7", "26:9", "names nobody", "name the system"},
      {"tier = \"critical\"", "tier = \"critcal\"", "25:8", "unknown tier", "mean \"critical\"?"},
      {"key = [\"email\"]", "key = []", "24:7", "\"datasets.customer.key\" is empty", "add"},
      {"key = [\"email\"]", "key = [\"a\", \"a\"]", "24:13", "twice", "remove"},
      {"key = [\"email\"]", "key = \"email\"", "24:7", "must be a list", ""},
      {"[\"photo\"]", "[\"email\"]", "23:11", "a part of its key", ""},
      {"[\"photo\"]", "[\"name\"]", "34:23", "both mapped and excluded", ""},
      {"decimal(10,2)", "decimel(10,2)", "32:11", "is not a type", "decimal"},
      {"on.shop]\ntable", "on.shop]\ntabel", "34:1", "table\" is missing", ""},
      {"table = \"customers\"", "table = \"syncline_changes\"", "34:23", "Syncline's own", ""},
      {"capture = \"scan\"", "capture = \"scna\"", "38:11", "unknown capture", "mean \"scan\"?"},
      {"direction = \"from\"", "direction = \"form\"", "42:13", "unknown direction",
       "mean \"from\"?"},
      {"direction = \"from\"", "direction = \"to\"", "26:9", "only written to", ""},
      {"capture = \"scan\"", "direction = \"to\"", "34:23", "\"where\" has no meaning", "remove"},
      {"capture = \"scan\"", "direction = \"from\"", "23:11", "nothing can flow", "direction"},
      {"default = \"oldest\"", "default = \"oldset\"", "47:11", "unknown policy or system",
       "mean \"oldest\"?"},
      {"[\"erp\", \"shop\"]", "[\"erp\", \"shp\"]", "51:24", "no system of this dataset",
       "mean \"shop\"?"},
      {"[\"erp\", \"shop\"]", "[\"erp\", \"erp\"]", "51:24", "twice", ""},
      {"[\"erp\", \"shop\"]", "[]", "51:16", "is empty", ""},
      {"credit_limit = [", "email = [", "51:1", "part of the key", ""},
      {"threads = 3", "memory = \"8MiB\"", "7:10", "is too small", "16MiB"},
      {"[datasets.customer]", "[datasets.all]", "", "\"all\" is no name", ""},
  };
  for (const Wrong& wrong : cases) {
    const Parsed result = parsed(with(wrong.from, wrong.to));
    ASSERT_FALSE(result.errors.empty()) << wrong.to;
    const std::string text = all_errors(result);
    EXPECT_THAT(text, HasSubstr("dir/test.toml:" + std::string(wrong.where))) << wrong.to;
    EXPECT_THAT(text, HasSubstr(wrong.said)) << wrong.to;
    EXPECT_THAT(text, HasSubstr(wrong.fix)) << wrong.to;
    EXPECT_THAT(text, Not(HasSubstr("hush"))) << "a secret must not be repeated";
  }
}

TEST(Config, TakesALimitOfItsMemory) {
  const Parsed result = parsed(with("threads = 3", "memory = \"256MiB\""));
  ASSERT_TRUE(result.errors.empty()) << all_errors(result);
  EXPECT_EQ(result.config.appliance.memory_bytes, 256ULL << 20);
}

TEST(Config, SaysPlainlyWhatIsNotBuilt) {
  const std::pair<const char*, const char*> cases[] = {
      {"tier = \"critical\"", "mode = \"linger\""},
      {"first = \"erp\"", "first = \"stop\""},
      {"first = \"erp\"", "first = { newest_by = \"changed_at\" }"},
      {"default = \"oldest\"", "default = \"stop\""},
      {"delete = \"update_wins\"", "home = \"zurich\""},
      {"notes = \"shop\"", "notes = { rule = \"notes.lua\" }"},
      {"notes = \"shop\"", "notes = { merge = \"sum\" }"},
      {"capture = \"scan\"", "capture = \"poll\""},
      {"capture = \"scan\"", "triggers = \"suppress\""},
  };
  for (const auto& [from, to] : cases) {
    const Parsed result = parsed(with(from, to));
    ASSERT_EQ(result.errors.size(), 1U) << to << "\n" << all_errors(result);
    EXPECT_EQ(result.errors[0].code, ErrorCode::kUnsupported) << to;
    EXPECT_THAT(result.errors[0].why, HasSubstr("not built into this version")) << to;
  }
}

TEST(Config, SettingsOfOneWayOfReadingAreRefusedWithAnother) {
  const std::pair<const char*, const char*> cases[] = {
      {"capture = \"scan\"\npoll_by = \"changed_at\"", "capture = \"poll\""},
      {"capture = \"scan\"\noverlap = \"1m\"", "capture = \"poll\""},
      {"capture = \"log\"\nevery = \"1m\"", "\"scan\" or \"poll\""},
  };
  for (const auto& [to, fix] : cases) {
    const Parsed result = parsed(with("capture = \"scan\"", to));
    ASSERT_EQ(result.errors.size(), 1U) << to << "\n" << all_errors(result);
    EXPECT_EQ(result.errors[0].code, ErrorCode::kConfigValue) << to;
    EXPECT_THAT(result.errors[0].fix, HasSubstr(fix)) << to;
  }
}

TEST(Config, APollNamesItsColumn) {
  Offer offer = test_offer();
  offer.kinds[0].captures.emplace_back("poll");
  const auto read = [&](const char* to) {
    return parse_config(with("capture = \"scan\"", to), "dir/test.toml", offer);
  };
  const Parsed without = read("capture = \"poll\"");
  ASSERT_EQ(without.errors.size(), 1U) << all_errors(without);
  EXPECT_THAT(without.errors[0].fix, HasSubstr("poll_by = "));
  const Parsed good =
      read("capture = \"poll\"\npoll_by = \"changed_at\"\nevery = \"2s\"\noverlap = \"1m\"");
  EXPECT_TRUE(good.errors.empty()) << all_errors(good);
  const auto& mappings = good.config.find_dataset("customer")->mappings;
  const auto polled = std::find_if(mappings.begin(), mappings.end(), [](const Mapping& mapping) {
    return mapping.capture == Capture::kPoll;
  });
  ASSERT_NE(polled, mappings.end());
  EXPECT_EQ(polled->poll_by, "changed_at");
  EXPECT_EQ(polled->every_us, 2'000'000);
  EXPECT_EQ(polled->overlap_us, 60'000'000);
}

TEST(Config, ReportsAllErrorsInTheFilesOrder) {
  std::string text = with("lanes = 128", "lane = 128");
  text.replace(text.find("36h"), 3, "36x");
  text.replace(text.find("critical"), 8, "kritisch");
  const Parsed result = parsed(text);
  ASSERT_EQ(result.errors.size(), 3U) << all_errors(result);
  EXPECT_THAT(result.errors[0].what, StartsWith("dir/test.toml:6:"));
  EXPECT_THAT(result.errors[1].what, StartsWith("dir/test.toml:10:"));
  EXPECT_THAT(result.errors[2].what, StartsWith("dir/test.toml:25:"));
  const auto first = first_error_or_config(result);
  ASSERT_FALSE(first.has_value());
  EXPECT_THAT(first.error().why, HasSubstr("2 more"));
}

TEST(Config, SyntaxErrorsHaveAPlace) {
  EXPECT_THAT(only_error("[appliance]\nname = \"zurich\ndata = 1\n"),
              StartsWith("SYN-2001: dir/test.toml:2:"));
  EXPECT_THAT(only_error("[appliance]\nname = \"a\"\nname = \"b\"\n"), HasSubstr(":3:"));
}

TEST(Config, EmptyFileLacksItsSections) {
  const std::string text = all_errors(parsed(""));
  for (const char* section : {"appliance", "systems", "datasets"}) {
    EXPECT_THAT(text, HasSubstr("\"" + std::string(section) + "\" is missing"));
  }
}

TEST(Config, OnlySystemsThatKeepTheirLogForUsHaveLimitsOnIt) {
  const auto plain = parsed(kWhole).config;
  EXPECT_EQ(1ULL << 30, plain.systems[0].log_alarm_bytes);
  EXPECT_EQ(0U, plain.systems[0].log_limit_bytes);
  const std::string limits = "log_alarm = \"512MiB\"\nlog_limit = \"64GiB\"\n";
  const auto limited = parsed(with("kind = \"server\"\n", "kind = \"server\"\n" + limits));
  EXPECT_EQ("", all_errors(limited));
  EXPECT_EQ(512ULL << 20, limited.config.systems[0].log_alarm_bytes);
  EXPECT_EQ(64ULL << 30, limited.config.systems[0].log_limit_bytes);
  const std::string embedded =
      all_errors(parsed(with("kind = \"embedded\"\n", "kind = \"embedded\"\n" + limits)));
  EXPECT_THAT(embedded, HasSubstr("log_limit"));
  EXPECT_THAT(embedded, HasSubstr("unknown key in systems.shop"));
}

TEST(Config, OnlySystemsThatAreWrittenThroughSeveralConnectionsCountThem) {
  const auto with_count = [](const std::string& kind, const std::string& count) {
    const std::string line = "kind = \"" + kind + "\"\n";
    return parsed(with(line, line + "write_connections = " + count + "\n"));
  };
  EXPECT_EQ(1U, parsed(kWhole).config.systems[0].write_connections);
  const auto several = with_count("server", "8");
  EXPECT_EQ("", all_errors(several));
  EXPECT_EQ(8U, several.config.systems[0].write_connections);
  for (const char* count : {"0", "9", "\"2\""}) {
    EXPECT_THAT(all_errors(with_count("server", count)), HasSubstr("write_connections")) << count;
  }
  EXPECT_THAT(all_errors(with_count("embedded", "2")), HasSubstr("unknown key in systems.shop"));
}

TEST(Config, AReplicaIsNamedByAUrlWithoutAPassword) {
  const auto with_replica = [](const std::string& kind, const std::string& url) {
    const std::string line = "kind = \"" + kind + "\"\n";
    return parsed(with(line, line + "replica = \"" + url + "\"\n"));
  };
  EXPECT_EQ("", parsed(kWhole).config.systems[0].replica);
  const auto named = with_replica("server", "server://sync@copy/erp");
  EXPECT_EQ("", all_errors(named));
  EXPECT_EQ("server://sync@copy/erp", named.config.systems[0].replica);
  EXPECT_THAT(all_errors(with_replica("server", "server://sync:secret@copy/erp")),
              HasSubstr("systems.erp.replica\" holds a password"));
  EXPECT_THAT(all_errors(with_replica("embedded", "copy.db")), HasSubstr("replica"));
}

TEST(Config, WhatComesAtTheLimitOfALogIsChosen) {
  const auto with_lines = [](const std::string& lines) {
    return parsed(with("kind = \"server\"\n", "kind = \"server\"\n" + lines));
  };
  const auto plain = with_lines("log_limit = \"64GiB\"\n");
  EXPECT_EQ(LogLimitAction::kDrop, plain.config.systems[0].log_limit_action);
  const auto paused = with_lines("log_limit = \"64GiB\"\nlog_limit_action = \"pause\"\n");
  EXPECT_EQ("", all_errors(paused));
  EXPECT_EQ(LogLimitAction::kPause, paused.config.systems[0].log_limit_action);
  const auto wrong = with_lines("log_limit = \"64GiB\"\nlog_limit_action = \"paus\"\n");
  EXPECT_THAT(all_errors(wrong), HasSubstr("pause"));
  EXPECT_THAT(all_errors(with_lines("log_limit_action = \"pause\"\n")),
              HasSubstr("stands without a \"log_limit\""));
}

TEST(Config, DatasetNeedsTwoKnownSystems) {
  const std::string unknown = all_errors(parsed(with("on.erp]", "on.epr]")));
  EXPECT_THAT(unknown, HasSubstr("unknown system \"epr\""));
  EXPECT_THAT(unknown, HasSubstr("did you mean \"erp\"?"));
  std::string text(kWhole);
  const size_t start = text.find("[datasets.customer.on.erp]");
  text.erase(start, text.find("[datasets.customer.conflict]") - start);
  EXPECT_THAT(all_errors(parsed(text)), HasSubstr("fewer than two systems"));
}

TEST(Config, NamesThatMeetAreRefused) {
  std::string group = with("atomic = \"sales\"", "atomic = \"customer\"");
  EXPECT_THAT(only_error(group), HasSubstr("both a dataset and an atomic group"));
  std::string twice(kWhole);
  twice +=
      "[datasets.other]\nkey = [\"id\"]\nfirst = \"erp\"\n"
      "[datasets.other.on.erp]\ntable = \"other\"\n"
      "[datasets.other.on.shop]\ntable = \"customers\"\n";
  EXPECT_THAT(only_error(twice), HasSubstr("belongs to dataset \"customer\" already"));
}

// Two names of the same 32-bit id, found by trying.
TEST(Config, IdsThatMeetAreRefused) {
  std::map<uint32_t, std::string> seen;
  std::string one, other;
  for (int i = 0; one.empty(); ++i) {
    const std::string name = "s" + std::to_string(i);
    const auto [held, is_new] = seen.emplace(model::stable_id(name), name);
    if (!is_new) one = held->second, other = name;
  }
  const std::string text = "[systems." + one + "]\nkind = \"server\"\nurl = \"x\"\n[systems." +
                           other + "]\nkind = \"server\"\nurl = \"y\"\n";
  EXPECT_THAT(all_errors(parsed(text)), HasSubstr("get the same number"));
}

// Whatever stands in the file, it is read to an end, and every error has its place and a fix.
TEST(Config, BrokenFilesOnlyGiveErrors) {
  size_t error_count = 0;
  for (unsigned seed = 0; seed < 2'000; ++seed) {
    std::mt19937 random(seed);
    std::string text(kWhole);
    for (unsigned i = 0; i <= random() % 3; ++i) {
      const size_t at = random() % text.size();
      const size_t from = random() % text.size();
      text.replace(at, random() % 12, text, from, random() % 12);
    }
    for (const Error& error : parsed(text).errors) {
      ASSERT_THAT(error.what, StartsWith("dir/test.toml:")) << "seed " << seed;
      ASSERT_FALSE(error.why.empty() || error.fix.empty()) << "seed " << seed << error.what;
      ++error_count;
    }
  }
  EXPECT_GT(error_count, 1'000U);
}

TEST(Config, MissingFileSaysSo) {
  const Parsed result = load_config("/nowhere/syncline.toml", test_offer());
  ASSERT_EQ(result.errors.size(), 1U);
  EXPECT_EQ(result.errors[0].code, ErrorCode::kConfigFile);
  EXPECT_THAT(result.errors[0].why, HasSubstr("No such file"));
}

class SecretTest : public testing::Test {
 protected:
  SecretTest() {
    std::string name = (std::filesystem::temp_directory_path() / "syncline-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~SecretTest() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(SecretTest, ComesFromWhereTheConfigSays) {
  const std::string file = (folder_ / "secret").string();
  std::ofstream(file) << "from file\n";
  setenv("SYNCLINE_TEST_SECRET", "from environment", 1);
  EXPECT_EQ(read_secret({SecretSource::kFile, file}).value(), "from file");
  EXPECT_EQ(read_secret({SecretSource::kEnvironment, "SYNCLINE_TEST_SECRET"}).value(),
            "from environment");
  EXPECT_EQ(read_secret({SecretSource::kCommand, "echo 'from command'"}).value(), "from command");
  EXPECT_EQ(read_secret({}).value(), "");
  unsetenv("SYNCLINE_TEST_SECRET");
}

TEST_F(SecretTest, ErrorsNameTheSourceOnly) {
  EXPECT_THAT(to_string(read_secret({SecretSource::kEnvironment, "SYNCLINE_ABSENT"}).error()),
              HasSubstr("SYNCLINE_ABSENT"));
  EXPECT_FALSE(read_secret({SecretSource::kFile, (folder_ / "none").string()}).has_value());
  const auto failed = read_secret({SecretSource::kCommand, "echo hush; exit 3"});
  ASSERT_FALSE(failed.has_value());
  EXPECT_THAT(failed.error().why, HasSubstr("3"));
  EXPECT_THAT(failed.error().why, Not(HasSubstr("hush")));
}

TEST(Nearest, FindsTypingMistakes) {
  const std::vector<std::string> known = {"table", "fields", "where", "key"};
  EXPECT_EQ(nearest("tabel", known), "table");
  EXPECT_EQ(nearest("Feilds", known), "fields");
  EXPECT_EQ(nearest("ky", known), "key");
  EXPECT_EQ(nearest("password", known), std::nullopt);
  EXPECT_EQ(nearest("", known), std::nullopt);
  EXPECT_EQ(typing_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(typing_distance("ab", "ba"), 1U);
  EXPECT_EQ(typing_distance("", "abc"), 3U);
  EXPECT_EQ(suggest("zzz", known), "use one of table, fields, where, key");
}

}  // namespace
}  // namespace syncline::config
