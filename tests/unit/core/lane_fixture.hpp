// A lane with its shadow, and verbs for what systems do: the fixture of the core's stories.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "host/core/lane.hpp"

namespace syncline::core {

inline constexpr model::DatasetId kCustomer = 5;
inline constexpr model::StreamId kStream = 9;
inline constexpr uint32_t kEpoch = 3;
inline constexpr model::SystemId kErp = 1, kShop = 2, kCrm = 3, kPeer = 100;
inline constexpr model::FieldIndex kName = 1, kPhone = 2, kCity = 3;  // behind the key
inline constexpr int64_t kNow = 1'700'000'000'000'000;

using Cells = std::map<model::FieldIndex, std::string>;

class LaneStory : public testing::Test {
 protected:
  LaneStory() : lane_(0, rules_, secret_) {
    schema_.dataset = kCustomer;
    schema_.stream = kStream;
    schema_.key_count = 1;
    schema_.fields.resize(4);
    DatasetRules& rules = rules_[kCustomer];
    rules.schema = &schema_;
    rules.fields.resize(4);
    for (FieldPolicy& field : rules.fields) field.text = "newest";
    rules.systems = {{.system = kErp}, {.system = kShop}};
    for (const model::SystemId system : {kErp, kShop, kCrm}) lane_.set_epoch(system, kEpoch);
  }

  DatasetRules& rules() { return rules_[kCustomer]; }
  SystemRole& role(model::SystemId system) {
    for (SystemRole& known : rules().systems) {
      if (known.system == system) return known;
    }
    rules().systems.push_back({.system = system});
    return rules().systems.back();
  }

  Row row(RowOp op, const Cells& cells, int64_t time_us, const std::string& key = "c1") {
    Row row;
    row.dataset = kCustomer;
    row.key_hash = hash_of(key);
    row.key = keep(key);
    row.op = op;
    row.commit_time_us = time_us;
    for (const auto& [field, value] : cells) {
      const std::string& bytes = keep(value);
      const model::CellView cell{model::CellState::kValue, bytes};
      row.cells.push_back({field, cell.state, bytes, model::fingerprint(cell, secret_)});
    }
    return row;
  }
  Row insert(const Cells& cells, int64_t time_us) { return row(RowOp::kInsert, cells, time_us); }
  Row update(const Cells& cells, int64_t time_us) { return row(RowOp::kUpdate, cells, time_us); }
  Row removal(int64_t time_us) { return row(RowOp::kDelete, {}, time_us); }
  Row snapshot(const Cells& cells) { return row(RowOp::kSnapshot, cells, 0); }
  static Row ours(Row row) {
    row.is_ours = true;
    return row;
  }
  static Marker marker(model::Sequence sequence, uint32_t epoch = kEpoch) {
    return {kStream, epoch, sequence};
  }

  // One step, with nothing loaded that the lane did not ask for.
  const model::Frame& step(model::SystemId system, std::vector<Item> items,
                           std::vector<model::Skip> skips = {}) {
    Input input;
    input.system = system;
    input.now_us = kNow;
    input.items = std::move(items);
    input.skips = std::move(skips);
    RecordSet records;
    const std::vector<RecordId> needed = lane_.needs(input);
    records_asked_ = needed.size();
    for (const RecordId& id : needed) {
      records[id];
      if (const auto at = states_.find(id); at != states_.end()) {
        records[id].state = decode_record(at->second).value();
        lane_.bring_up_to_date(id.dataset, records[id].state);
      }
    }
    const std::vector<RecordId> asked = lane_.value_needs(input, records);
    values_asked_ = asked.size();
    for (const RecordId& id : asked) records[id].values = values_[id];
    frames_.push_back(lane_.step(input, records));
    for (const model::RecordImage& image : frames_.back().records) {
      const RecordId id{image.dataset, image.key_hash};
      states_[id] = image.state;
      values_[id].resize(schema_.value_count());
      for (const model::EntryCell& cell : image.cells) {
        values_[id][cell.field - 1] = {cell.state, cell.bytes};
      }
    }
    return frames_.back();
  }

  // A record that every system holds, with nothing in flight.
  void settle_on(const Cells& cells, int64_t time_us) {
    step(kErp, {insert(cells, time_us)});
    confirm_all();
  }
  void confirm_all() {
    for (const SystemRole& known : rules().systems) {
      if (lane_.in_flight_count(known.system, kStream) == 0) continue;
      step(known.system, {marker(lane_.last_sequence(kStream))});
    }
  }

  RecordState state(const std::string& key = "c1") const {
    const auto at = states_.find({kCustomer, hash_of(key)});
    if (at == states_.end()) return {};
    RecordState state = decode_record(at->second).value();
    lane_.bring_up_to_date(kCustomer, state);
    return state;
  }
  Cells accepted(const std::string& key = "c1") const {
    Cells cells;
    const auto at = values_.find({kCustomer, hash_of(key)});
    for (size_t i = 0; at != values_.end() && i < at->second.size(); ++i) {
      if (at->second[i].state != model::CellState::kValue) continue;
      cells[static_cast<model::FieldIndex>(i + 1)] = at->second[i].bytes;
    }
    return cells;
  }
  static Cells cells_of(const model::Entry& entry) {
    Cells cells;
    for (const model::EntryCell& cell : entry.cells) cells[cell.field] = cell.bytes;
    return cells;
  }
  static model::KeyHash hash_of(const std::string& key) { return model::hash_key(key); }
  model::Skip skip(model::SystemId target, model::Sequence sequence) {
    return {target, kCustomer, hash_of("c1"), "c1", sequence, "check constraint"};
  }

  const std::string& keep(const std::string& text) { return texts_.emplace_back(text); }

  model::Schema schema_;
  Rules rules_;
  model::Secret secret_{};
  Lane lane_;
  size_t records_asked_ = 0;  // by the last step
  std::map<RecordId, std::string> states_;
  std::map<RecordId, std::vector<model::Cell>> values_;
  std::deque<model::Frame> frames_;
  size_t values_asked_ = 0;        // records whose values the last step had to read
  std::deque<std::string> texts_;  // what rows borrow from
};

using Systems = std::vector<model::SystemId>;

}  // namespace syncline::core
