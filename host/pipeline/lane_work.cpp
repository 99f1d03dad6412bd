#include "host/pipeline/lane_work.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "host/base/assert.hpp"

namespace syncline::pipeline {
namespace {

using capture::Captured, capture::Kind;
using engine::Verdict;
using model::Batch, model::CellState, model::CellView;

// How far the dataset's first sync is at the system that the rows come from.
enum class Reading : uint8_t { kGoingOn, kDone };

// What a row means to the core, by what the system said and what the table knew.
std::optional<core::RowOp> row_op(Kind kind, uint8_t op, bool is_ours, Verdict verdict,
                                  Reading reading) {
  const bool may_be_unread = reading == Reading::kGoingOn && !is_ours;
  if (op == SYN_OP_DELETE) {
    if (verdict == Verdict::kGone) return core::RowOp::kDelete;
    // The system never showed this record: made and deleted between two reads, or not read yet.
    return is_ours || may_be_unread ? std::optional(core::RowOp::kDelete) : std::nullopt;
  }
  if (verdict == Verdict::kSame) {
    // The log may have shown the row in parts that could not make the record: it is read all the
    // same.
    const bool may_be_first = kind == Kind::kFirstSync && may_be_unread;
    return is_ours || may_be_first ? std::optional(core::RowOp::kUpdate) : std::nullopt;
  }
  // A record that was read before, in a first sync that was broken off, has been changed since.
  if (kind == Kind::kFirstSync && verdict == Verdict::kNew) return core::RowOp::kSnapshot;
  // Nothing tells which of its cells the user has changed: it is the row, read early.
  const bool is_read_early = may_be_unread && op != SYN_OP_INSERT && verdict == Verdict::kNew;
  if (is_read_early) return core::RowOp::kSnapshot;
  // Also an update of a record that the system has not shown: it was refused before.
  const bool is_insert = verdict == Verdict::kNew;
  return is_insert ? core::RowOp::kInsert : core::RowOp::kUpdate;
}

constexpr size_t kCellBytesAtFirst = 16u << 10;

class Splitter {
 public:
  Splitter(const Captured& captured, const core::Rules& rules, const std::string& appliance,
           size_t lane_count)
      : captured_(captured), rules_(rules), appliance_(appliance), places_(lane_count) {
    split_.memory = std::make_unique<std::pmr::monotonic_buffer_resource>(kCellBytesAtFirst);
  }

  void add_batch(const Batch& batch, Examined& examined) {
    reading_ = reading_of(batch.dataset());
    for (size_t row = 0; row < batch.row_count(); ++row) add_row(batch, examined, row);
    auto& deltas = examined.detected.delta.lanes;
    for (size_t lane = 0; lane < deltas.size(); ++lane) {
      if (deltas[lane].empty()) continue;
      work(static_cast<model::LaneIndex>(lane))
          .deltas.push_back({captured_.system, batch.dataset(), std::move(deltas[lane])});
      deltas[lane].clear();
    }
  }

  void add_markers() {
    for (const capture::CapturedMarker& marker : captured_.markers) {
      if (marker.appliance != appliance_ || marker.lane >= places_.size()) continue;
      add_item(marker.lane, marker.ordinal,
               core::Marker{marker.stream, marker.epoch, marker.sequence, marker.is_quiet});
    }
  }

  Split finish() {
    const auto comes_first = [](const auto& a, const auto& b) { return a.first < b.first; };
    for (Ordered& ordered : ordered_) {
      auto& items = ordered.items;
      if (!std::is_sorted(items.begin(), items.end(), comes_first)) {
        std::stable_sort(items.begin(), items.end(), comes_first);
      }
      ordered.work.input.items.reserve(ordered.items.size());
      for (auto& [ordinal, item] : ordered.items) {
        ordered.work.input.items.push_back(std::move(item));
      }
      split_.lanes.push_back(std::move(ordered.work));
    }
    std::sort(split_.lanes.begin(), split_.lanes.end(),
              [](const LaneWork& a, const LaneWork& b) { return a.lane < b.lane; });
    return std::move(split_);
  }

 private:
  struct Ordered {
    LaneWork work;
    std::vector<std::pair<uint32_t, core::Item>> items;
  };

  Reading reading_of(model::DatasetId dataset) const {
    const auto rules = rules_.find(dataset);
    if (rules == rules_.end()) return Reading::kDone;
    const core::SystemRole* role = rules->second.role(captured_.system);
    const bool is_going_on = role != nullptr && role->phase == core::SyncPhase::kReading;
    return is_going_on ? Reading::kGoingOn : Reading::kDone;
  }

  void add_row(const Batch& batch, const Examined& examined, size_t row) {
    const Verdict verdict = examined.detected.verdicts[row];
    const bool is_ours = batch.is_ours(row);
    auto op = row_op(captured_.kind, batch.op(row), is_ours, verdict, reading_);
    const bool is_renamed = !batch.old_key(row).empty();
    if (!op && is_renamed) op = core::RowOp::kUpdate;
    if (!op) {
      ++split_.rows_same;
      return;
    }
    core::Row out{.dataset = batch.dataset(),
                  .key_hash = batch.key_hash(row),
                  .key = batch.key(row),
                  .op = *op,
                  .cells = std::pmr::vector<core::RowCell>(split_.memory.get())};
    out.is_ours = is_ours;
    out.is_read = captured_.kind != Kind::kLog;
    out.commit_time_us = batch.transaction(row).commit_time_us;
    out.time_resolution_us = batch.transaction(row).time_resolution_us;
    out.moved_with = batch.moved_with(row);
    // Older than everything in any log: the order of the systems decides, not the time of reading.
    if (*op == core::RowOp::kSnapshot) out.commit_time_us = 0;
    if (*op != core::RowOp::kDelete) add_cells(batch, examined, row, out);
    // Read early, but not whole: the reading has yet to come to it.
    const bool was_snapshot = *op == core::RowOp::kSnapshot;
    if (was_snapshot && out.op != *op && captured_.kind == Kind::kLog) return;
    const bool is_nothing = out.cells.empty() && out.op == core::RowOp::kUpdate;
    if (is_nothing && !is_ours && !is_renamed) return;
    add_item(batch.lane(row), batch.ordinal(row), std::move(out));
  }

  void add_cells(const Batch& batch, const Examined& examined, size_t row, core::Row& out) const {
    const size_t key_count = batch.schema().key_count;
    const size_t value_count = batch.schema().value_count();
    // A first sync's row is needed whole also where the table knows some of it: the log may have
    // shown a part before, which could not make the record.
    const bool is_new = out.op == core::RowOp::kInsert || out.op == core::RowOp::kSnapshot;
    const bool is_whole = is_new || captured_.kind == Kind::kFirstSync;
    if (is_whole || out.is_ours) out.cells.reserve(value_count);
    const uint64_t* changed =
        examined.detected.changed.data() + row * examined.detected.bitmap_words;
    for (size_t value = 0; value < value_count; ++value) {
      const bool is_changed = (changed[value / 64] >> (value % 64) & 1) != 0;
      if (!is_changed && !is_whole && !out.is_ours) continue;
      const auto field = static_cast<model::FieldIndex>(key_count + value);
      const CellView cell = batch.cell(row, field);
      if (cell.state == CellState::kUnchanged) continue;
      const uint64_t fingerprint = examined.fingerprints.cells[row * value_count + value];
      out.cells.push_back({field, cell.state, cell.bytes, fingerprint, is_changed});
    }
    // A row that is not whole cannot make a record: what is not known here stays so.
    if (is_whole && out.cells.size() < value_count) out.op = core::RowOp::kUpdate;
  }

  Ordered& ordered(model::LaneIndex lane) {
    SYN_ASSERT(lane < places_.size());
    if (places_[lane] == 0) {
      ordered_.emplace_back();
      places_[lane] = ordered_.size();
      LaneWork& made = ordered_.back().work;
      made.lane = lane;
      made.input.system = captured_.system;
      made.input.now_us = captured_.arrival_us;
      made.input.position = captured_.position;
      made.input.snapshot_cursor = captured_.snapshot_cursor;
    }
    return ordered_[places_[lane] - 1];
  }
  LaneWork& work(model::LaneIndex lane) { return ordered(lane).work; }
  void add_item(model::LaneIndex lane, uint32_t ordinal, core::Item item) {
    ordered(lane).items.emplace_back(ordinal, std::move(item));
  }

  const Captured& captured_;
  const core::Rules& rules_;
  const std::string& appliance_;
  Reading reading_ = Reading::kDone;  // of the batch that is added
  std::vector<size_t> places_;        // lane -> index in ordered_ + 1
  std::vector<Ordered> ordered_;
  Split split_;
};

}  // namespace

Split split_by_lane(const Captured& captured, std::vector<Examined>& examined,
                    const core::Rules& rules, const std::string& appliance, size_t lane_count) {
  SYN_ASSERT(examined.size() == captured.batches.size());
  Splitter splitter(captured, rules, appliance, lane_count);
  for (size_t batch = 0; batch < captured.batches.size(); ++batch) {
    splitter.add_batch(captured.batches[batch], examined[batch]);
  }
  splitter.add_markers();
  return splitter.finish();
}

}  // namespace syncline::pipeline
