// The journal behind journal.hpp, as its cursors see it. Private to the room.
//
// Locks, in the order in which they are taken: commit_mutex_ (one commit at a time), write_mutex_
// (what is written to the current segment), heads_mutex_ (the file of heads), state_mutex_ (all
// that is known). Sealing and syncing hold neither of the last three.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "host/journal/recovery_internal.hpp"
#include "host/journal/segment_writer_internal.hpp"

namespace syncline::journal {

class JournalImpl final : public Journal {
 public:
  struct Parts {
    Disk& disk;
    Clock& clock;
    Random& random;
    dispatch::Dispatcher& dispatcher;
    JournalKeys keys;
    Options options;
  };
  JournalImpl(const Parts& parts, std::unique_ptr<HeadsFile> heads, uint64_t signed_block,
              Recovered recovered, std::unique_ptr<SegmentWriter> writer);
  ~JournalImpl() override;

  Result<GroupNumber> append(std::span<const model::FramePointer> frames) override;
  Result<GroupNumber> commit() override;
  Result<std::unique_ptr<Cursor>> open_cursor(GroupNumber after) override;
  Result<void> release(GroupNumber up_to) override;
  bool is_within_limit() const override;
  Stats stats() const override;
  std::string head() const override;

  // For cursors. The group if it is committed and still in memory; null: it is not.
  GroupPointer recent(GroupNumber number) const;
  GroupNumber committed() const;
  // Where to begin to read a committed group. Errors: kDamaged where it was released.
  struct Start {
    uint64_t segment = 0;
    uint64_t limit = 0;  // no byte at or behind it is read
    std::optional<IndexEntry> entry;
  };
  Result<Start> find(GroupNumber number) const;
  Result<std::unique_ptr<SegmentReader>> open_reader(uint64_t segment);
  dispatch::Dispatcher& dispatcher() { return parts_.dispatcher; }

 private:
  // A group on its way: sealed, then written, then committed.
  struct Draft {
    std::shared_ptr<Group> group;
    std::vector<BlockHeader> headers;
    std::vector<std::string> sealed;
    std::vector<Digest> heads;
    uint64_t frame_bytes = 0;
    uint64_t sealed_bytes = 0;
    size_t memory_bytes = 0;
  };
  // A share of a group's frames, before and after sealing.
  struct Unsealed {
    std::span<const model::FramePointer> frames;
    size_t memory_bytes = 0;  // theirs
    GroupNumber group = 0;
    uint64_t block = 0;
    uint64_t nonce_counter = 0;
  };
  struct SealedBlock {
    BlockHeader header;
    std::string associated_data;
    engine::Sealed sealed;
    size_t column_bytes = 0;
    size_t memory_bytes = 0;
  };
  struct Pending {
    GroupPointer group;
    size_t memory_bytes = 0;
    uint64_t segment = 0;
    uint64_t end_offset = 0;
    uint64_t last_block = 0;
    Digest head{};
  };

  enum class SignWhen : uint8_t { kDue, kNow };

  Result<void> healthy() const;
  // From now on every append, commit and release answers with this error.
  Error break_with(Error error);

  bool is_segment_full() const;
  Result<Draft> seal(std::span<const model::FramePointer> frames);
  Result<SealedBlock> seal_block(const Unsealed& block) const;
  void add_block(SealedBlock&& block, Draft& draft);
  Result<void> write(Draft draft);
  Result<void> rotate();
  Result<void> end_segment();
  void begin_segment_info();
  void publish(GroupNumber up_to);
  Result<void> note_durable(const std::shared_ptr<SegmentWriter>& writer, GroupNumber durable);
  Result<void> sign_head(SignWhen when);
  Result<bool> append_head(const Head& head);
  uint64_t heads_count() const;
  SegmentInfo& current() { return segments_.back(); }

  const Parts parts_;

  std::mutex commit_mutex_;

  std::mutex write_mutex_;
  std::string buffer_;

  std::mutex heads_mutex_;
  const std::unique_ptr<HeadsFile> heads_;
  uint64_t signed_block_;
  int64_t signed_at_us_ = 0;

  mutable std::mutex state_mutex_;
  std::optional<Error> broken_;
  std::shared_ptr<SegmentWriter> writer_;  // changed by append alone
  uint64_t heads_count_ = 0;               // records of the file of heads
  std::deque<SegmentInfo> segments_;       // the last one is the current
  std::deque<Pending> pending_;
  std::deque<Pending> recent_;
  size_t recent_bytes_ = 0;
  GroupNumber appended_ = 0;
  GroupNumber committed_ = 0;
  uint64_t committed_block_ = 0;
  Digest committed_head_{};
  uint64_t frame_bytes_total_ = 0;
  uint64_t sealed_bytes_total_ = 0;

  // Of append alone: the chain and the blocks with all that is appended.
  uint64_t last_block_ = 0;
  Digest head_{};
};

std::unique_ptr<Cursor> make_cursor(JournalImpl& journal, GroupNumber after);

}  // namespace syncline::journal
