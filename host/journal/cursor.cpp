#include "host/journal/journal_internal.hpp"

namespace syncline::journal {
namespace {

class JournalCursor final : public Cursor {
 public:
  JournalCursor(JournalImpl& journal, GroupNumber after) : journal_(journal), position_(after) {}

  Result<GroupPointer> next() override {
    const GroupNumber wanted = position_ + 1;
    if (wanted > journal_.committed()) return GroupPointer();
    GroupPointer group = journal_.recent(wanted);
    if (group != nullptr) {
      reader_.reset();
    } else {
      SYN_TRY(group, read(wanted));
    }
    position_ = wanted;
    return group;
  }

  GroupNumber position() const override { return position_; }

 private:
  Result<GroupPointer> read(GroupNumber wanted) {
    SYN_TRY(const JournalImpl::Start start, journal_.find(wanted));
    if (reader_ == nullptr || reader_->header().number != start.segment ||
        reader_->next_group() != wanted) {
      SYN_TRY(seek(start, wanted));
    }
    reader_->set_limit(start.limit);
    StoredGroup stored;
    SYN_TRY(const ReadState state, reader_->read_group(stored));
    if (state != ReadState::kRecord) return not_there(wanted);
    auto group = open_group(stored, reader_->header(), journal_.dispatcher());
    if (!group.has_value()) reader_.reset();
    return group;
  }

  Result<void> seek(const JournalImpl::Start& start, GroupNumber wanted) {
    SYN_TRY(reader_, journal_.open_reader(start.segment));
    reader_->set_limit(start.limit);
    if (start.entry) {
      reader_->seek(start.entry->offset, start.entry->group, start.entry->block, start.entry->head);
    }
    GroupRecord skipped;
    while (reader_->next_group() < wanted) {
      SYN_TRY(const ReadState state, reader_->skip_group(skipped));
      if (state != ReadState::kRecord) return not_there(wanted);
    }
    return success();
  }

  // A committed group that cannot be read: its bytes are not what was written.
  Error not_there(GroupNumber wanted) {
    const Place place{reader_->header().number, reader_->offset()};
    reader_.reset();
    return damage_at(place, "group " + std::to_string(wanted) + " is not what was written");
  }

  JournalImpl& journal_;
  GroupNumber position_;
  std::unique_ptr<SegmentReader> reader_;
};

}  // namespace

std::unique_ptr<Cursor> make_cursor(JournalImpl& journal, GroupNumber after) {
  return std::make_unique<JournalCursor>(journal, after);
}

}  // namespace syncline::journal
