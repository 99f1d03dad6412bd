// Shows the items of a window to a sink, as transactions of one position: one for each run of items
// of the same time, because a position is the whole run's but a time is a row's.
//
// Threads: one at a time. Errors: those of the connection; kSystemLost for a damaged payload.
#pragma once

#include <string>
#include <vector>

#include "drivers/systems/sqlite/detail/payload.hpp"
#include "drivers/systems/sqlite/detail/record_reader.hpp"
#include "drivers/systems/sqlite/detail/window.hpp"

namespace syncline::sqlite {

struct EmittedRecord {
  const Mapped& mapped;
  const std::string& key;  // joined
  std::vector<NativeValue> native_key;
  // Joined keys: of the record whose row it was before; of that which its first row is now. Or
  // empty.
  std::string moved_from = {};
  std::string moved_to = {};
};

class Emitter {
 public:
  // sink and rejected outlive it.
  Emitter(ports::ChangeSink& sink, model::Position position,
          std::vector<ports::RejectedRow>& rejected)
      : sink_(sink), position_(std::move(position)), rejected_(rejected) {}

  Result<void> show_marker(const Item& item);
  Result<void> show_record(const Item& item, const std::vector<Item>& items,
                           const EmittedRecord& record, RecordReader& reader);
  // Ends the last transaction; an empty one carries the position where nothing was shown. Returns
  // the count of rows.
  size_t finish();

 private:
  void begin_at(int64_t at_ms);
  void show_values(const Item& item, const EmittedRecord& record,
                   const std::optional<std::vector<NativeValue>>& values);
  Result<void> show_written(const Item& item, const std::vector<Item>& items,
                            const EmittedRecord& record);
  void show_row(const Item& item, const EmittedRecord& record, ports::RowOp op);
  void show_as(ports::RowOp op, const Item& item, const EmittedRecord& record,
               const RecordCells& cells, const std::string& other);

  ports::ChangeSink& sink_;
  model::Position position_;
  std::vector<ports::RejectedRow>& rejected_;
  RecordCells cells_;
  RecordCells other_cells_;
  bool is_open_ = false;
  int64_t at_ms_ = 0;
  size_t row_count_ = 0;
  size_t written_marker_ = static_cast<size_t>(-1);
  std::optional<WrittenRecords> written_;
};

}  // namespace syncline::sqlite
