// The face of a database that is written to: one marked transaction at a time, sent in one
// pipeline.
//
// A record that the server refuses makes the whole transaction fail; it is then tried in parts, to
// tell all that are refused. What has just the effects it is written for, and is stored as it is
// given, is marked as quiet: the log need not show it, and from 16 on it does not. A connection
// that breaks leaves the outcome unknown: probe ends the old session first, and only then looks.
//
// Owner: a connection of its own. Threads: one at a time; apart from the source's.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "drivers/systems/postgres/detail/origins.hpp"
#include "drivers/systems/postgres/detail/shared.hpp"
#include "drivers/systems/postgres/detail/triggers.hpp"
#include "drivers/systems/postgres/detail/writer.hpp"
#include "host/base/clock.hpp"
#include "host/ports/target.hpp"

namespace syncline::postgres {

class PostgresTarget final : public ports::Target {
 public:
  // guard: null where the log tells what users do. place: among the connections that the system is
  // written through, from 0.
  PostgresTarget(std::shared_ptr<const Shared> shared, std::unique_ptr<scan::Guard> guard,
                 size_t place, Clock& clock)
      : shared_(std::move(shared)),
        place_(place),
        guard_(std::move(guard)),
        clock_(clock),
        sequences_(shared_->config.write_connections) {}

  Result<void> open() override;
  Result<void> open_epoch(uint32_t epoch, std::span<const model::StreamId> streams,
                          size_t lane_count) override;
  Result<std::vector<ports::Checkpoint>> probe(uint32_t epoch) override;
  Result<ports::ApplyResult> apply(const ports::WriteBatch& batch) override;

 private:
  struct Put {  // a statement of full records
    size_t statement = 0;
    model::DatasetId dataset = 0;
    size_t count = 0;
  };
  size_t note_puts(const std::vector<Put>& puts, const Pipeline::Outcome& outcome);
  enum class Way : uint8_t { kPlain, kFreeFirst };
  struct Refused {
    size_t index = 0;
    Error error;
    bool is_unique = false;
    bool is_reference = false;  // a foreign key's

    ports::Poison poison() && { return {index, std::move(error), is_reference}; }
  };
  struct Late {
    Refused refused;
    Step step = Step::kSet;
  };
  struct Found {  // of a try in parts
    Way way = Way::kPlain;
    size_t rows_written = 0;
    size_t draws_left = 0;  // of values that are made up
    int64_t due_us = 0;     // steady: when it is told, if anything was found
    std::vector<Refused> refused;
    std::vector<Late> late;  // what others of the batch may have to come before
    size_t late_clashes = 0;
    // Why it ended before all was written: another way is tried, or enough was found.
    bool is_over = false;
    bool is_cut = false;

    void end();  // what is still late is refused
  };
  struct Tried {  // not done: something was refused
    bool is_done = false;
    bool may_be_cut = true;  // some of it might be done
    size_t rows_written = 0;
  };

  Result<void> connect();
  Result<void> read_tables();
  void advance_sequences();
  enum class Telling : uint8_t { kAloud, kQuietly };  // whether the log is to show the writes
  struct Script {                                     // one transaction
    std::vector<SqlStatement> statements;
    std::vector<model::DatasetId> datasets;  // of those that write; 0: it does not
    std::vector<Put> puts;
    std::vector<Group> fills;                   // to be copied in behind the statements
    std::map<std::string, std::string> tables;  // that a quiet one writes to, with their shapes
    std::set<size_t> moves;                     // the statements that move rows
    size_t look = 0;                            // the statement that says whether it was
    std::vector<size_t> asides;                 // those by which it is under our origin
    void add(SqlStatement statement) {
      statements.push_back(std::move(statement));
      datasets.push_back(0);
    }
  };
  Result<ports::ApplyResult> apply_together(const ports::WriteBatch& batch, Telling telling);
  Script make_script(const ports::WriteBatch& batch, Writer::Plan& plan, Telling telling);
  Result<void> look_at_tables(const std::vector<Mapped>& mapped);
  bool may_be_quiet(const ports::WriteBatch& batch, const Writer::Plan& plan) const;
  void begin_quiet(Script& script) const;
  void end_quiet(Script& script) const;
  std::string quiet_end(const Script& script) const;
  Result<ports::ApplyResult> fill(const ports::WriteBatch& batch, const Script& script,
                                  size_t rows_written);
  std::optional<Telling> other_telling(const Pipeline::Outcome& outcome, const Script& script);
  bool leave_origin();
  SqlStatement marker(const ports::WriteBatch& batch, Telling telling) const;
  Error marker_moved(const ports::WriteBatch& batch) const;
  void add_group(Group group, std::vector<SqlStatement>& statements);
  std::string_view role_for(const Mapped& mapped) const;
  std::optional<std::string> role_change(const Mapped& mapped);
  Result<ports::ApplyResult> after_error(const ports::WriteBatch& batch,
                                         const Pipeline::Outcome& outcome, const Script& script);
  // target_apart.cpp
  Result<ports::ApplyResult> apply_apart(const ports::WriteBatch& batch);
  static ports::ApplyResult result_of(Found&& found);
  Result<Found> write_apart(const ports::WriteBatch& batch);
  Result<Found> write_in_order(const ports::WriteBatch& batch, Way way);
  Result<void> move_all(const ports::WriteBatch& batch);
  Result<bool> move_rows(const ports::WriteBatch& batch, std::span<const size_t> indexes,
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
  Result<Tried> try_groups(std::vector<Group> groups, const std::string& savepoint);
  Result<void> write_one(const ports::WriteBatch& batch, size_t index, Step step, Found& found);
  Result<Pipeline::Outcome> try_again(Pipeline::Outcome outcome, Step step,
                                      const std::vector<SqlStatement>& statements, Found& found);
  bool is_enough(const Found& found) const;
  Result<std::optional<Refused>> find_alike(const Mapped& mapped, const ports::RecordWrite& write,
                                            size_t index);
  Result<Refused> refusal_of(const Mapped& mapped, const ports::RecordWrite& write,
                             const Pipeline::Outcome& outcome);
  Result<std::string> refused_column(const ports::RecordWrite& write, std::string_view sqlstate);

  static bool is_of_dataset(const Error& error);
  ports::ApplyResult stop(std::vector<ports::DatasetStop> stopped);

  // target_guarded.cpp
  Result<ports::ApplyResult> apply_guarded(const ports::WriteBatch& batch);
  Result<ports::ApplyResult> write_guarded(const ports::WriteBatch& batch);
  Result<scan::Present> look_at(const ports::WriteBatch& batch);
  Result<Found> write_groups(const ports::WriteBatch& batch, Writer::Plan& plan);
  SqlStatement echo(const ports::WriteBatch& batch, const scan::Present& present) const;
  Result<void> commit_guarded(const ports::WriteBatch& batch, const scan::Present& present);
  void roll_back();

  std::shared_ptr<const Shared> shared_;
  size_t place_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Pipeline> pipeline_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<scan::Guard> guard_;
  Clock& clock_;
  Writer::Standings standings_;  // of the batch at hand, if it is guarded
  Sequences sequences_;
  Brought brought_;                         // by the batch at hand
  std::optional<ports::DatasetStop> stop_;  // what ended a try in parts
  // Where the last full records were all missing: the next are copied in. If one is there after
  // all, the batch is written again the long way.
  std::set<model::DatasetId> filling_;
  std::set<model::DatasetId> uncopied_;  // whose tables refused a COPY for another reason
  Triggers triggers_ = Triggers::kFire;
  std::set<model::DatasetId> aloud_;  // datasets whose writes may have other effects than theirs
  std::map<std::string, std::string> shapes_;  // of the tables, by SQL name
  bool has_origin_ = false;                    // under which the server leaves out what we write
  std::string_view role_;                      // what it is set to in the transaction at hand
};

}  // namespace syncline::postgres
