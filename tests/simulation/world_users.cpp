// What simulated users do, and how they mend what only they can.
#include <algorithm>
#include <iterator>

#include "tests/simulation/world.hpp"

namespace syncline::simulation {

namespace {

constexpr size_t kRowsMany = 8;  // of one dataset in one system: from here on they are deleted too

UserOp move_of(const RecordKey& record, const std::string& new_key) {
  UserOp op;
  op.verb = UserVerb::kMove;
  op.record = record;
  op.new_key = new_key;
  return op;
}

}  // namespace

UserOp World::roll_op(size_t system, const RecordKey& record) {
  UserOp op;
  op.record = record;
  if (systems_[system]->row(record) == nullptr) {
    op.verb = UserVerb::kInsert;
  } else if (dice_.chance(plan_.delete_chance)) {
    op.verb = dice_.chance(0.15) ? UserVerb::kReplace : UserVerb::kDelete;
  } else if (dice_.chance(0.03)) {
    op.verb = UserVerb::kTouch;
  }
  if (op.verb == UserVerb::kDelete || op.verb == UserVerb::kTouch) return op;
  const int64_t tag = next_tag();
  const size_t only = dice_.chance(0.8) ? dice_.below(kFieldsMax) : kFieldsMax;
  for (size_t field = 0; field < kFieldsMax; ++field) {
    if (op.verb == UserVerb::kUpdate && only != kFieldsMax && only != field) continue;
    const model::TypeKind kind = plan_.datasets[record.dataset].kind(field);
    op.cells[field] = make_value(kind, dice_.chance(0.03) ? kNullTag : tag,
                                 static_cast<int>(dice_.below(kFormCount)));
    // Now and then the same value as an older one of this record.
    if (dice_.chance(0.03) && tag > 2) {
      const int64_t old_tag = dice_.between(1, tag - 1);
      if (history_.knows(record, field, old_tag)) {
        op.cells[field] = make_value(kind, old_tag, static_cast<int>(dice_.below(kFormCount)));
      }
    }
  }
  return op;
}

void World::user_step() {
  const size_t system = dice_.below(systems_.size());
  if (plan_.move_chance > 0 && dice_.chance(plan_.move_chance)) return key_step(system);
  std::vector<UserOp> ops;
  const size_t op_count = dice_.chance(0.75) ? 1 : 1 + dice_.below(4);
  for (size_t index = 0; index < op_count; ++index) {
    const size_t dataset = dice_.below(plan_.datasets.size());
    const size_t key_count = plan_.datasets[dataset].key_count;
    RecordKey record = {dataset, "k" + std::to_string(dice_.below(key_count))};
    if (plan_.move_chance > 0 && dice_.chance(0.4)) record = roll_row(system, dataset, record);
    const bool is_twice = std::any_of(ops.begin(), ops.end(),
                                      [&record](const UserOp& op) { return op.record == record; });
    if (!is_twice && history_.has_room(record)) ops.push_back(roll_op(system, record));
  }
  if (ops.empty()) return;
  systems_[system]->user_transaction(ops);
  ++user_transactions_;
}

std::vector<RecordKey> World::rows_of(size_t system, size_t dataset) const {
  std::vector<RecordKey> records;
  for (const auto& [record, row] : systems_[system]->rows()) {
    if (record.dataset == dataset) records.push_back(record);
  }
  return records;
}

std::string World::fresh_key() {
  return "m" + std::to_string(++last_key_);
}

// Any row of a system's, or a key that nobody ever had.
RecordKey World::roll_row(size_t system, size_t dataset, const RecordKey& otherwise) {
  const std::vector<RecordKey> records = rows_of(system, dataset);
  if (records.size() < kRowsMany && dice_.chance(0.4)) return {dataset, fresh_key()};
  return records.empty() ? otherwise : dice_.pick(records);
}

// Users change keys: one, or several at once, or one twice, to keys that are free, that nobody ever
// had, that were given up a moment ago, or that change places.
void World::key_step(size_t system) {
  const size_t dataset = dice_.below(plan_.datasets.size());
  std::vector<RecordKey> records = rows_of(system, dataset);
  if (records.empty()) return;
  for (size_t left = records.size(); left > 1; --left) {
    std::swap(records[left - 1], records[dice_.below(left)]);
  }
  const RecordKey& first = records.front();
  const RecordKey& second = records[records.size() > 1 ? 1 : 0];
  const std::string fresh = fresh_key();
  const size_t key_count = plan_.datasets[dataset].key_count;
  std::vector<UserOp> ops = {move_of(first, fresh)};
  const size_t kind = dice_.below(10);
  if (kind == 0) {
    ops.push_back(move_of({dataset, fresh}, fresh_key()));
  } else if (kind == 1) {
    ops.push_back(move_of(second, first.key));
  } else if (kind == 2) {
    ops.push_back(move_of(second, first.key));
    ops.push_back(move_of({dataset, fresh}, second.key));
  } else if (kind == 3) {
    ops[0].new_key = "k" + std::to_string(dice_.below(key_count));
  } else if (kind == 4) {
    const size_t count = std::min(records.size(), 2 + dice_.below(3));
    for (size_t at = 1; at < count; ++at) ops.push_back(move_of(records[at], fresh_key()));
  }
  const auto has_no_room = [this](const UserOp& op) {
    return !history_.has_room(op.record) || !history_.has_room({op.record.dataset, op.new_key});
  };
  if (std::any_of(ops.begin(), ops.end(), has_no_room)) return;
  if (dice_.chance(0.3)) change_too(ops.front());
  systems_[system]->user_transaction(ops);
  ++user_transactions_;
}

// A cell in the same update as the key.
void World::change_too(UserOp& move) {
  const size_t field = dice_.below(kFieldsMax);
  const model::TypeKind kind = plan_.datasets[move.record.dataset].kind(field);
  move.cells[field] = make_value(kind, next_tag(), static_cast<int>(dice_.below(kFormCount)));
}

// Whoever has a row that is another record's by its number gives it one of its own, or lets it go.
void World::mend_apart() {
  bool is_needed = false;
  for (const auto& machine : machines_) {
    const auto apart = machine->observer.apart;
    for (const auto& [system_id, record] : apart) {
      is_needed = true;
      UserOp op = move_of(record, fresh_key());
      if (dice_.chance(0.3)) op = {UserVerb::kDelete, record, {}};
      systems_[plan_.system_index(system_id)]->user_transaction({&op, 1});
    }
  }
  if (!is_needed || !settle()) return;
  check();
  for (const auto& machine : machines_) {
    for (const auto& [system, record] : machine->observer.apart) {
      report_.violation("apart from nobody", plan_.name_of(system) + " was mended, " +
                                                 describe(plan_, record) + " is still held");
    }
  }
}

}  // namespace syncline::simulation
