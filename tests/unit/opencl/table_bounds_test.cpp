// The kernels that look rows up in a fingerprint table's copy, fill it and keep it equal touch
// nothing outside a lane's lines, cells and counts, to the byte, wherever a search wraps around and
// however full a lane is; and they do what a map would. Kernels bent by a cell, a line or a record
// must be noticed.
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "kernels/bodies/table.h"
#include "kernels/opencl/pool.h"
#include "tests/unit/opencl/bounds_fixture.hpp"

namespace syncline::opencl {
namespace {

using Cells = std::vector<uint64_t>;
using Records = std::map<uint64_t, Cells>;

constexpr uint32_t kWidths[] = {0, 1, 8, 63, 64, 65, SYN_FIELD_COUNT_MAX};

template <class T>
std::string_view bytes_of(const std::vector<T>& from) {
  return {reinterpret_cast<const char*>(from.data()), from.size() * sizeof(T)};
}

uint64_t slots_of(uint64_t line_count) {
  return line_count * SYN_SLOTS_PER_LINE;
}

// Keys whose home is the last line: beyond eight of them a search goes on at the first one.
uint64_t late_key(uint64_t number) {
  return ~uint64_t{0} - 1 - number;
}

Cells random_cells(uint32_t count, std::mt19937_64& random) {
  Cells out(count);
  for (uint64_t& cell : out) cell = (random() & SYN_CELL_MASK) | 2;
  return out;
}

// A pool of lanes of one size, and one lane that is empty: its places are of a closed page.
class Pool {
 public:
  enum Part : size_t { kKeys, kCounts, kCells, kPartCount };

  Pool(cl_context context, uint64_t line_count, uint32_t value_count, Edge edge)
      : line_count_(line_count),
        value_count_(value_count),
        edge_(edge),
        pool_(context, 0, size(kKeys), size(kCounts), size(kCells), size(kKeys), size(kCounts),
              size(kCells)),
        lanes_(context, kLaneCount * sizeof(syn_pool_lane), 0),
        used_(context, kLaneCount * sizeof(uint32_t), 0) {
    syn_pool_lane lanes[kLaneCount] = {};
    for (size_t i = 0; i < kFullLanes; ++i) {
      lanes[i] = {place(i, kKeys), place(i, kCounts), place(i, kCells), line_count};
    }
    const uint64_t closed = pool_.place(Edge::kBegin, 0) + size(kKeys) + 4096;
    lanes[kFullLanes] = {closed, closed, closed, 0};
    std::memcpy(lanes_.front(), lanes, sizeof lanes);
  }
  static constexpr size_t kFullLanes = 2;
  static constexpr uint32_t kLaneCount = kFullLanes + 1;

  cl_mem memory() const { return pool_.memory(); }
  cl_mem lanes() const { return lanes_.memory(); }
  cl_mem used() const { return used_.memory(); }
  uint64_t slot_count() const { return slots_of(line_count_); }

  syn_table_lane lane(size_t index) {
    return {reinterpret_cast<uint64_t*>(at(index, kKeys)), at(index, kCells), line_count_};
  }
  // As the contract says: the home line, or the next one with an empty slot.
  void put(size_t index, uint64_t key_bits, const Cells& cells) {
    const syn_table_lane to = lane(index);
    uint64_t slot = syn_home_line(key_bits, line_count_) * SYN_SLOTS_PER_LINE;
    while (to.keys[slot] != SYN_KEY_EMPTY) slot = (slot + 1) % slot_count();
    to.keys[slot] = key_bits;
    for (uint32_t i = 0; i < value_count_; ++i) {
      std::memcpy(to.cells + (slot * value_count_ + i) * SYN_CELL_SIZE, &cells[i], SYN_CELL_SIZE);
    }
    ++reinterpret_cast<uint32_t*>(at(index, kCounts))[slot / SYN_SLOTS_PER_LINE];
    ++used_counts()[index];
  }
  void remove(size_t index, uint64_t key_bits) {
    lane(index).keys[syn_find_slot(lane(index), key_bits)] = SYN_KEY_REMOVED;
  }
  uint32_t* used_counts() { return reinterpret_cast<uint32_t*>(used_.front()); }

  void expect(size_t index, const Records& records) {
    size_t held = 0;
    for (uint64_t slot = 0; slot < slot_count(); ++slot) {
      const uint64_t key_bits = lane(index).keys[slot];
      held += key_bits != SYN_KEY_EMPTY && key_bits != SYN_KEY_REMOVED ? 1 : 0;
    }
    ASSERT_EQ(held, records.size());
    for (const auto& [key_bits, cells] : records) {
      const uint64_t slot = syn_find_slot(lane(index), key_bits);
      ASSERT_NE(slot, SYN_SLOT_ABSENT);
      const uint8_t* from = lane(index).cells + slot * value_count_ * SYN_CELL_SIZE;
      for (uint32_t i = 0; i < value_count_; ++i) ASSERT_EQ(syn_load_cell(from, i), cells[i]);
    }
  }

 private:
  size_t size(Part part) const {
    if (part == kKeys) return slots_of(line_count_) * sizeof(uint64_t);
    if (part == kCounts) return line_count_ * sizeof(uint32_t);
    return slots_of(line_count_) * value_count_ * SYN_CELL_SIZE;
  }
  uint64_t place(size_t index, Part part) {
    return pool_.place(edge_, size(part), index * kPartCount + part);
  }
  uint8_t* at(size_t index, Part part) {
    return pool_.at(edge_, size(part), index * kPartCount + part);
  }

  uint64_t line_count_;
  uint32_t value_count_;
  Edge edge_;
  Guarded pool_;
  Guarded lanes_;
  Guarded used_;
};

// Random keys and ones that crowd the last line, all slots but so many.
Records crowd(uint64_t line_count, uint64_t empty_count, uint32_t value_count,
              std::mt19937_64& random) {
  Records out;
  for (uint64_t i = 0; out.size() + empty_count < slots_of(line_count); ++i) {
    const uint64_t key_bits = i < 2 * SYN_SLOTS_PER_LINE ? late_key(i) : random() | 1;
    out[key_bits] = random_cells(value_count, random);
  }
  return out;
}

class DetectBounds : public BoundsTest {
 protected:
  struct Row {
    uint8_t op = SYN_OP_UPDATE;
    uint16_t lane = 0;
    uint64_t key_low = 0;
    Cells fingerprints;
  };
  struct Verdicts {
    uint32_t status = 0;
    std::string verdicts;
    std::string changed;
  };

  Verdicts detect(const std::vector<Row>& rows, uint32_t value_count, Pool& pool, Edge edge) {
    const size_t count = rows.size();
    std::vector<uint8_t> ops;
    std::vector<uint16_t> lanes;
    std::vector<syn_hash128> keys;
    Cells cells;
    for (const Row& row : rows) {
      ops.push_back(row.op);
      lanes.push_back(row.lane);
      keys.push_back({row.key_low, 7});
      cells.insert(cells.end(), row.fingerprints.begin(), row.fingerprints.end());
    }
    const size_t changed_size = count * ((value_count + 63) / 64) * sizeof(uint64_t);
    Guarded input(context_.get(), 0, count, count * sizeof(uint16_t));
    Guarded fingerprints(context_.get(), count * sizeof(syn_hash128),
                         count * value_count * sizeof(uint64_t));
    Guarded results(context_.get(), sizeof(uint32_t), count, changed_size);
    const cl_ulong op_at = input.put(edge, bytes_of(ops), 0);
    const cl_ulong lane_at = input.put(edge, bytes_of(lanes), 1);
    std::memcpy(fingerprints.front(), keys.data(), count * sizeof(syn_hash128));
    const cl_ulong cells_at = fingerprints.put(edge, bytes_of(cells));
    const cl_ulong verdicts_at = results.place(edge, count, 0);
    const cl_ulong changed_at = results.place(edge, changed_size, 1);
    run_items(count, "detect_rows", static_cast<cl_uint>(count), value_count, input.memory(), op_at,
              lane_at, fingerprints.memory(), cells_at, pool.memory(), pool.lanes(),
              results.memory(), verdicts_at, changed_at);
    Verdicts out;
    std::memcpy(&out.status, results.front(), sizeof out.status);
    out.verdicts = results.take(edge, count, 0);
    out.changed = results.take(edge, changed_size, 1);
    return out;
  }

  // By the contract's table, of a lane whose records are these.
  static void expect_judged(const Verdicts& given, const std::vector<Row>& rows,
                            uint32_t value_count, const Records& records) {
    const size_t word_count = (value_count + 63) / 64;
    for (size_t i = 0; i < rows.size(); ++i) {
      const Row& row = rows[i];
      const auto known =
          row.lane == 0 ? records.find(row.key_low == 0 ? 1 : row.key_low) : records.end();
      const bool is_known = known != records.end();
      std::vector<uint64_t> changed(word_count);
      bool is_any = false;
      for (uint32_t cell = 0; cell < value_count && row.op != SYN_OP_DELETE; ++cell) {
        const uint64_t now = syn_cell_of_fingerprint(row.fingerprints[cell]);
        if (now == SYN_CELL_UNKNOWN || (is_known && now == known->second[cell])) continue;
        changed[cell / 64] |= uint64_t{1} << cell % 64;
        is_any = true;
      }
      uint8_t verdict = is_known ? (is_any ? SYN_VERDICT_CHANGED : SYN_VERDICT_SAME)
                                 : static_cast<uint8_t>(SYN_VERDICT_NEW);
      if (row.op == SYN_OP_DELETE) verdict = is_known ? SYN_VERDICT_GONE : SYN_VERDICT_SAME;
      ASSERT_EQ(static_cast<uint8_t>(given.verdicts[i]), verdict) << "row " << i;
      ASSERT_TRUE(std::string_view(given.changed)
                      .substr(i * word_count * sizeof(uint64_t), word_count * sizeof(uint64_t)) ==
                  bytes_of(changed))
          << "row " << i;
    }
  }

  // All that a table knows, as it is and changed at its ends, and what it does not know; twice, and
  // the second time in the lane that is empty.
  static std::vector<Row> rows_of(const Records& records, uint32_t value_count,
                                  std::mt19937_64& random) {
    std::vector<Row> rows;
    for (const uint16_t lane : {uint16_t{0}, uint16_t{Pool::kFullLanes}}) {
      for (const auto& [key_bits, cells] : records) {
        rows.push_back({SYN_OP_SNAPSHOT, lane, key_bits, cells});
        rows.push_back({static_cast<uint8_t>(random() % 256), lane, key_bits, cells});
        if (value_count > 0) rows.back().fingerprints.back() ^= 4;
        rows.push_back({SYN_OP_DELETE, lane, key_bits, cells});
        rows.push_back({SYN_OP_UPDATE, lane, key_bits, Cells(value_count)});
      }
      for (int i = 0; i < 10; ++i) {
        rows.push_back({SYN_OP_INSERT, lane, random(), random_cells(value_count, random)});
        rows.push_back({SYN_OP_DELETE, lane, late_key(100 + random() % 9), Cells(value_count)});
      }
      rows.push_back({SYN_OP_INSERT, lane, 0, Cells(value_count, SYN_FINGERPRINT_NULL)});
    }
    return rows;
  }
};

TEST_P(DetectBounds, RowsOfTablesThatAreNearlyFull) {
  build();
  std::mt19937_64 random(5);
  for (const uint32_t value_count : kWidths) {
    for (const uint64_t line_count : {1u, 2u, 9u}) {
      Records records = crowd(line_count, 1, value_count, random);
      const std::vector<Row> rows = rows_of(records, value_count, random);
      for (const Edge edge : kEdges) {
        SCOPED_TRACE(std::to_string(value_count) + " cells, lines " + std::to_string(line_count));
        Pool pool(context_.get(), line_count, value_count, edge);
        for (const auto& [key_bits, cells] : records) pool.put(0, key_bits, cells);
        pool.remove(0, records.begin()->first);
        records.erase(records.begin());
        const Verdicts given = detect(rows, value_count, pool, edge);
        ASSERT_EQ(Guards::take_touches(), 0);
        ASSERT_EQ(given.status, 0u);
        expect_judged(given, rows, value_count, records);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(DetectBounds, NoRowsAndAKeyThatNoCopyCanHold) {
  build();
  for (const Edge edge : kEdges) {
    Pool pool(context_.get(), 2, 3, edge);
    EXPECT_EQ(detect({}, 3, pool, edge).status, 0u);
    const std::vector<Row> rows = {{SYN_OP_INSERT, 0, SYN_KEY_REMOVED, Cells(3, 99)}};
    EXPECT_EQ(detect(rows, 3, pool, edge).status, SYN_DETECT_RESERVED);
    EXPECT_EQ(Guards::take_touches(), 0);
  }
}

class BentDetects : public DetectBounds {};

TEST_P(BentDetects, AreNoticed) {
  const Bend bends[] = {
      {"a row too many", "if (row >= row_count) return;\n  const uchar op",
       "if (row > row_count) return;\n  const uchar op"},
      {"a line too many", "return line + 1 == line_count ? 0 : line + 1;",
       "return line == line_count ? 0 : line + 1;"},
      {"a slot too many", "slot < first + SYN_SLOTS_PER_LINE; ++slot) {",
       "slot <= first + SYN_SLOTS_PER_LINE; ++slot) {"},
      {"a cell is the next one",
       "? syn_load_cell(lane.cells + slot * value_count * SYN_CELL_SIZE, i)",
       "? syn_load_cell(lane.cells + slot * value_count * SYN_CELL_SIZE, i + 1)"},
      {"a bitmap has a word too many", "for (uint32_t word = 0; word * 64 < value_count; ++word) {",
       "for (uint32_t word = 0; word * 64 <= value_count; ++word) {"},
      {"a lane is the next one", "syn_detect_row(lane_of(pool, lanes[lane]), op,",
       "syn_detect_row(lane_of(pool, lanes[lane + 1]), op,"},
      {"a verdict is the next row's",
       "results[verdicts_at + row] =", "results[verdicts_at + row + 1] ="}};
  std::mt19937_64 random(6);
  constexpr uint32_t kValueCount = 64;
  const Records records = crowd(2, 1, kValueCount, random);
  const std::vector<Row> rows = rows_of(records, kValueCount, random);
  for (const Bend& bend : bends) {
    build_bent(bend, {"detect_rows"});
    if (HasFatalFailure()) return;
    Pool pool(context_.get(), 2, kValueCount, Edge::kEnd);
    for (const auto& [key_bits, cells] : records) pool.put(0, key_bits, cells);
    detect(rows, kValueCount, pool, Edge::kEnd);
    EXPECT_GT(Guards::take_touches(), 0) << bend.what;
  }
}

class FillBounds : public BoundsTest {
 protected:
  // Slots of another lane: records, and between them what is empty or was removed.
  void fill(const Records& records, uint32_t value_count, Pool& pool, Edge edge) {
    std::vector<uint64_t> keys;
    std::string cells;
    for (const auto& [key_bits, values] : records) {
      for (const uint64_t key : {uint64_t{SYN_KEY_REMOVED}, uint64_t{SYN_KEY_EMPTY}, key_bits}) {
        keys.push_back(key);
        for (const uint64_t cell : values) {
          cells.append(reinterpret_cast<const char*>(&cell), SYN_CELL_SIZE);
        }
      }
    }
    Guarded from(context_.get(), 0, keys.size() * sizeof(uint64_t), cells.size());
    const cl_ulong keys_at = from.put(edge, bytes_of(keys), 0);
    const cl_ulong cells_at = from.put(edge, cells, 1);
    const cl_uint lane = Pool::kFullLanes - 1;
    run_items(keys.size(), "fill_slots", static_cast<cl_uint>(keys.size()), value_count,
              from.memory(), keys_at, cells_at, pool.memory(), pool.lanes(), lane, pool.used());
  }
};

TEST_P(FillBounds, LanesThatBecomeNearlyFull) {
  build();
  std::mt19937_64 random(8);
  for (const uint32_t value_count : kWidths) {
    for (const uint64_t line_count : {1u, 2u, 9u, 40u}) {
      for (const Edge edge : kEdges) {
        SCOPED_TRACE(std::to_string(value_count) + " cells, lines " + std::to_string(line_count));
        Pool pool(context_.get(), line_count, value_count, edge);
        const Records records = crowd(line_count, 1, value_count, random);
        fill(records, value_count, pool, edge);
        fill({}, value_count, pool, edge);
        ASSERT_EQ(Guards::take_touches(), 0);
        ASSERT_EQ(pool.used_counts()[1], records.size());
        pool.expect(1, records);
        pool.expect(0, {});
        if (HasFatalFailure()) return;
      }
    }
  }
}

class BentFills : public FillBounds {};

TEST_P(BentFills, AreNoticed) {
  const Bend bends[] = {
      {"a slot too many", "if (at >= slot_count) return;", "if (at > slot_count) return;"},
      {"half a cell too many", "for (ulong i = 0; i < half_count; ++i) target[i] = source[i];",
       "for (ulong i = 0; i <= half_count; ++i) target[i] = source[i];"},
      {"a line too many", "return line + 1 == line_count ? 0 : line + 1;",
       "return line == line_count ? 0 : line + 1;"},
      {"a count is the next lane's", "take_slot(pool, lane, key_bits, used + lane_index);",
       "take_slot(pool, lane, key_bits, used + lane_index + 2);"}};
  std::mt19937_64 random(9);
  const Records records = crowd(2, 1, 4, random);
  for (const Bend& bend : bends) {
    build_bent(bend, {"fill_slots"});
    if (HasFatalFailure()) return;
    Pool pool(context_.get(), 2, 4, Edge::kEnd);
    fill(records, 4, pool, Edge::kEnd);
    EXPECT_GT(Guards::take_touches(), 0) << bend.what;
  }
}

class DeltaBounds : public BoundsTest {
 protected:
  // Records as they lie in a table's log, and what a map makes of them.
  struct Log {
    std::string bytes;
    std::vector<uint32_t> offsets;
  };

  static void add(Log& log, uint8_t kind, uint64_t key_bits) {
    log.offsets.push_back(static_cast<uint32_t>(log.bytes.size()));
    log.bytes += static_cast<char>(kind);
    log.bytes.append(reinterpret_cast<const char*>(&key_bits), sizeof key_bits);
  }
  static void add_cell(Log& log, uint64_t cell) {
    log.bytes.append(reinterpret_cast<const char*>(&cell), SYN_CELL_SIZE);
  }
  static void put(Log& log, Records& records, uint64_t key_bits, const Cells& cells) {
    add(log, SYN_DELTA_PUT, key_bits);
    for (const uint64_t cell : cells) add_cell(log, cell);
    records[key_bits] = cells;
  }
  static void change(Log& log, Records& records, uint64_t key_bits, const Cells& cells,
                     std::mt19937_64& random) {
    add(log, SYN_DELTA_CHANGE, key_bits);
    const size_t bitmap_at = log.bytes.size();
    log.bytes.append((cells.size() + 7) / 8, '\0');
    Cells& held =
        records.try_emplace(key_bits, Cells(cells.size(), SYN_CELL_UNKNOWN)).first->second;
    for (size_t i = 0; i < cells.size(); ++i) {
      if (random() % 2 == 0) continue;
      log.bytes[bitmap_at + i / 8] = static_cast<char>(log.bytes[bitmap_at + i / 8] | 1 << i % 8);
      add_cell(log, cells[i]);
      held[i] = cells[i];
    }
  }
  static void remove(Log& log, Records& records, uint64_t key_bits) {
    add(log, SYN_DELTA_REMOVE, key_bits);
    records.erase(key_bits);
  }

  void apply(const Log (&logs)[Pool::kFullLanes], uint32_t worker_count, uint32_t value_count,
             Pool& pool, Edge edge) {
    std::vector<syn_lane_delta> deltas(Pool::kLaneCount);
    std::vector<uint32_t> offsets;
    std::string bytes;
    for (size_t i = 0; i < Pool::kFullLanes; ++i) {
      deltas[i] = {static_cast<uint32_t>(bytes.size()), static_cast<uint32_t>(offsets.size()),
                   static_cast<uint32_t>(logs[i].offsets.size())};
      offsets.insert(offsets.end(), logs[i].offsets.begin(), logs[i].offsets.end());
      bytes += logs[i].bytes;
    }
    Guarded input(context_.get(), deltas.size() * sizeof(syn_lane_delta),
                  offsets.size() * sizeof(uint32_t), bytes.size());
    std::memcpy(input.front(), deltas.data(), deltas.size() * sizeof(syn_lane_delta));
    const cl_ulong offsets_at = input.put(edge, bytes_of(offsets), 0);
    const cl_ulong bytes_at = input.put(edge, bytes, 1);
    run_items(size_t{Pool::kLaneCount} * worker_count, "apply_deltas", cl_uint{Pool::kLaneCount},
              worker_count, value_count, input.memory(), offsets_at, bytes_at, pool.memory(),
              pool.lanes(), pool.used());
  }

  // So many records of keys that come again and again; the last one has no body.
  static Log random_log(size_t count, uint32_t value_count, Records& records,
                        std::mt19937_64& random) {
    Log log;
    for (size_t i = 0; i + 1 < count; ++i) {
      const uint64_t key_bits = late_key(random() % 12);
      const Cells cells = random_cells(value_count, random);
      const uint64_t dice = random() % 8;
      if (dice < 3) put(log, records, key_bits, cells);
      if (dice >= 3 && dice < 7) change(log, records, key_bits, cells, random);
      if (dice == 7) remove(log, records, key_bits);
    }
    remove(log, records, late_key(random() % 12));
    return log;
  }
};

TEST_P(DeltaBounds, RecordsInTheirOrderByAnyNumberOfWorkers) {
  build();
  std::mt19937_64 random(12);
  for (const uint32_t value_count : kWidths) {
    for (const uint32_t worker_count : {1u, 3u, 32u}) {
      for (const Edge edge : kEdges) {
        SCOPED_TRACE(std::to_string(value_count) + " cells, workers " +
                     std::to_string(worker_count));
        Pool pool(context_.get(), 6, value_count, edge);
        Records records[Pool::kFullLanes];
        for (int round = 0; round < 2; ++round) {
          const Log logs[] = {random_log(20, value_count, records[0], random),
                              random_log(round == 0 ? 1 : 15, value_count, records[1], random)};
          apply(logs, worker_count, value_count, pool, edge);
        }
        ASSERT_EQ(Guards::take_touches(), 0);
        for (size_t lane = 0; lane < Pool::kFullLanes; ++lane) pool.expect(lane, records[lane]);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(DeltaBounds, NoRecords) {
  build();
  for (const Edge edge : kEdges) {
    Pool pool(context_.get(), 2, 3, edge);
    apply({}, 4, 3, pool, edge);
    EXPECT_EQ(Guards::take_touches(), 0);
    pool.expect(0, {});
  }
}

class BentDeltas : public DeltaBounds {};

TEST_P(BentDeltas, AreNoticed) {
  const Bend bends[] = {
      {"a lane too many", "if (lane_index >= lane_count) return;",
       "if (lane_index > lane_count) return;"},
      {"a record too many", "for (uint i = 0; i < delta.count; ++i) {",
       "for (uint i = 0; i <= delta.count; ++i) {"},
      {"a key is read a byte further", "syn_read_number(record + 1, sizeof(ulong));",
       "syn_read_number(record + 2, sizeof(ulong));"},
      {"a cell is the next one", "syn_store_cell(cells, i, syn_read_number(from, SYN_CELL_SIZE));",
       "syn_store_cell(cells, i + 1, syn_read_number(from, SYN_CELL_SIZE));"},
      {"cells lie a byte further", "pool + lane.cells_at + slot * value_count",
       "pool + lane.cells_at + 1 + slot * value_count"},
      {"a search goes on a line too far", "return line + 1 == line_count ? 0 : line + 1;",
       "return line == line_count ? 0 : line + 1;"}};
  for (const Bend& bend : bends) {
    build_bent(bend, {"apply_deltas"});
    if (HasFatalFailure()) return;
    Pool pool(context_.get(), 2, 3, Edge::kEnd);
    Log logs[Pool::kFullLanes];
    Records records;
    for (uint64_t i = 0; i <= SYN_SLOTS_PER_LINE; ++i) put(logs[1], records, late_key(i), Cells(3));
    remove(logs[1], records, late_key(0));
    apply(logs, 1, 3, pool, Edge::kEnd);
    EXPECT_GT(Guards::take_touches(), 0) << bend.what;
  }
}

INSTANTIATE_TEST_SUITE_P(Groups, DetectBounds, testing::Values(32u), width_name);
INSTANTIATE_TEST_SUITE_P(Groups, FillBounds, testing::Values(32u), width_name);
INSTANTIATE_TEST_SUITE_P(Groups, DeltaBounds, testing::Values(32u), width_name);
INSTANTIATE_TEST_SUITE_P(Groups, BentDetects, testing::Values(32u), width_name);
INSTANTIATE_TEST_SUITE_P(Groups, BentFills, testing::Values(32u), width_name);
INSTANTIATE_TEST_SUITE_P(Groups, BentDeltas, testing::Values(32u), width_name);

}  // namespace
}  // namespace syncline::opencl
