// The config file as typed values, or every error in it at once, each with its place.
//
// The config knows no system or engine by name: the app says what this build offers (Offer). It
// holds no secret either, only where one is to be found.
//
// Threads: values and pure functions. Errors: kConfigSyntax, kConfigUnknown, kConfigValue,
// kConfigFile, kUnsupported; `what` begins with file:line:column.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.hpp"
#include "host/model/ids.hpp"
#include "host/model/schema.hpp"
#include "host/model/types.hpp"

namespace syncline::config {

// What this build offers, from the app's tables. In each list the first is the default.
struct SystemKind {
  std::string name;
  std::vector<std::string> captures;  // of log, poll, scan
  std::vector<std::string> triggers;  // of suppress, fire, guarded
  std::vector<std::string> cascades;  // of refuse, derive
  bool keeps_log = false;             // its log grows until we have read it: alarm, limit
  size_t write_connections_max = 1;
  bool has_replica = false;  // chunks of its tables may be read from a copy of it
};

struct Offer {
  std::vector<SystemKind> kinds;
  std::vector<std::string> engines;  // beside "auto"
};

struct Place {
  uint32_t line = 0;    // from 1; 0: nowhere in the file
  uint32_t column = 0;  // from 1
  auto operator<=>(const Place&) const = default;
};

enum class SecretSource : uint8_t { kNone, kEnvironment, kFile, kCommand };

struct Secret {
  SecretSource source = SecretSource::kNone;
  std::string name;  // of the variable or the file, or the command line; never the secret itself
};

struct Appliance {
  std::string name;
  std::string data;      // folder
  std::string key_file;  // default: "key" in the data folder
  std::string engine = "auto";
  size_t lane_count = model::kLaneCountDefault;
  size_t thread_count = 0;  // 0: as many as the machine has cores
  // At most so much for records' states; those of the rest are read from the disk.
  uint64_t memory_bytes = 64ULL << 20;
};

struct JournalSettings {
  int64_t retain_us = 7LL * 24 * 3600 * 1'000'000;
  uint64_t limit_bytes = 16ULL << 30;
  uint64_t segment_size_bytes = 64ULL << 20;
};

// Beyond the limit of log that is kept for us: it is given up, or our writes there wait.
enum class LogLimitAction : uint8_t { kDrop, kPause };

struct SystemSettings {
  std::string name;
  model::SystemId id = 0;
  std::string kind;
  std::string url;
  std::string replica;                    // a copy of it that chunks are read from; empty: none
  Secret password;                        // of both
  uint64_t log_alarm_bytes = 1ULL << 30;  // kept for us: from here on a warning
  uint64_t log_limit_bytes = 0;           // beyond it log_limit_action comes; 0: never
  LogLimitAction log_limit_action = LogLimitAction::kDrop;
  size_t write_connections = 1;
  Place place;
};

enum class Tier : uint8_t { kCritical, kStandard, kBulk };
enum class Mode : uint8_t { kRealtime, kLinger, kSchedule, kManual };
enum class Direction : uint8_t { kBoth, kFrom, kTo };
enum class Capture : uint8_t { kLog, kPoll, kScan };
enum class Triggers : uint8_t { kSuppress, kFire, kGuarded };
enum class Cascade : uint8_t { kRefuse, kDerive };
enum class Numbers : uint8_t { kChecked, kApart };
// What dates cannot hold: zero and partial dates, infinities, years BC.
enum class ZeroDates : uint8_t { kReject, kNull };

// Who wins where several systems already hold a record.
enum class FirstRule : uint8_t { kSystem, kStop, kNewestBy };

struct First {
  FirstRule rule = FirstRule::kSystem;
  std::string name;  // kSystem: the system; kNewestBy: the field
};

enum class PolicyKind : uint8_t { kNewest, kOldest, kAuthority, kLocal, kStop, kMerge, kRule };

struct Policy {
  PolicyKind kind = PolicyKind::kNewest;
  std::vector<std::string> authority;  // kAuthority: systems, the highest first
  std::string text = "newest";         // as people read it: "newest", "erp, shop"
  Place place;
};

enum class DeletePolicy : uint8_t { kDeleteWins, kUpdateWins };

// What becomes of two systems' new records of one key that differ.
enum class InsertExists : uint8_t { kAsNumbered, kMerge, kQuarantine };

struct Conflict {
  Policy default_policy;
  InsertExists insert_exists = InsertExists::kAsNumbered;  // kQuarantine where both number keys
  DeletePolicy deletes = DeletePolicy::kDeleteWins;
  std::map<std::string, Policy> fields;
};

// How many records one system may lose within minutes before its deletes are held.
struct DeleteLimit {
  bool is_off = false;
  uint64_t records = 0;  // 0: percent, and at least 1,000
  uint32_t percent = 10;
};

// A dataset in one system.
struct Mapping {
  std::string system;
  model::SystemId id = 0;
  std::string table;
  std::map<std::string, std::string> fields;  // logical -> physical, where they differ
  std::string where;                          // row filter; empty: all rows
  Direction direction = Direction::kBoth;
  Capture capture = Capture::kLog;
  std::string poll_by;     // kPoll: the column that rises with every change of a row
  int64_t every_us = 0;    // kPoll, kScan: from look to look; 0: as the system's driver finds right
  int64_t overlap_us = 0;  // kPoll: how far a look reaches back behind open transactions
  Triggers triggers = Triggers::kSuppress;
  Cascade cascade = Cascade::kRefuse;
  Numbers numbers = Numbers::kChecked;
  Place place;
};

struct Dataset {
  std::string name;
  model::DatasetId id = 0;
  model::StreamId stream = 0;
  std::string atomic;  // group; empty: none
  std::vector<std::string> key;
  std::optional<model::KeyEquivalence> key_equivalence;  // unset: the coarsest among the systems
  Tier tier = Tier::kStandard;
  Mode mode = Mode::kRealtime;
  First first;
  DeleteLimit delete_limit;
  ZeroDates zero_dates = ZeroDates::kReject;
  std::vector<std::string> exclude;                 // fields that do not travel
  std::map<std::string, model::LogicalType> types;  // instead of what the tables say
  std::vector<Mapping> mappings;                    // in the file's order, at least two
  Conflict conflict;
  Place place;
};

struct Config {
  std::string file;
  Appliance appliance;
  JournalSettings journal;
  std::vector<SystemSettings> systems;  // in the file's order
  std::vector<Dataset> datasets;        // likewise

  const SystemSettings* find_system(std::string_view name) const;
  const Dataset* find_dataset(std::string_view name) const;
};

struct Parsed {
  Config config;              // usable only without errors
  std::vector<Error> errors;  // in the file's order
};

// Relative paths (data, key_file, password files) are relative to the config file's folder.
Parsed parse_config(std::string_view text, std::string_view file, const Offer& offer);
Parsed load_config(const std::string& path, const Offer& offer);

// The config, or its first error, which says how many more there are.
Result<Config> first_error_or_config(Parsed parsed);

// "file:line:column: " for errors about a place in the config.
std::string place_text(const Config& config, const Place& place);

// Reads the secret from where the config says; a trailing newline is dropped. The error names the
// source, never the value. Errors: kConfigFile. A command runs under the shell, may run 10 s.
Result<std::string> read_secret(const Secret& secret);

// "64KiB", "1 MB"; nothing where it is no size.
std::optional<uint64_t> parse_size(std::string_view text);

}  // namespace syncline::config
