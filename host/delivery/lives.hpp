// Which row each record has at the end of a transaction, where users changed rows' keys.
//
// A record has one row after the other, each for a life: it ends where the record is deleted, or
// where the row gets the key of another record, whose life it goes on with. The two entries that
// say so (Entry::moved_with) name each other, and are in one transaction, but in two lanes: the
// n-th that says a row went from one record to another belongs to the n-th that says it came.
//
// Threads: a value. Errors: none; what does not fit is a row of its own.
#pragma once

#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "host/model/entry.hpp"

namespace syncline::delivery {

class RowLives {
 public:
  // record: any number. A record's entries come in order.
  void add(size_t record, const model::Entry& entry);

  // The record that had this one's last row before the transaction; none: it was made in it.
  std::optional<size_t> first_of_last(size_t record) const;
  bool has_first_ended(size_t record) const;

 private:
  using Way = std::tuple<model::DatasetId, model::KeyHash, model::KeyHash>;  // from, to
  struct Life {
    size_t record = 0;
    size_t number = 0;  // from 0 on, of the row that it had before
  };
  struct Coming {  // how a life began
    Way way;
    size_t number = 0;  // of those who came this way
  };
  struct Record {
    std::vector<std::optional<Coming>> lives = {std::nullopt};
    bool is_there = true;  // the last of them goes on
    bool is_seen = false;
    bool had_none = false;  // there was no row of it before
  };

  std::map<size_t, Record> records_;
  std::map<Way, std::vector<Life>> gone_;
  std::map<Way, size_t> come_;
};

}  // namespace syncline::delivery
