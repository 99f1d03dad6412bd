// From pgoutput messages to whole transactions in a sink.
//
// A transaction of ours is one that moves a checkpoint row of this appliance and system: that row
// comes first, and what follows it in the transaction is ours.
//
//   message       state            what happens
//   Begin         outside          the sink begins, at the commit record's position
//   row           inside           shown, or rejected with its reason, or skipped (stopped dataset)
//   Commit        inside           the sink ends; the commit is the last read
//   anything else                  the stream is not what it should be: kSystemOpen
//
// Owner: it owns what is followed. Threads: one at a time. Errors: kSystemOpen; a dataset that
// cannot go on is no error of the call: it stops alone (PollResult::stopped).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "drivers/systems/postgres/detail/pgoutput.hpp"
#include "drivers/systems/postgres/detail/row_cells.hpp"
#include "drivers/systems/postgres/detail/shared.hpp"
#include "host/ports/source.hpp"

namespace syncline::postgres {

model::Position position_of(Lsn lsn, uint64_t server);

class Decoder {
 public:
  // connect: a connection for what the log does not say (types, the rest of a row).
  using Connect = std::function<Result<Connection*>()>;
  Decoder(std::shared_ptr<const Shared> shared, Connect connect)
      : shared_(std::move(shared)), connect_(std::move(connect)) {}

  // The datasets that are read; what was known of others is forgotten.
  void follow(std::vector<Mapped> mapped, uint64_t server);
  const Mapped* find(model::DatasetId dataset) const;
  bool is_stopped(model::DatasetId dataset) const;

  // A new stream tells every relation anew.
  void begin_stream();
  void begin_poll(ports::ChangeSink& sink, ports::PollResult& result);
  Result<void> take(std::string_view message);

  bool is_in_transaction() const { return is_in_transaction_; }
  struct Read {
    Lsn lsn = 0;  // of the last commit taken
    int64_t commit_time_us = 0;
    size_t row_count = 0;
  };
  const Read& last() const { return last_; }
  // Transactions whose commit has been read, that a snapshot may not see yet.
  std::vector<uint32_t>& recent_xids() { return recent_xids_; }

 private:
  struct Followed {
    Mapped mapped;
    bool is_stopped = false;
  };
  enum class Meaning : uint8_t { kIgnored, kCheckpoint, kDataset };
  struct Bound {  // a relation of this stream
    Meaning meaning = Meaning::kIgnored;
    size_t followed = 0;
    std::vector<size_t> columns;  // per schema field, or per checkpoint column: index in tuples
  };

  Result<void> on(const Begin& begin);
  Result<void> on(const Commit& commit);
  Result<void> on(const Relation& relation);
  Result<void> on(const Insert& insert);
  Result<void> on(const Update& update);
  Result<void> on(const Delete& gone);
  Result<void> on(const Truncate& truncate);
  Result<void> on(const Ignored& ignored);

  Result<void> bind_dataset(const Relation& relation, size_t index, Bound& bound);
  Result<bool> take_types(const Relation& relation, const Bound& bound, Mapped& mapped);
  void bind_checkpoint(const Relation& relation, Bound& bound);
  void stop(Followed& followed, Error error);
  Result<const Bound*> bound_of(Oid relation) const;
  Result<void> show_marker(const Bound& bound, const Tuple& row);
  Result<void> fill(const Bound& bound, const Tuple& tuple, size_t field_count, RowCells& cells);
  Result<void> complete(const Mapped& mapped);
  Result<void> show_update(const Bound& bound, const Update& update);
  void show(const Mapped& mapped, ports::RowOp op, std::span<const model::CellView> old_key);
  void show_delete(const Mapped& mapped, const RowCells& cells);
  void reject(const Mapped& mapped, Error error);

  std::shared_ptr<const Shared> shared_;
  Connect connect_;
  uint64_t server_ = 0;
  std::vector<Followed> followed_;
  std::map<Oid, Bound> bound_;
  ports::ChangeSink* sink_ = nullptr;  // of the poll at hand
  ports::PollResult* result_ = nullptr;
  bool is_in_transaction_ = false;
  bool is_ours_ = false;
  Begin begin_;
  Read last_;
  size_t row_count_ = 0;
  RowCells cells_;
  RowCells old_cells_;
  std::vector<uint32_t> recent_xids_;
};

}  // namespace syncline::postgres
