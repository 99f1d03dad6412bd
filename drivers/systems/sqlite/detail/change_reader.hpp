// Reads a run of syncline_changes and shows its net effect to a sink (window.hpp).
//
// Owner: connection and mapped tables outlive it. Threads: one at a time. REQUIRES of read: a read
// transaction is open, so that the change rows and the records belong together.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "drivers/systems/sqlite/detail/payload.hpp"
#include "drivers/systems/sqlite/detail/record_reader.hpp"
#include "drivers/systems/sqlite/detail/window.hpp"

namespace syncline::sqlite {

// A place in syncline_changes. The nonce tells a row from another one that got its number after
// the file was restored.
struct Place {
  int64_t id = 0;
  int64_t nonce = 0;
};
model::Position position_of(const Place& place);
// Errors: kSystemLost for bytes that are no position of ours.
Result<Place> place_of(const model::Position& position);

// Rows are read in runs of this many, of fewer where their records are large; a run is cut only
// where one of our transactions begins or ends, for those are the only places known to lie between
// transactions, unless there is none.
inline constexpr size_t kRunRowsMax = 65'536;

struct ReadRun {
  Place last;
  size_t row_count = 0;
  bool is_empty = true;
  bool has_more = false;
  std::vector<ports::RejectedRow> rejected;
};

class ChangeReader {
 public:
  static Result<std::unique_ptr<ChangeReader>> make(Connection& connection,
                                                    const std::vector<Mapped>& captured);

  Result<ReadRun> read(const Place& after, size_t row_limit, ports::ChangeSink& sink);

 private:
  struct Row {
    Place place;
    model::DatasetId dataset = 0;
    ChangeRecord change;
    std::string key;        // native values, encoded
    bool is_moved = false;  // the row of the record in the row before it
  };
  struct Record {
    size_t reader = 0;
    std::string native_key;  // encoded
    std::string key;         // joined
  };

  explicit ChangeReader(Connection& connection) : connection_(connection) {}
  Result<std::vector<Row>> read_rows(const Place& after, size_t row_limit);
  Result<size_t> fitting(std::span<const Row> rows);
  Result<size_t> record_size(const Row& row);
  enum class Behind : uint8_t { kNothing, kMore };  // rows that were not read yet
  static size_t run_size(std::span<const Row> rows, size_t fitting, Behind behind);
  Row current_row(size_t key_count_max);
  void add_to_window(Row&& row, ReadRun& run);
  void look_ahead(Row&& row);
  Result<void> look_ahead_in_table(const Place& after);
  std::optional<size_t> record_number(const Row& row, bool is_added, ReadRun* run);

  Connection& connection_;
  size_t key_count_max_ = 1;
  Statement rows_;
  std::vector<RecordReader> readers_;
  std::unordered_map<model::DatasetId, size_t> reader_of_;
  Window window_;
  std::vector<Record> records_;
  std::unordered_map<std::string, size_t> record_numbers_;
  std::optional<size_t> last_record_;  // of the last row that the window was given, if it has one
};

}  // namespace syncline::sqlite
