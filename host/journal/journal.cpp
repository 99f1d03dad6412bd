#include "host/journal/journal.hpp"

#include <algorithm>

#include "host/base/assert.hpp"
#include "host/journal/journal_internal.hpp"
#include "kernels/contract/block.h"

namespace syncline::journal {
namespace {

// A reader that begins inside a segment passes over at most this much.
constexpr uint64_t kIndexEveryBytes = 256u << 10;
// Frames that take so much memory make a block: some 150 KiB before sealing, so that what a block
// costs whatever it holds is little beside it, and that a large group has blocks for many threads.
constexpr size_t kBlockMemoryMin = 1u << 20;

}  // namespace

JournalImpl::JournalImpl(const Parts& parts, std::unique_ptr<HeadsFile> heads,
                         uint64_t signed_block, Recovered recovered,
                         std::unique_ptr<SegmentWriter> writer)
    : parts_(parts),
      heads_(std::move(heads)),
      signed_block_(signed_block),
      signed_at_us_(parts.clock.steady_us()),
      writer_(std::move(writer)),
      heads_count_(heads_->count()),
      segments_(recovered.segments.begin(), recovered.segments.end()),
      appended_(recovered.last_group),
      committed_(recovered.last_group),
      committed_block_(recovered.last_block),
      committed_head_(recovered.head),
      last_block_(recovered.last_block),
      head_(recovered.head) {
  begin_segment_info();
}

// Ends in order where all that was appended is committed. What fails here is found and mended by
// the next open.
JournalImpl::~JournalImpl() {
  if (!healthy().has_value() || appended_ != committed_) return;
  if (!sign_head(SignWhen::kNow).has_value()) return;
  if (current().last_group >= current().first_group) static_cast<void>(end_segment());
}

Result<void> JournalImpl::healthy() const {
  const std::lock_guard lock(state_mutex_);
  if (broken_) return *broken_;
  return success();
}

Error JournalImpl::break_with(Error error) {
  const std::lock_guard lock(state_mutex_);
  if (!broken_) broken_ = std::move(error);
  return *broken_;
}

// The current segment as the readers know it, once its writer is there.
void JournalImpl::begin_segment_info() {
  SegmentInfo info;
  info.number = writer_->header().number;
  info.first_group = writer_->header().first_group;
  info.last_group = info.first_group - 1;
  info.last_block = writer_->header().first_block - 1;
  info.head = writer_->header().previous_head;
  info.readable_bytes = info.size_bytes = writer_->size_bytes();
  segments_.push_back(std::move(info));
}

Result<GroupNumber> JournalImpl::append(std::span<const model::FramePointer> frames) {
  SYN_TRY(healthy());
  if (frames.empty()) return appended_;
  if (is_segment_full()) {
    SYN_TRY(rotate());
  }
  SYN_TRY(Draft draft, seal(frames));
  SYN_TRY(write(std::move(draft)));
  return appended_;
}

bool JournalImpl::is_segment_full() const {
  const std::lock_guard lock(state_mutex_);
  const bool has_groups = appended_ >= segments_.back().first_group;
  return has_groups && segments_.back().size_bytes >= parts_.options.segment_size_bytes;
}

// Blocks are sealed side by side, then chained in order. Each has nonces of its own; what is left
// over behind the last one is given back.
Result<JournalImpl::Draft> JournalImpl::seal(std::span<const model::FramePointer> frames) {
  Draft draft;
  draft.group = std::make_shared<Group>();
  draft.group->number = appended_ + 1;
  auto& sorted = draft.group->frames;
  sorted.assign(frames.begin(), frames.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& left, const auto& right) { return left->lane < right->lane; });
  std::vector<Unsealed> blocks;
  for (size_t begin = 0, end = 0; begin < sorted.size(); begin = end) {
    size_t memory_bytes = 0;
    while (end < sorted.size() && memory_bytes < kBlockMemoryMin) {
      SYN_ASSERT(end == 0 || follows(*sorted[end], *sorted[end - 1]));
      memory_bytes += memory_size(*sorted[end++]);
    }
    blocks.push_back({std::span(sorted).subspan(begin, end - begin), memory_bytes,
                      draft.group->number, last_block_ + 1 + blocks.size(),
                      writer_->reserve_nonces(SYN_CHUNK_COUNT_MAX)});
  }
  std::vector<Result<SealedBlock>> sealed(blocks.size(), SealedBlock{});
  run_all(parts_.options.pool, blocks.size(), [&](size_t i) { sealed[i] = seal_block(blocks[i]); });
  // Where one failed, no nonce is given back: others were used for what is now dropped.
  for (Result<SealedBlock>& block : sealed) {
    if (!block) return std::move(block).as_failure();
  }
  for (Result<SealedBlock>& block : sealed) add_block(std::move(block).value(), draft);
  return draft;
}

Result<JournalImpl::SealedBlock> JournalImpl::seal_block(const Unsealed& block) const {
  const std::vector<model::Column> columns = model::encode_frames(block.frames);
  SealedBlock made;
  std::vector<engine::ColumnView> views;
  views.reserve(columns.size());
  for (const model::Column& column : columns) {
    views.push_back({column.id, static_cast<uint8_t>(column.type), column.bytes});
    made.column_bytes += column.bytes.size();
  }
  made.memory_bytes = made.column_bytes + block.memory_bytes;
  made.header = {.lane = block.frames[0]->lane,
                 .frame_count = static_cast<uint32_t>(block.frames.size()),
                 .first_frame = block.frames[0]->number,
                 .group = block.group,
                 .block = block.block,
                 .nonce_counter = block.nonce_counter};
  made.associated_data = associated_data(writer_->header().number, made.header);
  SYN_TRY(made.sealed, parts_.dispatcher.seal(views,
                                              {writer_->header().data_key,
                                               writer_->header().nonce_prefix, block.nonce_counter},
                                              made.associated_data));
  SYN_ASSERT(made.sealed.chunk_count <= SYN_CHUNK_COUNT_MAX);
  return made;
}

void JournalImpl::add_block(SealedBlock&& block, Draft& draft) {
  writer_->return_nonces(block.header.nonce_counter + block.sealed.chunk_count);
  const Digest& previous = draft.heads.empty() ? head_ : draft.heads.back();
  draft.heads.push_back(next_head(previous, block.associated_data, block.sealed.tags_digest));
  draft.headers.push_back(block.header);
  draft.frame_bytes += block.column_bytes;
  draft.sealed_bytes += block.sealed.bytes.size();
  draft.memory_bytes += block.memory_bytes;
  draft.sealed.push_back(std::move(block.sealed.bytes));
}

// One write for all of the group, so that it is there or not, and cheap.
Result<void> JournalImpl::write(Draft draft) {
  const std::lock_guard write_lock(write_mutex_);
  const Place begin = writer_->place();
  const auto here = [&] { return Place{begin.segment, begin.offset + buffer_.size()}; };
  buffer_.clear();
  for (size_t i = 0; i < draft.headers.size(); ++i) {
    append_block({draft.headers[i], draft.heads[i], draft.sealed[i]}, here(), buffer_);
  }
  GroupRecord record{.group = draft.group->number,
                     .block_count = static_cast<uint32_t>(draft.headers.size()),
                     .durable = committed(),
                     .size_bytes = buffer_.size(),
                     .time_us = parts_.clock.now_us(),
                     .head = draft.heads.back()};
  append_group(record, here(), buffer_);
  Result<void> written = writer_->append(buffer_);
  if (!written.has_value()) {
    if (written.error().code == ErrorCode::kStorageFull) return written;
    return break_with(written.error());
  }
  const std::lock_guard state_lock(state_mutex_);
  std::vector<IndexEntry>& index = current().index;
  if (index.empty() || begin.offset - index.back().offset >= kIndexEveryBytes) {
    index.push_back({record.group, begin.offset, last_block_ + 1, head_});
  }
  last_block_ += record.block_count;
  head_ = record.head;
  appended_ = record.group;
  current().size_bytes = writer_->size_bytes();
  frame_bytes_total_ += draft.frame_bytes;
  sealed_bytes_total_ += draft.sealed_bytes;
  pending_.push_back({std::move(draft.group), draft.memory_bytes, begin.segment,
                      writer_->size_bytes(), last_block_, head_});
  return success();
}

// Ends the current segment and begins the next. A segment that others follow is durable to its last
// byte, so no tail but the journal's last can be torn.
Result<void> JournalImpl::rotate() {
  const std::lock_guard write_lock(write_mutex_);
  const uint64_t size = writer_->size_bytes();
  SYN_TRY(end_segment());
  auto next = SegmentWriter::create(parts_.disk, parts_.random, parts_.keys,
                                    {.number = writer_->header().number + 1,
                                     .first_group = appended_ + 1,
                                     .first_block = last_block_ + 1,
                                     .created_us = parts_.clock.now_us(),
                                     .previous_head = head_});
  if (!next.has_value()) {
    // The current segment goes on: it must not look ended.
    const Result<void> reopened = writer_->truncate(size);
    if (!reopened.has_value()) return break_with(reopened.error());
    if (next.error().code != ErrorCode::kStorageFull) return break_with(next.error());
    return std::move(next).error();
  }
  const std::lock_guard state_lock(state_mutex_);
  SegmentInfo& ended = current();
  ended.size_bytes = ended.readable_bytes = writer_->size_bytes();
  ended.closed_us = parts_.clock.now_us();
  ended.last_group = appended_;
  ended.last_block = last_block_;
  ended.head = head_;
  writer_ = std::move(next).value();
  begin_segment_info();
  return success();
}

// REQUIRES: write_mutex_ is held, or nobody else is left. First all groups, then the record that
// says that they were durable.
Result<void> JournalImpl::end_segment() {
  const Result<void> synced = writer_->sync();
  if (!synced.has_value()) return break_with(synced.error());
  std::string bytes;
  append_close({appended_, last_block_, heads_count(), parts_.clock.now_us(), head_},
               writer_->place(), bytes);
  Result<void> written = writer_->append(bytes);
  if (!written.has_value()) {
    if (written.error().code == ErrorCode::kStorageFull) return written;
    return break_with(written.error());
  }
  const Result<void> closed = writer_->sync();
  if (!closed.has_value()) return break_with(closed.error());
  return success();
}

Result<GroupNumber> JournalImpl::commit() {
  const std::lock_guard commit_lock(commit_mutex_);
  SYN_TRY(healthy());
  std::shared_ptr<SegmentWriter> writer;
  GroupNumber target = 0;
  {
    const std::lock_guard state_lock(state_mutex_);
    if (appended_ == committed_) return committed_;
    target = appended_;
    writer = writer_;  // the segments before it are durable
  }
  const Result<void> synced = writer->sync();
  if (!synced.has_value()) return break_with(synced.error());
  publish(target);
  SYN_TRY(sign_head(SignWhen::kDue));
  SYN_TRY(note_durable(writer, target));
  return target;
}

void JournalImpl::publish(GroupNumber up_to) {
  const std::lock_guard state_lock(state_mutex_);
  while (!pending_.empty() && pending_.front().group->number <= up_to) {
    Pending& next = pending_.front();
    const auto segment =
        std::find_if(segments_.rbegin(), segments_.rend(),
                     [&](const SegmentInfo& info) { return info.number == next.segment; });
    if (segment != segments_.rend() && segment->closed_us == 0) {
      segment->last_group = next.group->number;
      segment->readable_bytes = next.end_offset;
    }
    committed_ = next.group->number;
    committed_block_ = next.last_block;
    committed_head_ = next.head;
    recent_bytes_ += next.memory_bytes;
    recent_.push_back(std::move(next));
    pending_.pop_front();
  }
  while (recent_bytes_ > parts_.options.recent_size_bytes) {
    recent_bytes_ -= recent_.front().memory_bytes;
    recent_.pop_front();
  }
}

// Says behind the groups that they were durable: whatever stands before it was whole once, so what
// is not whole at the next open is damage and no torn tail. It need not be durable itself, and
// where there is no room the next group says so too.
Result<void> JournalImpl::note_durable(const std::shared_ptr<SegmentWriter>& writer,
                                       GroupNumber durable) {
  const std::lock_guard write_lock(write_mutex_);
  if (writer != writer_) return success();  // its segment was ended, which says more
  std::string bytes;
  append_durable({durable, heads_count()}, writer->place(), bytes);
  const Result<void> written = writer->append(bytes);
  if (!written.has_value() && written.error().code != ErrorCode::kStorageFull) {
    return break_with(written.error());
  }
  const std::lock_guard state_lock(state_mutex_);
  current().size_bytes = writer->size_bytes();
  return success();
}

Result<void> JournalImpl::sign_head(SignWhen when) {
  const std::lock_guard heads_lock(heads_mutex_);
  Head head;
  {
    const std::lock_guard state_lock(state_mutex_);
    head.segment = current().number;
    head.group = committed_;
    head.block = committed_block_;
    head.head = committed_head_;
  }
  if (head.block <= signed_block_) return success();
  const int64_t now_us = parts_.clock.steady_us();
  const bool is_due = head.block - signed_block_ >= parts_.options.heads_every_blocks ||
                      now_us - signed_at_us_ >= parts_.options.heads_every_us;
  if (when == SignWhen::kDue && !is_due) return success();
  head.time_us = parts_.clock.now_us();
  SYN_TRY(const bool is_written, append_head(head));
  if (is_written) {
    signed_block_ = head.block;
    signed_at_us_ = now_us;
  }
  return success();
}

// REQUIRES: heads_mutex_ is held.
Result<bool> JournalImpl::append_head(const Head& head) {
  const Result<bool> written = heads_->append(head);
  if (!written.has_value()) return break_with(written.error());
  const std::lock_guard state_lock(state_mutex_);
  heads_count_ = heads_->count();
  return written.value();
}

uint64_t JournalImpl::heads_count() const {
  const std::lock_guard lock(state_mutex_);
  return heads_count_;
}

Result<std::unique_ptr<Journal>> open_journal(Disk& disk, Clock& clock, Random& random,
                                              dispatch::Dispatcher& dispatcher,
                                              std::string_view wrapping_key, const Options& options,
                                              OpenReport& report) {
  const JournalKeys keys = make_journal_keys(wrapping_key);
  SYN_TRY(disk.make_folder(kFolder));
  SYN_TRY(check_key(disk, keys));
  SYN_TRY(const HeadsScan known, read_heads(disk, keys, Signatures::kLast));
  SYN_TRY(Recovered recovered, recover(disk, clock, keys, known, report));
  SYN_TRY(auto heads, HeadsFile::open(disk, keys, known));
  SYN_TRY(auto writer, SegmentWriter::create(disk, random, keys,
                                             {.number = recovered.next_segment,
                                              .first_group = recovered.last_group + 1,
                                              .first_block = recovered.last_block + 1,
                                              .created_us = clock.now_us(),
                                              .previous_head = recovered.head}));
  return std::unique_ptr<Journal>(std::make_unique<JournalImpl>(
      JournalImpl::Parts{disk, clock, random, dispatcher, keys, options}, std::move(heads),
      last_signed_block(known.heads), std::move(recovered), std::move(writer)));
}

}  // namespace syncline::journal
