#include "host/compare/compare.hpp"

#include <algorithm>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <unordered_set>
#include <utility>

#include "host/base/assert.hpp"
#include "host/model/batch.hpp"
#include "host/model/key.hpp"

namespace syncline::compare {
namespace {

constexpr size_t kCollisionsMax = 5;  // shown of one side
constexpr size_t kChunksRead = 3;     // behind the place where a key was met before
constexpr size_t kDescribedAtOnce = 256;

struct RowMark {  // a record of one side: which, what it holds, and where it was read
  model::KeyHash key;
  uint64_t content = 0;
  uint32_t chunk = 0;
};

using Rows = std::vector<RowMark>;
using Keys = std::unordered_set<model::KeyHash, model::KeyHashHasher>;

// What one side was read to be.
struct SideRows {
  Rows rows;                         // by key
  std::vector<std::string> cursors;  // where each chunk begins
  size_t rejected_count = 0;
};

// The chunks of each side that hold a record which differs, each record at the first side that has
// it.
using Places = std::vector<std::map<uint32_t, Keys>>;

class BatchSink final : public ports::ChangeSink {
 public:
  explicit BatchSink(const model::Schema& schema) : builder_(schema, 1) {}
  void begin(const ports::TransactionInfo&) override { builder_.begin_transaction({}); }
  void marker(const ports::MarkerRow&) override {}
  void row(const ports::ChangeRow& row) override {
    builder_.add_row(SYN_OP_SNAPSHOT, false, 0, row.cells);
  }
  void end() override {}
  model::Batch finish() { return builder_.finish(); }

 private:
  model::BatchBuilder builder_;
};

// Whole records as they stand, by the hash of their key.
class RecordSink final : public ports::ChangeSink {
 public:
  struct Record {
    std::string key;
    std::vector<model::Cell> cells;
  };
  RecordSink(const model::Schema& schema, std::map<model::KeyHash, Record>& out)
      : schema_(schema), out_(out) {}
  void begin(const ports::TransactionInfo&) override {}
  void marker(const ports::MarkerRow&) override {}
  void row(const ports::ChangeRow& row) override {
    Record record;
    record.key = model::join_key(row.cells.first(schema_.key_count));
    for (const model::CellView& cell : row.cells) record.cells.emplace_back(cell);
    out_[model::record_hash(record.key, schema_)] = std::move(record);
  }
  void end() override {}

 private:
  const model::Schema& schema_;
  std::map<model::KeyHash, Record>& out_;
};

// One number for all cells that travel; the order of the fields counts.
uint64_t content_of(const core::DatasetRules& rules, const uint64_t* cells) {
  constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15;
  const model::Schema& schema = *rules.schema;
  uint64_t content = 0;
  for (size_t value = 0; value < schema.value_count(); ++value) {
    if (!rules.travels(static_cast<model::FieldIndex>(schema.key_count + value))) continue;
    content = (content ^ cells[value]) * kMultiplier;
    content ^= content >> 32;
  }
  return content;
}

class Comparer {
 public:
  Comparer(const core::DatasetRules& rules, const std::vector<Side>& sides,
           dispatch::Dispatcher& dispatcher, const engine::Secret& secret, const Options& options)
      : rules_(rules), sides_(sides), dispatcher_(dispatcher), secret_(secret), options_(options) {}

  Result<Comparison> run() {
    std::vector<std::future<Result<SideRows>>> readings;
    readings.reserve(sides_.size());
    for (size_t side = 0; side < sides_.size(); ++side) {
      readings.push_back(
          std::async(std::launch::async, [this, side] { return read_whole(sides_[side]); }));
    }
    std::vector<Result<SideRows>> read;
    read.reserve(readings.size());
    for (auto& reading : readings) read.push_back(reading.get());
    std::vector<SideRows> sides;
    sides.reserve(read.size());
    for (Result<SideRows>& side : read) {
      if (!side) return std::move(side).as_failure();
      comparison_.record_counts.push_back(side.value().rows.size());
      comparison_.rejected_count += side.value().rejected_count;
      sides.push_back(std::move(side).value());
    }
    comparison_.missing_counts.resize(sides_.size());
    comparison_.collision_counts.resize(sides_.size());
    for (size_t side = 0; side < sides.size(); ++side) {
      SYN_TRY(find_collisions(side, sides[side]));
    }
    SYN_TRY(find_keys(sides, merge(sides)));
    if (!comparison_.differences.empty()) {
      SYN_TRY(fill_differences());
    }
    return std::move(comparison_);
  }

 private:
  // On a thread of the side's own.
  Result<SideRows> read_whole(const Side& side) {
    SideRows read;
    BatchSink sink(*rules_.schema);
    engine::Fingerprints fingerprints;
    std::string cursor;
    do {
      read.cursors.push_back(cursor);
      SYN_TRY(const auto chunk, side.source->read_snapshot(rules_.schema->dataset, cursor,
                                                           options_.chunk_rows, sink));
      cursor = chunk.cursor;
      read.rejected_count += chunk.rejected.size();
      const model::Batch batch = sink.finish();
      if (batch.row_count() == 0) continue;
      SYN_TRY(dispatcher_.fingerprint(batch.view(), secret_, fingerprints));
      add_rows(batch, fingerprints, static_cast<uint32_t>(read.cursors.size() - 1), read.rows);
      report_progress(batch.row_count());
    } while (!cursor.empty());
    std::sort(read.rows.begin(), read.rows.end(),
              [](const RowMark& a, const RowMark& b) { return a.key < b.key; });
    return read;
  }

  // Each counts once from here on.
  Result<void> find_collisions(size_t side, SideRows& read) {
    Keys twice;
    std::set<uint32_t> chunks;
    const Rows& rows = read.rows;
    for (size_t i = 1; i < rows.size(); ++i) {
      if (rows[i].key != rows[i - 1].key) continue;
      ++comparison_.collision_counts[side];
      if (twice.size() == kCollisionsMax && !twice.contains(rows[i].key)) continue;
      twice.insert(rows[i].key);
      chunks.insert({rows[i - 1].chunk, rows[i].chunk});
    }
    if (twice.empty()) return success();
    SYN_TRY(name_collisions(side, read, twice, chunks));
    const auto again =
        std::ranges::unique(read.rows, {}, [](const RowMark& row) { return row.key; });
    read.rows.erase(again.begin(), again.end());
    return success();
  }

  Result<void> name_collisions(size_t side, const SideRows& read, const Keys& twice,
                               const std::set<uint32_t>& chunks) {
    std::map<model::KeyHash, std::vector<std::string>> found;
    BatchSink sink(*rules_.schema);
    for (const uint32_t chunk : chunks) {
      SYN_TRY(sides_[side].source->read_snapshot(rules_.schema->dataset, read.cursors[chunk],
                                                 options_.chunk_rows, sink));
      const model::Batch batch = sink.finish();
      for (size_t row = 0; row < batch.row_count(); ++row) {
        const model::KeyHash hash = batch.key_hash(row);
        if (twice.contains(hash)) found[hash].emplace_back(batch.key(row));
      }
    }
    for (auto& [hash, keys] : found) comparison_.collisions.push_back({side, std::move(keys)});
    return success();
  }

  void report_progress(size_t row_count) {
    const std::lock_guard lock(progress_mutex_);
    rows_read_ += row_count;
    if (options_.on_progress) options_.on_progress(rows_read_);
  }

  void add_rows(const model::Batch& batch, const engine::Fingerprints& fingerprints, uint32_t chunk,
                Rows& rows) const {
    const size_t value_count = rules_.schema->value_count();
    for (size_t row = 0; row < batch.row_count(); ++row) {
      rows.push_back({batch.key_hash(row),
                      content_of(rules_, fingerprints.cells.data() + row * value_count), chunk});
    }
  }

  // Walks all sides in key order at once. Returns where what differs was read.
  Places merge(const std::vector<SideRows>& sides) {
    Places places(sides.size());
    std::vector<size_t> at(sides.size());
    while (true) {
      const RowMark* least = nullptr;
      size_t least_side = 0;
      for (size_t side = 0; side < sides.size(); ++side) {
        if (at[side] == sides[side].rows.size()) continue;
        const RowMark& row = sides[side].rows[at[side]];
        if (least != nullptr && !(row.key < least->key)) continue;
        least = &row;
        least_side = side;
      }
      if (least == nullptr) return places;
      if (!is_equal_everywhere(sides, at, least->key)) {
        places[least_side][least->chunk].insert(least->key);
      }
      ++comparison_.key_count;
    }
  }

  bool is_equal_everywhere(const std::vector<SideRows>& sides, std::vector<size_t>& at,
                           const model::KeyHash& key) {
    size_t there = 0;
    uint64_t content = 0;
    bool is_equal = true;
    for (size_t side = 0; side < sides.size(); ++side) {
      const Rows& rows = sides[side].rows;
      if (at[side] == rows.size() || rows[at[side]].key != key) {
        ++comparison_.missing_counts[side];
        continue;
      }
      const uint64_t own = rows[at[side]++].content;
      is_equal = is_equal && (there == 0 || own == content);
      content = own;
      ++there;
    }
    if (there < sides.size()) {
      ++comparison_.missing_count;
      return false;
    }
    ++(is_equal ? comparison_.equal_count : comparison_.different_count);
    return is_equal;
  }

  // A second reading, only of the chunks where something differs: the keys themselves.
  Result<void> find_keys(const std::vector<SideRows>& sides, const Places& places) {
    for (size_t side = 0; side < sides.size(); ++side) {
      for (const auto& [chunk, keys] : places[side]) {
        if (comparison_.is_truncated) return success();
        SYN_TRY(find_keys_in(sides_[side], sides[side].cursors[chunk], keys));
      }
    }
    return success();
  }

  // Rows that have come since push others into the chunks behind; what is not met there either has
  // gone from this side, and the next comparison tells.
  Result<void> find_keys_in(const Side& side, std::string cursor, const Keys& keys) {
    BatchSink sink(*rules_.schema);
    size_t left = keys.size();
    size_t row_count = 0;  // chunks of wide rows have few
    for (bool is_first = true; left > 0 && row_count < kChunksRead * options_.chunk_rows;
         is_first = false) {
      if (!is_first && cursor.empty()) return success();
      SYN_TRY(const auto chunk, side.source->read_snapshot(rules_.schema->dataset, cursor,
                                                           options_.chunk_rows, sink));
      cursor = chunk.cursor;
      const model::Batch batch = sink.finish();
      row_count += batch.row_count();
      for (size_t row = 0; row < batch.row_count(); ++row) {
        if (!keys.contains(batch.key_hash(row))) continue;
        --left;
        if (comparison_.differences.size() >= options_.difference_limit) {
          comparison_.is_truncated = true;
          return success();
        }
        comparison_.differences.emplace_back().key = batch.key(row);
      }
    }
    return success();
  }

  Result<void> fill_differences();

  const core::DatasetRules& rules_;
  const std::vector<Side>& sides_;
  dispatch::Dispatcher& dispatcher_;
  const engine::Secret& secret_;
  const Options& options_;
  Comparison comparison_;
  std::mutex progress_mutex_;
  size_t rows_read_ = 0;
};

using Records = std::map<model::KeyHash, RecordSink::Record>;

// What one record looks like on every side by now.
Difference describe(const core::DatasetRules& rules, const std::string& key,
                    const std::vector<Records>& sides) {
  const model::KeyHash hash = model::record_hash(key, *rules.schema);
  Difference difference;
  difference.key = key;
  std::vector<const RecordSink::Record*> there(sides.size(), nullptr);
  const RecordSink::Record* first = nullptr;
  for (size_t side = 0; side < sides.size(); ++side) {
    const auto found = sides[side].find(hash);
    if (found != sides[side].end()) there[side] = &found->second;
    if (first == nullptr) first = there[side];
    difference.is_there.push_back(there[side] != nullptr);
  }
  difference.cells.resize(sides.size());
  const model::Schema& schema = *rules.schema;
  for (size_t index = schema.key_count; first != nullptr && index < schema.fields.size(); ++index) {
    const auto field = static_cast<model::FieldIndex>(index);
    if (!rules.travels(field)) continue;
    const bool differs = std::any_of(there.begin(), there.end(), [&](const auto* record) {
      return record != nullptr && record->cells[field] != first->cells[field];
    });
    if (!differs) continue;
    difference.fields.push_back(field);
    for (size_t side = 0; side < sides.size(); ++side) {
      difference.cells[side].push_back(there[side] == nullptr ? model::Cell{}
                                                              : there[side]->cells[field]);
    }
  }
  return difference;
}

// Nowhere any more, or the same everywhere.
bool is_settled(const Difference& difference) {
  const auto there =
      static_cast<size_t>(std::count(difference.is_there.begin(), difference.is_there.end(), true));
  return there == 0 || (there == difference.is_there.size() && difference.fields.empty());
}

Result<std::vector<Difference>> describe_all(const core::DatasetRules& rules,
                                             const std::vector<Side>& sides,
                                             const std::vector<Difference>& differences) {
  std::vector<Difference> described;
  described.reserve(differences.size());
  for (size_t first = 0; first < differences.size(); first += kDescribedAtOnce) {
    const size_t end = std::min(differences.size(), first + kDescribedAtOnce);
    std::vector<std::string> keys;
    for (size_t i = first; i < end; ++i) keys.push_back(differences[i].key);
    std::vector<Records> records(sides.size());
    for (size_t side = 0; side < sides.size(); ++side) {
      RecordSink sink(*rules.schema, records[side]);
      // One that cannot be told counts as missing, as it did when the tables were read.
      SYN_TRY(sides[side].source->read_records(rules.schema->dataset, keys, sink));
    }
    for (const std::string& key : keys) described.push_back(describe(rules, key, records));
  }
  return described;
}

// What is settled by now is equal; the rest is counted anew.
void take_described(std::vector<Difference>&& described, Comparison& comparison) {
  std::fill(comparison.missing_counts.begin(), comparison.missing_counts.end(), 0);
  comparison.missing_count = 0;
  comparison.different_count = 0;
  comparison.differences.clear();
  for (Difference& difference : described) {
    if (is_settled(difference)) continue;
    bool is_missing = false;
    for (size_t side = 0; side < difference.is_there.size(); ++side) {
      if (difference.is_there[side]) continue;
      ++comparison.missing_counts[side];
      is_missing = true;
    }
    ++(is_missing ? comparison.missing_count : comparison.different_count);
    comparison.differences.push_back(std::move(difference));
  }
  comparison.equal_count = comparison.key_count - comparison.differences.size();
}

Result<void> Comparer::fill_differences() {
  SYN_TRY(auto described, describe_all(rules_, sides_, comparison_.differences));
  if (comparison_.is_truncated) {
    comparison_.differences = std::move(described);
  } else {
    take_described(std::move(described), comparison_);
  }
  return success();
}

}  // namespace

Result<Comparison> compare_dataset(const core::DatasetRules& rules, const std::vector<Side>& sides,
                                   dispatch::Dispatcher& dispatcher, const engine::Secret& secret,
                                   const Options& options) {
  return Comparer(rules, sides, dispatcher, secret, options).run();
}

Result<void> recheck(const core::DatasetRules& rules, const std::vector<Side>& sides,
                     Comparison& comparison) {
  if (comparison.is_truncated) return success();
  SYN_TRY(auto described, describe_all(rules, sides, comparison.differences));
  take_described(std::move(described), comparison);
  return success();
}

}  // namespace syncline::compare
