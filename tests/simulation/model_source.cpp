#include <algorithm>

#include "host/model/key.hpp"
#include "tests/simulation/model_ports.hpp"

namespace syncline::simulation {

using model::CellState;
using model::CellView;
using ports::RowOp;

model::Position position_of(uint64_t number) {
  std::string bytes(8, '\0');
  for (size_t at = 0; at < 8; ++at) bytes[at] = static_cast<char>(number >> (56 - 8 * at));
  return {bytes};
}

uint64_t number_of(const model::Position& position) {
  uint64_t number = 0;
  for (const char byte : position.bytes) number = number << 8 | static_cast<uint8_t>(byte);
  return number;
}

Result<void> ModelSource::open(const model::Position& position) {
  if (system_.is_down) return fail(ErrorCode::kSystemOpen, "the simulated system is away");
  read_ = number_of(position);
  const uint64_t acknowledged = system_.acknowledged();
  if (read_ < acknowledged && system_.has_effect(read_, acknowledged)) {
    report_.violation("acknowledged too early", system_.plan().name +
                                                    " was told it may forget up to " +
                                                    std::to_string(acknowledged) + ", but only " +
                                                    std::to_string(read_) + " is known");
    return fail(ErrorCode::kSystemLost, "the simulated log has a gap");
  }
  read_ = std::max(read_, acknowledged);
  system_.forget_shown(read_);
  go_back();
  if (read_ > system_.last_number()) {
    report_.violation("a change that no user made",
                      system_.plan().name + " is read from a place its log never had");
  }
  is_connected_ = true;
  return success();
}

// A log read row by row may give again what it gave before, as far back as it was not told to
// forget it. A log of net effects knows exactly where it was.
void ModelSource::go_back() {
  if (system_.plan().log_style == LogStyle::kNet || read_ <= system_.acknowledged()) return;
  if (!dice_.chance(weather_.faults.lost_read * 10)) return;
  read_ = static_cast<uint64_t>(
      dice_.between(static_cast<int64_t>(system_.acknowledged()), static_cast<int64_t>(read_)));
}

Result<ports::PollResult> ModelSource::poll(ports::ChangeSink& sink, size_t row_limit, int) {
  if (system_.is_down || dice_.chance(weather_.faults.lost_read)) {
    is_connected_ = false;
    return fail(ErrorCode::kSystemOpen, "the simulated system is away");
  }
  if (!is_connected_) go_back();
  is_connected_ = true;
  if (dice_.chance(weather_.faults.busy)) {
    return fail(ErrorCode::kSystemBusy, "the simulated system is busy");
  }
  ports::PollResult result;
  std::vector<const LoggedTransaction*> stretch;
  const auto flush = [&] {
    if (!stretch.empty()) emit(stretch, sink);
    stretch.clear();
  };
  const std::vector<LoggedTransaction>& log = system_.log();
  while (read_ < log.size()) {
    const LoggedTransaction& transaction = log[read_];
    if (result.row_count >= row_limit) {
      result.has_more = true;
      break;
    }
    const bool is_merged = system_.plan().log_style == LogStyle::kNet && !transaction.is_marked();
    if (!is_merged) flush();
    stretch.push_back(&transaction);
    if (!is_merged) flush();
    result.row_count += transaction.rows.size();
    read_ = transaction.number;
  }
  flush();
  return result;
}

namespace {

// The net effect of a stretch on each record, in the order in which they were last touched. Who
// deletes a record and makes it anew with a value that it held shows nobody that cell's write.
std::vector<LoggedRow> net_effect(std::span<const LoggedTransaction* const> stretch) {
  struct Net {
    std::optional<std::array<model::Cell, kFieldsMax>> before;  // where it was there
    int64_t kept_before = 0;
    std::optional<size_t> removal;  // the first
    LoggedRow last;
  };
  std::map<RecordKey, Net> nets;
  std::vector<RecordKey> order;
  for (const LoggedTransaction* transaction : stretch) {
    for (const LoggedRow& row : transaction->rows) {
      const auto [net, is_new] = nets.try_emplace(row.record);
      if (is_new) net->second.before = row.before;
      if (is_new) net->second.kept_before = row.kept_before;
      if (!net->second.removal) net->second.removal = row.removal;
      net->second.last = row;
      std::erase(order, row.record);
      order.push_back(row.record);
    }
  }
  std::map<int64_t, std::string> first_keys, last_keys;  // of rows, by what they keep
  for (const auto& [record, net] : nets) {
    first_keys[net.kept_before] = last_keys[net.last.kept] = record.key;
  }
  std::vector<LoggedRow> rows;
  for (const RecordKey& record : order) {
    const Net& net = nets[record];
    LoggedRow row = net.last;
    const bool is_there = row.op != RowOp::kDelete;
    row.moved_with.clear();
    if (!net.before && !is_there) continue;
    const bool is_other = is_there && row.kept != net.kept_before;
    if (is_other && first_keys.contains(row.kept)) row.moved_with = first_keys.at(row.kept);
    if (!is_there && last_keys.contains(net.kept_before)) {
      row.moved_with = last_keys.at(net.kept_before);
    }
    if (is_there) row.op = net.before ? RowOp::kUpdate : RowOp::kInsert;
    const bool has_gone_on = last_keys.contains(net.kept_before);
    if (is_other && net.before && (has_gone_on || !row.moved_with.empty())) {
      LoggedRow gone;
      gone.record = record;
      gone.op = RowOp::kDelete;
      gone.removal = net.removal;
      if (has_gone_on) gone.moved_with = last_keys.at(net.kept_before);
      rows.push_back(gone);
      row.op = RowOp::kInsert;
      rows.push_back(row);
      continue;
    }
    for (size_t field = 0; net.before && is_there && field < kFieldsMax; ++field) {
      if ((*net.before)[field] == row.cells[field]) row.writes[field].reset();
    }
    rows.push_back(row);
  }
  return rows;
}

LoggedRow snapshot_of(const RecordKey& record, const StoredRow& row) {
  LoggedRow snapshot;
  snapshot.record = record;
  snapshot.op = RowOp::kSnapshot;
  for (size_t field = 0; field < kFieldsMax; ++field) snapshot.cells[field] = row[field].cell;
  return snapshot;
}

}  // namespace

void ModelSource::emit(std::span<const LoggedTransaction* const> stretch, ports::ChangeSink& sink) {
  const LoggedTransaction& last = *stretch.back();
  sink.begin({position_of(last.number), last.commit_time_us, system_.plan().resolution_us});
  emit_markers(last, sink);
  if (system_.plan().log_style == LogStyle::kNet && !last.is_marked()) {
    for (const LoggedRow& row : net_effect(stretch)) {
      emit_row(row, ImageStyle::kFull, sink);
      system_.show(row, last.number);
    }
  } else {
    for (const LoggedRow& row : last.rows) {
      if (!last.is_quiet) emit_logged(row, sink);
      system_.show(row, last.number);
    }
  }
  sink.end();
}

void ModelSource::emit_markers(const LoggedTransaction& transaction, ports::ChangeSink& sink) {
  for (const LoggedMarker& marker : transaction.markers) {
    sink.marker({marker.appliance, marker.epoch, marker.stream, marker.lane, marker.sequence,
                 transaction.is_quiet});
  }
  if (transaction.is_marked()) return;
  // Another appliance's marker, and one of ours from another epoch: neither confirms anything.
  const model::StreamId stream = system_.whole_plan().datasets[0].schema->stream;
  if (transaction.number % 17 == 0) sink.marker({"another", 1, stream, 0, 1'000'000});
  if (transaction.number % 19 == 0) {
    const Plan& plan = system_.whole_plan();
    sink.marker({plan.appliances[system_.plan().appliance].name, 99, stream, 0, 1'000'000});
  }
}

// A log of rows tells of a changed key as of one update; that of net effects, as what it read, of
// the two ends, and of our own without saying that they are one row's.
void ModelSource::emit_logged(const LoggedRow& row, ports::ChangeSink& sink) {
  LoggedRow shown = row;
  if (system_.plan().log_style == LogStyle::kNet) {
    shown.moved_with.clear();
  } else if (!row.moved_with.empty()) {
    if (row.op == RowOp::kDelete) return;
    shown.op = RowOp::kUpdate;
  }
  emit_row(shown, system_.plan().image_style, sink);
}

void ModelSource::emit_row(const LoggedRow& row, ImageStyle images, ports::ChangeSink& sink) {
  std::array<CellView, 1 + kFieldsMax> cells;
  cells[0] = {CellState::kValue, row.record.key};
  for (size_t field = 0; field < kFieldsMax; ++field) {
    const bool is_shown =
        row.op != RowOp::kDelete &&
        (row.op == RowOp::kInsert || images == ImageStyle::kFull || row.is_touched[field]);
    if (is_shown) cells[1 + field] = row.cells[field].view();
  }
  ports::ChangeRow change;
  change.dataset = system_.whole_plan().datasets[row.record.dataset].schema->dataset;
  change.op = row.op;
  change.is_ours = row.is_ours;
  change.cells = cells;
  const CellView other{CellState::kValue, row.moved_with};
  if (!row.moved_with.empty()) {
    const bool is_one = row.op == RowOp::kUpdate && system_.plan().log_style == LogStyle::kRows;
    (is_one ? change.old_key : change.moved_with) = std::span(&other, 1);
  }
  sink.row(change);
}

Result<void> ModelSource::acknowledge(const model::Position& position) {
  if (number_of(position) > system_.last_number()) {
    report_.violation("acknowledged too early",
                      system_.plan().name + " was told to forget what it has not logged yet");
    return success();
  }
  if (!dice_.chance(weather_.faults.lost_acknowledgement)) {
    system_.forget_log(number_of(position));
  }
  return success();
}

Result<model::Position> ModelSource::current_position() {
  return position_of(system_.last_number());
}

Result<ports::SnapshotChunk> ModelSource::read_snapshot(model::DatasetId dataset,
                                                        const std::string&, size_t,
                                                        ports::ChangeSink& sink) {
  sink.begin({position_of(read_), kStartUs, 1});
  ports::SnapshotChunk chunk;
  const size_t index = system_.whole_plan().dataset_index(dataset);
  for (const auto& [record, row] : system_.rows()) {
    if (record.dataset != index) continue;
    emit_row(snapshot_of(record, row), ImageStyle::kFull, sink);
    ++chunk.row_count;
  }
  sink.end();
  return chunk;
}

Result<std::vector<ports::RejectedRow>> ModelSource::read_records(model::DatasetId dataset,
                                                                  std::span<const std::string> keys,
                                                                  ports::ChangeSink& sink) {
  sink.begin({position_of(read_), kStartUs, 1});
  for (const std::string& key : keys) {
    const RecordKey record = {system_.whole_plan().dataset_index(dataset),
                              std::string(model::split_key(key)[0])};
    const StoredRow* row = system_.row(record);
    if (row == nullptr) continue;
    emit_row(snapshot_of(record, *row), ImageStyle::kFull, sink);
  }
  sink.end();
  return std::vector<ports::RejectedRow>();
}

Result<ports::Source::Lag> ModelSource::lag() {
  Lag lag;
  lag.rows = system_.last_number() - system_.acknowledged();
  return lag;
}

}  // namespace syncline::simulation
