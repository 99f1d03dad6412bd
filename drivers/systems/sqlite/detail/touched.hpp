// The records that users have touched since what is durable on our side: before a write of ours
// goes over one of them, what the user left must be kept aside.
//
// Memory is bounded: beyond kTouchedRecordsMax every record counts as touched, which costs images
// but is never wrong. Threads: one at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "drivers/systems/sqlite/detail/connection.hpp"
#include "drivers/systems/sqlite/detail/table.hpp"

namespace syncline::sqlite {

inline constexpr size_t kTouchedRecordsMax = 1'000'000;

class TouchedRecords {
 public:
  // Reads on in syncline_changes. REQUIRES: a write transaction is open.
  Result<void> read(Connection& connection, const std::vector<Mapped>& mapped,
                    int64_t acknowledged_id);
  bool contains(const std::string& record_name) const {
    return is_overfull_ || last_row_.contains(record_name);
  }
  // Our write over it has been committed, with its image.
  void remove(const std::string& record_name) { last_row_.erase(record_name); }
  // Rows up to here have been read, or are ours.
  void skip_to(int64_t id) { read_id_ = id; }
  void clear() { *this = {}; }

 private:
  void forget(int64_t acknowledged_id);
  void add(int64_t id, std::string record_name);

  int64_t read_id_ = 0;
  bool is_overfull_ = false;
  std::unordered_map<std::string, int64_t> last_row_;
  std::deque<std::pair<int64_t, std::string>> in_order_;
};

}  // namespace syncline::sqlite
