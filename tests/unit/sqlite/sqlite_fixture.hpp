// A SQLite file with a plain second connection that plays the user, and a sink that writes down
// what a source shows, one line a row: "insert 1 name=Ann mail=a@x", "ours delete 2", "marker 5".
#pragma once

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "drivers/systems/sqlite/sqlite.hpp"
#include "host/base/error.hpp"
#include "host/model/key.hpp"

namespace syncline::sqlite {

class Folder {
 public:
  Folder() {
    std::string pattern = std::filesystem::temp_directory_path() / "syncline-sqlite-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

class User {
 public:
  explicit User(const std::string& path) {
    EXPECT_EQ(SQLITE_OK, sqlite3_open(path.c_str(), &handle_));
    sqlite3_busy_timeout(handle_, 5000);
  }
  ~User() { sqlite3_close(handle_); }
  User(const User&) = delete;
  User& operator=(const User&) = delete;

  void run(const std::string& sql) {
    char* message = nullptr;
    EXPECT_EQ(SQLITE_OK, sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, &message))
        << sql << ": " << (message == nullptr ? "" : message);
    sqlite3_free(message);
  }
  int code_of(const std::string& sql) {
    return sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  }
  // Rows joined by ';', columns by '|'.
  std::string ask(const std::string& sql) {
    std::string out;
    const auto add = [](void* to, int count, char** values, char**) {
      std::string& text = *static_cast<std::string*>(to);
      if (!text.empty()) text += ';';
      for (int i = 0; i < count; ++i) {
        text += (i == 0 ? "" : "|") + std::string(values[i] == nullptr ? "NULL" : values[i]);
      }
      return 0;
    };
    EXPECT_EQ(SQLITE_OK, sqlite3_exec(handle_, sql.c_str(), add, &out, nullptr))
        << sql << ": " << sqlite3_errmsg(handle_);
    return out;
  }

 private:
  sqlite3* handle_ = nullptr;
};

class Notebook final : public ports::ChangeSink {
 public:
  explicit Notebook(std::vector<const model::Schema*> schemas) : schemas_(std::move(schemas)) {}

  void begin(const ports::TransactionInfo& transaction) override {
    EXPECT_FALSE(is_open_);
    is_open_ = true;
    position = transaction.position;
    times_us.push_back(transaction.commit_time_us);
  }
  void marker(const ports::MarkerRow& marker) override {
    lines.push_back("marker " + std::to_string(marker.stream) + "/" + std::to_string(marker.lane) +
                    "=" + std::to_string(marker.sequence));
  }
  void row(const ports::ChangeRow& row) override {
    const model::Schema& schema = schema_of(row.dataset);
    std::string line = row.is_ours ? "ours " : "";
    line += name_of(row.op);
    EXPECT_EQ(schema.fields.size(), row.cells.size());
    for (size_t i = 0; i < row.cells.size(); ++i) {
      const model::CellView& cell = row.cells[i];
      if (cell.state == model::CellState::kUnchanged) continue;
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
  model::Position position;

 private:
  const model::Schema& schema_of(model::DatasetId dataset) const {
    for (const model::Schema* schema : schemas_) {
      if (schema->dataset == dataset) return *schema;
    }
    ADD_FAILURE() << "unknown dataset";
    return *schemas_.front();
  }
  static std::string name_of(ports::RowOp op) {
    switch (op) {
      case ports::RowOp::kInsert:
        return "insert";
      case ports::RowOp::kUpdate:
        return "update";
      case ports::RowOp::kDelete:
        return "delete";
      case ports::RowOp::kSnapshot:
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

// One file, one dataset by default, the three faces, and the user.
class SqliteTest : public testing::Test {
 protected:
  static constexpr uint32_t kEpoch = 1;
  static constexpr int kShortWaitMs = 0;

  SqliteTest() : path_(folder_.file("shop.db")), user_(path_) {
    user_.run("PRAGMA journal_mode=WAL");
  }

  // REQUIRES: user_ has created the tables.
  void start(std::vector<model::Schema> schemas) {
    schemas_ = std::move(schemas);
    config_ = {};
    config_.appliance = "zurich";
    config_.name = "shop";
    config_.url = "sqlite://" + path_;
    config_.lane_count = 4;
    std::vector<const model::Schema*> known;
    for (const model::Schema& schema : schemas_) {
      ports::DatasetMapping mapping;
      mapping.schema = &schema;
      mapping.table = schema.name;
      for (const model::Field& field : schema.fields) mapping.columns.push_back(field.name);
      config_.datasets.push_back(mapping);
      known.push_back(&schema);
    }
    sink_ = std::make_unique<Notebook>(known);
    connect();
  }
  void start_customers(const std::string& more = "") {
    user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, mail TEXT UNIQUE" + more +
              ")");
    start({make_schema("customer", "id:int64 name:text mail:text")});
  }
  void connect(const model::Position& position = {}) {
    system_ = make_sqlite(config_, system_clock()).value();
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
    auto polled = system_.source->poll(*sink_, 1000, kShortWaitMs);
    expect_ok(polled);
    if (polled) last_poll_ = std::move(polled).value();
    return sink_->take();
  }
  void drain() {
    poll();
    expect_ok(system_.source->acknowledge(sink_->position));
  }

  // "set 1 name=Ann", "put 1 name=Ann mail=NULL", "delete 1"; '~' stands for a space in values.
  struct Writes {
    std::vector<ports::RecordWrite> views;
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
    const auto entry_kind = kind == "put"   ? model::EntryKind::kPut
                            : kind == "set" ? model::EntryKind::kSet
                                            : model::EntryKind::kDelete;
    writes.keys.push_back(key_of(schema, key));
    writes.views.push_back({schema.dataset, writes.keys.back(), entry_kind, cells});
  }
  // A marked transaction with the next sequence in lane 0 of the first dataset's stream.
  Result<ports::ApplyResult> try_apply(const std::vector<std::string>& texts,
                                       size_t schema_index = 0) {
    Writes writes;
    for (const std::string& text : texts) add_write(writes, schemas_[schema_index], text);
    ports::WriteBatch batch;
    batch.epoch = kEpoch;
    batch.moves = {{schemas_[0].stream, 0, sequence_, sequence_ + 1}};
    batch.writes = writes.views;
    auto applied = system_.target->apply(batch);
    if (applied && !applied.value().poison) ++sequence_;
    return applied;
  }
  void apply(const std::vector<std::string>& texts, size_t schema_index = 0) {
    const auto applied = try_apply(texts, schema_index);
    expect_ok(applied);
    if (applied && applied.value().poison) {
      ADD_FAILURE() << to_string(applied.value().poison->error);
    }
  }
  std::string marker(model::Sequence sequence) const {
    return "marker " + std::to_string(schemas_[0].stream) + "/0=" + std::to_string(sequence);
  }

  Folder folder_;
  std::string path_;
  User user_;
  std::vector<model::Schema> schemas_;
  ports::SystemConfig config_;
  ports::System system_;
  std::unique_ptr<Notebook> sink_;
  ports::PollResult last_poll_;
  model::Sequence sequence_ = 0;
};

}  // namespace syncline::sqlite
