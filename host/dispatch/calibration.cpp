#include "host/dispatch/calibration.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <iterator>
#include <string>
#include <thread>

#include "host/base/random.hpp"

namespace syncline::dispatch {
namespace {

constexpr uint32_t kRowCounts[] = {32, 2048, 32768};
constexpr size_t kMiddleCount =
    2;  // of those, what engines are measured with that are not very slow
// As mixed as rows are: an engine that likes cells of one length would look too good.
constexpr uint32_t kCellSizes[] = {12, 8, 4, 16, 30, 2, 10, 20, 24};
constexpr uint32_t kFieldCount = std::size(kCellSizes);
constexpr size_t kRepeatMax = 16;
constexpr size_t kLargeRepeatMax = 5;
constexpr std::chrono::microseconds kReadyPause(200);

// A batch of inserts with distinct keys and cells, all in lane 0.
class SampleBatch {
 public:
  explicit SampleBatch(uint32_t row_count)
      : ops_(row_count, SYN_OP_INSERT),
        lanes_(row_count, 0),
        key_lengths_(row_count, kCellSizes[0]) {
    uint32_t size = 0;
    for (uint32_t row = 0; row < row_count; ++row) {
      key_offsets_.push_back(size);
      for (const uint32_t cell_size : kCellSizes) {
        cell_offsets_.push_back(size);
        cell_lengths_.push_back(cell_size);
        size += cell_size;
      }
    }
    arena_.resize(size);
    uint32_t state = 1;
    for (uint8_t& byte : arena_) {
      state = state * 1664525u + 1013904223u;
      byte = static_cast<uint8_t>('0' + (state >> 28));
    }
  }

  syn_batch view() const {
    syn_batch batch{};
    batch.row_count = static_cast<uint32_t>(ops_.size());
    batch.field_count = kFieldCount;
    batch.key_count = 1;
    batch.arena_size = static_cast<uint32_t>(arena_.size());
    batch.op = ops_.data();
    batch.lane = lanes_.data();
    batch.key_offset = key_offsets_.data();
    batch.key_length = key_lengths_.data();
    batch.cell_offset = cell_offsets_.data();
    batch.cell_length = cell_lengths_.data();
    batch.arena = arena_.data();
    return batch;
  }
  std::string_view arena() const {
    return {reinterpret_cast<const char*>(arena_.data()), arena_.size()};
  }

 private:
  std::vector<uint8_t> ops_;
  std::vector<uint16_t> lanes_;
  std::vector<uint32_t> key_offsets_;
  std::vector<uint32_t> key_lengths_;
  std::vector<uint32_t> cell_offsets_;
  std::vector<uint32_t> cell_lengths_;
  std::vector<uint8_t> arena_;
};

// A table of one lane that knows every row of a sample as it is: what detect meets most of the
// time. Laid out as the contract says.
class SampleTable {
 public:
  void fill(const engine::Fingerprints& fingerprints) {
    constexpr size_t kValueCount = kFieldCount - 1;
    if (fingerprints.cells.size() != fingerprints.keys.size() * kValueCount) return;
    lines_.assign(fingerprints.keys.size() / kRecordsPerLine + 1, Line{});
    const size_t slot_count = lines_.size() * SYN_SLOTS_PER_LINE;
    cells_.assign(slot_count * kValueCount * SYN_CELL_SIZE + SYN_TABLE_SLACK_SIZE, 0);
    for (size_t row = 0; row < fingerprints.keys.size(); ++row) {
      const size_t slot = take_slot(syn_key_bits(fingerprints.keys[row]));
      uint8_t* to = cells_.data() + slot * kValueCount * SYN_CELL_SIZE;
      for (size_t i = 0; i < kValueCount; ++i, to += SYN_CELL_SIZE) {
        const uint64_t cell = syn_cell_of_fingerprint(fingerprints.cells[row * kValueCount + i]);
        std::memcpy(to, &cell, SYN_CELL_SIZE);
      }
    }
    lane_.keys = lines_[0].slots;
    lane_.cells = cells_.data();
    lane_.line_count = lines_.size();
    id_ = system_random().u64() | 1;
  }

  engine::TableRef ref() const {
    return {.lanes = &lane_, .lane_count = 1, .value_count = kFieldCount - 1, .id = id_};
  }

 private:
  static constexpr size_t kRecordsPerLine = 7;
  struct alignas(SYN_SLOTS_PER_LINE * sizeof(uint64_t)) Line {
    uint64_t slots[SYN_SLOTS_PER_LINE] = {};
  };

  size_t take_slot(uint64_t key_bits) {
    const size_t slot_count = lines_.size() * SYN_SLOTS_PER_LINE;
    size_t slot = syn_home_line(key_bits, lines_.size()) * SYN_SLOTS_PER_LINE;
    const auto at = [this](size_t index) -> uint64_t& {
      return lines_[index / SYN_SLOTS_PER_LINE].slots[index % SYN_SLOTS_PER_LINE];
    };
    while (at(slot) != SYN_KEY_EMPTY) slot = (slot + 1) % slot_count;
    at(slot) = key_bits;
    return slot;
  }

  std::vector<Line> lines_;
  std::vector<uint8_t> cells_;
  engine::TableLaneLog log_;
  engine::TableLaneRef lane_{.log = &log_};
  uint64_t id_ = system_random().u64() | 1;
};

// Everything the four stages need, and what they give.
struct Sample {
  explicit Sample(uint32_t row_count) : rows(row_count), batch(rows.view()) {
    columns.push_back({1, 0, rows.arena()});
  }

  // What a stage takes that another one makes. The nonces are never used again: the key is zero.
  Result<void> prepare(engine::Engine& engine, engine::Stage stage) {
    if (stage == engine::Stage::kDetect) {
      SYN_TRY(engine.fingerprint(batch, secret, fingerprints));
      table.fill(fingerprints);
      return success();
    }
    if (stage != engine::Stage::kOpen) return success();
    SYN_TRY(sealed, engine.seal(columns, key, "calibration"));
    return success();
  }

  Result<void> run(engine::Engine& engine, engine::Stage stage) {
    switch (stage) {
      case engine::Stage::kFingerprint:
        return engine.fingerprint(batch, secret, fingerprints);
      case engine::Stage::kDetect:
        return engine.detect(batch, fingerprints, table.ref(), detected);
      case engine::Stage::kSeal: {
        SYN_TRY(engine.seal(columns, key, "calibration"));
        return success();
      }
      case engine::Stage::kOpen: {
        SYN_TRY(engine.open(sealed.bytes, key, "calibration", digest));
        return success();
      }
    }
    return success();
  }

  double bytes(engine::Stage stage) const {
    if (stage == engine::Stage::kFingerprint) return fingerprint_bytes(batch);
    if (stage == engine::Stage::kDetect) return detect_bytes(fingerprints);
    if (stage == engine::Stage::kSeal) return seal_bytes(columns);
    return static_cast<double>(sealed.bytes.size());
  }

  SampleBatch rows;
  syn_batch batch;
  engine::Secret secret{};
  engine::Fingerprints fingerprints;
  SampleTable table;
  engine::Detected detected;
  std::vector<engine::ColumnView> columns;
  engine::SealKey key;
  engine::Sealed sealed;
  std::array<uint8_t, 32> digest{};
};

// One size, and what its calls took.
class SizeRun {
 public:
  explicit SizeRun(uint32_t row_count) : sample_(row_count) {}

  // With a call that warms up: tables, buffers, clocks.
  Result<void> start(engine::Engine& engine, engine::Stage stage, Clock& clock, int64_t end_us) {
    SYN_TRY(sample_.prepare(engine, stage));
    bytes_ = sample_.bytes(stage);
    SYN_TRY(first_us_, run_when_ready(engine, stage, clock, end_us));
    return success();
  }

  Result<void> measure(engine::Engine& engine, engine::Stage stage, Clock& clock) {
    SYN_TRY(const double us, run(engine, stage, clock));
    us_.push_back(us);
    return success();
  }

  // The call that warmed up says more than none.
  void take_first_call() {
    if (us_.empty()) us_.push_back(first_us_);
  }

  bool is_measured() const { return !us_.empty(); }
  double us_least() const { return *std::min_element(us_.begin(), us_.end()); }
  // What the next call may take.
  int64_t next_us() const { return static_cast<int64_t>(is_measured() ? us_least() : first_us_); }
  int64_t once_us() const {
    return std::max<int64_t>(static_cast<int64_t>(first_us_) - next_us(), 0);
  }

  SizeCost cost() const {
    std::vector<double> sorted = us_;
    std::sort(sorted.begin(), sorted.end());
    return {bytes_, sorted[sorted.size() / 4], static_cast<double>(sorted.size())};
  }

 private:
  Result<double> run(engine::Engine& engine, engine::Stage stage, Clock& clock) {
    const int64_t start_us = clock.steady_us();
    SYN_TRY(sample_.run(engine, stage));
    return static_cast<double>(clock.steady_us() - start_us);
  }

  Result<double> run_when_ready(engine::Engine& engine, engine::Stage stage, Clock& clock,
                                int64_t end_us) {
    for (;;) {
      auto ran = run(engine, stage, clock);
      const bool is_waiting = !ran && ran.error().code == ErrorCode::kEngineNotReady;
      if (!is_waiting || clock.steady_us() >= end_us) return ran;
      std::this_thread::sleep_for(kReadyPause);
    }
  }

  Sample sample_;
  double bytes_ = 0;
  double first_us_ = 0;
  std::vector<double> us_;
};

// What the large size will take until it is measured: two calls, and one that makes what it needs.
int64_t large_us(const std::deque<SizeRun>& runs) {
  constexpr double kGrowth = 1.0 * kRowCounts[kMiddleCount] / kRowCounts[kMiddleCount - 1];
  const double small = runs[0].us_least();
  const double middle = runs[kMiddleCount - 1].us_least();
  return static_cast<int64_t>(3 * (middle + kGrowth * std::max(middle - small, 0.0)));
}

std::vector<SizeCost> costs_of(const std::deque<SizeRun>& runs) {
  std::vector<SizeCost> out;
  out.reserve(runs.size());
  for (const SizeRun& run : runs) {
    if (run.is_measured()) out.push_back(run.cost());
  }
  return out;
}

Result<void> measure_sizes(engine::Engine& engine, engine::Stage stage, Clock& clock,
                           int64_t end_us, BatchSizes sizes, std::deque<SizeRun>& runs,
                           int64_t& once_us) {
  SizeRun& small = runs.emplace_back(kRowCounts[0]);
  SYN_TRY(small.start(engine, stage, clock, end_us));
  SYN_TRY(small.measure(engine, stage, clock));
  once_us = small.once_us();
  end_us += once_us;
  const auto fits = [&](int64_t us) { return clock.steady_us() + us < end_us; };
  for (size_t i = 1; i < kMiddleCount; ++i) {
    if (!fits(calls_needed(stage) * small.next_us())) return success();
    SYN_TRY(runs.emplace_back(kRowCounts[i]).start(engine, stage, clock, end_us));
    if (!fits(runs.back().next_us())) return success();
    SYN_TRY(runs.back().measure(engine, stage, clock));
  }
  if (sizes == BatchSizes::kUpToLarge && fits(large_us(runs))) {
    SYN_TRY(runs.emplace_back(kRowCounts[kMiddleCount]).start(engine, stage, clock, end_us));
    SYN_TRY(runs.back().measure(engine, stage, clock));
  }
  for (size_t repeat = 1; repeat < kRepeatMax; ++repeat) {
    for (size_t i = 0; i < runs.size(); ++i) {
      if (!fits(runs[i].next_us())) return success();
      if (i >= kMiddleCount && repeat >= kLargeRepeatMax) continue;
      SYN_TRY(runs[i].measure(engine, stage, clock));
    }
  }
  return success();
}

}  // namespace

double fingerprint_bytes(const syn_batch& batch) {
  return batch.arena_size;
}

double detect_bytes(const engine::Fingerprints& fingerprints) {
  return static_cast<double>(fingerprints.keys.size() * sizeof(syn_hash128) +
                             fingerprints.cells.size() * sizeof(uint64_t));
}

double seal_bytes(std::span<const engine::ColumnView> columns) {
  double size = 0;
  for (const engine::ColumnView& column : columns) size += static_cast<double>(column.bytes.size());
  return size;
}

int64_t calls_needed(engine::Stage stage) {
  return stage == engine::Stage::kDetect || stage == engine::Stage::kOpen ? 3 : 2;
}

Calibration calibrate_stage(engine::Engine& engine, engine::Stage stage, Clock& clock,
                            int64_t end_us, BatchSizes sizes) {
  std::deque<SizeRun> runs;
  Calibration out;
  out.end = measure_sizes(engine, stage, clock, end_us, sizes, runs, out.once_us);
  if (out.end.has_value()) {
    for (SizeRun& run : runs) run.take_first_call();
  }
  out.sizes = costs_of(runs);
  return out;
}

}  // namespace syncline::dispatch
