// Which row each record has at the end of a transaction, where users changed rows' keys.
//
// A record has one row after the other, each for a life: it ends where the record is deleted, or
// where the row gets the key of another record, whose life it goes on with. The two entries that
// say so (Entry::moved_with) name each other, and are of one journal group, but in two lanes: the
// n-th of a group that says a row went from one record to another belongs to the n-th that says it
// came. Where only one of the two is here, the row is followed no further.
//
// Threads: a value. Errors: none.
#pragma once

#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "host/delivery/pending.hpp"

namespace syncline::delivery {

class RowLives {
 public:
  using Record = std::pair<model::DatasetId, model::KeyHash>;

  // A record's entries come in order, those that are skipped among them.
  void add(const PendingEntry& pending);

  // The record that had this one's last row before; none: it is a new one, or not known.
  std::optional<Record> first_of_last(const Record& record) const;
  // Whether the row that it had before is gone, and it is known that another's took its place, or
  // that it took another's.
  bool is_renewed(const Record& record) const;

 private:
  using Way = std::tuple<journal::GroupNumber, model::DatasetId, model::KeyHash, model::KeyHash>;
  struct Life {
    Record record;
    size_t number = 0;  // from 0 on, of the row that it had before
  };
  struct Coming {  // how a life began: the n-th that came this way
    Way way;
    size_t n = 0;
  };
  struct Lives {
    std::vector<std::optional<Coming>> all = {std::nullopt};
    bool is_there = true;  // the last of them goes on
    bool is_seen = false;
    bool had_none = false;        // there was no row of it before
    bool is_first_moved = false;  // that row went to another record
  };

  void end(const Record& record, const PendingEntry& pending);

  std::map<Record, Lives> lives_;
  std::map<Way, std::vector<std::optional<Life>>> gone_;  // none: nothing went
  std::map<Way, size_t> come_;
};

}  // namespace syncline::delivery
