// What `plan` says of a dataset that is scanned or polled: what nobody will see.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <vector>

#include "host/ports/catalog.hpp"
#include "host/ports/system.hpp"

namespace syncline::scan {

// Nothing for datasets whose log is read, or that are only written to.
void find_unseen(const ports::DatasetMapping& mapping, std::vector<ports::Finding>& out);

// How far a poll looks back where it is not ours to see what others have open.
inline constexpr int64_t kUnseenOverlapUs = 60'000'000;

// What is open is known as of a moment ago, and the column is looked at a moment later.
inline constexpr int64_t kOpenMarginUs = 1'000'000;

// Of a poll that begins again because the server's clock was set back.
Error set_back_clock(const ports::DatasetMapping& mapping);

// What a driver found of the column that a poll goes by.
struct PollColumn {
  const ports::DatasetMapping* mapping = nullptr;
  std::string type;  // empty: the table has no such column
  enum class Kind : uint8_t { kClock, kNumber, kOther };
  Kind kind = Kind::kOther;
  bool is_nullable = false;
  bool is_zoneless = false;  // a clock whose values are local times
  bool is_indexed = false;
  std::string not_null_sql;
  std::string index_sql;
};
// kSystemSchema: why the dataset cannot be polled, with the SQL that mends it.
Result<void> check_poll(const PollColumn& column);
// The same as a finding; and what the poll cannot know without the right that grant_sql gives
// (empty: it is ours).
void find_poll(const PollColumn& column, const std::string& grant_sql,
               std::vector<ports::Finding>& out);

// A row filter that the database will not take, as asked: it stops its dataset alone. What else
// went wrong with the asking stays as it is.
Error filter_error(const ports::DatasetMapping& mapping, Error asked);

}  // namespace syncline::scan
