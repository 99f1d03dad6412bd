#include "host/compare/compare.hpp"

#include <algorithm>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "host/compare/detail/differences.hpp"

namespace syncline::compare {
namespace {

constexpr size_t kCollisionsMax = 5;  // shown of one side

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
    merge(sides);
    for (SideRows& side : sides) comparison_.cursors.push_back(std::move(side.cursors));
    sides.clear();  // the most of what is kept
    SYN_TRY(list_differences(rules_, sides_, options_, comparison_));
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

  // Walks all sides in key order at once.
  void merge(const std::vector<SideRows>& sides) {
    std::vector<size_t> at(sides.size());
    std::vector<bool> is_there;
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
      if (least == nullptr) break;
      ++comparison_.key_count;
      if (is_equal_everywhere(sides, at, least->key, is_there)) continue;
      comparison_.places.push_back({least->key, static_cast<uint32_t>(least_side), least->chunk,
                                    number_of_presence(is_there, comparison_)});
    }
    std::ranges::sort(comparison_.places, {}, [](const Place& place) {
      return std::tuple(place.side, place.chunk, place.key);
    });
    count_by_place(comparison_);
  }

  static bool is_equal_everywhere(const std::vector<SideRows>& sides, std::vector<size_t>& at,
                                  const model::KeyHash& key, std::vector<bool>& is_there) {
    size_t there = 0;
    uint64_t content = 0;
    bool is_equal = true;
    is_there.assign(sides.size(), false);
    for (size_t side = 0; side < sides.size(); ++side) {
      const Rows& rows = sides[side].rows;
      if (at[side] == rows.size() || rows[at[side]].key != key) continue;
      const uint64_t own = rows[at[side]++].content;
      is_equal = is_equal && (there == 0 || own == content);
      content = own;
      is_there[side] = true;
      ++there;
    }
    return is_equal && there == sides.size();
  }

  const core::DatasetRules& rules_;
  const std::vector<Side>& sides_;
  dispatch::Dispatcher& dispatcher_;
  const engine::Secret& secret_;
  const Options& options_;
  Comparison comparison_;
  std::mutex progress_mutex_;
  size_t rows_read_ = 0;
};

}  // namespace

Result<Comparison> compare_dataset(const core::DatasetRules& rules, const std::vector<Side>& sides,
                                   dispatch::Dispatcher& dispatcher, const engine::Secret& secret,
                                   const Options& options) {
  return Comparer(rules, sides, dispatcher, secret, options).run();
}

}  // namespace syncline::compare
