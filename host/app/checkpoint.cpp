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

// Cursors are read before the pipeline stores them: what is released afterwards is behind
// everything that a restart asks for.
Result<void> RuntimeImpl::checkpoint(size_t lane_limit) {
  std::optional<journal::GroupNumber> oldest;
  pipeline::Pipeline::Items cursors;
  for (const auto& run : runs_) {
    if (!run->delivery) continue;
    const journal::GroupNumber cursor = run->delivery->cursor();
    std::string bytes;
    ByteWriter(bytes).u64(cursor);
    cursors.emplace_back(cursor_item(run->system->name), std::move(bytes));
    oldest = std::min(oldest.value_or(cursor), cursor);
  }
  SYN_TRY(const auto saved, pipeline_->checkpoint(lane_limit, cursors));
  if (!saved) return success();
  return parts_.journal.release(std::min(*saved, oldest.value_or(*saved)));
}

void RuntimeImpl::checkpoint_if_due() {
  if (pipeline_->is_waiting()) return;
  const int64_t now_us = parts_.clock.steady_us();
  const uint64_t journalled = parts_.journal.stats().frame_bytes_total;
  if (now_us < checkpoint_due_us_ && journalled < checkpoint_due_bytes_) return;
  checkpoint_due_us_ = now_us + parts_.options.checkpoint_every_us;
  checkpoint_due_bytes_ = journalled + parts_.options.checkpoint_every_bytes;
  const auto saved = checkpoint(parts_.options.checkpoint_lanes);
  if (saved) return;
  if (saved.error().code == ErrorCode::kStorageFull) {
    parts_.log.error(saved.error());  // the journal keeps what a restart needs; tried again
    return;
  }
  fail_all(saved.error());
}

}  // namespace syncline::app
