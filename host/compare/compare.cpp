#include "host/compare/compare.hpp"

#include <algorithm>
#include <map>
#include <unordered_set>
#include <utility>

#include "host/base/assert.hpp"
#include "host/model/batch.hpp"
#include "host/model/key.hpp"

namespace syncline::compare {
namespace {

struct RowMark {  // a record of one side: which, and what it holds
  model::KeyHash key;
  uint64_t content = 0;
};

using Rows = std::vector<RowMark>;
using Keys = std::unordered_set<model::KeyHash, model::KeyHashHasher>;

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
    std::vector<Rows> rows(sides_.size());
    for (size_t side = 0; side < sides_.size(); ++side) {
      SYN_TRY(read_side(side, [&](const model::Batch& batch, const engine::Fingerprints& prints) {
        add_rows(batch, prints, rows[side]);
      }));
      std::sort(rows[side].begin(), rows[side].end(),
                [](const RowMark& a, const RowMark& b) { return a.key < b.key; });
      comparison_.record_counts.push_back(rows[side].size());
    }
    comparison_.missing_counts.resize(sides_.size());
    const Keys differing = merge(rows);
    if (!differing.empty()) {
      SYN_TRY(find_keys(differing));
      SYN_TRY(fill_differences());
    }
    return std::move(comparison_);
  }

 private:
  using TakeBatch = std::function<void(const model::Batch&, const engine::Fingerprints&)>;

  Result<void> read_side(size_t side, const TakeBatch& take) {
    BatchSink sink(*rules_.schema);
    engine::Fingerprints fingerprints;
    std::string cursor;
    do {
      SYN_TRY(const auto chunk, sides_[side].source->read_snapshot(rules_.schema->dataset, cursor,
                                                                   options_.chunk_rows, sink));
      cursor = chunk.cursor;
      comparison_.rejected_count += chunk.rejected.size();
      const model::Batch batch = sink.finish();
      if (batch.row_count() == 0) continue;
      SYN_TRY(dispatcher_.fingerprint(batch.view(), secret_, fingerprints));
      take(batch, fingerprints);
      rows_read_ += batch.row_count();
      if (options_.on_progress) options_.on_progress(rows_read_);
    } while (!cursor.empty());
    return success();
  }

  void add_rows(const model::Batch& batch, const engine::Fingerprints& fingerprints,
                Rows& rows) const {
    const size_t value_count = rules_.schema->value_count();
    for (size_t row = 0; row < batch.row_count(); ++row) {
      rows.push_back(
          {batch.key_hash(row), content_of(rules_, fingerprints.cells.data() + row * value_count)});
    }
  }

  // Walks all sides in key order at once. Returns the keys that differ.
  Keys merge(const std::vector<Rows>& rows) {
    Keys differing;
    std::vector<size_t> at(rows.size());
    while (true) {
      const model::KeyHash* least = nullptr;
      for (size_t side = 0; side < rows.size(); ++side) {
        if (at[side] == rows[side].size()) continue;
        const model::KeyHash& key = rows[side][at[side]].key;
        if (least == nullptr || key < *least) least = &key;
      }
      if (least == nullptr) return differing;
      const model::KeyHash key = *least;
      if (!is_equal_everywhere(rows, at, key)) differing.insert(key);
      ++comparison_.key_count;
    }
  }

  bool is_equal_everywhere(const std::vector<Rows>& rows, std::vector<size_t>& at,
                           const model::KeyHash& key) {
    size_t there = 0;
    uint64_t content = 0;
    bool is_equal = true;
    for (size_t side = 0; side < rows.size(); ++side) {
      if (at[side] == rows[side].size() || rows[side][at[side]].key != key) {
        ++comparison_.missing_counts[side];
        continue;
      }
      const uint64_t own = rows[side][at[side]++].content;
      is_equal = is_equal && (there == 0 || own == content);
      content = own;
      ++there;
    }
    if (there < rows.size()) {
      ++comparison_.missing_count;
      return false;
    }
    ++(is_equal ? comparison_.equal_count : comparison_.different_count);
    return is_equal;
  }

  // A second reading, only where something differs: the keys themselves.
  Result<void> find_keys(const Keys& differing) {
    Keys left = differing;
    for (size_t side = 0; side < sides_.size() && !left.empty(); ++side) {
      SYN_TRY(read_side(side, [&](const model::Batch& batch, const engine::Fingerprints&) {
        for (size_t row = 0; row < batch.row_count(); ++row) {
          if (left.erase(batch.key_hash(row)) == 0) continue;
          if (comparison_.differences.size() >= options_.difference_limit) {
            comparison_.is_truncated = true;
            return;
          }
          comparison_.differences.emplace_back().key = batch.key(row);
        }
      }));
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
  std::vector<std::string> keys;
  keys.reserve(differences.size());
  for (const Difference& difference : differences) keys.push_back(difference.key);
  std::vector<Records> records(sides.size());
  for (size_t side = 0; side < sides.size(); ++side) {
    RecordSink sink(*rules.schema, records[side]);
    // One that cannot be told counts as missing, as it did when the tables were read.
    SYN_TRY(sides[side].source->read_records(rules.schema->dataset, keys, sink));
  }
  std::vector<Difference> described;
  described.reserve(keys.size());
  for (const std::string& key : keys) described.push_back(describe(rules, key, records));
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
