// A system as a driver makes it from its config: its three faces, and what it was told.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/random.hpp"
#include "host/model/schema.hpp"
#include "host/ports/catalog.hpp"
#include "host/ports/source.hpp"
#include "host/ports/target.hpp"

namespace syncline::ports {

enum class Capture : uint8_t { kLog, kPoll, kScan };
enum class Direction : uint8_t { kBoth, kFrom, kTo };
// What foreign keys do to a dataset's records where no log tells it: refused, or made up by
// capture.
enum class Cascade : uint8_t { kRefuse, kDerive };

struct DatasetMapping {
  const model::Schema* schema = nullptr;  // outlives the system
  std::string table;
  std::vector<std::string> columns;  // physical name per schema field
  Direction direction = Direction::kBoth;
  Capture capture = Capture::kLog;
  std::string poll_by;     // kPoll: the column that rises with every change of a row
  int64_t every_us = 0;    // kPoll, kScan: from look to look; 0: as the driver finds right
  int64_t overlap_us = 0;  // kPoll: how far a look reaches back behind open transactions
  std::string where;       // row filter; empty: all
  std::string triggers = "suppress";
  Cascade cascade = Cascade::kRefuse;
  // Systems whose users make records, and which of them this one is, the same in all datasets:
  // where each numbers its own, their numbers must never meet. Apart: they do not, says the user.
  size_t maker_count = 1;
  size_t maker_index = 0;
  bool are_numbers_apart = false;
  bool do_others_step = false;  // the others' numbers go in steps, and do not follow ours
};

constexpr size_t kWriteConnectionsMax = 16;

struct SystemConfig {
  std::string appliance;
  std::string name;
  model::SystemId id = 0;
  std::string url;          // without a password
  std::string replica_url;  // a copy of it that chunks are read from; empty: none
  std::string password;     // of both; never printed, never logged; empty: none
  size_t lane_count = model::kLaneCountDefault;
  std::string spool_folder;      // for what is too large for memory; empty: the machine's own
  uint64_t log_limit_bytes = 0;  // of its log kept for us: beyond it that is given up; 0: never
  uint64_t log_pause_bytes = 0;  // likewise: beyond it lag() says what holds it; 0: never
  size_t write_connections = 1;  // to write through, 1 to kWriteConnectionsMax
  std::vector<DatasetMapping> datasets;
};

struct System {
  std::unique_ptr<Source> source;
  std::unique_ptr<Target> target;
  // More connections to write through, each for transactions of its own beside the first's. A probe
  // of the first ends the sessions of all.
  std::vector<std::unique_ptr<Target>> more_targets;
  std::unique_ptr<Catalog> catalog;
};

}  // namespace syncline::ports
