// Records to be written, as few statements: those of one table that touch the same columns go
// together, as arrays. UPDATE of the changed columns; full records by UPDATE, then INSERT of what
// was not there, or all at once by COPY; DELETE. Never ON CONFLICT, which overwrites other records.
//
// Threads: one at a time. Errors: kSystemSchema for a dataset that is not written here; a value
// that its column cannot hold is the write's refusal.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "drivers/scan/guard.hpp"
#include "drivers/systems/postgres/detail/numbering.hpp"
#include "drivers/systems/postgres/detail/pipeline.hpp"
#include "drivers/systems/postgres/detail/table.hpp"
#include "host/ports/target.hpp"

namespace syncline::postgres {

// kMove: rows get the keys and values of the records that they become, unless one is there already;
// kPut follows. kClear: deletes what is there of records that end and begin anew. kNew: full
// records of which none is there. kFill: the same, as it is thought.
enum class Step : uint8_t { kClear, kMove, kDelete, kFree, kSet, kNew, kFill, kPut };

// Writes of one table and one set of columns, growing.
struct Group {
  const Mapped* mapped = nullptr;
  Step step = Step::kSet;
  bool is_moved = false;  // of a kPut: a kMove of the same rows comes before it
  std::vector<model::FieldIndex> fields;
  std::vector<ArrayLiteral> arrays;  // key columns, fields, of kMove the old keys; none of kFill
  std::string rows;                  // of kFill: COPY's text
  size_t count = 0;

  // Whether it takes such writes, of rows that keep their keys.
  bool is_of(const Mapped& of, Step wanted, const std::vector<model::FieldIndex>& those) const {
    return !is_moved && mapped == &of && step == wanted && fields == those;
  }
  SqlStatement finish();  // REQUIRES: not kFill
  std::string copy_sql() const;
};

// For the keys of rows that the table takes for the records of these keys, and that are others.
std::string alike_sql(const Mapped& mapped);

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

  // All writes, in the order clears, moves, deletes, sets, what is new, puts; in each by
  // in_order().
  // filling: datasets of which full records are thought to be missing. stopped: datasets that
  // cannot be written as their tables are. poisons: what cannot be written at all. standings: one a
  // write where they are guarded; of what is absent, a full record is inserted, and for the rest
  // there is nothing to do.
  struct Plan {
    std::vector<Group> groups;
    std::vector<ports::DatasetStop> stopped;
    std::vector<ports::Poison> poisons;
    Brought brought;
    bool is_exact = true;  // every value is stored just as it is given
  };
  using Standings = std::vector<scan::Standing>;
  Plan plan(std::span<const ports::RecordWrite> writes, const Standings& standings,
            const std::set<model::DatasetId>& filling) const;

  // Which of them are written in this step, and in which order: what is referred to comes before
  // what refers to it, and goes behind it. step: kDelete, or any other for the rest.
  std::vector<size_t> in_order(std::span<const ports::RecordWrite> writes, Step step) const;

  // Give away the unique values that the writes are about to change, so that records can swap them.
  Result<std::vector<Group>> freeing(std::span<const ports::RecordWrite> writes,
                                     const Standings& standings) const;

  // Asks for the keys of rows that the table takes for this record, and that are others.
  Result<SqlStatement> alike(const ports::RecordWrite& write) const;

  Error refusal(const ports::RecordWrite& write, Error error) const;

  // What tells whether a column's type reads the value that one write has for it.
  struct Reading {
    std::string column;
    SqlStatement statement;
  };
  std::vector<Reading> readings(const ports::RecordWrite& write) const;

 private:
  std::vector<Mapped> mapped_;
  std::map<model::DatasetId, Error> stopped_;
};

}  // namespace syncline::postgres
