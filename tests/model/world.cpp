#include "tests/model/world.hpp"

#include <algorithm>
#include <stdexcept>

namespace syncline::trace {
namespace {

constexpr model::DatasetId kDataset = 7;
constexpr model::StreamId kStream = 11;
constexpr model::FieldIndex kFirstField = 1;  // behind the key
constexpr int64_t kNowUs = 1'000'000;
constexpr model::SystemId kFirstPeer = 1000;

model::FieldIndex field_of(const std::string& cell) {
  return static_cast<model::FieldIndex>(kFirstField + (cell[0] - 'a'));
}

void demand(bool is_so, const char* what) {
  if (!is_so) throw std::runtime_error(std::string("not so: ") + what);
}

// s0 is 1, h0 is 1000: the order of the names.
model::SystemId id_of(const std::string& name) {
  const auto number = static_cast<model::SystemId>(std::stoul(name.substr(1)));
  return name[0] == 'h' ? kFirstPeer + number : 1 + number;
}

model::Secret make_secret() {
  model::Secret secret;
  for (size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<uint8_t>(i * 37 + 11);
  return secret;
}

model::Schema make_schema() {
  model::Schema schema;
  schema.dataset = kDataset;
  schema.stream = kStream;
  schema.name = "customer";
  schema.key_count = 1;
  schema.fields.resize(3);
  return schema;
}

}  // namespace

Stored stored_from(std::string_view bytes) {
  const size_t colon = bytes.find(':');
  demand(colon != std::string_view::npos, "colon != std::string_view::npos");
  return {std::stoll(std::string(bytes.substr(colon + 1))),
          std::stoll(std::string(bytes.substr(0, colon)))};
}

System::System(const Json& store) {
  for (const Json& form : store.list) store_.push_back(form.number);
}

void System::write(const Json& step) {
  LogItem item;
  const std::string& op = step.at("op").text;
  item.op = op == "I"   ? core::RowOp::kInsert
            : op == "U" ? core::RowOp::kUpdate
                        : core::RowOp::kDelete;
  item.time_us = step.at("time").number;
  if (item.op == core::RowOp::kInsert) row_.emplace();
  for (const auto& [cell, written] : step.at("cells").object) {
    const Stored stored{written.list[0].number, written.list[1].number};
    item.cells.emplace_back(field_of(cell), stored.bytes());
    row_.value()[field_of(cell)] = stored;
  }
  if (item.op == core::RowOp::kDelete) row_.reset();
  log_.push_back(std::move(item));
}

// One marked transaction: the entries between two markers, collapsed. A row of ours in the log
// names its cells in the order they were first written.
void System::apply(std::span<const model::Entry> run) {
  model::Collapsed<model::EntryCell> writes;
  std::vector<model::FieldIndex> order;
  for (const model::Entry& entry : run) {
    const bool was_delete = writes.kind == model::EntryKind::kDelete;
    model::collapse_onto<model::EntryCell>(writes, entry.kind, entry.generation, entry.cells);
    if (entry.kind != model::EntryKind::kSet) order.clear();
    if (entry.kind == model::EntryKind::kDelete ||
        (was_delete && order.empty() && entry.kind == model::EntryKind::kSet)) {
      continue;
    }
    for (const model::EntryCell& cell : entry.cells) {
      if (std::find(order.begin(), order.end(), cell.field) == order.end()) {
        order.push_back(cell.field);
      }
    }
  }
  LogItem item;
  item.marker = run.back().sequence;
  const bool did_exist = row_.has_value();
  if (writes.kind == model::EntryKind::kDelete) {
    row_.reset();
    if (did_exist) item.op = core::RowOp::kDelete;
  } else if (did_exist || writes.kind == model::EntryKind::kPut) {
    item.op = did_exist ? core::RowOp::kUpdate : core::RowOp::kInsert;
    if (!did_exist) row_.emplace();
    for (const model::EntryCell& cell : writes.cells) {
      Stored stored = stored_from(cell.bytes);
      stored.form = store_.at(static_cast<size_t>(stored.form));
      (*row_)[cell.field] = stored;
    }
    for (const model::FieldIndex field : order) {
      item.cells.emplace_back(field, row_->at(field).bytes());
    }
  }
  log_.push_back(std::move(item));
}

const System::LogItem* System::next() {
  return read_count_ < log_.size() ? &log_[read_count_++] : nullptr;
}

Appliance::Appliance(model::DatasetId dataset, core::DatasetRules rules, Reading reading)
    : schema_(make_schema()),
      rules_{{dataset, std::move(rules)}},
      secret_(make_secret()),
      lane_(0, rules_, secret_),
      reading_(reading),
      id_{dataset, {1, 2}} {
  rules_.at(dataset).schema = &schema_;
  for (const core::SystemRole& role : rules_.at(dataset).systems) {
    lane_.set_epoch(role.system, kEpoch);
  }
}

void Appliance::begin(model::SystemId system) {
  if (!input_.items.empty() && (input_.system != system || reading_ == Reading::kOneByOne)) step();
  input_.system = system;
}

void Appliance::read(model::SystemId system, const System::LogItem& item) {
  begin(system);
  if (item.marker) input_.items.push_back(core::Marker{kStream, kEpoch, *item.marker});
  if (!item.op) return;
  core::Row row;
  row.dataset = id_.dataset;
  row.key_hash = id_.key_hash;
  row.key = "k";
  row.op = *item.op;
  row.is_ours = item.marker.has_value();
  row.commit_time_us = item.time_us;
  for (const auto& [field, bytes] : item.cells) {
    const model::CellView cell{model::CellState::kValue, bytes};
    row.cells.push_back({field, cell.state, bytes, model::fingerprint(cell, secret_)});
  }
  input_.items.emplace_back(std::move(row));
}

void Appliance::read(model::SystemId peer, model::Entry entry) {
  begin(peer);
  joined_.push_back(std::move(entry));
  input_.items.emplace_back(core::Joined{&joined_.back()});
}

void Appliance::step() {
  core::RecordSet records;
  input_.now_us = kNowUs;
  for (const core::RecordId& id : lane_.needs(input_)) {
    demand(id == id_, "id == id_");
    records[id].state = state();
  }
  for (const core::RecordId& id : lane_.value_needs(input_, records)) records[id].values = values_;
  const model::Frame frame = lane_.step(input_, records);
  store(frame, records);
  input_ = {};
  joined_.clear();
}

void Appliance::store(const model::Frame& frame, const core::RecordSet& records) {
  for (const model::RecordImage& image : frame.records) {
    state_ = image.state;
    values_.resize(schema_.value_count());
    for (const model::EntryCell& cell : image.cells) {
      values_[cell.field - kFirstField] = {cell.state, cell.bytes};
    }
    const core::LoadedRecord& stepped = records.at(id_);
    demand(core::decode_record(state_).value() == stepped.state,
           "core::decode_record(state_).value() == stepped.state");
    demand(!stepped.values || *stepped.values == values_,
           "!stepped.values || *stepped.values == values_");
  }
  for (const model::Entry& entry : frame.entries) {
    for (const model::SystemId target : entry.targets) queues_[target].push_back(entry);
  }
  for (const model::Conflict& conflict : frame.conflicts) {
    if (conflict.outcome == model::ConflictOutcome::kRecordStays)
      continue;  // a delete's, no write's
    conflicts_.insert(stored_from(conflict.loser.bytes).write);
  }
  for (const model::LocalCell& local : frame.locals) locals_.insert(local.field);
  frames_.push_back(frame);
  snapshots_.push_back(lane_.snapshot());
}

std::vector<model::Entry> Appliance::take_queued(model::SystemId target, size_t count) {
  if (!input_.items.empty()) step();
  std::deque<model::Entry>& queue = queues_[target];
  demand(count <= queue.size(), "count <= queue.size()");
  std::vector<model::Entry> taken(queue.begin(), queue.begin() + static_cast<ptrdiff_t>(count));
  queue.erase(queue.begin(), queue.begin() + static_cast<ptrdiff_t>(count));
  return taken;
}

void Appliance::finish() {
  if (!input_.items.empty()) step();
  for (const auto& [target, queue] : queues_) {
    demand(queue.empty(), "queue.empty()");
    demand(lane_.in_flight_count(target, kStream) == 0,
           "lane_.in_flight_count(target, kStream) == 0");
  }
  demand(state().views.empty(), "state().views.empty()");
}

core::RecordState Appliance::state() const {
  core::RecordState state;
  if (!state_.empty()) state = core::decode_record(state_).value();
  lane_.bring_up_to_date(id_.dataset, state);
  return state;
}

void Appliance::check_replay() const {
  for (size_t from = 0; from <= snapshots_.size(); ++from) {
    core::Lane lane(0, rules_, secret_);
    if (from == 0) {
      for (const core::SystemRole& role : rules_.at(id_.dataset).systems) {
        lane.set_epoch(role.system, kEpoch);
      }
    } else {
      demand(lane.restore(snapshots_[from - 1]).has_value(),
             "lane.restore(snapshots_[from - 1]).has_value()");
    }
    for (size_t frame = from; frame < frames_.size(); ++frame) {
      lane.replay(frames_[frame]);
      demand(lane.snapshot() == snapshots_[frame], "lane.snapshot() == snapshots_[frame]");
    }
  }
}

World::World(const Json& trace, Reading reading) : trace_(trace) {
  for (const auto& [name, store] : trace.at("stores").object) systems_.try_emplace(name, store);
  for (const auto& [system, appliance] : trace.at("systems").object) {
    appliances_.try_emplace(appliance.text, kDataset, rules_of(appliance.text), reading);
  }
}

core::DatasetRules World::rules_of(const std::string& appliance) const {
  core::DatasetRules rules;
  const std::string& policy = trace_.at("policy").text;
  core::FieldPolicy field;
  field.policy = policy == "newest"   ? core::Policy::kNewest
                 : policy == "oldest" ? core::Policy::kOldest
                                      : core::Policy::kAuthority;
  field.text = policy;
  int64_t rank = 0;
  for (const Json& system : trace_.at("authority").list) field.ranks[id_of(system.text)] = --rank;
  rules.fields.assign(3, field);
  rules.deletes = trace_.at("update_wins").truth ? core::DeletePolicy::kUpdateWins
                                                 : core::DeletePolicy::kDeleteWins;
  for (const auto& [system, at] : trace_.at("systems").object) {
    if (at.text == appliance) rules.systems.push_back({.system = id_of(system)});
  }
  for (const Json& link : trace_.at("links").list) {
    if (link.list[0].text != appliance) continue;
    rules.systems.push_back({.system = id_of(link.list[1].text), .kind = core::SystemKind::kPeer});
  }
  std::sort(rules.systems.begin(), rules.systems.end(),
            [](const auto& a, const auto& b) { return a.system < b.system; });
  return rules;
}

void World::run() {
  for (const Json& step : trace_.at("steps").list) {
    if (const Json* system = step.find("write")) {
      systems_.at(system->text).write(step);
    } else if (step.find("reads")) {
      read(step);
    } else {
      deliver(step);
    }
  }
  for (auto& [name, appliance] : appliances_) appliance.finish();
}

void World::read(const Json& step) {
  Appliance& appliance = appliances_.at(step.at("at").text);
  const std::string& from = step.at("reads").text;
  if (from[0] == 'h') {
    auto& inbox = inboxes_[{step.at("at").text, from}];
    demand(!inbox.empty(), "!inbox.empty()");
    appliance.read(id_of(from), std::move(inbox.front()));
    inbox.pop_front();
    return;
  }
  const System::LogItem* item = systems_.at(from).next();
  demand(item != nullptr, "item != nullptr");
  appliance.read(id_of(from), *item);
}

void World::deliver(const Json& step) {
  const std::string& from = step.at("at").text;
  const std::string& to = step.at("delivers").text;
  std::vector<model::Entry> run =
      appliances_.at(from).take_queued(id_of(to), static_cast<size_t>(step.at("count").number));
  if (to[0] != 'h') return systems_.at(to).apply(run);
  auto& inbox = inboxes_[{to, from}];
  std::move(run.begin(), run.end(), std::back_inserter(inbox));
}

std::string World::differences() const {
  std::string found;
  for (const auto& [name, system] : systems_) {
    found += end_differences(name, system, name == systems_.begin()->first);
  }
  std::set<model::FieldIndex> locals;
  for (const auto& [name, appliance] : appliances_) {
    locals.insert(appliance.locals().begin(), appliance.locals().end());
  }
  std::set<model::FieldIndex> model_locals;
  for (const Json& cell : trace_.at("local").list) model_locals.insert(field_of(cell.text));
  if (locals != model_locals) found += "other local cells; ";
  const bool has_cycles = trace_.at("links").list.size() / 2 + 1 > appliances_.size();
  if (has_cycles) return found;
  for (const auto& [name, appliance] : appliances_) {
    std::set<int64_t> expected;
    for (const Json& write : trace_.at("conflicts").at(name).list) expected.insert(write.number);
    for (const int64_t write : appliance.conflicts()) {
      if (!expected.contains(write))
        found += name + " alone says conflict " + std::to_string(write) + "; ";
    }
    for (const int64_t write : expected) {
      if (!appliance.conflicts().contains(write))
        found += name + " says no conflict " + std::to_string(write) + "; ";
    }
  }
  return found;
}

// A local cell's form is each system's own; the model names the first system's.
std::string World::end_differences(const std::string& name, const System& system,
                                   bool is_first) const {
  const Json& ends = trace_.at("ends");
  std::string found;
  if (system.row().has_value() != !ends.object.empty()) {
    return name + (system.row() ? " holds a row; " : " holds no row; ");
  }
  for (const auto& [cell, end] : ends.object) {
    const Stored expected{end.list[0].number, end.list[1].number};
    const Stored held = system.row()->at(field_of(cell));
    const auto& local = trace_.at("local").list;
    const bool is_local = std::any_of(local.begin(), local.end(),
                                      [&](const Json& known) { return known.text == cell; });
    const bool is_same = is_local && !is_first ? held.write == expected.write : held == expected;
    if (!is_same) {
      found += name + "." + cell + " is " + held.bytes() + ", not " + expected.bytes() + "; ";
    }
  }
  return found;
}

void World::check_replay() const {
  for (const auto& [name, appliance] : appliances_) appliance.check_replay();
}

}  // namespace syncline::trace
