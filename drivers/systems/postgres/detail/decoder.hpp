// From the messages of one transaction to its rows in a sink.
//
// A transaction of ours is one that moves a checkpoint row of this appliance and system: that row
// comes first, and what follows it in the transaction is ours. Where the row says so, that is not
// shown: the server may have left it out.
//
// A transaction is shown in one part, or in several where it is large: each is a transaction of the
// sink, with a place of its own.
//
// Owner: it owns what is followed. Threads: one at a time. Errors: kSystemOpen; a dataset that
// cannot go on is no error of the call: it stops alone (PollResult::stopped).
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/systems/postgres/detail/assembler.hpp"
#include "drivers/systems/postgres/detail/pgoutput.hpp"
#include "drivers/systems/postgres/detail/row_cells.hpp"
#include "drivers/systems/postgres/detail/shared.hpp"
#include "host/ports/source.hpp"

namespace syncline::postgres {

class Decoder {
 public:
  // connect: a connection for what the log does not say (types, the rest of a row).
  using Connect = std::function<Result<Connection*>()>;
  Decoder(std::shared_ptr<const Shared> shared, Connect connect)
      : shared_(std::move(shared)), connect_(std::move(connect)) {}

  // The datasets that are read; what was known of others is forgotten.
  void follow(std::vector<Mapped> mapped);
  const Mapped* find(model::DatasetId dataset) const;
  bool is_stopped(model::DatasetId dataset) const;

  // A new stream tells every relation anew.
  void begin_stream();
  void begin_poll(ports::ChangeSink& sink, ports::PollResult& result);

  void begin_transaction(const Transaction& transaction);
  void begin_part(const model::Position& position);
  void give_place(const model::Position& position);  // where there is nothing to show
  // Whether it is the row that makes what follows it in its transaction ours. To be asked of a
  // transaction's messages in their order, and before they are taken.
  Result<bool> is_marker(const Spool::Record& record);
  // kNothing: it was shown before; what it says of relations, and whose it is, counts all the same.
  enum class Showing : uint8_t { kAll, kNothing };
  Result<void> take(const Spool::Record& record, Showing showing);
  void end_part();
  Result<void> end_transaction();
  size_t row_count() const { return row_count_; }  // of the transaction, in the parts that ended

  // Transactions that have committed and are shown, that a snapshot may not see yet; and those that
  // an earlier life may have shown (unseen.hpp).
  std::vector<uint32_t>& recent_xids() { return recent_xids_; }
  // Datasets of which rows were passed over, for the log told them with a type that is gone by now,
  // or without a column that is there: to be read whole, once the tables were looked at and the log
  // is read as far as it goes today.
  std::set<model::DatasetId>& behind() { return behind_; }

 private:
  struct Followed {
    Mapped mapped;
    bool is_stopped = false;
  };
  static constexpr std::array<std::string_view, 6> kCheckpointColumns = {
      "appliance", "system", "epoch", "stream", "lane", "seq"};
  enum class Meaning : uint8_t { kIgnored, kMarkers, kDataset };
  struct Described {      // a relation, by the stream
    uint64_t number = 0;  // a later one has a higher number
    std::string message;
  };
  struct Bound {          // a relation of this stream
    uint64_t number = 0;  // of the description
    Meaning meaning = Meaning::kIgnored;
    size_t followed = 0;
    std::vector<size_t> columns;  // per schema field, or per checkpoint column: index in tuples
  };

  Result<void> on(const Insert& insert);
  Result<void> on(const Update& update);
  Result<void> on(const Delete& gone);
  Result<void> on(const Truncate& truncate);
  template <class Other>
  Result<void> on(const Other&) {
    return out_of_step("a message that is no change");
  }

  void describe(Oid relation, const Spool::Record& record);
  Result<void> bind(const Described& described);
  std::optional<size_t> find_followed(const Relation& relation) const;
  Result<void> bind_dataset(const Relation& relation, size_t index, Bound& bound);
  Result<void> lack(Followed& followed, const std::string& column);
  static bool is_checkpoint(const Relation& relation);
  // What the log says of the mapped columns, beside what is known of them.
  enum class Types : uint8_t { kSame, kOther, kGone };
  Result<Types> take_types(const Relation& relation, const Bound& bound, Mapped& mapped);
  void bind_checkpoint(const Relation& relation, Bound& bound);
  void stop(Followed& followed, Error error);
  Result<const Bound*> bound_of(Oid relation);
  Result<std::optional<ports::MarkerRow>> marker_of(const Bound& bound, const Tuple& row) const;
  Result<void> show_marker(const Bound& bound, const Tuple& row);
  Result<void> fill(const Bound& bound, const Tuple& tuple, size_t field_count, RowCells& cells);
  Result<void> complete(const Mapped& mapped);
  Result<void> show_update(const Bound& bound, const Update& update);
  bool is_shown(const Bound& bound) const;
  bool stop_if_keyless(const Bound& bound, OldRow kind, const Tuple& old_row);
  bool is_passed_over(std::string_view message) const;
  void show(const Mapped& mapped, ports::RowOp op, std::span<const model::CellView> old_key);
  void show_delete(const Mapped& mapped, const RowCells& cells);
  void reject(const Mapped& mapped, Error error);

  std::shared_ptr<const Shared> shared_;
  Connect connect_;
  std::vector<Followed> followed_;
  std::map<Oid, Bound> bound_;
  ports::ChangeSink* sink_ = nullptr;  // of the poll at hand
  ports::PollResult* result_ = nullptr;
  bool is_ours_ = false;   // the transaction, from its marker on
  bool is_quiet_ = false;  // likewise: what it wrote is known without its rows
  Showing showing_ = Showing::kAll;
  Begin begin_;
  size_t row_count_ = 0;
  size_t part_row_count_ = 0;
  std::map<Oid, Described> held_;    // of the transaction, for the rows behind them
  std::map<Oid, Described> newest_;  // of the stream
  RowCells cells_;
  RowCells old_cells_;
  std::set<model::DatasetId> behind_;
  std::vector<uint32_t> recent_xids_;
};

}  // namespace syncline::postgres
