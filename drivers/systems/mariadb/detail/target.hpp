// The face of a database that is written to: one marked transaction at a time.
//
// A record that the server refuses makes the whole transaction fail; it is then tried in parts, to
// tell all that are refused. A connection that breaks leaves the outcome unknown: probe ends the
// old session first, and only then looks.
//
// Owner: a connection of its own. Threads: one at a time; apart from the source's.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "drivers/systems/mariadb/detail/shared.hpp"
#include "drivers/systems/mariadb/detail/writer.hpp"
#include "host/base/clock.hpp"
#include "host/ports/target.hpp"

namespace syncline::mariadb {

class MariadbTarget final : public ports::Target {
 public:
  // guard: null where the log tells what users do. place: among the connections that the system is
  // written through, from 0.
  MariadbTarget(std::shared_ptr<const Shared> shared, std::unique_ptr<scan::Guard> guard,
                size_t place, Clock& clock)
      : shared_(std::move(shared)), place_(place), guard_(std::move(guard)), clock_(clock) {}

  Result<void> open() override;
  Result<void> open_epoch(uint32_t epoch, std::span<const model::StreamId> streams,
                          size_t lane_count) override;
  Result<std::vector<ports::Checkpoint>> probe(uint32_t epoch) override;
  Result<ports::ApplyResult> apply(const ports::WriteBatch& batch) override;

 private:
  enum class Way : uint8_t { kPlain, kFreeFirst };
  struct Found {  // of a try in parts
    Way way = Way::kPlain;
    size_t rows_written = 0;
    size_t draws_left = 0;  // of values that are made up
    int64_t due_us = 0;     // steady: when it is told, if anything was found
    std::vector<ports::Poison> refused;
    std::vector<ports::Poison> late;  // of a unique value that others of the batch may give away
    // Why it ended before all was written: another way is tried, or enough was found.
    bool is_over = false;
    bool is_cut = false;
  };

  Result<void> connect();
  Result<void> read_tables();
  Result<void> look_for_triggers();
  Result<void> lock_records(const ports::WriteBatch& batch);
  Result<void> begin(const ports::WriteBatch& batch);
  Result<std::vector<ports::Poison>> check(const ports::WriteBatch& batch);
  Result<std::vector<ports::Poison>> begin_guarded(const ports::WriteBatch& batch);
  Error no_connection() const;
  Error marker_moved(const ports::WriteBatch& batch) const;
  std::vector<ports::Poison> find_too_large(const ports::WriteBatch& batch) const;
  Result<std::vector<ports::Poison>> find_alike(const ports::WriteBatch& batch);
  Result<std::string> alike(const Mapped& mapped, const ports::RecordWrite& write);
  // Why it is refused whose key the table takes for `other`.
  Result<void> taken_for(const Mapped& mapped, const ports::RecordWrite& write,
                         const std::string& other, Error& why);

  Bulk::Outcome run_group(Group& group);
  Bulk::Outcome run_rows(const GroupSql& statement, const Group& group);
  Bulk::Outcome put(Group& group);
  Bulk::Outcome insert_missing(Group& group);
  Bulk::Outcome clear_kept(Group& group, Bulk::Outcome done);
  Bulk::Outcome fill(Group& group);

  Result<ports::ApplyResult> commit(const ports::WriteBatch& batch, size_t rows_written);

  // target_apart.cpp
  struct Apart {
    ports::ApplyResult result;
    bool is_over = false;
  };
  Result<ports::ApplyResult> apply_apart(const ports::WriteBatch& batch);
  Result<Apart> try_apart(const ports::WriteBatch& batch, Way way);
  Result<void> write_in_order(const ports::WriteBatch& batch, Found& found);
  Result<void> move_all(const ports::WriteBatch& batch);
  Result<bool> move_rows(const ports::WriteBatch& batch, std::span<const size_t> indexes, Step step,
                         size_t& tries_left);
  Result<void> write_late(const ports::WriteBatch& batch, Found& found);
  Result<void> write_parts(const ports::WriteBatch& batch, std::span<const size_t> indexes,
                           Step step, Found& found);
  Result<void> write_part(const ports::WriteBatch& batch, std::span<const size_t> indexes,
                          Step step, Found& found);
  Result<std::vector<Group>> groups_of(const ports::WriteBatch& batch,
                                       std::span<const size_t> indexes, Step step) const;
  Result<bool> try_part(const ports::WriteBatch& batch, std::span<const size_t> indexes, Step step,
                        Found& found);
  Result<void> write_one(const ports::WriteBatch& batch, size_t index, Step step, Found& found);
  Result<ports::Poison> poison_of(const Group& group, const ports::RecordWrite& write,
                                  scan::Standing standing, const Bulk::Outcome& outcome);
  bool is_enough(const Found& found) const;

  static bool is_of_dataset(const Error& error);
  ports::ApplyResult stop(std::vector<ports::DatasetStop> stopped);

  Result<scan::Present> look_at(const ports::WriteBatch& batch);
  // Locks the records and compares them with what was shown of them.
  Result<std::vector<ports::Poison>> guard(const ports::WriteBatch& batch);
  // What the transaction leaves of each.
  Result<std::vector<ports::Poison>> keep_echoes(const ports::WriteBatch& batch);
  Result<void> insert_echoes(const ports::WriteBatch& batch);
  void roll_back();
  void roll_back_unless_lost(const Result<ports::ApplyResult>& done);

  std::shared_ptr<const Shared> shared_;
  size_t place_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Bulk> bulk_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<scan::Guard> guard_;
  Clock& clock_;
  std::string triggers_;         // as they were listed last
  int64_t triggers_due_us_ = 0;  // steady, of the next look
  Writer::Standings standings_;  // of the transaction at hand, if it is guarded
  scan::Images left_;            // what it leaves
  size_t packet_size_max_ = 0;
  std::optional<ports::DatasetStop> stop_;  // what ended a try in parts
  // Where the last full records were all missing: the next are inserted at once.
  std::set<model::DatasetId> filling_;
};

}  // namespace syncline::mariadb
