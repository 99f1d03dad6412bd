// Records to be written, as few statements: those of one table that touch the same columns go
// together, as arrays. DELETE; UPDATE of the changed columns; full records by UPDATE, then INSERT
// of what was not there. Never ON DUPLICATE KEY and never REPLACE, which overwrite other records.
//
// A column's collation may take keys for equal that are two records: 'Muller' and 'Müller'. Every
// condition also compares what the dataset compares, so that such a write meets no row instead of
// another record's.
//
// Threads: one at a time. Errors: kSystemSchema for a dataset that is not written here; a value
// that its column cannot hold is the write's refusal.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "drivers/scan/guard.hpp"
#include "drivers/systems/mariadb/detail/bulk.hpp"
#include "drivers/systems/mariadb/detail/table.hpp"
#include "host/ports/target.hpp"

namespace syncline::mariadb {

// kMove: rows get the keys and values of the records that they become, unless one is there already;
// kPut follows. kClear: deletes what is there of records that end and begin anew.
enum class Step : uint8_t { kClear, kMove, kDelete, kFree, kSet, kNew, kPut };

// Writes of one table and one set of columns, growing.
struct Group {
  const Mapped* mapped = nullptr;
  Step step = Step::kSet;
  bool is_moved = false;  // of a kPut: a kMove of the same rows comes before it
  std::vector<model::FieldIndex> fields;
  // Of a kPut or kMove: dates with NULL in every row, of which a zero date that is there is kept.
  std::vector<model::FieldIndex> kept;
  std::vector<ParameterArray> keys;
  std::vector<ParameterArray> old_keys;  // of a kMove
  std::vector<ParameterArray> values;    // of the fields
  size_t count = 0;

  size_t size_bytes(size_t row) const;
};

// A statement over a group's rows: its text, and which array each question mark is.
struct GroupSql {
  std::string sql;
  std::vector<ParameterArray*> arrays;
};
GroupSql delete_sql(Group& group);
GroupSql update_sql(Group& group);
GroupSql insert_sql(Group& group);
GroupSql move_sql(Group& group);
GroupSql free_sql(Group& group);
// NULL for a kept field that holds no zero date: strict mode takes no `c = CASE ... THEN c`.
GroupSql clear_sql(Group& group, model::FieldIndex field);

class Writer {
 public:
  // stopped: why a dataset of this system is not written.
  Writer(std::vector<Mapped> mapped, std::map<model::DatasetId, Error> stopped)
      : mapped_(std::move(mapped)), stopped_(std::move(stopped)) {}

  Result<const Mapped*> find(model::DatasetId dataset) const;
  // Those of the writes' datasets that find() has an error for.
  std::vector<ports::DatasetStop> stopped(std::span<const ports::RecordWrite> writes) const {
    return ports::stopped_among(writes, [this](model::DatasetId dataset) { return find(dataset); });
  }

  // All writes, in the order clears, moves, deletes, sets, what is new, puts. stopped: datasets
  // that cannot be written as their tables are. poisons: what cannot be written at all. standings:
  // one a write where they are guarded; of what is absent, a full record is inserted, and for the
  // rest there is nothing to do.
  struct Plan {
    std::vector<Group> groups;
    std::vector<ports::DatasetStop> stopped;
    std::vector<ports::Poison> poisons;
  };
  using Standings = std::vector<scan::Standing>;
  Plan plan(std::span<const ports::RecordWrite> writes, const Standings& standings) const;

  // Give away the unique values that the writes are about to change, so that records can swap them.
  Result<std::vector<Group>> freeing(std::span<const ports::RecordWrite> writes,
                                     const Standings& standings) const;

  // Whether the key's column might take it for another record's, in letters beyond ASCII, where the
  // condition cannot tell; and the SELECT of the keys that it takes for the same.
  static bool is_doubtful(const Mapped& mapped, const ports::RecordWrite& write);
  static Result<std::string> alike_sql(const Mapped& mapped, const ports::RecordWrite& write);
  // The statement that has the key's columns tell apart what they take for one.
  static Result<std::string> exact_key_sql(Connection& connection, const Mapped& mapped);

  Error refusal(const ports::RecordWrite& write, Error error) const;

 private:
  std::vector<Mapped> mapped_;
  std::map<model::DatasetId, Error> stopped_;
};

}  // namespace syncline::mariadb
