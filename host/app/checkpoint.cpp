// What the runtime keeps for its own restart: delivery cursors, and with them how much of the
// journal may go.
#include <algorithm>

#include "host/app/resync.hpp"
#include "host/app/runtime_internal.hpp"
#include "host/base/bytes.hpp"

namespace syncline::app {

Result<journal::GroupNumber> RuntimeImpl::load_cursor(const RuntimeSystem& system) {
  SYN_TRY(const std::string stored, parts_.shadow.get_item(cursor_item(system.name)));
  return stored.empty() ? 0 : ByteReader(stored).u64();
}

// Cursors are read before the pipeline's checkpoint flushes them: what is released afterwards is
// behind everything that a restart asks for.
Result<void> RuntimeImpl::checkpoint(size_t lane_limit) {
  std::optional<journal::GroupNumber> oldest;
  for (const auto& run : runs_) {
    if (!run->delivery) continue;
    const journal::GroupNumber cursor = run->delivery->cursor();
    std::string bytes;
    ByteWriter(bytes).u64(cursor);
    SYN_TRY(parts_.shadow.put_item(cursor_item(run->system->name), bytes));
    oldest = std::min(oldest.value_or(cursor), cursor);
  }
  SYN_TRY(const journal::GroupNumber saved, pipeline_->checkpoint(lane_limit));
  return parts_.journal.release(std::min(saved, oldest.value_or(saved)));
}

void RuntimeImpl::checkpoint_if_due() {
  const int64_t now_us = parts_.clock.steady_us();
  if (now_us < checkpoint_due_us_ || pipeline_->is_waiting()) return;
  checkpoint_due_us_ = now_us + parts_.options.checkpoint_every_us;
  const auto saved = checkpoint(parts_.options.checkpoint_lanes);
  if (saved) return;
  if (saved.error().code == ErrorCode::kStorageFull) {
    parts_.log.error(saved.error());  // the journal keeps what a restart needs; tried again
    return;
  }
  fail_all(saved.error());
}

}  // namespace syncline::app
