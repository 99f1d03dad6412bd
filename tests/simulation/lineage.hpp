// The oracle of rows, beside that of cells (history.hpp): which row of which user each row of a
// system is, whatever keys it has had, and what its systems keep in it for themselves.
//
// A row is plain as long as nothing else ever had one of its keys, nobody deleted it, and whoever
// changed it or its key had seen all that others had done to it. What becomes of a plain row is
// known beforehand, so it is checked to the last cell.
// Threads: one at a time.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "tests/simulation/history.hpp"

namespace syncline::simulation {

struct RowLine {
  std::vector<RecordKey> path;     // the keys it had, the last one at the end
  std::map<size_t, int64_t> kept;  // by system: what it held for itself when it had the row first
  bool is_plain = true;
  bool is_deleted = false;   // by a user, somewhere
  bool is_overrun = false;   // somewhere
  std::set<RecordKey> left;  // keys that a user took from it, somewhere
};

class Lineage {
 public:
  Lineage();

  // A user makes a row. Returns its line.
  size_t insert(size_t system, const RecordKey& record, int64_t kept);
  void update(const RecordKey& record);
  // A user deletes and inserts it in one transaction: the same record, with nothing kept.
  void renew(size_t line) { lines_[line].is_plain = false; }
  void remove(size_t line, const RecordKey& record);
  // A user gives it another key, knowing what was ever written under the old one.
  void move(size_t line, const RecordKey& from, const RecordKey& to, Knowledge knowledge);
  // In this system, what was on its way to an earlier row of the key met this one.
  void overrun(size_t system, const RecordKey& record, size_t line);
  // Its users gave a key again that had a row there before.
  void reuse(size_t system, const RecordKey& record) { reused_.emplace(system, record); }
  // A system is given a row that it did not have.
  void arrive(size_t system, const RecordKey& record, int64_t kept);

  // Whether any user wants it to be at this key no longer.
  bool has_left(size_t line, const RecordKey& record) const;
  bool is_overrun(size_t system, const RecordKey& record) const;
  bool is_overrun(const RecordKey& record) const;  // in any system
  bool is_reused(size_t system, const RecordKey& record) const;
  const std::vector<RowLine>& lines() const { return lines_; }

 private:
  void spoil(const RecordKey& record);
  void leave(size_t line, const RecordKey& record);

  std::vector<RowLine> lines_;  // the first is nobody's
  std::map<RecordKey, std::vector<size_t>> lines_at_;
  std::set<std::pair<size_t, RecordKey>> overrun_;  // by system
  std::set<std::pair<size_t, RecordKey>> reused_;
};

}  // namespace syncline::simulation
