#include "drivers/scan/known.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace syncline::scan {
namespace {

constexpr size_t kWalkedAtOnce = 65'536;  // buckets, while others wait for the lock

}  // namespace

ImageHash image_hash(std::string_view image) {
  if (image.empty()) return kNoImage;
  const ImageHash hash = model::hash_key(image).low;
  return hash == kNoImage ? 1 : hash;
}

Known::Mark Known::mark() const {
  const std::lock_guard lock(mutex_);
  return write_count_;
}

void Known::forget(model::DatasetId dataset) {
  const std::lock_guard lock(mutex_);
  datasets_[dataset].records.clear();
  datasets_[dataset].is_complete = false;
}

void Known::begin_scan(model::DatasetId dataset) {
  const std::lock_guard lock(mutex_);
  Dataset& begun = datasets_[dataset];
  ++begun.scan;
  begun.walked = begun.bucket_count = 0;
}

// The record, if nothing has become of it since.
Known::Record* Known::newest(const News& news) {
  auto& records = datasets_[news.id.dataset].records;
  const auto found = records.find(news.id.hash);
  const bool is_newest = found != records.end() && found->second.noted_at == news.number;
  return is_newest ? &found->second : nullptr;
}

void Known::note(const Wanted& record, Record& known, ImageHash now) {
  const uint64_t number = ++news_count_;
  news_.push_back({number, record.id, known.known, known.noted_at, known.is_safe});
  known.noted_at = number;
  known.known = now;
  known.is_safe = false;
}

Known::Seen Known::see(const Wanted& record, ImageHash hash, Mark mark) {
  const std::lock_guard lock(mutex_);
  Dataset& dataset = datasets_[record.id.dataset];
  const auto [at, is_new] = dataset.records.try_emplace(record.id.hash);
  Record& known = at->second;
  known.scan = dataset.scan;
  if (is_new) known.key = record.key;
  if (known.written_at > mark) return Seen::kKnown;
  // Nobody knows whether one that was never met was there before.
  const bool is_unsure = is_new && !dataset.is_complete;
  if (known.known == hash && !is_unsure) {
    if (is_new) dataset.records.erase(at);
    return Seen::kKnown;
  }
  const bool was_absent = known.known == kNoImage && dataset.is_complete;
  known.key = record.key;
  note(record, known, hash);
  return was_absent ? Seen::kNew : Seen::kChanged;
}

void Known::see_apart(const Wanted& record, ImageHash hash) {
  const std::lock_guard lock(mutex_);
  Dataset& dataset = datasets_[record.id.dataset];
  Record& known = dataset.records[record.id.hash];
  known.scan = dataset.scan;
  known.key = record.key;
  if (!is_echoed(known) || known.known == hash) return;
  note(record, known, hash);
}

void Known::see_echo(const Wanted& record, ImageHash hash, Mark mark) {
  const std::lock_guard lock(mutex_);
  Dataset& dataset = datasets_[record.id.dataset];
  Record& known = dataset.records[record.id.hash];
  if (known.written_at > mark) return;
  if (hash == kNoImage && dataset.is_complete) {
    dataset.records.erase(record.id.hash);
    return;
  }
  known.key = record.key;
  known.known = hash;
  known.noted_at = 0;
  known.is_safe = true;
}

void Known::end_echoes(Mark mark) {
  const std::lock_guard lock(mutex_);
  echoed_count_ = std::max(echoed_count_, mark);
  while (!to_be_echoed_.empty() && to_be_echoed_.front().number <= echoed_count_) {
    to_be_echoed_bytes_ -= to_be_echoed_.front().size_bytes;
    to_be_echoed_.pop_front();
  }
}

// Bucket by bucket: what is added meanwhile was met. Where the map has grown it begins anew.
Known::Unseen Known::unseen(model::DatasetId id, size_t limit) {
  const std::lock_guard lock(mutex_);
  Dataset& dataset = datasets_[id];
  if (dataset.bucket_count != dataset.records.bucket_count()) {
    dataset.walked = 0;
    dataset.bucket_count = dataset.records.bucket_count();
  }
  Unseen gone;
  const size_t end = std::min(dataset.bucket_count, dataset.walked + kWalkedAtOnce);
  while (dataset.walked < end && gone.records.size() < limit) {
    const size_t bucket = dataset.walked++;
    for (auto at = dataset.records.begin(bucket); at != dataset.records.end(bucket); ++at) {
      const auto& [hash, record] = *at;
      if (record.scan == dataset.scan || record.known == kNoImage) continue;
      gone.records.push_back({{id, hash}, record.key});
    }
  }
  gone.is_last = dataset.walked == dataset.bucket_count;
  return gone;
}

void Known::trim(model::DatasetId id, size_t record_max) {
  const std::lock_guard lock(mutex_);
  Dataset& dataset = datasets_[id];
  if (dataset.is_complete || dataset.records.size() <= record_max) return;
  std::erase_if(dataset.records, [this](const auto& known) {
    return known.second.is_safe && is_echoed(known.second);
  });
}

void Known::end_scan(model::DatasetId dataset) {
  const std::lock_guard lock(mutex_);
  datasets_[dataset].is_complete = true;
}

bool Known::has_news() const {
  const std::lock_guard lock(mutex_);
  return !news_.empty();
}

void Known::begin_look() {
  const std::lock_guard lock(mutex_);
  seen_before_ = news_.size();
}

void Known::keep_shown(int64_t position) {
  const std::lock_guard lock(mutex_);
  seen_before_ = 0;
  if (!news_.empty()) shown_.push_back({position, std::exchange(news_, {})});
}

// Wherever our own write came in between, what it left is what is known.
void Known::drop_shown() {
  const std::lock_guard lock(mutex_);
  for (; news_.size() > seen_before_; news_.pop_back()) {
    const News& news = news_.back();
    Record* record = newest(news);
    if (record == nullptr) continue;
    record->known = news.before;
    record->noted_at = news.noted_before;
    record->is_safe = news.was_safe;
  }
}

void Known::acknowledge(int64_t position) {
  const std::lock_guard lock(mutex_);
  while (!shown_.empty() && shown_.front().position <= position) {
    for (const News& news : shown_.front().news) {
      Record* record = newest(news);
      if (record == nullptr) continue;
      record->is_safe = true;
      Dataset& dataset = datasets_[news.id.dataset];
      const bool is_over = record->known == kNoImage && is_echoed(*record);
      if (is_over && dataset.is_complete) dataset.records.erase(news.id.hash);
    }
    shown_.pop_front();
  }
}

std::vector<Wanted> Known::take_wishes() {
  const std::lock_guard lock(mutex_);
  std::vector<Wanted> wishes;
  wishes.reserve(wishes_.size());
  for (auto& [id, key] : wishes_) wishes.push_back({id, std::move(key)});
  wishes_.clear();
  return wishes;
}

size_t Known::count() const {
  const std::lock_guard lock(mutex_);
  size_t count = 0;
  for (const auto& [id, dataset] : datasets_) count += dataset.records.size();
  return count;
}

bool Known::is_wanted() const {
  const std::lock_guard lock(mutex_);
  return !wishes_.empty() || write_count_ > echoed_count_;
}

void Known::wait(int64_t wait_us) {
  std::unique_lock lock(mutex_);
  wanted_.wait_for(lock, std::chrono::microseconds(std::max<int64_t>(0, wait_us)),
                   [this] { return !wishes_.empty() || write_count_ > echoed_count_; });
}

bool Known::may_write(const Wanted& record, ImageHash present) {
  const std::lock_guard lock(mutex_);
  const Dataset& dataset = datasets_[record.id.dataset];
  const auto found = dataset.records.find(record.id.hash);
  const bool may = found == dataset.records.end()
                       ? present == kNoImage && dataset.is_complete
                       : found->second.known == present && found->second.is_safe;
  if (may) return true;
  wishes_[record.id] = record.key;
  wanted_.notify_all();
  return false;
}

void Known::want(const Wanted& record) {
  const std::lock_guard lock(mutex_);
  wishes_[record.id] = record.key;
  wanted_.notify_all();
}

bool Known::has_room() const {
  const std::lock_guard lock(mutex_);
  return write_count_ - echoed_count_ < kEchoesMax && to_be_echoed_bytes_ < kEchoBytesMax;
}

void Known::wrote(const Wanted& record, std::string_view image) {
  const std::lock_guard lock(mutex_);
  Dataset& dataset = datasets_[record.id.dataset];
  Record& known = dataset.records[record.id.hash];
  known.key = record.key;
  known.known = image_hash(image);
  known.noted_at = 0;
  known.is_safe = true;
  known.written_at = ++write_count_;
  known.scan = dataset.scan;
  to_be_echoed_.push_back({write_count_, record.key.size() + image.size()});
  to_be_echoed_bytes_ += to_be_echoed_.back().size_bytes;
}

void Known::end_writes() {
  const std::lock_guard lock(mutex_);
  ++write_count_;
  wanted_.notify_all();
}

}  // namespace syncline::scan
