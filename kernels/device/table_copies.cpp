#include "kernels/device/table_copies.hpp"

#include <algorithm>

namespace syncline::device {
namespace {

// Batches of a refused table without any of another one, before that one makes room.
constexpr uint64_t kIdleAsks = 8;

}  // namespace

std::shared_ptr<TableCopy> TableCopies::find(const engine::TableRef& table, Device& device) {
  const std::lock_guard lock(mutex_);
  const auto found =
      std::ranges::find_if(copies_, [&](const Held& held) { return held.copy->id() == table.id; });
  if (found != copies_.end()) {
    copies_.splice(copies_.begin(), copies_, found);
  } else {
    if (copies_.size() == kCopyCountMax) copies_.pop_back();
    auto fresh = std::make_unique<TableCopy>(table, device);
    const auto bury = [this](TableCopy* dropped) {
      graveyard_.bury(std::shared_ptr<TableCopy>(dropped));
    };
    copies_.push_front({std::shared_ptr<TableCopy>(fresh.release(), bury), 0});
  }
  copies_.front().turn = ++turns_;
  return copies_.front().copy;
}

bool TableCopies::drop_idle_for(const TableCopy& refused) {
  const TableCopy::Refusal& refusal = refused.refusal();
  if (refusal.patience < kIdleAsks) return false;
  const std::lock_guard lock(mutex_);
  if (copies_.empty() || copies_.back().turn >= refusal.turn) return false;
  copies_.pop_back();
  return true;
}

void TableCopies::drop_oldest() {
  const std::lock_guard lock(mutex_);
  if (!copies_.empty()) copies_.pop_back();
}

void TableCopies::refuse(TableCopy& copy, const engine::TableRef& table) {
  const std::lock_guard lock(mutex_);
  copy.refuse(table, turns_);
}

void TableCopies::drop_all() {
  const std::lock_guard lock(mutex_);
  copies_.clear();
}

void TableCopies::drop(const TableCopy& copy) {
  const std::lock_guard lock(mutex_);
  copies_.remove_if([&](const Held& held) { return held.copy.get() == &copy; });
}

}  // namespace syncline::device
