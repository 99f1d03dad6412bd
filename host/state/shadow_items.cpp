#include <vector>

#include "host/state/shadow_items_internal.hpp"

namespace syncline::state {

void WaitingItems::put(const std::string& name, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  items_[name] = {std::string(bytes), ++order_};
  size_bytes_ += sizeof(Item) + name.size() + bytes.size();
}

Result<std::string> WaitingItems::get(const ShadowStore& store, const std::string& name) const {
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = items_.find(name); at != items_.end()) return at->second.bytes;
  }
  return store.get_item(name);
}

Result<void> WaitingItems::scan(const ShadowStore& store, const std::string& prefix,
                                const Shadow::VisitItem& visit) const {
  std::map<std::string, std::string> waiting;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = items_.lower_bound(prefix); at != items_.end(); ++at) {
      if (!at->first.starts_with(prefix)) break;
      waiting.emplace(at->first, at->second.bytes);
    }
  }
  auto next = waiting.begin();
  bool goes_on = true;
  const auto show_waiting = [&] {
    if (!next->second.empty()) goes_on = visit(next->first, next->second);
    ++next;
  };
  SYN_TRY(store.scan_items(prefix, [&](const std::string& name, std::string_view bytes) {
    while (goes_on && next != waiting.end() && next->first < name) show_waiting();
    if (goes_on && next != waiting.end() && next->first == name) {
      show_waiting();
    } else if (goes_on) {
      goes_on = visit(name, bytes);
    }
    return goes_on;
  }));
  while (goes_on && next != waiting.end()) show_waiting();
  return success();
}

size_t WaitingItems::size_bytes() const {
  const std::lock_guard lock(mutex_);
  return size_bytes_;
}

uint64_t WaitingItems::add_to(ShadowStore::Batch& batch) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, item] : items_) batch.items.emplace_back(name, item.bytes);
  return order_;
}

void WaitingItems::forget(uint64_t last_order) {
  const std::lock_guard lock(mutex_);
  std::erase_if(items_, [last_order](const auto& item) { return item.second.order <= last_order; });
  size_bytes_ = 0;
  for (const auto& [name, item] : items_) {
    size_bytes_ += sizeof item + name.size() + item.bytes.size();
  }
}

}  // namespace syncline::state
