#include "drivers/systems/mariadb/detail/cascades.hpp"

#include <algorithm>

#include "host/base/assert.hpp"
#include "host/base/bytes.hpp"
#include "host/model/key.hpp"

namespace syncline::mariadb {
namespace {

using model::Cell, model::CellState;

std::vector<Cell> pick(const std::vector<Cell>& record, const std::vector<size_t>& fields) {
  std::vector<Cell> cells;
  cells.reserve(fields.size());
  for (const size_t field : fields) cells.push_back(record[field]);
  return cells;
}

std::string joined_key(const std::vector<Cell>& record, size_t key_count) {
  std::vector<model::CellView> views;
  views.reserve(key_count);
  for (size_t i = 0; i < key_count; ++i) views.push_back(record[i].view());
  return model::join_key(views);
}

bool has_whole_key(std::span<const model::CellView> cells, size_t key_count) {
  return std::all_of(cells.begin(), cells.begin() + static_cast<ptrdiff_t>(key_count),
                     [](const model::CellView& cell) { return cell.state == CellState::kValue; });
}

bool has_key_field(const Link& link, const model::Schema& schema) {
  return std::any_of(link.fields.begin(), link.fields.end(),
                     [&](size_t field) { return field < schema.key_count; });
}

bool is_known(const std::vector<Cell>& cells) {
  return std::none_of(cells.begin(), cells.end(),
                      [](const Cell& cell) { return cell.state == CellState::kUnchanged; });
}

}  // namespace

// What a table keeps depends on who refers to it: with other links, all is found anew.
bool Cascades::set_links(const model::Schema& schema, const std::string& table,
                         std::vector<Link> links) {
  const auto found = families_.find(schema.dataset);
  const bool is_known = found != families_.end();
  if (is_known ? found->second.links == links : links.empty()) return false;
  if (links.empty()) {
    families_.erase(found);
  } else {
    families_[schema.dataset] = {&schema, table, std::move(links), {}, {}, nullptr};
  }
  for (auto& [dataset, family] : families_) family.children.reset();
  forget();
  return true;
}

std::vector<LinkId> Cascades::of_parent(std::string_view table) const {
  std::vector<LinkId> ids;
  for (const auto& [dataset, family] : families_) {
    for (size_t i = 0; i < family.links.size(); ++i) {
      if (family.links[i].key.referenced == table) ids.push_back({dataset, i});
    }
  }
  return ids;
}

const Link& Cascades::link(const LinkId& id) const {
  return families_.at(id.dataset).links[id.link];
}

std::vector<std::string> Cascades::parent_tables() const {
  std::set<std::string> tables;
  for (const auto& [dataset, family] : families_) {
    for (const Link& link : family.links) tables.insert(link.key.referenced);
  }
  return {tables.begin(), tables.end()};
}

std::set<model::DatasetId> Cascades::right_below(model::DatasetId parent) const {
  std::set<model::DatasetId> found;
  for (const auto& [dataset, family] : families_) {
    const bool is_child =
        std::any_of(family.links.begin(), family.links.end(),
                    [&](const Link& link) { return link.parent_dataset == parent; });
    if (is_child && dataset != parent) found.insert(dataset);
  }
  return found;
}

std::set<model::DatasetId> Cascades::below(std::string_view table) const {
  std::set<model::DatasetId> found;
  std::vector<std::string> tables = {std::string(table)};
  while (!tables.empty()) {
    const std::string parent = std::move(tables.back());
    tables.pop_back();
    for (const LinkId& id : of_parent(parent)) {
      if (found.insert(id.dataset).second) tables.push_back(families_.at(id.dataset).table);
    }
  }
  return found;
}

std::vector<model::DatasetId> Cascades::datasets() const {
  std::vector<model::DatasetId> ids;
  ids.reserve(families_.size());
  for (const auto& [dataset, family] : families_) ids.push_back(dataset);
  return ids;
}

void Cascades::find_kept(Family& family) const {
  std::set<size_t> fields;
  for (const Link& link : family.links) fields.insert(link.fields.begin(), link.fields.end());
  for (const LinkId& id : of_parent(family.table)) {
    const Link& below = link(id);
    fields.insert(below.parent_fields.begin(), below.parent_fields.end());
  }
  family.kept.clear();
  family.fields.clear();
  for (size_t i = 0; i < family.schema->key_count; ++i) family.fields.push_back(i);
  for (const size_t field : fields) {
    if (field >= family.schema->key_count) family.kept.push_back(field);
  }
  family.fields.insert(family.fields.end(), family.kept.begin(), family.kept.end());
}

void Cascades::begin_load() {
  is_due_ = true;
  for (auto& [dataset, family] : families_) {
    find_kept(family);
    family.children = std::make_unique<Children>(family.links.size());
  }
}

void Cascades::load(model::DatasetId dataset, std::span<const model::CellView> cells) {
  Family& family = families_.at(dataset);
  if (!has_whole_key(cells, family.schema->key_count)) return;
  const Record record(cells.begin(), cells.end());
  ChildRecord packed = pack(family, record);
  const model::KeyHash id = model::hash_key(packed.key);
  family.children->put(id, std::move(packed), Children::Origin::kLoaded);
}

void Cascades::end_load(Place exact_from) {
  is_due_ = false;
  exact_from_ = exact_from;
  asked_.clear();
}

ChildRecord Cascades::pack(const Family& family, const Record& record) {
  ChildRecord packed;
  packed.key = joined_key(record, family.schema->key_count);
  ByteWriter out(packed.kept);
  for (const size_t field : family.kept) {
    out.u8(static_cast<uint8_t>(record[field].state));
    if (record[field].state == CellState::kValue) out.text(record[field].bytes);
  }
  for (const Link& link : family.links) {
    packed.parents.push_back(parent_ref(link, pick(record, link.fields)));
  }
  return packed;
}

Cascades::Record Cascades::unpack(const Family& family, const ChildRecord& packed) {
  Record record(family.schema->fields.size());
  const auto key = model::split_key(packed.key);
  for (size_t i = 0; i < key.size(); ++i) record[i] = Cell::value(std::string(key[i]));
  ByteReader in(packed.kept);
  for (const size_t field : family.kept) {
    record[field].state = static_cast<CellState>(in.u8());
    if (record[field].state == CellState::kValue) record[field].bytes = in.text();
  }
  SYN_ASSERT(in.ok());
  return record;
}

void Cascades::put(model::DatasetId dataset, const std::string& old_key,
                   std::span<const model::CellView> cells) {
  Family& family = families_.at(dataset);
  if (family.children == nullptr || !has_whole_key(cells, family.schema->key_count)) return;
  Record record(cells.begin(), cells.end());
  if (!old_key.empty()) {
    const model::KeyHash old_id = model::hash_key(old_key);
    if (const ChildRecord* known = family.children->find(old_id)) {
      const Record before = unpack(family, *known);
      for (const size_t field : family.kept) {
        if (record[field].state == CellState::kUnchanged) record[field] = before[field];
      }
    }
    family.children->remove(old_id);
  }
  ChildRecord packed = pack(family, record);
  const model::KeyHash id = model::hash_key(packed.key);
  family.children->put(id, std::move(packed), Children::Origin::kLog);
}

void Cascades::remove(model::DatasetId dataset, const std::string& key) {
  Family& family = families_.at(dataset);
  if (family.children == nullptr) return;
  family.children->remove(model::hash_key(key));
}

void Cascades::scan(model::DatasetId dataset) {
  scans_.insert(dataset);
  scans_.merge(below(families_.at(dataset).table));
}

void Cascades::act(const LinkId& id, std::vector<Cell> before,
                   std::optional<std::vector<Cell>> after, Place group) {
  steps_.push_back({id, std::move(before), std::move(after)});
  while (!steps_.empty()) {
    const Step step = std::move(steps_.back());
    steps_.pop_back();
    run(step, group);
  }
}

void Cascades::run(const Step& step, Place group) {
  Family& family = families_.at(step.id.dataset);
  const Link& link = family.links[step.id.link];
  const Action action = step.after ? link.on_update() : link.on_delete();
  const ParentRef parent = parent_ref(link, step.before);
  if (action == Action::kNone || parent.state == ParentRef::State::kNone) return;
  if (is_due_ || family.children == nullptr) return scan(step.id.dataset);
  const bool is_clear = parent.state == ParentRef::State::kKnown && !parent.is_vague &&
                        family.children->unclear_count(step.id.link) == 0 &&
                        (action != Action::kFollow || is_known(*step.after));
  const bool is_behind = group < exact_from_;
  const bool is_asked = is_behind && is_clear && asked_.contains(step.id.dataset);
  if ((!is_clear || is_behind) && !is_asked) scan(step.id.dataset);
  if (is_behind) asked_.insert(scans_.begin(), scans_.end());
  const bool moves_keys = action == Action::kFollow && has_key_field(link, *family.schema);
  // What the log tells of a record that came to its key unseen would be taken for another's.
  if (!is_clear || (is_behind && moves_keys)) forget();
  if (parent.state != ParentRef::State::kKnown) return;
  if (action == Action::kFollow && !is_known(*step.after)) return;
  const auto which = is_behind ? Children::Which::kTold : Children::Which::kAll;
  for (const model::KeyHash& id : family.children->of(step.id.link, parent.hash, which)) {
    apply(family, step, action, id);
  }
}

void Cascades::apply(Family& family, const Step& step, Action action, const model::KeyHash& id) {
  const ChildRecord* known = family.children->find(id);
  const Record before = unpack(family, *known);
  Derived derived;
  derived.dataset = step.id.dataset;
  derived.key = known->key;
  if (action == Action::kDelete) {
    family.children->remove(id);
    derived_.push_back(std::move(derived));
    return pass_on(family, before, nullptr);
  }
  Record after = before;
  const Link& link = family.links[step.id.link];
  for (size_t i = 0; i < link.fields.size(); ++i) {
    const Cell now = action == Action::kFollow ? (*step.after)[i] : Cell::null();
    after[link.fields[i]] = now;
    derived.fields.emplace_back(link.fields[i], now);
  }
  ChildRecord packed = pack(family, after);
  const bool is_moved = packed.key != derived.key;
  derived.kind = is_moved ? Derived::Kind::kMove : Derived::Kind::kUpdate;
  if (is_moved) derived.old_key = std::exchange(derived.key, packed.key);
  const model::KeyHash new_id = model::hash_key(packed.key);
  family.children->remove(id);
  family.children->put(new_id, std::move(packed), Children::Origin::kLog);
  derived_.push_back(std::move(derived));
  pass_on(family, before, &after);
}

// What happened to a child happens to it as a parent.
void Cascades::pass_on(const Family& family, const Record& before, const Record* after) {
  for (const LinkId& id : of_parent(family.table)) {
    const Link& below = link(id);
    if (below.parent_fields.empty()) {  // found before keys acted on its parent
      scan(id.dataset);
      forget();
      continue;
    }
    auto was = pick(before, below.parent_fields);
    if (after == nullptr) {
      steps_.push_back({id, std::move(was), std::nullopt});
      continue;
    }
    auto is = pick(*after, below.parent_fields);
    if (was != is) steps_.push_back({id, std::move(was), std::move(is)});
  }
}

void Cascades::commit() {
  for (auto& [dataset, family] : families_) {
    if (family.children != nullptr) family.children->commit();
  }
}

void Cascades::roll_back() {
  for (auto& [dataset, family] : families_) {
    if (family.children != nullptr) family.children->roll_back();
  }
  derived_.clear();
  scans_.clear();
}

}  // namespace syncline::mariadb
