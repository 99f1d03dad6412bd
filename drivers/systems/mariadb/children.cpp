#include "drivers/systems/mariadb/detail/children.hpp"

#include <utility>

namespace syncline::mariadb {
namespace {

bool is_unclear(const ParentRef& parent) {
  return parent.state == ParentRef::State::kUnknown ||
         (parent.state == ParentRef::State::kKnown && parent.is_vague);
}

}  // namespace

void Children::hook(Node& node) {
  node.hooks.assign(heads_.size(), {});
  for (size_t link = 0; link < heads_.size(); ++link) {
    const ParentRef& parent = node.record.parents[link];
    unclear_counts_[link] += is_unclear(parent) ? 1 : 0;
    if (parent.state != ParentRef::State::kKnown) continue;
    Node*& head = heads_[link][parent.hash];
    node.hooks[link].behind = head;
    if (head != nullptr) head->hooks[link].before = &node;
    head = &node;
  }
}

void Children::unhook(Node& node) {
  for (size_t link = 0; link < heads_.size(); ++link) {
    const ParentRef& parent = node.record.parents[link];
    unclear_counts_[link] -= is_unclear(parent) ? 1 : 0;
    if (parent.state != ParentRef::State::kKnown) continue;
    const Hook& hook = node.hooks[link];
    if (hook.behind != nullptr) hook.behind->hooks[link].before = hook.before;
    if (hook.before != nullptr) {
      hook.before->hooks[link].behind = hook.behind;
    } else if (hook.behind != nullptr) {
      heads_[link][parent.hash] = hook.behind;
    } else {
      heads_[link].erase(parent.hash);
    }
  }
}

void Children::set(const model::KeyHash& id, std::optional<ChildRecord> record, Origin origin) {
  const auto found = records_.find(id);
  if (found != records_.end()) unhook(found->second);
  if (!record) {
    if (found != records_.end()) records_.erase(found);
    return;
  }
  Node& node = found != records_.end() ? found->second : records_[id];
  node.id = id;
  node.record = std::move(*record);
  node.origin = origin;
  hook(node);
}

void Children::put(const model::KeyHash& id, ChildRecord record, Origin origin) {
  if (origin == Origin::kLog) {
    const auto found = records_.find(id);
    const bool is_new = found == records_.end();
    undo_.push_back({id, is_new ? std::nullopt : std::optional(found->second.record),
                     is_new ? Origin::kLog : found->second.origin});
  }
  set(id, std::move(record), origin);
}

void Children::remove(const model::KeyHash& id) {
  const auto found = records_.find(id);
  if (found == records_.end()) return;
  undo_.push_back({id, found->second.record, found->second.origin});
  set(id, std::nullopt, Origin::kLog);
}

const ChildRecord* Children::find(const model::KeyHash& id) const {
  const auto found = records_.find(id);
  return found == records_.end() ? nullptr : &found->second.record;
}

std::vector<model::KeyHash> Children::of(size_t link, const model::KeyHash& parent,
                                         Which which) const {
  std::vector<model::KeyHash> ids;
  const auto head = heads_[link].find(parent);
  const Node* node = head == heads_[link].end() ? nullptr : head->second;
  for (; node != nullptr; node = node->hooks[link].behind) {
    if (which == Which::kTold && node->origin == Origin::kLoaded) continue;
    ids.push_back(node->id);
  }
  return ids;
}

void Children::roll_back() {
  for (; !undo_.empty(); undo_.pop_back()) {
    Undo& last = undo_.back();
    set(last.id, std::move(last.record), last.origin);
  }
}

}  // namespace syncline::mariadb
