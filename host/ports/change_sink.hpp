// Where a Source puts what it read: whole transactions, in log order, rows and markers in the order
// they happened. Transactions of one poll may share a position: they are acknowledged as one.
// host/capture implements it with batch builders.
//
// Views handed to it need to live only for the call. Threads: one at a time.
#pragma once

#include <span>
#include <string_view>

#include "host/model/cell.hpp"
#include "host/model/ids.hpp"
#include "host/model/position.hpp"

namespace syncline::ports {

// Permanent values: they are the batch's op column (kernels/contract).
enum class RowOp : uint8_t { kInsert = 1, kUpdate = 2, kDelete = 3, kSnapshot = 4 };

struct TransactionInfo {
  model::Position position;  // acknowledge up to here once it is durable
  int64_t commit_time_us = 0;
  int64_t time_resolution_us = 1;
};

struct MarkerRow {  // a row of syncline_checkpoint moved
  std::string_view appliance;
  uint32_t epoch = 0;
  model::StreamId stream = 0;
  model::LaneIndex lane = 0;
  model::Sequence sequence = 0;
  // None of its transaction's rows follow: each write of ours had just its effect and no other,
  // every value is stored as it was sent (WriteBatch::may_be_quiet). Such a transaction has a
  // position of its own.
  bool is_quiet = false;
};

struct ChangeRow {
  model::DatasetId dataset = 0;
  RowOp op = RowOp::kUpdate;
  bool is_ours = false;                    // written by one of our marked transactions
  std::span<const model::CellView> cells;  // every schema field, key first; unchanged where unknown
  // An update that changed the key: the key cells before it. Empty otherwise.
  std::span<const model::CellView> old_key;
  // Where both ends of such a change are shown by themselves: the key cells of the other record
  // that the row was until then, or, of a delete, is from then on.
  std::span<const model::CellView> moved_with = {};
};

class ChangeSink {
 public:
  virtual ~ChangeSink() = default;
  virtual void begin(const TransactionInfo& transaction) = 0;
  virtual void marker(const MarkerRow& marker) = 0;
  virtual void row(const ChangeRow& row) = 0;
  virtual void end() = 0;
};

}  // namespace syncline::ports
