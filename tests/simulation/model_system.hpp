// A model system: a transactional database in memory, with users, a log in commit order and our
// syncline_checkpoint table. It knows nothing of versions; it only does what databases do: commit
// whole transactions, round what it stores, refuse values, lose connections, and let a session that
// was cut off commit later.
//
// Threads: one at a time.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "host/ports/change_sink.hpp"
#include "host/ports/target.hpp"
#include "tests/simulation/dice.hpp"
#include "tests/simulation/history.hpp"
#include "tests/simulation/lineage.hpp"
#include "tests/simulation/plan.hpp"
#include "tests/simulation/report.hpp"
#include "tests/simulation/sim_clock.hpp"

namespace syncline::simulation {

enum class UserVerb : uint8_t {
  kInsert,
  kUpdate,
  kDelete,
  kReplace,  // delete and insert in one transaction: an update of every cell
  kTouch,    // an update that changes nothing
  kMove,     // an update of the key, perhaps of cells too
};

struct UserOp {
  UserVerb verb = UserVerb::kUpdate;
  RecordKey record;
  // What to write, by field; inserts and replaces want every one.
  std::array<std::optional<model::Cell>, kFieldsMax> cells;
  std::string new_key = {};  // of a move
};

struct LoggedMarker {
  std::string appliance;
  uint32_t epoch = 0;
  model::StreamId stream = 0;
  model::LaneIndex lane = 0;
  model::Sequence sequence = 0;
};

struct LoggedRow {
  RecordKey record;
  ports::RowOp op = ports::RowOp::kUpdate;
  bool is_ours = false;
  std::array<model::Cell, kFieldsMax> cells;  // the whole row after it; unused for deletes
  std::array<bool, kFieldsMax> is_touched{};
  std::array<std::optional<size_t>, kFieldsMax> writes;       // which users' writes the row holds
  std::optional<size_t> removal;                              // which user's delete it is
  std::optional<std::array<model::Cell, kFieldsMax>> before;  // the row before it, if there was one
  int64_t kept_before = 0;  // by that row, and by the one behind it; 0: there is none
  int64_t kept = 0;
  // One that moves is logged as two rows, side by side: a delete and an insert, each of which names
  // the other's key.
  std::string moved_with = {};
};

struct LoggedTransaction {
  uint64_t number = 0;
  int64_t commit_time_us = 0;
  std::vector<LoggedMarker> markers;
  std::vector<LoggedRow> rows;
  bool is_quiet = false;  // ours: a source gives its markers and no row
  bool is_marked() const { return !markers.empty(); }
};

// A marked transaction as a session of ours holds it: it owns what the batch borrowed.
struct Session {
  struct OwnedWrite {
    RecordKey record;
    model::EntryKind kind = model::EntryKind::kSet;
    std::vector<model::EntryCell> cells;
    std::optional<RecordKey> moved_from;
    bool is_replacing = false;
  };
  uint32_t epoch = 0;
  bool is_quiet = false;
  std::vector<ports::MarkerMove> moves;
  std::vector<OwnedWrite> writes;
  std::vector<size_t> moved;  // which of them move a row, in order
};

struct CommitOutcome {
  bool is_marker_moved = false;
  std::optional<size_t> poison;  // the write it refuses
  size_t rows_written = 0;
};

class ModelSystem {
 public:
  ModelSystem(const Plan& plan, size_t index, SimClock& clock, History& history, Lineage& lineage,
              Report& report);

  // What users do and see.
  void user_transaction(std::span<const UserOp> ops);
  const StoredRow* row(const RecordKey& record) const;
  const std::map<RecordKey, StoredRow>& rows() const { return rows_; }

  // What a session of ours does.
  void open_epoch(uint32_t epoch, std::span<const model::StreamId> streams, size_t lane_count);
  CommitOutcome commit(const Session& session);
  std::vector<ports::Checkpoint> checkpoints(uint32_t epoch) const;
  Session make_session(const ports::WriteBatch& batch) const;
  // Sessions whose connection broke during commit, and which are still alive.
  std::deque<Session>& cut_sessions() { return cut_sessions_; }
  // One of them commits now, unseen. REQUIRES: there is one.
  void commit_stray();

  // The log, from number 1. What is acknowledged is gone for sources; the checker may still look.
  const std::vector<LoggedTransaction>& log() const { return log_; }
  uint64_t last_number() const { return log_.size(); }
  void forget_log(uint64_t up_to) { acknowledged_ = std::max(acknowledged_, up_to); }
  uint64_t acknowledged() const { return acknowledged_; }
  // Whether what lies behind `after`, up to `up_to`, left anything that a source would show.
  bool has_effect(uint64_t after, uint64_t up_to) const;

  // A source gives this row of the log and then stands at this place of it.
  void show(const LoggedRow& row, uint64_t place);
  // A source begins anew behind this place, knowing nothing of what it read behind it before.
  void forget_shown(uint64_t place) { history_.forget_shown(index_, place); }

  const SystemPlan& plan() const { return plan_.systems[index_]; }
  const Plan& whole_plan() const { return plan_; }
  size_t index() const { return index_; }
  bool refuses(const model::Cell& cell, size_t dataset, size_t field) const;

  // Switched by the world.
  bool is_down = false;
  bool is_full = false;
  int64_t clock_jump_us = 0;      // on top of what its clock is always off by
  bool takes_everything = false;  // what was poison is mended
  bool was_busy = false;          // it sent a transaction of ours away, ever
  uint64_t stray_commits = 0;     // transactions that committed after their session was cut off
  uint64_t marked_commits = 0;
  uint64_t quiet_commits = 0;  // of those
  uint64_t rows_written_by_us = 0;
  uint64_t rows_moved_by_us = 0;

 private:
  using CheckpointKey = std::tuple<uint32_t, model::StreamId, model::LaneIndex>;
  void user_op(const UserOp& op, int64_t time_us, LoggedTransaction& transaction);
  void user_put(const UserOp& op, int64_t time_us, LoggedTransaction& transaction);
  bool move_markers(const Session& session, LoggedTransaction& transaction);
  void user_move(const UserOp& op, int64_t time_us, LoggedTransaction& transaction);
  void begin_row(const RecordKey& record, StoredRow& row);
  void take_in(const RecordKey& record, StoredRow& row);
  void follow_line(const RecordKey& record, StoredRow& row) const;
  bool has_refusal(const Session::OwnedWrite& write) const;
  void delete_ours(const RecordKey& record, LoggedTransaction& transaction);
  void write_ours(const Session::OwnedWrite& write, LoggedTransaction& transaction);
  bool move_ours(const Session::OwnedWrite& write, LoggedTransaction& transaction);
  void check_whose(const Session::OwnedWrite& write, const StoredRow& row);
  StoredCell arrived(const RecordKey& record, size_t field, const model::EntryCell& cell);
  void log(LoggedTransaction&& transaction);
  int64_t clock_us() const { return clock_.true_us() + plan().skew_us + clock_jump_us; }
  int64_t commit_time_us() const;
  LoggedRow logged_row(const RecordKey& record, ports::RowOp op, bool is_ours) const;

  const Plan& plan_;
  size_t index_;
  SimClock& clock_;
  History& history_;
  Lineage& lineage_;
  Report& report_;
  std::map<RecordKey, StoredRow> rows_;
  std::set<RecordKey> known_keys_;  // that ever had a row here
  int64_t last_kept_ = 0;
  std::map<CheckpointKey, model::Sequence> checkpoints_;
  std::vector<LoggedTransaction> log_;
  std::deque<Session> cut_sessions_;
  uint64_t acknowledged_ = 0;
};

std::string describe(const Plan& plan, const RecordKey& record);
std::string describe(const Plan& plan, const RecordKey& record, const StoredRow& row);

}  // namespace syncline::simulation
