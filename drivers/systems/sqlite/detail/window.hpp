// The net effect of a run of rows of syncline_changes: what to show of each record, in which order,
// and where its values come from.
//
// The change table says which keys were touched, when, and by whom; values are read from the
// tables, as they are at the end of the run. So, for each record:
//   1. A user's rows between two writes of ours are shown once, at the place of the last of them.
//   2. If a write of ours follows them, their values are the image that our write kept aside.
//   3. Rows of ours are shown with the present values if nothing follows them, for triggers may
//      have corrected what we wrote; otherwise with what our transaction says it wrote.
//   4. Markers keep their places: what stands before one was before our writes, exactly.
//
// Threads: a value; one thread. No I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "drivers/systems/sqlite/detail/objects.hpp"
#include "host/ports/change_sink.hpp"

namespace syncline::sqlite {

struct ChangeRecord {
  int64_t at_ms = 0;
  bool is_ours = false;
  ChangeOp op = ChangeOp::kUpdate;
  size_t record = 0;  // the caller's number of the record, from 0 on; unused for markers
  std::string payload;
  std::optional<size_t> moved_from = {};  // of a kInsert: the record whose row it was until then
};

enum class Values : uint8_t {
  kPresent,  // read the record now
  kImage,    // decode the item's payload
  kWritten,  // what the marked transaction wrote, if it names the record
  kGone,     // it is not there
};

struct Item {
  bool is_marker = false;
  bool is_ours = false;
  bool is_dropped = false;                  // shown elsewhere
  ports::RowOp op = ports::RowOp::kUpdate;  // if the record is there
  Values values = Values::kPresent;
  int64_t at_ms = 0;
  size_t record = 0;
  size_t marker = 0;  // index of the transaction's marker among items, for kWritten
  std::string payload;
  std::optional<size_t> moved_from = {};  // the record whose row it was before
  std::optional<size_t> moved_to = {};    // the record whose row its first one is now
  bool is_gone = false;                   // at the end of the run
};

class Window {
 public:
  void add(ChangeRecord&& change);
  // A row behind the run's end touches this record too, so what is present is not what the run
  // ended on. Only the first such row of a record counts. A user's rows that go on behind the end
  // are shown with those; but that its row is another record's by now is shown with that.
  void look_ahead(ChangeRecord&& change);

  std::vector<Item>& items() { return items_; }

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);
  struct Progress {        // of one record
    size_t users = kNone;  // the open item of the user's rows
    size_t ours = kNone;   // the open item of our rows
    bool is_looked_at = false;
  };

  void add_user_row(ChangeRecord&& change);
  void add_our_row(ChangeRecord&& change);
  void add_image(ChangeRecord&& change);
  std::optional<size_t> first_place(const ChangeRecord& change);
  void tell_place(size_t origin, size_t before, size_t now);
  Progress& progress(size_t record);
  size_t push(const ChangeRecord& change);

  std::vector<Item> items_;
  std::vector<Progress> progress_;
  size_t marker_ = kNone;
};

}  // namespace syncline::sqlite
