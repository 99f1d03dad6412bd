// What the tests of every driver share: a sink that writes down what a source shows, one line a row
// ("insert 1 name=Ann mail=a@x", "ours delete 2", "marker 5"), writes from lines of text, and the
// three faces of one system.
#pragma once

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <numeric>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/base/clock.hpp"
#include "host/base/error.hpp"
#include "host/model/key.hpp"
#include "host/ports/system.hpp"

namespace syncline::ports {

class Notebook final : public ChangeSink {
 public:
  explicit Notebook(std::vector<const model::Schema*> schemas) : schemas_(std::move(schemas)) {}

  void begin(const TransactionInfo& transaction) override {
    EXPECT_FALSE(is_open_);
    is_open_ = true;
    position = transaction.position;
    times_us.push_back(transaction.commit_time_us);
  }
  void marker(const MarkerRow& marker) override {
    lines.push_back((marker.is_quiet ? "quiet marker " : "marker ") +
                    std::to_string(marker.stream) + "/" + std::to_string(marker.lane) + "=" +
                    std::to_string(marker.sequence));
  }
  void row(const ChangeRow& row) override {
    const model::Schema& schema = schema_of(row.dataset);
    std::string line = row.is_ours ? "ours " : "";
    line += name_of(row.op);
    EXPECT_EQ(schema.fields.size(), row.cells.size());
    const char* other = row.op == RowOp::kDelete ? "to" : "was";
    std::string old_key = row.old_key.empty() ? row.moved_with.empty() ? "" : other : "old";
    const auto before = row.old_key.empty() ? row.moved_with : row.old_key;
    for (size_t i = 0; i < before.size(); ++i) {
      old_key += " " + model::text_from_canonical(before[i].bytes, schema.fields[i].type);
    }
    old_keys.push_back(old_key);
    for (size_t i = 0; i < row.cells.size(); ++i) {
      const model::CellView& cell = row.cells[i];
      if (cell.state == model::CellState::kUnchanged) continue;
      if (i >= schema.key_count) values.emplace_back(cell.bytes);
      line += " ";
      if (i >= schema.key_count) line += schema.fields[i].name + "=";
      line += cell.state == model::CellState::kNull
                  ? "NULL"
                  : model::text_from_canonical(cell.bytes, schema.fields[i].type);
    }
    lines.push_back(line);
  }
  void end() override {
    EXPECT_TRUE(is_open_);
    is_open_ = false;
  }

  std::vector<std::string> take() { return std::exchange(lines, {}); }

  std::vector<std::string> lines;
  std::vector<int64_t> times_us;
  std::vector<std::string> values;    // canonical bytes of value cells
  std::vector<std::string> old_keys;  // per row: "old 1", or empty
  model::Position position;

 private:
  const model::Schema& schema_of(model::DatasetId dataset) const {
    for (const model::Schema* schema : schemas_) {
      if (schema->dataset == dataset) return *schema;
    }
    ADD_FAILURE() << "unknown dataset";
    return *schemas_.front();
  }
  static std::string name_of(RowOp op) {
    switch (op) {
      case RowOp::kInsert:
        return "insert";
      case RowOp::kUpdate:
        return "update";
      case RowOp::kDelete:
        return "delete";
      case RowOp::kSnapshot:
        break;
    }
    return "snapshot";
  }

  std::vector<const model::Schema*> schemas_;
  bool is_open_ = false;
};

inline model::LogicalType type_of(const std::string& text) {
  return model::parse_type(text).value();
}

// "id:int64 name:text", the first key_count of them the key.
inline model::Schema make_schema(const std::string& name, const std::string& fields,
                                 size_t key_count = 1) {
  model::Schema schema;
  schema.name = name;
  schema.dataset = model::stable_id(name);
  schema.stream = schema.dataset;
  schema.key_count = key_count;
  std::istringstream in(fields);
  for (std::string field; in >> field;) {
    const size_t colon = field.find(':');
    schema.fields.push_back({field.substr(0, colon), type_of(field.substr(colon + 1)), true});
  }
  return schema;
}

// A machine's clock whose steady side a test moves on, so that what is due is due without waiting.
class StepClock final : public Clock {
 public:
  int64_t now_us() override { return system_clock().now_us(); }
  int64_t steady_us() override { return steady_us_; }
  void pass_seconds(int64_t seconds) { steady_us_ += seconds * 1'000'000; }

 private:
  int64_t steady_us_ = 1'000'000;
};

// A tenth of a second goes by with each look at it.
class SlowClock final : public Clock {
 public:
  int64_t now_us() override { return system_clock().now_us(); }
  int64_t steady_us() override { return steady_us_ += 100'000; }

 private:
  int64_t steady_us_ = 1'000'000;
};

// A key that is kept as text, as we write it and in another spelling.
struct Spelling {
  std::string type;
  std::string ours;
  std::string other;
};
inline std::vector<Spelling> spellings(const std::string& moment = "2026-01-05 10:00:00Z") {
  return {{"uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"},
          {"decimal", "1.5", "1.50"},
          {"time(0)", "10:00:00", "10:00"},
          {"datetime(0)", "2026-01-05 10:00:00", "2026-01-05T10:00:00"},
          {"timestamp(0)", moment, "2026-01-05 10:00:00+00"}};
}

class SystemTest : public testing::Test {
 protected:
  using Make = Result<System> (*)(const SystemConfig& config, Clock& clock);
  static constexpr uint32_t kEpoch = 1;
  static constexpr auto kPatience = std::chrono::seconds(20);

  explicit SystemTest(Make make, int wait_ms) : make_(make), wait_ms_(wait_ms) {}

  // One dataset a schema, in the table of its name behind `prefix`. REQUIRES: the tables are there.
  void start_at(const std::string& url, std::vector<model::Schema> schemas,
                const std::string& prefix = "") {
    configure(url, std::move(schemas), prefix);
    connect();
  }
  void configure(const std::string& url, std::vector<model::Schema> schemas,
                 const std::string& prefix) {
    schemas_ = std::move(schemas);
    config_ = {};
    config_.appliance = "zurich";
    config_.name = "shop";
    config_.url = url;
    config_.lane_count = 4;
    std::vector<const model::Schema*> known;
    for (const model::Schema& schema : schemas_) {
      DatasetMapping mapping;
      mapping.schema = &schema;
      mapping.table = prefix + schema.name;
      for (const model::Field& field : schema.fields) mapping.columns.push_back(field.name);
      config_.datasets.push_back(mapping);
      known.push_back(&schema);
    }
    sink_ = std::make_unique<Notebook>(known);
  }
  void connect(const model::Position& position = {}) {
    system_ = {};
    system_ = make_(config_, system_clock()).value();
    expect_ok(system_.source->open(position));
    expect_ok(system_.target->open());
    std::vector<model::StreamId> streams;
    for (const model::Schema& schema : schemas_) streams.push_back(schema.stream);
    expect_ok(system_.target->open_epoch(kEpoch, streams, config_.lane_count));
  }

  template <class T>
  static void expect_ok(const Result<T>& result) {
    EXPECT_TRUE(result.has_value()) << (result ? "" : to_string(result.error()));
  }

  // One poll's lines.
  std::vector<std::string> poll() {
    auto polled = system_.source->poll(*sink_, 1000, wait_ms_);
    expect_ok(polled);
    if (polled) last_poll_ = std::move(polled).value();
    return sink_->take();
  }
  void drain() {
    poll();
    expect_ok(system_.source->acknowledge(sink_->position));
  }

  // "set 1 name=Ann", "put 1 name=Ann mail=NULL", "insert" likewise, "delete 1"; "put 2<1 name=Ann"
  // moves the row of 1; '~' stands for a space in values.
  struct Writes {
    std::vector<RecordWrite> views;
    std::deque<std::string> keys;
    std::deque<std::vector<model::EntryCell>> cells;
  };
  std::string key_of(const model::Schema& schema, const std::string& text) {
    std::vector<std::string> parts;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, ',');) {
      const auto& type = schema.fields[parts.size()].type;
      parts.push_back(model::canonical_from_text(part, type).value());
    }
    std::vector<model::CellView> cells;
    for (const std::string& part : parts) cells.push_back({model::CellState::kValue, part});
    return model::join_key(cells);
  }
  void add_write(Writes& writes, const model::Schema& schema, const std::string& text) {
    std::istringstream in(text);
    std::string kind;
    std::string key;
    in >> kind >> key;
    auto& cells = writes.cells.emplace_back();
    for (std::string cell; in >> cell;) {
      const size_t equals = cell.find('=');
      model::EntryCell out;
      while (schema.fields[out.field].name != cell.substr(0, equals)) ++out.field;
      std::string value = cell.substr(equals + 1);
      std::replace(value.begin(), value.end(), '~', ' ');
      if (value != "NULL") {
        out.state = model::CellState::kValue;
        out.bytes = model::canonical_from_text(value, schema.fields[out.field].type).value();
      }
      cells.push_back(std::move(out));
    }
    const auto entry_kind = kind == "put"       ? model::EntryKind::kPut
                            : kind == "replace" ? model::EntryKind::kPut
                            : kind == "insert"  ? model::EntryKind::kInsert
                            : kind == "set"     ? model::EntryKind::kSet
                                                : model::EntryKind::kDelete;
    const size_t from = key.find('<');
    writes.keys.push_back(key_of(schema, key.substr(0, from)));
    RecordWrite& write = writes.views.emplace_back();
    write = {schema.dataset, writes.keys.back(), entry_kind, cells};
    if (from == std::string::npos) return;
    writes.keys.push_back(key_of(schema, key.substr(from + 1)));
    write.moved_from = writes.keys.back();
    write.is_replacing = kind == "replace";
  }
  // A marked transaction with the next sequence in lane 0 of the first dataset's stream.
  Result<ApplyResult> try_apply(const std::vector<std::string>& texts, size_t schema_index = 0) {
    Writes writes;
    for (const std::string& text : texts) add_write(writes, schemas_[schema_index], text);
    WriteBatch batch;
    batch.epoch = kEpoch;
    batch.moves = {{schemas_[0].stream, 0, sequence_, sequence_ + 1}};
    batch.writes = writes.views;
    batch.may_be_quiet = may_be_quiet_;
    auto applied = system_.target->apply(batch);
    const bool is_written = applied && !applied.value().poison && applied.value().stopped.empty();
    if (is_written) ++sequence_;
    return applied;
  }
  // The dataset alone is stopped, by what its table is; nothing is written.
  void expect_stopped(const std::vector<std::string>& texts, size_t schema_index = 0) {
    const auto applied = try_apply(texts, schema_index);
    expect_ok(applied);
    if (!applied) return;
    ASSERT_EQ(1U, applied.value().stopped.size());
    EXPECT_EQ(schemas_[schema_index].dataset, applied.value().stopped[0].dataset);
    EXPECT_EQ(ErrorCode::kSystemSchema, applied.value().stopped[0].error.code);
  }
  void apply(const std::vector<std::string>& texts, size_t schema_index = 0) {
    const auto applied = try_apply(texts, schema_index);
    expect_ok(applied);
    if (applied && applied.value().poison) {
      ADD_FAILURE() << to_string(applied.value().poison->error);
    }
  }
  // Full records of a customer table, from this key on.
  static std::vector<std::string> hundred_puts(int first) {
    std::vector<std::string> texts;
    for (int id = first; id < first + 100; ++id) {
      texts.push_back("put " + std::to_string(id) + " name=ours mail=NULL");
    }
    return texts;
  }
  // run: does a user's statement. REQUIRES: an empty table thing(id, name), whose keys are kept as
  // text, and none is rejected yet.
  template <class Run>
  void expect_other_spelling_is_no_record(const Run& run, const Spelling& spelling) {
    const std::string& ours = spelling.ours;
    const std::string& other = spelling.other;
    const auto is_rejected = [this](size_t count) {
      poll_until([this, count] { return rejected_.size() >= count; });
      EXPECT_EQ(count, rejected_.size());
      EXPECT_EQ(ErrorCode::kSystemKey, rejected_.back().error.code);
    };
    const std::string of_ours = " WHERE id = '" + ours + "'";
    const std::string of_other = " WHERE id = '" + other + "'";
    run("INSERT INTO thing VALUES ('" + ours + "', 'a'), ('" + other + "', 'b')");
    const std::vector<std::string> made = take(1);
    ASSERT_EQ(1U, made.size());
    const std::string key = made[0].substr(7, made[0].find(" name=") - 7);
    EXPECT_EQ("insert " + key + " name=a", made[0]);
    is_rejected(1);
    EXPECT_THAT(to_string(rejected_[0].error), testing::HasSubstr("'" + other + "'"));
    EXPECT_THAT(to_string(rejected_[0].error), testing::HasSubstr("'" + ours + "' here"));
    EXPECT_THAT(snapshot(), testing::ElementsAre("snapshot " + key + " name=a"));
    is_rejected(2);
    EXPECT_EQ(rejected_[0].key, rejected_[1].key);
    run("UPDATE thing SET name = 'c'" + of_other);
    is_rejected(3);
    run("DELETE FROM thing" + of_other);
    run("UPDATE thing SET name = 'd'" + of_ours);
    EXPECT_THAT(take(1), testing::ElementsAre("update " + key + " name=d"));
    EXPECT_EQ(3U, rejected_.size());
    run("UPDATE thing SET id = '" + other + "'" + of_ours);
    EXPECT_THAT(take(1), testing::ElementsAre("delete " + key));
    is_rejected(4);
    run("UPDATE thing SET id = '" + ours + "'");
    EXPECT_THAT(take(1), testing::ElementsAre(testing::EndsWith(key + " name=d")));
    run("DELETE FROM thing");
    EXPECT_THAT(take(1), testing::ElementsAre("delete " + key));
  }
  // The places of all that a batch was refused for.
  static std::vector<size_t> places_refused(const Result<ApplyResult>& applied) {
    std::vector<size_t> places;
    expect_ok(applied);
    if (!applied || !applied.value().poison) return places;
    places.push_back(applied.value().poison->write_index);
    for (const Poison& poison : applied.value().other_poisons) places.push_back(poison.write_index);
    std::sort(places.begin(), places.end());
    return places;
  }
  // A hundred missing records and, around them, two that swap what is unique. REQUIRES: a customer
  // table that takes no name 'refused', with records 1 of a@x and 9000 of b@x.
  void expect_all_refused_told_at_once() {
    std::vector<std::string> texts = hundred_puts(1001);
    for (const size_t place : {3, 50, 51, 98}) {
      texts[place].replace(texts[place].find("ours"), 4, "refused");
    }
    texts.insert(texts.begin(), "set 1 mail=b@x");
    texts.emplace_back("set 9000 mail=a@x");
    EXPECT_THAT(places_refused(try_apply(texts)), testing::ElementsAre(4, 51, 52, 99));
    std::erase_if(
        texts, [](const std::string& text) { return text.find("refused") != std::string::npos; });
    const auto applied = try_apply(texts);
    EXPECT_THAT(places_refused(applied), testing::IsEmpty());
    EXPECT_EQ(98U, applied.value().rows_written);
  }
  // Records 1 to count, `refused` of which a constraint on names refuses; those go with each try
  // that told them. Returns how many tries it took until all others were written.
  int tries_until_written(int count, const std::function<bool(int)>& is_refused) {
    std::vector<std::string> texts;
    for (int id = 1; id <= count; ++id) {
      const std::string name = is_refused(id) ? "refused" : "ours";
      texts.push_back("put " + std::to_string(id) + " name=" + name + " mail=NULL");
    }
    for (int tries = 1; tries < 1000; ++tries) {
      const auto places = places_refused(try_apply(texts));
      if (places.empty()) return tries;
      for (size_t i = places.size(); i-- > 0;) {
        const auto at = texts.begin() + static_cast<ptrdiff_t>(places[i]);
        EXPECT_THAT(*at, testing::HasSubstr("refused"));
        texts.erase(at);
      }
    }
    return 0;
  }
  // Polls until that many lines are there; then what has come.
  std::vector<std::string> take(size_t count) {
    std::vector<std::string> lines;
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (lines.size() < count && std::chrono::steady_clock::now() < deadline) {
      for (std::string& line : poll()) lines.push_back(std::move(line));
      note_poll();
    }
    return lines;
  }
  // What comes in that time.
  std::vector<std::string> take_for(int milliseconds) {
    std::vector<std::string> lines;
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
    while (std::chrono::steady_clock::now() < deadline) {
      for (std::string& line : poll()) lines.push_back(std::move(line));
      note_poll();
    }
    return lines;
  }
  // Polls until what polls have said beside rows satisfies it.
  template <class Holds>
  void poll_until(Holds holds) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!holds() && std::chrono::steady_clock::now() < deadline) {
      poll();
      note_poll();
    }
    EXPECT_TRUE(holds());
  }
  void note_poll() {
    for (auto& stop : last_poll_.stopped) stopped_.push_back(stop);
    for (auto& dataset : last_poll_.rescan) rescans_.push_back(dataset);
    for (auto& row : last_poll_.rejected) rejected_.push_back(row);
    last_poll_ = {};
  }
  // Every row of a dataset, in chunks.
  std::vector<std::string> snapshot(size_t chunk_rows = 100, size_t schema_index = 0) {
    std::string cursor;
    do {
      auto chunk =
          system_.source->read_snapshot(schemas_[schema_index].dataset, cursor, chunk_rows, *sink_);
      expect_ok(chunk);
      if (!chunk) break;
      cursor = chunk.value().cursor;
      for (auto& row : chunk.value().rejected) rejected_.push_back(row);
    } while (!cursor.empty());
    return sink_->take();
  }
  // How many rows each of its chunks has, as a first sync reads them.
  std::vector<size_t> chunk_sizes() {
    std::vector<size_t> sizes;
    std::string cursor;
    do {
      auto chunk = system_.source->read_snapshot(schemas_[0].dataset, cursor, 8192, *sink_);
      expect_ok(chunk);
      if (!chunk) break;
      cursor = chunk.value().cursor;
      sizes.push_back(chunk.value().row_count);
      EXPECT_EQ(sink_->take().size(), sizes.back());
    } while (!cursor.empty());
    return sizes;
  }
  // How many rows each poll has, until that many have come.
  std::vector<size_t> poll_sizes(size_t count) {
    std::vector<size_t> sizes;
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (count > 0 && std::chrono::steady_clock::now() < deadline) {
      expect_ok(system_.source->poll(*sink_, 16384, wait_ms_));
      const size_t size = sink_->take().size();
      if (size > 0) sizes.push_back(size);
      count -= std::min(size, count);
    }
    return sizes;
  }
  // That wide rows come a few at a time, and each once. 300 of 100 KB.
  static void expect_a_few_at_a_time(const std::vector<size_t>& sizes, size_t most) {
    ASSERT_EQ(std::accumulate(sizes.begin(), sizes.end(), size_t{0}), 300u);
    EXPECT_LE(*std::max_element(sizes.begin(), sizes.end()), most);
  }
  std::string marker(model::Sequence sequence) const {
    return "marker " + std::to_string(schemas_[0].stream) + "/0=" + std::to_string(sequence);
  }

  bool may_be_quiet_ = false;  // of what is applied
  Make make_;
  int wait_ms_;
  std::vector<model::Schema> schemas_;
  SystemConfig config_;
  System system_;
  std::unique_ptr<Notebook> sink_;
  PollResult last_poll_;
  model::Sequence sequence_ = 0;
  std::vector<DatasetStop> stopped_;  // what note_poll() has heard
  std::vector<model::DatasetId> rescans_;
  std::vector<RejectedRow> rejected_;
};

}  // namespace syncline::ports
