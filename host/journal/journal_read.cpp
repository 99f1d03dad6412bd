// What cursors, deliveries and operators ask of the journal: reading, releasing, counting.

#include <algorithm>

#include "host/journal/journal_internal.hpp"

namespace syncline::journal {

Result<std::unique_ptr<Cursor>> JournalImpl::open_cursor(GroupNumber after) {
  if (after > committed()) {
    return fail(
        ErrorCode::kDamaged, "a reader asks for what is behind group " + std::to_string(after),
        "the journal ends with group " + std::to_string(committed()),
        "the journal folder and the rest of the data folder do not belong together: restore "
        "both from the same backup, or run syncline plan");
  }
  if (after < committed()) {
    SYN_TRY(find(after + 1));
  }
  return make_cursor(*this, after);
}

GroupPointer JournalImpl::recent(GroupNumber number) const {
  const std::lock_guard lock(state_mutex_);
  if (recent_.empty() || number < recent_.front().group->number || number > committed_) return {};
  return recent_[number - recent_.front().group->number].group;
}

GroupNumber JournalImpl::committed() const {
  const std::lock_guard lock(state_mutex_);
  return committed_;
}

Result<JournalImpl::Start> JournalImpl::find(GroupNumber number) const {
  const std::lock_guard lock(state_mutex_);
  const auto behind = std::upper_bound(
      segments_.begin(), segments_.end(), number,
      [](GroupNumber group, const SegmentInfo& info) { return group < info.first_group; });
  if (behind == segments_.begin()) {
    return fail(ErrorCode::kDamaged, "the journal no longer holds group " + std::to_string(number),
                "its segment was released; the journal begins with group " +
                    std::to_string(segments_.front().first_group),
                "this reader was away too long: run syncline plan, then syncline resync for its "
                "system");
  }
  const SegmentInfo& info = *std::prev(behind);
  Start start{info.number, info.readable_bytes, {}};
  const auto entry = std::upper_bound(
      info.index.begin(), info.index.end(), number,
      [](GroupNumber group, const IndexEntry& candidate) { return group < candidate.group; });
  if (entry != info.index.begin()) start.entry = *std::prev(entry);
  return start;
}

Result<std::unique_ptr<SegmentReader>> JournalImpl::open_reader(uint64_t segment) {
  return SegmentReader::open(parts_.disk, parts_.keys, segment);
}

Result<void> JournalImpl::release(GroupNumber up_to) {
  SYN_TRY(healthy());
  const std::lock_guard heads_lock(heads_mutex_);
  std::vector<SegmentInfo> going;
  {
    const std::lock_guard state_lock(state_mutex_);
    uint64_t size = 0;
    for (const SegmentInfo& info : segments_) size += info.size_bytes;
    for (const SegmentInfo& info : segments_) {
      const bool is_old =
          info.closed_us != 0 && parts_.clock.now_us() - info.closed_us >= parts_.options.retain_us;
      const bool is_needed = info.closed_us == 0 || info.last_group > std::min(up_to, committed_);
      if (is_needed || (!is_old && size <= parts_.options.limit_bytes)) break;
      size -= info.size_bytes;
      going.push_back(info);
    }
  }
  if (going.empty()) return success();
  // First the word that they may be missing, durable; then they go.
  const SegmentInfo& last = going.back();
  SYN_TRY(const bool is_noted, append_head({.kind = HeadKind::kReleased,
                                            .segment = last.number,
                                            .group = last.last_group,
                                            .block = last.last_block,
                                            .time_us = parts_.clock.now_us(),
                                            .head = last.head}));
  if (!is_noted) {
    return fail(ErrorCode::kStorageFull, "cannot note that journal segments are released",
                "there is no room left", "make some room on that disk; it is tried again");
  }
  for (const SegmentInfo& info : going) {
    SYN_TRY(parts_.disk.remove(segment_path(info.number)));
    const std::lock_guard state_lock(state_mutex_);
    segments_.pop_front();
  }
  SYN_TRY(parts_.disk.sync_folder(kFolder));
  const Result<void> thinned = heads_->thin(last.number);
  if (!thinned.has_value()) return break_with(thinned.error());
  return success();
}

bool JournalImpl::is_within_limit() const {
  const std::lock_guard lock(state_mutex_);
  uint64_t size = 0;
  for (const SegmentInfo& info : segments_) size += info.closed_us == 0 ? 0 : info.size_bytes;
  return size <= parts_.options.limit_bytes;
}

Stats JournalImpl::stats() const {
  const std::lock_guard lock(state_mutex_);
  Stats stats;
  for (const SegmentInfo& info : segments_) stats.size_bytes += info.size_bytes;
  stats.segment_count = segments_.size();
  stats.appended = appended_;
  stats.committed = committed_;
  stats.frame_bytes_total = frame_bytes_total_;
  stats.sealed_bytes_total = sealed_bytes_total_;
  return stats;
}

std::string JournalImpl::head() const {
  const std::lock_guard lock(state_mutex_);
  return std::string(text_of(committed_head_));
}

}  // namespace syncline::journal
