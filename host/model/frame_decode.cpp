// decode_frames: the reverse of frame_encode.cpp, for bytes that may be anything. Every count is
// checked against the bytes that must carry it before anything is allocated for it, so memory stays
// in proportion to the input.

#include <algorithm>
#include <array>

#include "host/model/frame_columns_internal.hpp"
#include "host/model/frame_internal.hpp"

namespace syncline::model {
namespace {

auto damaged(const char* why) {
  return fail(ErrorCode::kDamaged, "a block's frames cannot be decoded", why);
}

class FrameDecoder {
 public:
  explicit FrameDecoder(std::span<const Column> columns) : columns_(columns) {}

  Result<std::vector<FramePointer>> decode() {
    SYN_TRY(index_columns());
    SYN_TRY(read_frames());
    SYN_TRY(read_versions());
    SYN_TRY(read_shapes());
    SYN_TRY(check_lists());
    SYN_TRY(read_cell_columns());
    SYN_TRY(read_entries());
    SYN_TRY(read_records());
    SYN_TRY(read_conflicts());
    SYN_TRY(read_small_parts());
    SYN_TRY(read_deltas());
    std::vector<FramePointer> frames;
    frames.reserve(frames_.size());
    for (auto& frame : frames_) frames.push_back(std::move(frame));
    return frames;
  }

 private:
  Result<void> index_columns() {
    for (const Column& column : columns_) {
      const size_t slot = slot_of(column.id);
      if (slot >= kSlots) return damaged("a column is unknown");
      if (column.type != column_type(column.id)) return damaged("a column is of a wrong type");
      constexpr size_t kWidths[] = {1, 1, 4, 8};
      const size_t width = kWidths[static_cast<size_t>(column.type)];
      if (column.bytes.empty() || column.bytes.size() % width != 0) {
        return damaged("a column is of a wrong size");
      }
      if (by_slot_.size() <= slot) by_slot_.resize(slot + 1);
      if (!by_slot_[slot].empty()) return damaged("a column is there twice");
      by_slot_[slot] = column.bytes;
    }
    return success();
  }

  static constexpr size_t kFixedSlots = static_cast<size_t>(FrameColumn::kEnd);
  static constexpr size_t kSlots = kFixedSlots + 2 * kOwnColumnsMax;
  static size_t slot_of(uint16_t id) {
    if (id < kFixedSlots) return id;
    return id < kOwnColumnFirst ? kSlots : kFixedSlots + (id - kOwnColumnFirst);
  }
  std::string_view column(uint16_t id) const {
    const size_t slot = slot_of(id);
    return slot < by_slot_.size() ? by_slot_[slot] : std::string_view();
  }
  std::string_view column(FrameColumn id) const { return column(static_cast<uint16_t>(id)); }

  Result<void> read_frames() {
    ByteReader in(column(FrameColumn::kFrames));
    if (in.u8() != kFrameFormat) return damaged("the frame format is unknown");
    const uint64_t count = in.varint();
    bool is_ok = true;
    if (count > in.remaining()) return damaged("the list of frames is wrong");
    frames_.reserve(count);
    counts_.reserve(count);
    for (uint64_t i = 0; i < count; ++i) {
      auto frame = std::make_shared<Frame>();
      frame->lane = narrow<LaneIndex>(in.varint(), is_ok);
      frame->number = in.varint();
      frame->time_us = in.signed_varint();
      auto& counts = counts_.emplace_back();
      for (size_t part = 0; part < kPartCount; ++part) {
        counts[part] = narrow<uint32_t>(in.varint(), is_ok);
        totals_[part] += counts[part];
      }
      frames_.push_back(std::move(frame));
    }
    if (!is_ok || !in.ok() || !in.at_end()) return damaged("the list of frames is wrong");
    return success();
  }

  Result<void> read_versions() {
    const Numbers<uint32_t> policies(column(FrameColumn::kVersionPolicy));
    const Numbers<uint64_t> times(column(FrameColumn::kVersionTime));
    const Numbers<uint32_t> origins(column(FrameColumn::kVersionOrigin));
    if (policies.count() != times.count() || policies.count() != origins.count()) {
      return damaged("the versions' columns differ in length");
    }
    versions_.resize(policies.count());
    for (size_t i = 0; i < versions_.size(); ++i) {
      versions_[i].policy_number = policies.at(i);
      versions_[i].time_us = static_cast<int64_t>(times.at(i));
      versions_[i].origin = origins.at(i);
    }
    ByteReader in(column(FrameColumn::kVersionMore));
    bool is_ok = true;
    while (is_ok && in.ok() && !in.at_end()) {
      const uint64_t index = in.varint();
      if (index >= versions_.size()) return damaged("a version is out of range");
      read_more(in, versions_[index], is_ok);
    }
    if (!is_ok || !in.ok()) return damaged("a version is wrong");
    return success();
  }
  static void read_more(ByteReader& in, Version& version, bool& is_ok) {
    version.correction_round = narrow<uint32_t>(in.varint(), is_ok);
    version.corrector = narrow<SystemId>(in.varint(), is_ok);
    const size_t steps = in.u8();
    is_ok = is_ok && steps <= kRankStepsMax && version.path.empty();
    for (size_t i = 0; is_ok && i < steps; ++i) {
      const int64_t rank = in.signed_varint();
      version.path.push_back({rank, narrow<uint32_t>(in.varint(), is_ok)});
    }
  }

  Result<void> read_shapes() {
    ByteReader in(column(FrameColumn::kShapes));
    bool is_ok = true;
    std::vector<std::pair<uint64_t, uint32_t>> names;  // (dataset, field), place in fields_
    while (is_ok && in.ok() && !in.at_end()) {
      Shape shape{narrow<DatasetId>(in.varint(), is_ok), field_numbers_.size(), in.varint()};
      if (shape.count > in.remaining()) return damaged("a list of fields is too long");
      for (size_t i = 0; i < shape.count; ++i) {
        fields_.push_back(narrow<FieldIndex>(in.varint(), is_ok));
        names.emplace_back(uint64_t{shape.dataset} << 16 | fields_.back(), field_numbers_.size());
        field_numbers_.push_back(0);
      }
      shapes_.push_back(shape);
    }
    if (!is_ok || !in.ok()) return damaged("a list of fields is wrong");
    number_fields(std::move(names));
    return success();
  }

  // Fields are numbered in the order of their first use, as encode does.
  void number_fields(std::vector<std::pair<uint64_t, uint32_t>> names) {
    std::sort(names.begin(), names.end());
    std::vector<uint32_t> first_use(names.size());  // of the field at each place
    for (size_t i = 0; i < names.size(); ++i) {
      const bool is_first = i == 0 || names[i].first != names[i - 1].first;
      first_use[names[i].second] = is_first ? names[i].second : first_use[names[i - 1].second];
    }
    for (size_t place = 0; place < first_use.size(); ++place) {
      field_numbers_[place] =
          first_use[place] == place ? field_count_++ : field_numbers_[first_use[place]];
    }
  }

  // Which lists of cells there are, and how many cells in all; before anything is built from them.
  Result<void> check_lists() {
    const Numbers<uint32_t> entries(column(FrameColumn::kEntryShape));
    const Numbers<uint32_t> records(column(FrameColumn::kRecordShape));
    if (entries.count() != totals_[kPartEntries]) return damaged("entries are missing");
    cells_.count = column(FrameColumn::kCellState).size();
    field_cell_counts_.assign(field_count_, 0);
    uint64_t total = 0;
    for (const auto* lists : {&entries, &records}) {
      for (size_t i = 0; i < lists->count(); ++i) {
        const uint32_t index = lists->at(i);
        if (index >= shapes_.size()) return damaged("a list of fields is out of range");
        const Shape& shape = shapes_[index];
        total += shape.count;
        if (total > cells_.count) return damaged("cells are missing");
        for (size_t f = 0; f < shape.count; ++f) {
          ++field_cell_counts_[field_numbers_[shape.first + f]];
        }
      }
    }
    if (total != cells_.count) return damaged("there are more cells than lists name");
    return success();
  }

  Result<void> read_cell_columns() {
    cells_.states = column(FrameColumn::kCellState);
    cells_.versions = Numbers<uint32_t>(column(FrameColumn::kCellVersion));
    cells_.bases = Numbers<uint32_t>(column(FrameColumn::kCellBase));
    cells_.fingerprints = Numbers<uint64_t>(column(FrameColumn::kCellFingerprint));
    if (cells_.versions.count() != cells_.count || cells_.bases.count() != cells_.count ||
        cells_.fingerprints.count() != cells_.count) {
      return damaged("the cells' columns differ in length");
    }
    cells_.texts.reserve(cells_.count);
    Texts shared(column(FrameColumn::kCellLength), column(FrameColumn::kCellBytes));
    for (uint32_t number = 0; number < field_count_; ++number) {
      cells_.place_of_field.push_back(cells_.texts.size());
      const uint64_t count = field_cell_counts_[number];
      if (!has_own_column(number, count)) {
        for (uint64_t i = 0; i < count; ++i) cells_.texts.push_back(shared.next());
        continue;
      }
      const uint16_t id = own_column(number);
      Texts own(column(id), column(static_cast<uint16_t>(id + 1)));
      if (own.count() != count) return damaged("a field's column has a wrong length");
      for (uint64_t i = 0; i < count; ++i) cells_.texts.push_back(own.next());
      if (!own.is_at_end()) return damaged("a field's column has a wrong size");
    }
    if (!shared.is_at_end()) return damaged("the cells' bytes have a wrong size");
    return success();
  }

  bool take_cells(uint32_t shape_index, CellList& list) {
    const Shape& shape = shapes_[shape_index];
    std::vector<EntryCell> out(shape.count);
    for (size_t i = 0; i < shape.count; ++i) {
      const size_t place = cells_.place_of_field[field_numbers_[shape.first + i]]++;
      const uint32_t version = cells_.versions.at(cells_.next);
      const uint32_t base = cells_.bases.at(cells_.next);
      const auto state = static_cast<uint8_t>(cells_.states[place]);
      if (version >= versions_.size() || base >= versions_.size()) return false;
      if (state > static_cast<uint8_t>(CellState::kValue)) return false;
      EntryCell& cell = out[i];
      cell.field = fields_[shape.first + i];
      cell.state = static_cast<CellState>(state);
      cell.bytes.assign(cells_.texts[place]);
      cell.version = versions_[version];
      cell.base = versions_[base];
      cell.fingerprint = cells_.fingerprints.at(cells_.next);
      ++cells_.next;
    }
    list = CellList(std::move(out));
    return true;
  }

  Result<void> read_entries() {
    Numbers<uint32_t> shapes(column(FrameColumn::kEntryShape));
    Numbers<uint64_t> sequences(column(FrameColumn::kEntrySequence));
    ByteReader hashes(column(FrameColumn::kEntryKeyHash));
    Texts keys(column(FrameColumn::kEntryKeyLength), column(FrameColumn::kEntryKey));
    Numbers<uint8_t> kinds(column(FrameColumn::kEntryKind));
    Numbers<uint64_t> generations(column(FrameColumn::kEntryGeneration));
    Numbers<uint32_t> origins(column(FrameColumn::kEntryOrigin));
    Numbers<uint64_t> times(column(FrameColumn::kEntryCommitTime));
    Numbers<uint32_t> target_counts(column(FrameColumn::kEntryTargetCount));
    Numbers<uint32_t> targets(column(FrameColumn::kEntryTarget));
    ByteReader moved_with(column(FrameColumn::kEntryMovedWith));
    uint64_t targets_left = targets.count();
    for (size_t f = 0; f < frames_.size(); ++f) {
      frames_[f]->entries.resize(counts_[f][kPartEntries]);
      for (Entry& entry : frames_[f]->entries) {
        const uint32_t shape = shapes.next();
        entry.dataset = shapes_[shape].dataset;
        entry.sequence = sequences.next();
        entry.key_hash = read_hash(hashes.raw(16));
        entry.key = keys.next();
        const uint8_t kind = kinds.next();
        entry.kind = static_cast<EntryKind>(kind & ~kEntryIsMoved);
        if ((kind & kEntryIsMoved) != 0) entry.moved_with = read_hash(moved_with.raw(16));
        entry.generation = generations.next();
        entry.origin = origins.next();
        entry.commit_time_us = static_cast<int64_t>(times.next());
        const uint32_t count = target_counts.next();
        if (count > targets_left) return damaged("targets are missing");
        targets_left -= count;
        for (uint32_t i = 0; i < count; ++i) entry.targets.push_back(targets.next());
        if (entry.kind < EntryKind::kSet || entry.kind > EntryKind::kInsert) {
          return damaged("an entry is of an unknown kind");
        }
        if (!take_cells(shape, entry.cells)) return damaged("a cell is wrong");
      }
    }
    const bool is_complete =
        sequences.is_at_end() && hashes.ok() && hashes.at_end() && keys.is_at_end() &&
        kinds.is_at_end() && generations.is_at_end() && origins.is_at_end() && times.is_at_end() &&
        target_counts.is_at_end() && targets.is_at_end() && moved_with.ok() && moved_with.at_end();
    if (!is_complete) return damaged("the entries' columns differ in length");
    return success();
  }

  // The columns that tell record images, and which entries they have taken cells from.
  struct Records {
    Numbers<uint32_t> references;
    Numbers<uint8_t> flags;
    Numbers<uint32_t> shapes;
    ByteReader hashes;
    Texts keys;
    Texts states;
    std::vector<bool> is_used;  // entries of this frame: each gives to one record only
  };

  Result<void> read_record(Records& in, const Frame& frame, RecordImage& record) {
    const uint32_t reference = in.references.next();
    const uint8_t flags = in.flags.next();
    const bool shares_cells = (flags & kRecordSharesCells) != 0;
    if (flags > (kRecordIsFull | kRecordSharesCells)) return damaged("a record's flags are wrong");
    if (reference > frame.entries.size() || (shares_cells && reference == 0)) {
      return damaged("a record refers to no entry");
    }
    record.is_full = (flags & kRecordIsFull) != 0;
    record.state = in.states.next();
    if (reference == 0) {
      record.key_hash = read_hash(in.hashes.raw(16));
      record.key = in.keys.next();
    } else {
      if (in.is_used[reference - 1]) return damaged("two records refer to one entry");
      in.is_used[reference - 1] = true;
      const Entry& entry = frame.entries[reference - 1];
      record.dataset = entry.dataset;
      record.key_hash = entry.key_hash;
      record.key = entry.key;
      if (shares_cells) record.cells = entry.cells;
    }
    if (shares_cells) return success();
    if (in.shapes.is_at_end()) return damaged("a record's cells are missing");
    const uint32_t shape = in.shapes.next();
    if (reference != 0 && shapes_[shape].dataset != record.dataset) {
      return damaged("a record's cells are of another dataset");
    }
    record.dataset = shapes_[shape].dataset;
    if (!take_cells(shape, record.cells)) return damaged("a cell is wrong");
    return success();
  }

  Result<void> read_records() {
    Records in{Numbers<uint32_t>(column(FrameColumn::kRecordReference)),
               Numbers<uint8_t>(column(FrameColumn::kRecordFlags)),
               Numbers<uint32_t>(column(FrameColumn::kRecordShape)),
               ByteReader(column(FrameColumn::kRecordKeyHash)),
               Texts(column(FrameColumn::kRecordKeyLength), column(FrameColumn::kRecordKey)),
               Texts(column(FrameColumn::kRecordStateLength), column(FrameColumn::kRecordState)),
               {}};
    if (in.references.count() != totals_[kPartRecords]) return damaged("records are missing");
    for (size_t f = 0; f < frames_.size(); ++f) {
      in.is_used.assign(frames_[f]->entries.size(), false);
      frames_[f]->records.resize(counts_[f][kPartRecords]);
      for (RecordImage& record : frames_[f]->records) {
        SYN_TRY(read_record(in, *frames_[f], record));
      }
    }
    const bool is_complete = in.references.is_at_end() && in.flags.is_at_end() &&
                             in.shapes.is_at_end() && in.hashes.ok() && in.hashes.at_end() &&
                             in.keys.is_at_end() && in.states.is_at_end();
    if (!is_complete) return damaged("the records' columns differ in length");
    return success();
  }

  // Reads one part of every frame from a column of rows: read(reader, part, is_ok).
  template <class Part, class Read>
  Result<void> read_rows(FrameColumn id, FramePart part, std::vector<Part> Frame::* member,
                         const Read& read) {
    ByteReader in(column(id));
    bool is_ok = true;
    for (size_t f = 0; f < frames_.size(); ++f) {
      for (uint32_t i = 0; i < counts_[f][part]; ++i) {
        read(in, ((*frames_[f]).*member).emplace_back(), is_ok);
        if (!is_ok || !in.ok()) return damaged("a row is wrong");
      }
    }
    if (!in.at_end()) return damaged("there are more rows than frames name");
    return success();
  }

  void read_side(ByteReader& in, ConflictSide& side, bool& is_ok) const {
    side.system = narrow<SystemId>(in.varint(), is_ok);
    const uint64_t version = in.varint();
    const uint8_t state = in.u8();
    side.bytes = in.text();
    is_ok = is_ok && version < versions_.size() && state <= static_cast<uint8_t>(CellState::kValue);
    if (!is_ok) return;
    side.version = versions_[version];
    side.state = static_cast<CellState>(state);
  }

  Result<void> read_conflicts() {
    return read_rows(FrameColumn::kConflicts, kPartConflicts, &Frame::conflicts,
                     [this](ByteReader& in, Conflict& conflict, bool& is_ok) {
                       conflict.dataset = narrow<DatasetId>(in.varint(), is_ok);
                       conflict.key_hash = read_hash(in.raw(16));
                       conflict.key = in.text();
                       conflict.field = narrow<FieldIndex>(in.varint(), is_ok);
                       conflict.type = static_cast<ConflictType>(in.u8());
                       conflict.outcome = static_cast<ConflictOutcome>(in.u8());
                       is_ok = is_ok && conflict.type >= ConflictType::kInsertExists &&
                               conflict.type <= ConflictType::kMultipleUniqueConflicts &&
                               conflict.outcome >= ConflictOutcome::kArrivingWins &&
                               conflict.outcome <= ConflictOutcome::kHeld;
                       read_side(in, conflict.winner, is_ok);
                       read_side(in, conflict.loser, is_ok);
                       conflict.policy = in.text();
                       conflict.time_us = in.signed_varint();
                     });
  }

  Result<void> read_small_parts() {
    SYN_TRY(read_rows(FrameColumn::kConfirmations, kPartConfirmations, &Frame::confirmations,
                      [](ByteReader& in, Confirmation& confirmation, bool& is_ok) {
                        confirmation.system = narrow<SystemId>(in.varint(), is_ok);
                        confirmation.stream = narrow<StreamId>(in.varint(), is_ok);
                        confirmation.epoch = narrow<uint32_t>(in.varint(), is_ok);
                        confirmation.sequence = in.varint();
                      }));
    SYN_TRY(read_rows(FrameColumn::kSkips, kPartSkips, &Frame::skips,
                      [](ByteReader& in, Skip& skip, bool& is_ok) {
                        skip.target = narrow<SystemId>(in.varint(), is_ok);
                        skip.dataset = narrow<DatasetId>(in.varint(), is_ok);
                        skip.key_hash = read_hash(in.raw(16));
                        skip.key = in.text();
                        skip.sequence = in.varint();
                        skip.reason = in.text();
                      }));
    SYN_TRY(read_rows(FrameColumn::kLocals, kPartLocals, &Frame::locals,
                      [](ByteReader& in, LocalCell& local, bool& is_ok) {
                        local.dataset = narrow<DatasetId>(in.varint(), is_ok);
                        local.key_hash = read_hash(in.raw(16));
                        local.field = narrow<FieldIndex>(in.varint(), is_ok);
                        local.system = narrow<SystemId>(in.varint(), is_ok);
                      }));
    return read_rows(FrameColumn::kProgress, kPartProgress, &Frame::progress,
                     [](ByteReader& in, SourceProgress& progress, bool& is_ok) {
                       progress.system = narrow<SystemId>(in.varint(), is_ok);
                       progress.position.bytes = in.text();
                       progress.snapshot_cursor = in.text();
                     });
  }

  Result<void> read_deltas() {
    ByteReader bytes(column(FrameColumn::kDeltaBytes));
    SYN_TRY(read_rows(FrameColumn::kDeltas, kPartDeltas, &Frame::deltas,
                      [&bytes](ByteReader& in, TableDelta& delta, bool& is_ok) {
                        delta.system = narrow<SystemId>(in.varint(), is_ok);
                        delta.dataset = narrow<DatasetId>(in.varint(), is_ok);
                        delta.bytes = bytes.raw(in.varint());
                      }));
    if (!bytes.ok() || !bytes.at_end()) return damaged("the deltas have a wrong size");
    return success();
  }

  const std::span<const Column> columns_;
  std::vector<std::string_view> by_slot_;
  std::vector<std::shared_ptr<Frame>> frames_;
  std::vector<std::array<uint32_t, kPartCount>> counts_;
  std::array<uint64_t, kPartCount> totals_{};
  std::vector<Version> versions_;
  std::vector<Shape> shapes_;
  std::vector<FieldIndex> fields_;
  std::vector<uint32_t> field_numbers_;  // parallel to fields_
  uint32_t field_count_ = 0;
  std::vector<uint64_t> field_cell_counts_;  // by field number
  Cells cells_;
};

}  // namespace

Result<std::vector<FramePointer>> decode_frames(std::span<const Column> columns) {
  return FrameDecoder(columns).decode();
}

}  // namespace syncline::model
