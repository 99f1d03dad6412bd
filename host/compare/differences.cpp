#include "host/compare/detail/differences.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "host/model/key.hpp"

namespace syncline::compare {
namespace {

constexpr size_t kChunksRead = 3;        // behind the place where a key was met before
constexpr size_t kKeysAtOnce = 10'000;   // that are looked for in their chunks
constexpr size_t kLookedAtAtOnce = 256;  // whole records of each side

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

size_t size_of(const Difference& difference) {
  size_t size_bytes = difference.key.size();
  for (const auto& cells : difference.cells) {
    for (const model::Cell& cell : cells) size_bytes += cell.bytes.size();
  }
  return size_bytes;
}

void count_one(const std::vector<bool>& is_there, Comparison& comparison) {
  bool is_missing = false;
  for (size_t side = 0; side < is_there.size(); ++side) {
    if (is_there[side]) continue;
    ++comparison.missing_counts[side];
    is_missing = true;
  }
  ++(is_missing ? comparison.missing_count : comparison.different_count);
}

void begin_counting(Comparison& comparison) {
  std::fill(comparison.missing_counts.begin(), comparison.missing_counts.end(), 0);
  comparison.missing_count = 0;
  comparison.different_count = 0;
}

// One look at what differs. What was listed before is the first of it, in its order.
class Look {
 public:
  Look(const core::DatasetRules& rules, const std::vector<Side>& sides, const Options& options,
       Comparison& comparison, const OnLooked& on_looked)
      : rules_(rules),
        sides_(sides),
        options_(options),
        comparison_(comparison),
        on_looked_(on_looked),
        before_(std::exchange(comparison.differences, {})) {}

  // All keys are listed.
  Result<void> by_key() {
    size_t done = 0;
    while (done < before_.size() && then_ == Then::kGoOn) {
      std::vector<std::string> keys;
      for (; done < before_.size() && keys.size() < kLookedAtAtOnce; ++done) {
        keys.push_back(std::move(before_[done].key));
      }
      SYN_TRY(auto looked, look_at(keys));
      std::erase_if(looked, is_settled);
      SYN_TRY(tell(std::move(looked)));
    }
    keep_before(done);
    begin_counting(comparison_);
    for (const Difference& one : comparison_.differences) count_one(one.is_there, comparison_);
    comparison_.equal_count = comparison_.key_count - comparison_.differences.size();
    return success();
  }

  enum class Extent : uint8_t { kAll, kListed };

  Result<void> by_place(Extent extent) {
    std::vector<Place>& places = comparison_.places;
    size_t kept = 0;
    size_t done = 0;
    const auto goes_on = [&] {
      return then_ == Then::kGoOn && !(extent == Extent::kListed && is_full());
    };
    while (done < places.size() && goes_on()) {
      const size_t count = std::min(kKeysAtOnce, places.size() - done);
      SYN_TRY(const Keys keys, find_keys(std::span(places).subspan(done, count)));
      size_t next = 0;
      while (next < count && goes_on()) {
        std::vector<std::string> some;
        std::vector<size_t> at;
        for (; next < count && some.size() < kLookedAtAtOnce; ++next) {
          const auto& key = keys[next];
          if (!key) continue;  // gone from this side: the next comparison tells
          some.push_back(*key);
          at.push_back(done + next);
        }
        SYN_TRY(auto looked, look_at(some));
        std::vector<Difference> left;
        for (size_t i = 0; i < looked.size(); ++i) {
          if (is_settled(looked[i])) continue;
          places[kept] = places[at[i]];
          places[kept++].presence = number_of_presence(looked[i].is_there, comparison_);
          left.push_back(std::move(looked[i]));
        }
        SYN_TRY(tell(std::move(left)));
      }
      done += next;
    }
    keep_before(done);
    places.erase(places.begin() + static_cast<ptrdiff_t>(kept),
                 places.begin() + static_cast<ptrdiff_t>(done));
    count_by_place(comparison_);
    comparison_.is_truncated = comparison_.differences.size() < places.size();
    if (!comparison_.is_truncated) forget_places();
    return success();
  }

 private:
  using Keys = std::vector<std::optional<std::string>>;

  bool is_full() const {
    return comparison_.differences.size() >= options_.difference_limit ||
           listed_bytes_ >= options_.difference_bytes_limit;
  }

  void list(Difference&& difference) {
    if (is_full()) return;
    listed_bytes_ += size_of(difference);
    comparison_.differences.push_back(std::move(difference));
  }

  Result<void> tell(std::vector<Difference>&& left) {
    SYN_TRY(then_, on_looked_(left));
    for (Difference& one : left) list(std::move(one));
    return success();
  }

  // What this look did not come to.
  void keep_before(size_t done) {
    for (; done < before_.size(); ++done) list(std::move(before_[done]));
  }

  void forget_places() {
    comparison_.places = {};
    comparison_.presences = {};
    comparison_.cursors = {};
  }

  Result<std::vector<Difference>> look_at(const std::vector<std::string>& keys) {
    std::vector<Records> records(sides_.size());
    for (size_t side = 0; side < sides_.size(); ++side) {
      RecordSink sink(*rules_.schema, records[side]);
      // One that cannot be told counts as missing, as it did when the tables were read.
      SYN_TRY(sides_[side].source->read_records(rules_.schema->dataset, keys, sink));
    }
    std::vector<Difference> looked;
    looked.reserve(keys.size());
    for (const std::string& key : keys) looked.push_back(describe(rules_, key, records));
    return looked;
  }

  // A second reading, only of the chunks where something differs: the keys themselves.
  Result<Keys> find_keys(std::span<const Place> places) {
    Keys keys(places.size());
    size_t first = 0;
    while (first < places.size()) {
      size_t end = first;
      const auto is_beside = [&](const Place& place) {
        return place.side == places[first].side && place.chunk == places[first].chunk;
      };
      while (end < places.size() && is_beside(places[end])) ++end;
      SYN_TRY(find_keys_of_chunk(places.subspan(first, end - first),
                                 std::span(keys).subspan(first, end - first)));
      first = end;
    }
    return keys;
  }

  // Rows that have come since push others into the chunks behind; what is not met there either has
  // gone from this side.
  Result<void> find_keys_of_chunk(std::span<const Place> places,
                                  std::span<std::optional<std::string>> keys) {
    std::unordered_map<model::KeyHash, size_t, model::KeyHashHasher> wanted;
    for (size_t i = 0; i < places.size(); ++i) wanted.emplace(places[i].key, i);
    const Side& side = sides_[places.front().side];
    std::string cursor = comparison_.cursors[places.front().side][places.front().chunk];
    BatchSink sink(*rules_.schema);
    size_t row_count = 0;  // chunks of wide rows have few
    do {
      SYN_TRY(const auto chunk, side.source->read_snapshot(rules_.schema->dataset, cursor,
                                                           options_.chunk_rows, sink));
      cursor = chunk.cursor;
      const model::Batch batch = sink.finish();
      row_count += batch.row_count();
      for (size_t row = 0; row < batch.row_count(); ++row) {
        const auto found = wanted.find(batch.key_hash(row));
        if (found == wanted.end()) continue;
        keys[found->second] = batch.key(row);
        wanted.erase(found);
      }
    } while (!wanted.empty() && !cursor.empty() && row_count < kChunksRead * options_.chunk_rows);
    return success();
  }

  const core::DatasetRules& rules_;
  const std::vector<Side>& sides_;
  const Options& options_;
  Comparison& comparison_;
  const OnLooked& on_looked_;
  std::vector<Difference> before_;
  size_t listed_bytes_ = 0;
  Then then_ = Then::kGoOn;
};

}  // namespace

uint32_t number_of_presence(const std::vector<bool>& is_there, Comparison& comparison) {
  auto& known = comparison.presences;
  const auto found = std::ranges::find(known, is_there);
  const auto number = static_cast<uint32_t>(found - known.begin());
  if (found == known.end()) known.push_back(is_there);
  return number;
}

void count_by_place(Comparison& comparison) {
  begin_counting(comparison);
  for (const Place& place : comparison.places) {
    count_one(comparison.presences[place.presence], comparison);
  }
  comparison.equal_count = comparison.key_count - comparison.places.size();
}

Result<void> list_differences(const core::DatasetRules& rules, const std::vector<Side>& sides,
                              const Options& options, Comparison& comparison) {
  const auto go_on = [](std::span<const Difference>) -> Result<Then> { return Then::kGoOn; };
  const OnLooked on_looked = go_on;
  return Look(rules, sides, options, comparison, on_looked).by_place(Look::Extent::kListed);
}

Result<void> recheck(const core::DatasetRules& rules, const std::vector<Side>& sides,
                     const Options& options, Comparison& comparison, const OnLooked& on_looked) {
  Look look(rules, sides, options, comparison, on_looked);
  return comparison.is_truncated ? look.by_place(Look::Extent::kAll) : look.by_key();
}

}  // namespace syncline::compare
