#include <map>

#include "host/journal/recovery_internal.hpp"

namespace syncline::journal {
namespace {

class Auditor {
 public:
  Auditor(Disk& disk, dispatch::Dispatcher& dispatcher, std::string_view master_key)
      : disk_(disk), dispatcher_(dispatcher), keys_(make_journal_keys(master_key)) {}

  Result<AuditReport> run() {
    // Heads first: the journal may grow meanwhile.
    SYN_TRY(check_key(disk_, keys_));
    SYN_TRY(heads_, read_heads(disk_, keys_, Signatures::kAll));
    const auto& heads = heads_.heads;
    if (const auto released = last_released(heads)) {
      last_group_ = released->group;
      last_block_ = released->block;
      head_ = released->head;
    }
    SYN_TRY(const SegmentList list, list_segments(disk_, heads));
    const auto& numbers = list.numbers;
    for (const uint64_t number : numbers) {
      SYN_TRY(audit_segment(number, number == numbers.back() ? Part::kLast : Part::kEnded));
    }
    if (last_signed_group(heads) > last_group_) {
      return damage_at({numbers.empty() ? 1 : numbers.back(), 0},
                       "the journal ends before its last signed head");
    }
    report_.segment_count = numbers.size();
    report_.signed_head_count = heads.size();
    report_.head = std::string(text_of(head_));
    return report_;
  }

 private:
  enum class Part : uint8_t { kEnded, kLast };

  Result<void> audit_segment(uint64_t number, Part part) {
    SYN_TRY(auto reader, SegmentReader::open(disk_, keys_, number));
    SYN_TRY(check_continuation(reader->header(), last_group_, last_block_, head_));
    HeadsCheck check(heads_.heads, reader->header().first_block);
    StoredGroup stored;
    for (;;) {
      SYN_TRY(const ReadState state, reader->read_group(stored));
      if (state != ReadState::kRecord) return end_segment(*reader, state, part);
      SYN_TRY(audit_group(stored, reader->header(), check));
      last_group_ = stored.record.group;
      last_block_ = reader->next_block() - 1;
      head_ = reader->head();
    }
  }

  Result<void> audit_group(const StoredGroup& stored, const SegmentHeader& segment,
                           HeadsCheck& check) {
    SYN_TRY(const GroupPointer group, open_group(stored, segment, dispatcher_));
    size_t frame_count = 0;
    for (const StoredBlock& block : stored.blocks) {
      const Place place{segment.number, block.offset};
      SYN_TRY(check.pass(block.header.block, block.head, place));
      for (size_t i = 0; i < block.header.frame_count; ++i) {
        SYN_TRY(check_frame(*group->frames[frame_count++], place));
      }
    }
    report_.block_count += stored.blocks.size();
    return success();
  }

  // A lane's frames are numbered without gaps.
  Result<void> check_frame(const model::Frame& frame, Place place) {
    uint64_t& next = next_frame_[frame.lane];
    if (next != 0 && frame.number != next) {
      return damage_at(place, "frames of lane " + std::to_string(frame.lane) + " are missing");
    }
    next = frame.number + 1;
    report_.entry_count += frame.entries.size();
    return success();
  }

  // Where reading stopped: at the last record, in the tail, or at damage.
  Result<void> end_segment(SegmentReader& reader, ReadState state, Part part) {
    const Place place{reader.header().number, reader.offset()};
    const bool is_closed = state == ReadState::kEnd && reader.kind() == RecordKind::kClose;
    SYN_TRY(const std::string rest, reader.read_rest(place.offset));
    if (heads_.count < reader.heads_count()) {  // perhaps signed since they were read
      SYN_TRY(const HeadsScan now, read_heads(disk_, keys_, Signatures::kLast));
      SYN_TRY(check_heads_count(now, reader.heads_count()));
    }
    if (is_closed && rest.empty()) return success();
    if (is_closed) return damage_at(place, "something stands behind the segment's last record");
    if (part == Part::kEnded) return damage_at(place, "these bytes are not what was written");
    SYN_TRY(report_.tail_bytes, check_tail(reader, heads_.heads));
    return success();
  }

  Disk& disk_;
  dispatch::Dispatcher& dispatcher_;
  const JournalKeys keys_;
  HeadsScan heads_;
  GroupNumber last_group_ = 0;
  uint64_t last_block_ = 0;
  Digest head_{};
  std::map<model::LaneIndex, uint64_t> next_frame_;
  AuditReport report_;
};

}  // namespace

Result<AuditReport> audit(Disk& disk, dispatch::Dispatcher& dispatcher,
                          std::string_view wrapping_key) {
  return Auditor(disk, dispatcher, wrapping_key).run();
}

}  // namespace syncline::journal
