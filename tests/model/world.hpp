// The world of one trace of core-model.py, with C++ lanes for its appliances: systems that hold one
// record and a log, users that write as the trace says, appliances that read, decide and deliver
// when the trace says so.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/core/lane.hpp"
#include "tests/model/json.hpp"

namespace syncline::trace {

inline constexpr uint32_t kEpoch = 1;

// A cell's bytes: what is stored, and which write it came from. A system that rounds keeps the
// write and changes the form.
struct Stored {
  int64_t write = 0;
  int64_t form = 0;
  std::string bytes() const { return std::to_string(form) + ":" + std::to_string(write); }
  bool operator==(const Stored&) const = default;
};
Stored stored_from(std::string_view bytes);

using StoredRow = std::map<model::FieldIndex, Stored>;

// A database: a row or nothing, and a log in commit order. It knows nothing of appliances.
class System {
 public:
  struct LogItem {
    std::optional<model::Sequence> marker;
    std::optional<core::RowOp> op;  // none: the marked transaction touched no row
    int64_t time_us = 0;
    std::vector<std::pair<model::FieldIndex, std::string>> cells;
  };

  explicit System(const Json& store);
  void write(const Json& step);
  void apply(std::span<const model::Entry> run);
  // Null at the end of the log.
  const LogItem* next();
  const std::optional<StoredRow>& row() const { return row_; }

 private:
  std::vector<int64_t> store_;  // form written -> form stored
  std::optional<StoredRow> row_;
  std::deque<LogItem> log_;
  size_t read_count_ = 0;
};

// How many log items one step takes.
enum class Reading { kOneByOne, kTogether };

class Appliance {
 public:
  Appliance(model::DatasetId dataset, core::DatasetRules rules, Reading reading);

  void read(model::SystemId system, const System::LogItem& item);
  void read(model::SystemId peer, model::Entry entry);
  // Takes the next `count` entries for a target out of its queue.
  std::vector<model::Entry> take_queued(model::SystemId target, size_t count);
  void finish();  // decides what is left; then checks that nothing waits or is in flight

  const std::set<int64_t>& conflicts() const { return conflicts_; }
  const std::set<model::FieldIndex>& locals() const { return locals_; }
  // Restores the lane at every frame in turn and replays the rest.
  void check_replay() const;

 private:
  void begin(model::SystemId system);
  void step();
  void store(const model::Frame& frame, const core::RecordSet& records);
  core::RecordState state() const;  // of the one record, as the lane sees it now

  model::Schema schema_;
  core::Rules rules_;
  model::Secret secret_;
  core::Lane lane_;
  Reading reading_;
  core::RecordId id_;
  core::Input input_;
  std::deque<model::Entry> joined_;  // what input_ points to

  std::string state_;  // the shadow: one record
  std::vector<model::Cell> values_;
  std::map<model::SystemId, std::deque<model::Entry>> queues_;
  std::set<int64_t> conflicts_;
  std::set<model::FieldIndex> locals_;
  std::vector<model::Frame> frames_;
  std::vector<std::string> snapshots_;  // after each frame
};

class World {
 public:
  explicit World(const Json& trace, Reading reading);
  void run();
  // The differences to where the model ended; empty: none.
  std::string differences() const;
  void check_replay() const;

 private:
  void read(const Json& step);
  void deliver(const Json& step);
  core::DatasetRules rules_of(const std::string& appliance) const;
  std::string end_differences(const std::string& name, const System& system, bool is_first) const;

  const Json& trace_;
  std::map<std::string, System> systems_;
  std::map<std::string, Appliance> appliances_;
  std::map<std::pair<std::string, std::string>, std::deque<model::Entry>> inboxes_;  // (at, from)
};

}  // namespace syncline::trace
