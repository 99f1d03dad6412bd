#include "host/state/fingerprint_table.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "host/base/assert.hpp"
#include "host/base/random.hpp"
#include "host/state/table_file_internal.hpp"
#include "host/state/table_lane_internal.hpp"

namespace syncline::state {
namespace {

// One record of a delta, or none at its end. Sizes were checked by is_well_formed.
struct DeltaRecord {
  uint8_t kind = 0;
  uint64_t key_bits = 0;
  const uint8_t* bitmap = nullptr;
  const uint8_t* cells = nullptr;
  size_t size = 0;
};

size_t bits_set(const uint8_t* bitmap, size_t value_count) {
  size_t count = 0;
  for (size_t i = 0; i < value_count; ++i) count += bitmap[i / 8] >> (i % 8) & 1;
  return count;
}

// Size 0: not a record.
DeltaRecord read_record(std::string_view rest, size_t value_count) {
  DeltaRecord record;
  if (rest.size() < SYN_DELTA_HEAD_SIZE) return record;
  const auto* bytes = reinterpret_cast<const uint8_t*>(rest.data());
  record.kind = bytes[0];
  std::memcpy(&record.key_bits, bytes + 1, sizeof record.key_bits);
  size_t size = SYN_DELTA_HEAD_SIZE;
  if (record.kind == SYN_DELTA_PUT) {
    record.cells = bytes + size;
    size += value_count * SYN_CELL_SIZE;
  } else if (record.kind == SYN_DELTA_CHANGE || record.kind == SYN_DELTA_SENT) {
    const size_t bitmap_size = (value_count + 7) / 8;
    if (rest.size() < size + bitmap_size) return record;
    record.bitmap = bytes + size;
    size += bitmap_size;
    record.cells = bytes + size;
    size += bits_set(record.bitmap, value_count) * SYN_CELL_SIZE;
  } else if (record.kind != SYN_DELTA_REMOVE && record.kind != SYN_DELTA_SEEN) {
    return record;
  }
  const bool is_whole = size <= rest.size() && record.key_bits != SYN_KEY_EMPTY;
  record.size = is_whole ? size : 0;
  return record;
}

bool is_well_formed(std::string_view delta, size_t value_count) {
  while (!delta.empty()) {
    const DeltaRecord record = read_record(delta, value_count);
    if (record.size == 0) return false;
    delta.remove_prefix(record.size);
  }
  return true;
}

void apply_change(TableLane& lane, uint64_t slot, const DeltaRecord& record, size_t value_count) {
  uint8_t* cells = lane.cells(slot);
  const uint8_t* from = record.cells;
  for (size_t i = 0; i < value_count; ++i) {
    if ((record.bitmap[i / 8] >> (i % 8) & 1) == 0) continue;
    std::memcpy(cells + i * SYN_CELL_SIZE, from, SYN_CELL_SIZE);
    from += SYN_CELL_SIZE;
  }
}

void apply_record(TableLane& lane, const DeltaRecord& record, size_t value_count) {
  if (record.kind == SYN_DELTA_PUT) {
    uint8_t* cells = lane.cells(lane.put(record.key_bits));
    std::memcpy(cells, record.cells, lane.record_size());
  } else if (record.kind == SYN_DELTA_CHANGE) {
    apply_change(lane, lane.put(record.key_bits), record, value_count);
  } else if (const uint64_t slot = lane.find(record.key_bits); slot == TableLane::kAbsent) {
    return;
  } else if (record.kind == SYN_DELTA_SENT) {
    apply_change(lane, slot, record, value_count);
  } else if (record.kind == SYN_DELTA_REMOVE) {
    lane.remove(slot);
  } else {
    lane.mark_seen(slot);
  }
}

// As what a copy takes it over. Nothing: it changes none.
std::optional<uint8_t> kind_for_copies(const TableLane& lane, const DeltaRecord& record) {
  if (record.kind == SYN_DELTA_SEEN) return std::nullopt;
  if (record.kind != SYN_DELTA_SENT) return record.kind;
  if (lane.find(record.key_bits) == TableLane::kAbsent) return std::nullopt;
  return SYN_DELTA_CHANGE;
}

// How much of a lane's log is kept for the copies that follow it; the older half goes first, and
// all of it where no copy asked for it since the last time.
constexpr size_t kLogSizeMax = 256 << 10;

void drop_older_half(engine::TableLaneLog& log) {
  const size_t count = log.offsets.size() / 2 + 1;
  const uint32_t size =
      count < log.offsets.size() ? log.offsets[count] : static_cast<uint32_t>(log.bytes.size());
  log.bytes.erase(0, size);
  log.offsets.erase(log.offsets.begin(), log.offsets.begin() + static_cast<ptrdiff_t>(std::min(
                                                                   count, log.offsets.size())));
  for (uint32_t& offset : log.offsets) offset -= size;
  log.first = log.end - log.offsets.size();
}

void forget_all(engine::TableLaneLog& log) {
  log.bytes.clear();
  log.offsets.clear();
  log.first = log.end;
}

// A copy of this lane has to start again: it changed by something else than a delta.
void break_log(engine::TableLaneLog& log) {
  ++log.end;
  forget_all(log);
}

void shorten(engine::TableLaneLog& log) {
  if (log.is_followed.exchange(false, std::memory_order_relaxed)) {
    drop_older_half(log);
    return;
  }
  forget_all(log);
  log.bytes.shrink_to_fit();
  log.offsets.shrink_to_fit();
  log.is_kept = false;
}

void log_record(engine::TableLaneLog& log, uint8_t kind, std::string_view record) {
  ++log.end;
  if (!log.is_kept) {
    log.is_kept = log.is_followed.load(std::memory_order_relaxed);
    if (!log.is_kept) {
      log.first = log.end;
      return;
    }
  }
  log.offsets.push_back(static_cast<uint32_t>(log.bytes.size()));
  log.bytes += static_cast<char>(kind);
  log.bytes += record.substr(1);
  while (log.is_kept && log.bytes.size() > kLogSizeMax) shorten(log);
}

}  // namespace

namespace {

// Keys spread evenly over lanes, give or take a few standard deviations.
size_t records_per_lane(size_t record_count, size_t lane_count) {
  const double mean = static_cast<double>(record_count) / static_cast<double>(lane_count);
  return static_cast<size_t>(mean + 4 * std::sqrt(mean)) + 1;
}

}  // namespace

struct FingerprintTable::Parts {
  size_t value_count = 0;
  bool is_sweeping = false;
  uint64_t id = 0;
  std::vector<TableLane> lanes;
  std::vector<engine::TableLaneLog> logs;
  std::vector<engine::TableLaneRef> refs;  // refs[i] is that of lanes[i] and logs[i], always

  void update_ref(size_t lane) {
    refs[lane] = lanes[lane].ref();
    refs[lane].log = &logs[lane];
  }
};

FingerprintTable::FingerprintTable(size_t value_count, size_t lane_count)
    : parts_(std::make_unique<Parts>()) {
  SYN_ASSERT(value_count <= SYN_FIELD_COUNT_MAX);
  parts_->value_count = value_count;
  parts_->id = system_random().u64() | 1;
  parts_->logs = std::vector<engine::TableLaneLog>(lane_count);
  parts_->refs.resize(lane_count);
  for (size_t i = 0; i < lane_count; ++i) {
    parts_->lanes.emplace_back(value_count);
    parts_->update_ref(i);
  }
}

FingerprintTable::~FingerprintTable() = default;
FingerprintTable::FingerprintTable(FingerprintTable&&) noexcept = default;
FingerprintTable& FingerprintTable::operator=(FingerprintTable&&) noexcept = default;

engine::TableRef FingerprintTable::ref() const {
  return {
      .lanes = parts_->refs.data(),
      .lane_count = static_cast<uint32_t>(parts_->refs.size()),
      .value_count = static_cast<uint32_t>(parts_->value_count),
      .is_sweeping = parts_->is_sweeping ? 1u : 0u,
      .id = parts_->id,
  };
}

Result<void> FingerprintTable::apply(model::LaneIndex lane, std::string_view delta) {
  if (lane >= parts_->lanes.size() || !is_well_formed(delta, parts_->value_count)) {
    return fail(ErrorCode::kDamaged, "a delta of a fingerprint table is not one",
                "it was made for another schema, or its bytes were changed",
                "run: syncline resync, which scans the dataset and builds the table anew");
  }
  constexpr int kAhead = 8;  // records whose lines are on their way
  TableLane& table = parts_->lanes[lane];
  std::string_view ahead = delta;
  const auto ask_next = [&] {
    if (ahead.empty()) return;
    const DeltaRecord record = read_record(ahead, parts_->value_count);
    table.prefetch(record.key_bits);
    ahead.remove_prefix(record.size);
  };
  for (int i = 0; i < kAhead; ++i) ask_next();
  while (!delta.empty()) {
    ask_next();
    const DeltaRecord record = read_record(delta, parts_->value_count);
    apply_record(table, record, parts_->value_count);
    if (const auto kind = kind_for_copies(table, record)) {
      log_record(parts_->logs[lane], *kind, delta.substr(0, record.size));
    }
    delta.remove_prefix(record.size);
  }
  parts_->update_ref(lane);
  return success();
}

void FingerprintTable::begin_sweep() {
  for (TableLane& lane : parts_->lanes) lane.mark_all_unseen();
  parts_->is_sweeping = true;
}

FingerprintTable::Unseen FingerprintTable::unseen(model::LaneIndex lane) const {
  const TableLane& table = parts_->lanes[lane];
  Unseen unseen;
  for (uint64_t slot = 0; slot < table.slot_count(); ++slot) {
    const uint64_t key_bits = table.key_bits(slot);
    if (key_bits == SYN_KEY_EMPTY || table.is_seen(slot)) continue;
    char record[SYN_DELTA_HEAD_SIZE] = {static_cast<char>(SYN_DELTA_REMOVE)};
    std::memcpy(record + 1, &key_bits, sizeof key_bits);
    unseen.delta.append(record, sizeof record);
    unseen.key_bits.push_back(key_bits);
  }
  return unseen;
}

void FingerprintTable::end_sweep() {
  parts_->is_sweeping = false;
}

bool FingerprintTable::is_sweeping() const {
  return parts_->is_sweeping;
}

void FingerprintTable::reserve(size_t record_count) {
  const size_t per_lane = records_per_lane(record_count, parts_->lanes.size());
  for (size_t i = 0; i < parts_->lanes.size(); ++i) {
    parts_->lanes[i].reserve(per_lane);
    parts_->update_ref(i);
  }
}

void FingerprintTable::expect(size_t record_count) {
  const size_t lane_count = parts_->lanes.size();
  const size_t per_lane = record_count == 0 ? 0 : records_per_lane(record_count, lane_count);
  for (size_t i = 0; i < lane_count; ++i) {
    parts_->lanes[i].expect(per_lane);
    parts_->update_ref(i);
  }
}

size_t FingerprintTable::record_count() const {
  size_t count = 0;
  for (const TableLane& lane : parts_->lanes) count += lane.record_count();
  return count;
}

size_t FingerprintTable::record_count(model::LaneIndex lane) const {
  return parts_->lanes[lane].record_count();
}

size_t FingerprintTable::size_bytes() const {
  size_t size = sizeof(Parts) + parts_->lanes.size() * (sizeof(TableLane) + sizeof parts_->refs[0]);
  for (const TableLane& lane : parts_->lanes) size += lane.size_bytes();
  for (const engine::TableLaneLog& log : parts_->logs) {
    size += sizeof log + log.bytes.capacity() + log.offsets.capacity() * sizeof(uint32_t);
  }
  return size;
}

bool FingerprintTable::contains(model::LaneIndex lane, const syn_hash128& key) const {
  return contains(lane, syn_key_bits(key));
}

bool FingerprintTable::contains(model::LaneIndex lane, uint64_t key_bits) const {
  return parts_->lanes[lane].find(key_bits) != TableLane::kAbsent;
}

void FingerprintTable::clear(model::LaneIndex lane) {
  parts_->lanes[lane].clear();
  break_log(parts_->logs[lane]);
  parts_->update_ref(lane);
}

Result<void> FingerprintTable::save(Disk& disk, const std::string& path, model::LaneIndex lane,
                                    uint64_t frame_number) const {
  return disk.replace(path, encode_table_lane(parts_->lanes[lane], lane, frame_number));
}

Result<uint64_t> FingerprintTable::load(Disk& disk, const std::string& path,
                                        model::LaneIndex lane) {
  clear(lane);
  SYN_TRY(const bool is_there, disk.exists(path));
  if (!is_there) return uint64_t{0};
  SYN_TRY(const std::string bytes, disk.read_all(path));
  auto frame_number = decode_table_lane(bytes, path, lane, parts_->lanes[lane]);
  if (!frame_number) parts_->lanes[lane].clear();
  break_log(parts_->logs[lane]);
  parts_->update_ref(lane);
  return frame_number;
}

}  // namespace syncline::state
