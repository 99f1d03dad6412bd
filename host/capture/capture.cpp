#include "host/capture/capture.hpp"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "host/model/key.hpp"

namespace syncline::capture {

using model::Batch, model::BatchBuilder, model::CellView;

size_t Captured::row_count() const {
  size_t count = 0;
  for (const Batch& batch : batches) count += batch.row_count();
  return count;
}

size_t Captured::size_bytes() const {
  size_t size = 0;
  for (const Batch& batch : batches) size += batch.size_bytes();
  return size;
}

std::vector<Captured> cut(Captured&& captured, std::span<const Stretch> stretches,
                          size_t lane_count) {
  std::vector<Captured> parts;
  uint32_t begin = 0;
  const auto fill = [&](Captured& part, uint32_t end) {
    const auto is_inside = [&](uint32_t ordinal) { return ordinal >= begin && ordinal < end; };
    for (const Batch& batch : captured.batches) {
      Batch rows = model::copy_rows(batch, lane_count,
                                    [&](size_t row) { return is_inside(batch.ordinal(row)); });
      if (rows.row_count() > 0) part.batches.push_back(std::move(rows));
    }
    for (const CapturedMarker& marker : captured.markers) {
      if (is_inside(marker.ordinal)) part.markers.push_back(marker);
    }
    begin = end;
  };
  const auto make_part = [&](const model::Position& position) {
    Captured part;
    part.kind = captured.kind;
    part.system = captured.system;
    part.position = position;
    part.arrival_us = captured.arrival_us;
    part.quiet_place = captured.quiet_place;
    return part;
  };
  for (const Stretch& stretch : stretches) {
    Captured part = make_part(stretch.position);
    fill(part, stretch.end);
    if (!part.is_empty()) parts.push_back(std::move(part));
  }
  Captured rest = make_part(captured.position);
  rest.snapshot_cursor = captured.snapshot_cursor;
  fill(rest, std::numeric_limits<uint32_t>::max());
  rest.result = std::move(captured.result);
  parts.push_back(std::move(rest));
  return parts;
}

// Lays rows out as they come: one builder a dataset, one count of places over all of them.
class Capture::Sink final : public ports::ChangeSink {
 public:
  Sink(const std::vector<const model::Schema*>& schemas, size_t lane_count) {
    for (const model::Schema* schema : schemas) {
      builders_.emplace(schema->dataset, Rows{BatchBuilder(*schema, lane_count)});
      schemas_.emplace(schema->dataset, schema);
    }
  }

  void begin(const ports::TransactionInfo& transaction) override {
    is_repeated_ = is_log_ && !transaction.position.is_start() && transaction.position <= passed_;
    if (is_repeated_) return;
    transaction_ = {transaction.position, transaction.commit_time_us,
                    transaction.time_resolution_us};
    ++transaction_number_;
    before_ = std::exchange(position_, transaction.position);
    begin_ = ordinal_;
  }

  void marker(const ports::MarkerRow& marker) override {
    if (is_repeated_) return;
    markers_.push_back({ordinal_++, std::string(marker.appliance), marker.epoch, marker.stream,
                        marker.lane, marker.sequence, marker.is_quiet, begin_, position_, before_});
  }

  void row(const ports::ChangeRow& row) override {
    if (is_repeated_) return;
    const model::Schema& schema = *schemas_.at(row.dataset);
    const auto key = row.cells.first(schema.key_count);
    if (!row.old_key.empty()) {
      HeldDelete& held = hold_delete(schema, row.is_ours, row.old_key);
      const model::KeyHash to = hash_of(schema, key);
      if (to != hash_of(schema, row.old_key)) held.moved_with = to;
    }
    if (row.op == ports::RowOp::kDelete) {
      HeldDelete& held = hold_delete(schema, row.is_ours, key);
      if (!row.moved_with.empty()) held.moved_with = hash_of(schema, row.moved_with);
      return;
    }
    const ports::RowOp op = row.old_key.empty() ? row.op : ports::RowOp::kInsert;
    const std::string old_key =
        deletes_.empty() ? std::string() : drop_delete(schema, op, row, key);
    BatchBuilder& builder = builder_of(row.dataset);
    builder.add_row(static_cast<uint8_t>(op), row.is_ours, ordinal_++, row.cells);
    if (!old_key.empty()) builder.set_old_key(old_key);
    note_move(builder, schema, row);
  }

  // A record that is there, though nothing but its key can be told: it is not gone.
  void unknown(const ports::RejectedRow& rejected) {
    if (rejected.key.empty()) return;
    const model::Schema& schema = *schemas_.at(rejected.dataset);
    std::vector<CellView> cells;
    for (const std::string_view bytes : model::split_key(rejected.key)) {
      cells.push_back({model::CellState::kValue, bytes});
    }
    cells.resize(schema.fields.size());
    builder_of(rejected.dataset).add_row(SYN_OP_SNAPSHOT, false, ordinal_++, cells);
  }

  void end() override {
    for (const auto& [id, all] : deletes_) {
      for (const HeldDelete& held : all) add_delete(id.first, held);
    }
    deletes_.clear();
    origins_.clear();
  }

  void take(Captured& out) {
    for (auto& [dataset, rows] : builders_) {
      if (rows.builder.row_count() == 0) continue;
      out.batches.push_back(rows.builder.finish());
      rows.transaction_number = 0;
    }
    out.markers = std::exchange(markers_, {});
    out.position = std::exchange(position_, {});
    ordinal_ = 0;
  }

  void never_renew(model::DatasetId dataset) { never_renewed_.insert(dataset); }
  // What follows comes from the log, behind everything passed, or from a snapshot.
  void expect_log() { is_log_ = true; }
  void expect_snapshot() { is_log_ = false; }
  void pass_over(const model::Position& position) { passed_ = position; }

  // What a poll that failed half-way had put here is read again.
  void discard() {
    Captured dropped;
    deletes_.clear();
    origins_.clear();
    take(dropped);
  }

 private:
  struct HeldDelete {
    bool is_ours = false;
    std::string joined_key;
    uint32_t ordinal = 0;
    bool is_overtaken = false;  // a row of the same record has come behind it
    model::KeyHash moved_with = {};
  };

  // Deletes wait for the end of their transaction: a record that is deleted and inserted in one is
  // updated, unless its row is another record's now. They keep their places.
  HeldDelete& hold_delete(const model::Schema& schema, bool is_ours,
                          std::span<const CellView> key) {
    std::string joined = model::join_key(key);
    auto& all = deletes_[{schema.dataset, model::fold_key(joined, schema)}];
    std::erase_if(all, [&](const HeldDelete& held) { return held.joined_key == joined; });
    return all.emplace_back(HeldDelete{is_ours, std::move(joined), ordinal_++});
  }

  static model::KeyHash hash_of(const model::Schema& schema, std::span<const CellView> key) {
    return model::record_hash(model::join_key(key), schema);
  }

  // Of the row that was added last.
  void note_move(BatchBuilder& builder, const model::Schema& schema, const ports::ChangeRow& row) {
    const auto before = row.old_key.empty() ? row.moved_with : row.old_key;
    if (before.empty()) return;
    const model::KeyHash from = hash_of(schema, before);
    const model::KeyHash to = hash_of(schema, row.cells.first(schema.key_count));
    if (from == to) return;
    builder.set_moved_with(from);
    origins_[{schema.dataset, to}] = origin_of(schema, row);
  }

  // The record whose row it was before the transaction.
  model::KeyHash origin_of(const model::Schema& schema, const ports::ChangeRow& row) const {
    if (row.old_key.empty()) return hash_of(schema, row.moved_with);
    const model::KeyHash from = hash_of(schema, row.old_key);
    const auto known = origins_.find({schema.dataset, from});
    return known == origins_.end() ? from : known->second;
  }

  // Whether what is there now is another row: the record's has got another key, or this one comes
  // from one.
  bool is_renewed(const model::Schema& schema, const HeldDelete& held,
                  const ports::ChangeRow& row) const {
    if (row.is_ours || held.is_ours || never_renewed_.contains(schema.dataset)) return false;
    const model::KeyHash record = model::record_hash(held.joined_key, schema);
    if (!row.old_key.empty() || !row.moved_with.empty()) return origin_of(schema, row) != record;
    return !held.moved_with.is_none();
  }

  // Returns the key that the record had, if that was written otherwise.
  std::string drop_delete(const model::Schema& schema, ports::RowOp op, const ports::ChangeRow& row,
                          std::span<const CellView> key) {
    const std::string joined = model::join_key(key);
    const auto found = deletes_.find({schema.dataset, model::fold_key(joined, schema)});
    if (found == deletes_.end()) return {};
    std::vector<HeldDelete>& all = found->second;
    for (HeldDelete& held : all) held.is_overtaken = true;
    const auto find_key = [&all](const std::string& wanted) {
      return std::find_if(all.begin(), all.end(),
                          [&](const HeldDelete& held) { return held.joined_key == wanted; });
    };
    auto at = find_key(joined);
    if (at == all.end() && op != ports::RowOp::kInsert) return {};
    if (at == all.end()) at = find_key(model::join_key(row.old_key));
    if (at == all.end()) at = all.begin();
    HeldDelete held = std::move(*at);
    all.erase(at);
    if (all.empty()) deletes_.erase(found);
    if (held.is_ours != row.is_ours || is_renewed(schema, held, row)) {
      held.is_overtaken = false;  // the row is yet to be added
      add_delete(schema.dataset, held);
      return {};
    }
    return held.joined_key == joined ? std::string() : held.joined_key;
  }

  void add_delete(model::DatasetId dataset, const HeldDelete& held) {
    std::vector<CellView> key;
    for (const std::string_view bytes : model::split_key(held.joined_key)) {
      key.push_back({model::CellState::kValue, bytes});
    }
    BatchBuilder& builder = builder_of(dataset);
    const uint32_t ordinal = held.is_overtaken ? ordinal_++ : held.ordinal;
    builder.add_key_row(SYN_OP_DELETE, held.is_ours, ordinal, key);
    if (!held.moved_with.is_none()) builder.set_moved_with(held.moved_with);
  }

  // A batch knows the transactions that it has rows of, and no others: most are of other datasets.
  struct Rows {
    BatchBuilder builder;
    uint64_t transaction_number = 0;  // that began in it last; 0: none in this batch
  };
  BatchBuilder& builder_of(model::DatasetId dataset) {
    Rows& rows = builders_.at(dataset);
    if (std::exchange(rows.transaction_number, transaction_number_) != transaction_number_) {
      rows.builder.begin_transaction(transaction_);
    }
    return rows.builder;
  }

  std::map<model::DatasetId, Rows> builders_;
  std::map<model::DatasetId, const model::Schema*> schemas_;
  // By folded key; never empty lists.
  std::map<std::pair<model::DatasetId, std::string>, std::vector<HeldDelete>> deletes_;
  // By the record that a row is now: the one that it was before the transaction.
  std::map<std::pair<model::DatasetId, model::KeyHash>, model::KeyHash> origins_;
  std::set<model::DatasetId> never_renewed_;
  std::vector<CapturedMarker> markers_;
  model::BatchTransaction transaction_;
  uint64_t transaction_number_ = 0;  // from 1
  model::Position position_;
  model::Position before_;  // of the transaction before
  uint32_t begin_ = 0;      // of the transaction
  model::Position passed_;  // everything up to here has been read before
  bool is_log_ = true;
  bool is_repeated_ = false;
  uint32_t ordinal_ = 0;
};

Capture::Capture(model::SystemId system, ports::Source& source,
                 const std::vector<const model::Schema*>& schemas, size_t lane_count, Clock& clock)
    : system_(system),
      source_(source),
      clock_(clock),
      sink_(std::make_unique<Sink>(schemas, lane_count)) {}

Capture::~Capture() = default;

Captured Capture::finish(Kind kind, ports::PollResult&& result) {
  Captured captured;
  captured.kind = kind;
  captured.system = system_;
  captured.arrival_us = clock_.now_us();
  captured.quiet_place = result.quiet_place;
  captured.result = std::move(result);
  sink_->take(captured);
  return captured;
}

void Capture::never_renew(model::DatasetId dataset) {
  sink_->never_renew(dataset);
}

void Capture::resume_behind(const model::Position& position) {
  sink_->pass_over(position);
}

Result<Captured> Capture::run_once(size_t row_limit, int wait_ms) {
  sink_->expect_log();
  auto polled = source_.poll(*sink_, row_limit, wait_ms);
  if (!polled) {
    sink_->discard();
    return std::move(polled).as_failure();
  }
  Captured captured = finish(Kind::kLog, std::move(polled).value());
  if (!captured.position.is_start()) sink_->pass_over(captured.position);
  return captured;
}

Result<Captured> Capture::read_snapshot(Kind kind, model::DatasetId dataset,
                                        const std::string& cursor, size_t row_limit) {
  sink_->expect_snapshot();
  auto chunk = source_.read_snapshot(dataset, cursor, row_limit, *sink_);
  if (!chunk) {
    sink_->discard();
    return chunk.as_failure();
  }
  for (const ports::RejectedRow& rejected : chunk.value().rejected) {
    // What a scan does not meet ends elsewhere: that takes more than how its key is written.
    if (rejected.is_record || kind != Kind::kFirstSync) sink_->unknown(rejected);
  }
  ports::PollResult result;
  result.rejected = chunk.value().rejected;
  Captured captured = finish(kind, std::move(result));
  captured.position = {};
  captured.snapshot_cursor = chunk.value().cursor;
  captured.notice = std::move(chunk.value().notice);
  return captured;
}

Result<Captured> Capture::read_records(model::DatasetId dataset,
                                       std::span<const std::string> keys) {
  sink_->expect_snapshot();
  auto read = source_.read_records(dataset, keys, *sink_);
  if (!read) {
    sink_->discard();
    return std::move(read).as_failure();
  }
  for (const ports::RejectedRow& rejected : read.value()) {
    if (rejected.is_record) sink_->unknown(rejected);
  }
  ports::PollResult result;
  result.rejected = std::move(read).value();
  Captured captured = finish(Kind::kRescan, std::move(result));
  captured.position = {};
  return captured;
}

}  // namespace syncline::capture
