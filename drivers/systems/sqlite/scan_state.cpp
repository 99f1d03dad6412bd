#include "drivers/systems/sqlite/detail/scan_state.hpp"

#include <functional>
#include <iterator>
#include <utility>

#include "drivers/systems/sqlite/detail/payload.hpp"

namespace syncline::sqlite {

ImageHash image_hash(const std::vector<NativeValue>& values) {
  std::string bytes;
  for (const NativeValue& value : values) append_value(value, bytes);
  const ImageHash hash = std::hash<std::string>{}(bytes);
  return hash == kAbsent ? 1 : hash;
}

ScannedRecord scanned_record(const Mapped& mapped, std::string_view joined_key,
                             const std::vector<NativeValue>& native_key) {
  ScannedRecord record{mapped.dataset(), record_name(*mapped.schema, joined_key), {}};
  for (const NativeValue& value : native_key) append_value(value, record.native_key);
  return record;
}

ScanState::Record& ScanState::touch(const ScannedRecord& record) {
  Record& known = records_[record.name];
  known.dataset = record.dataset;
  known.scan = progress_[record.dataset].scan;
  known.native_key = record.native_key;
  return known;
}

void ScanState::note(const std::string& name, Record& record, ImageHash now) {
  news_.push_back({name, record.known, record.is_safe, now});
  record.known = now;
  record.is_safe = false;
}

void ScanState::begin_scan(model::DatasetId dataset) {
  const std::lock_guard lock(mutex_);
  ++progress_[dataset].scan;
}

ScanState::Seen ScanState::see(const ScannedRecord& record, ImageHash hash) {
  const std::lock_guard lock(mutex_);
  Record& known = touch(record);
  if (known.known == hash) return Seen::kKnown;
  const bool is_new = known.known == kAbsent;
  note(record.name, known, hash);
  return is_new ? Seen::kNew : Seen::kChanged;
}

std::vector<ScannedRecord> ScanState::unseen(model::DatasetId dataset) {
  const std::lock_guard lock(mutex_);
  const uint32_t scan = progress_[dataset].scan;
  std::vector<ScannedRecord> gone;
  for (const auto& [name, record] : records_) {
    if (record.dataset == dataset && record.scan != scan && record.known != kAbsent) {
      gone.push_back({dataset, name, record.native_key});
    }
  }
  return gone;
}

void ScanState::see_gone(const ScannedRecord& record) {
  const std::lock_guard lock(mutex_);
  note(record.name, touch(record), kAbsent);
}

void ScanState::end_scan(model::DatasetId dataset) {
  const std::lock_guard lock(mutex_);
  progress_[dataset].is_complete = true;
}

bool ScanState::has_scanned(model::DatasetId dataset) {
  const std::lock_guard lock(mutex_);
  return progress_[dataset].is_complete;
}

std::vector<Echo> ScanState::take_echoes() {
  const std::lock_guard lock(mutex_);
  return std::exchange(echoes_, {});
}

void ScanState::keep_shown(int64_t position) {
  const std::lock_guard lock(mutex_);
  if (!news_.empty()) shown_.push_back({position, std::exchange(news_, {})});
}

void ScanState::drop_shown(std::vector<Echo>&& echoes) {
  const std::lock_guard lock(mutex_);
  for (auto news = news_.rbegin(); news != news_.rend(); ++news) {
    Record& record = records_[news->name];
    record.known = news->before;
    record.is_safe = news->was_safe;
  }
  news_.clear();
  echoes_.insert(echoes_.begin(), std::make_move_iterator(echoes.begin()),
                 std::make_move_iterator(echoes.end()));
}

void ScanState::acknowledge(int64_t position) {
  const std::lock_guard lock(mutex_);
  while (!shown_.empty() && shown_.front().position <= position) {
    for (const News& news : shown_.front().news) {
      const auto found = records_.find(news.name);
      if (found == records_.end() || found->second.known != news.now) continue;
      found->second.is_safe = true;
      if (news.now == kAbsent) records_.erase(found);
    }
    shown_.pop_front();
  }
}

bool ScanState::take_wish() {
  const std::lock_guard lock(mutex_);
  return std::exchange(is_wished_, false);
}

bool ScanState::may_overwrite(const ScannedRecord& record, ImageHash present) {
  const std::lock_guard lock(mutex_);
  const auto found = records_.find(record.name);
  const bool is_known = found == records_.end()
                            ? present == kAbsent
                            : present == found->second.known && found->second.is_safe;
  if (is_known && progress_[record.dataset].is_complete) return true;
  is_wished_ = true;
  return false;
}

bool ScanState::has_room_for_echoes() {
  const std::lock_guard lock(mutex_);
  return echoes_.size() < kEchoesMax;
}

void ScanState::wrote(Echo&& echo, ImageHash hash) {
  const std::lock_guard lock(mutex_);
  Record& record = touch(echo.record);
  record.known = hash;
  record.is_safe = true;
  if (hash == kAbsent) records_.erase(echo.record.name);
  echoes_.push_back(std::move(echo));
}

}  // namespace syncline::sqlite
