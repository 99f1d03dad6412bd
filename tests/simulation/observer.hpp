// Reads every committed group of one appliance's journal as it comes, as an auditor would:
// conflicts, cells that systems keep for themselves, skipped entries, and what each target must
// have been given.
//
// Threads: one at a time.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <vector>

#include "host/journal/journal.hpp"
#include "tests/simulation/history.hpp"
#include "tests/simulation/plan.hpp"
#include "tests/simulation/report.hpp"

namespace syncline::simulation {

struct CellKey {
  RecordKey record;
  size_t field = 0;
  auto operator<=>(const CellKey&) const = default;
};

class Observer {
 public:
  Observer(const Plan& plan, Report& report) : plan_(plan), report_(report) {}

  // Goes on behind the last group it saw, which must still be there.
  Result<void> attach(journal::Journal& journal);
  void detach() { cursor_.reset(); }
  Result<void> read_on();

  // Tags that a conflict record names as loser, by cell.
  std::map<CellKey, std::set<int64_t>> losers;
  std::set<CellKey> locals;
  // Joined keys that a system would not take, by (system, dataset).
  std::map<std::pair<model::SystemId, model::DatasetId>, std::set<std::string>> skipped;
  // Rows that quarantine holds as other records of the same number, by system.
  std::set<std::pair<model::SystemId, RecordKey>> apart;
  size_t apart_count = 0;  // ever
  std::map<std::tuple<model::SystemId, model::StreamId, model::LaneIndex>, model::Sequence>
      last_targeted;  // the last sequence that a target must have passed
  std::map<model::SystemId, journal::GroupNumber> last_group_targeted;  // that has entries for it
  size_t conflict_count = 0;
  size_t entry_count = 0;
  journal::GroupNumber last_group = 0;

 private:
  void take(const model::Frame& frame);
  void trace_entry(const model::Entry& entry, model::LaneIndex lane);
  void take_skip(const model::Skip& skip, model::LaneIndex lane);
  void take_conflict(const model::Conflict& conflict);
  CellKey cell_key(model::DatasetId dataset, const std::string& joined_key,
                   model::FieldIndex field) const;

  const Plan& plan_;
  Report& report_;
  std::unique_ptr<journal::Cursor> cursor_;
  std::map<model::KeyHash, std::string> keys_;  // joined
  std::map<std::pair<model::StreamId, model::LaneIndex>, model::Sequence> sequences_;
  std::map<model::LaneIndex, uint64_t> frame_numbers_;
};

}  // namespace syncline::simulation
