#include "bench/pipeline/memory_system.hpp"

#include <algorithm>
#include <chrono>

#include "host/base/clock.hpp"
#include "host/model/key.hpp"

namespace syncline::bench {
namespace {

using model::CellState;
using model::CellView;
using model::TypeKind;

constexpr size_t kRowsPerTransaction = 10;
constexpr size_t kTexts = 1024;
constexpr model::FieldIndex kBalance = 4;
constexpr model::FieldIndex kUpdated = 5;
constexpr std::string_view kAppliance = "bench";
constexpr std::string_view kYes("\1", 1);

model::Position position_of(uint64_t number) {
  std::string bytes(8, '\0');
  for (size_t at = 0; at < 8; ++at) bytes[at] = static_cast<char>(number >> (56 - 8 * at));
  return {bytes};
}

size_t key_of(std::string_view joined) {
  return static_cast<size_t>(model::int64_from_canonical(model::split_key(joined)[0]));
}

class MemorySource final : public ports::Source {
 public:
  explicit MemorySource(MemorySystem& system) : system_(system) {}
  Result<void> open(const model::Position&) override { return success(); }
  Result<ports::PollResult> poll(ports::ChangeSink& sink, size_t row_limit, int wait_ms) override {
    return system_.poll(sink, row_limit, wait_ms);
  }
  Result<void> acknowledge(const model::Position&) override { return success(); }
  Result<model::Position> current_position() override { return system_.position(); }
  Result<ports::SnapshotChunk> read_snapshot(model::DatasetId, const std::string& cursor,
                                             size_t row_limit, ports::ChangeSink& sink) override {
    return system_.read_snapshot(cursor, row_limit, sink);
  }
  Result<std::vector<ports::RejectedRow>> read_records(model::DatasetId,
                                                       std::span<const std::string> keys,
                                                       ports::ChangeSink& sink) override {
    system_.read_records(keys, sink);
    return std::vector<ports::RejectedRow>();
  }
  Result<Lag> lag() override { return Lag{}; }

 private:
  MemorySystem& system_;
};

class MemoryTarget final : public ports::Target {
 public:
  explicit MemoryTarget(MemorySystem& system) : system_(system) {}
  Result<void> open() override { return success(); }
  Result<void> open_epoch(uint32_t, std::span<const model::StreamId>, size_t) override {
    return success();
  }
  Result<std::vector<ports::Checkpoint>> probe(uint32_t) override { return system_.checkpoints(); }
  Result<ports::ApplyResult> apply(const ports::WriteBatch& batch) override {
    return system_.apply(batch);
  }

 private:
  MemorySystem& system_;
};

}  // namespace

model::Schema memory_schema() {
  model::Schema schema;
  schema.dataset = 1;
  schema.stream = 1;
  schema.name = "accounts";
  schema.key_count = 1;
  schema.fields = {{"id", {TypeKind::kInt64}, false},     {"name", {TypeKind::kText}, true},
                   {"email", {TypeKind::kText}, true},    {"city", {TypeKind::kText}, true},
                   {"balance", {TypeKind::kInt64}, true}, {"updated", {TypeKind::kInt64}, true},
                   {"visits", {TypeKind::kInt64}, true},  {"is_active", {TypeKind::kBool}, true},
                   {"notes", {TypeKind::kText}, true}};
  return schema;
}

MemorySystem::MemorySystem(size_t record_count, size_t lane_count)
    : records_(record_count), applied_(lane_count) {
  for (size_t i = 0; i < kTexts; ++i) {
    texts_.push_back("text number " + std::to_string(i * i * 7919));
  }
}

void MemorySystem::change(std::span<const uint32_t> keys) {
  {
    const std::lock_guard lock(mutex_);
    keys_ = keys;
  }
  written_.notify_all();
}

bool MemorySystem::is_drained() const {
  const std::lock_guard lock(mutex_);
  return !has_rows();
}

bool MemorySystem::holds_the_same(const MemorySystem& other) const {
  const std::scoped_lock lock(mutex_, other.mutex_);
  return records_ == other.records_;
}

void MemorySystem::emit(uint32_t key, const Record& record, ports::RowOp op, bool is_ours,
                        ports::ChangeSink& sink) const {
  const std::string id = model::canonical_int64(key);
  const std::string balance = model::canonical_int64(record.balance);
  const std::string updated = model::canonical_int64(record.updated);
  const std::string visits = model::canonical_int64(key % 100);
  const auto text = [&](size_t which) {
    return CellView{CellState::kValue, texts_[(key * 3 + which) % kTexts]};
  };
  const std::array<CellView, 1 + kMemoryValueFields> cells = {CellView{CellState::kValue, id},
                                                              text(0),
                                                              text(1),
                                                              text(2),
                                                              CellView{CellState::kValue, balance},
                                                              CellView{CellState::kValue, updated},
                                                              CellView{CellState::kValue, visits},
                                                              CellView{CellState::kValue, kYes},
                                                              text(3)};
  ports::ChangeRow row;
  row.dataset = 1;
  row.op = op;
  row.is_ours = is_ours;
  row.cells = cells;
  sink.row(row);
}

void MemorySystem::begin(ports::ChangeSink& sink, int64_t commit_time_us) {
  sink.begin({position_of(++position_), commit_time_us, 1});
}

size_t MemorySystem::emit_marked(ports::ChangeSink& sink) {
  const MarkedTransaction transaction = std::move(marked_.front());
  marked_.pop_front();
  begin(sink, transaction.commit_time_us);
  for (const ports::MarkerRow& marker : transaction.markers) sink.marker(marker);
  for (const LoggedRow& row : transaction.rows) {
    emit(row.key, row.record, ports::RowOp::kUpdate, true, sink);
  }
  sink.end();
  return transaction.rows.size();
}

size_t MemorySystem::emit_changes(ports::ChangeSink& sink) {
  const size_t count = std::min(kRowsPerTransaction, keys_.size());
  const int64_t now_us = system_clock().now_us();
  begin(sink, now_us);
  for (const uint32_t key : keys_.first(count)) {
    Record& record = records_[key];
    ++record.balance;
    record.updated = now_us;
    emit(key, record, ports::RowOp::kUpdate, false, sink);
  }
  sink.end();
  keys_ = keys_.subspan(count);
  return count;
}

Result<ports::PollResult> MemorySystem::poll(ports::ChangeSink& sink, size_t row_limit,
                                             int wait_ms) {
  std::unique_lock lock(mutex_);
  written_.wait_for(lock, std::chrono::milliseconds(wait_ms), [this] { return has_rows(); });
  ports::PollResult result;
  while (has_rows() && result.row_count < row_limit) {
    result.row_count += marked_.empty() ? emit_changes(sink) : emit_marked(sink);
  }
  result.has_more = has_rows();
  return result;
}

ports::SnapshotChunk MemorySystem::read_snapshot(const std::string& cursor, size_t row_limit,
                                                 ports::ChangeSink& sink) {
  const std::lock_guard lock(mutex_);
  const size_t first = cursor.empty() ? 0 : std::stoul(cursor);
  const size_t end = std::min(records_.size(), first + row_limit);
  begin(sink, 1);
  for (size_t key = first; key < end; ++key) {
    emit(static_cast<uint32_t>(key), records_[key], ports::RowOp::kSnapshot, false, sink);
  }
  sink.end();
  ports::SnapshotChunk chunk;
  chunk.row_count = end - first;
  if (end < records_.size()) chunk.cursor = std::to_string(end);
  return chunk;
}

void MemorySystem::read_records(std::span<const std::string> keys, ports::ChangeSink& sink) {
  const std::lock_guard lock(mutex_);
  begin(sink, 1);
  for (const std::string& joined : keys) {
    const size_t key = key_of(joined);
    emit(static_cast<uint32_t>(key), records_.at(key), ports::RowOp::kSnapshot, false, sink);
  }
  sink.end();
}

model::Position MemorySystem::position() const {
  const std::lock_guard lock(mutex_);
  return position_of(position_);
}

Result<ports::ApplyResult> MemorySystem::apply(const ports::WriteBatch& batch) {
  const std::lock_guard lock(mutex_);
  MarkedTransaction transaction;
  transaction.commit_time_us = system_clock().now_us();
  for (const ports::MarkerMove& move : batch.moves) {
    if (applied_[move.lane] != move.previous) {
      return fail(ErrorCode::kMarkerMoved, "a checkpoint row of the bench stands elsewhere");
    }
    applied_[move.lane] = move.next;
    transaction.markers.push_back({kAppliance, batch.epoch, move.stream, move.lane, move.next});
  }
  for (const ports::RecordWrite& write : batch.writes) {
    const auto key = static_cast<uint32_t>(key_of(write.key));
    Record& record = records_.at(key);
    for (const model::EntryCell& cell : write.cells) {
      if (cell.field == kBalance) record.balance = model::int64_from_canonical(cell.bytes);
      if (cell.field == kUpdated) record.updated = model::int64_from_canonical(cell.bytes);
    }
    transaction.rows.push_back({key, record});
  }
  ports::ApplyResult result;
  result.rows_written = transaction.rows.size();
  marked_.push_back(std::move(transaction));
  written_.notify_all();
  return result;
}

std::vector<ports::Checkpoint> MemorySystem::checkpoints() const {
  const std::lock_guard lock(mutex_);
  std::vector<ports::Checkpoint> all;
  for (size_t lane = 0; lane < applied_.size(); ++lane) {
    all.push_back({1, static_cast<model::LaneIndex>(lane), applied_[lane]});
  }
  return all;
}

ports::System memory_ports(MemorySystem& system) {
  ports::System ports;
  ports.source = std::make_unique<MemorySource>(system);
  ports.target = std::make_unique<MemoryTarget>(system);
  return ports;
}

}  // namespace syncline::bench
