// A transaction that was refused, tried again in parts, to find every record that the server will
// not take. All of it stays one transaction, and is committed only if nothing is refused after all.
//
// A part that fails is cut into 16: of 8,192 records one refused costs some 50 statements and less
// than two times the writes; by halves its neighbours would be written, and undone, at each level.
// What a part wrote stays for those behind it to build on, as if they went one by one; so a single
// record is refused only where those before it stand, too. Where many are refused, and the server
// is far away, this takes long, and holds rows that users want: after a second, what was found is
// told, and the rest is looked for in the next try.
#include <algorithm>
#include <utility>

#include "drivers/systems/mariadb/detail/target.hpp"
#include "host/ports/moves.hpp"

namespace syncline::mariadb {
namespace {

constexpr size_t kMoveTriesMax = 64;
constexpr size_t kPartsMax = 16;  // that one is cut into
constexpr int64_t kSearchUsMax = 1'000'000;
constexpr int kDrawsMax = 64;          // of a value that no other record holds
constexpr size_t kDrawsAllMax = 4096;  // likewise, for all records
constexpr int kLateDrawsMax = 4;       // and of one that none of the batch is to have,
constexpr size_t kDrawnAgainMax = 64;  // for as many records
constexpr size_t kLateMax = 256;       // records that are tried again behind the others
constexpr const char* kBeforePart = "SAVEPOINT syncline_part";
constexpr const char* kUndoPart = "ROLLBACK TO SAVEPOINT syncline_part";

// "Duplicate entry 'x' for key 'PRIMARY'"; MySQL from 8.0.19 on: 'table.PRIMARY'
std::string_view key_of(std::string_view message) {
  constexpr std::string_view kMark = "for key '";
  const size_t at = message.rfind(kMark);
  if (at == std::string_view::npos) return {};
  message.remove_prefix(at + kMark.size());
  return message.substr(0, message.rfind('\''));
}

// Whether a clash is about the record's own key, and not about another unique value of it.
bool is_own_key(const Mapped& mapped, std::string_view index) {
  return std::any_of(
      mapped.table.uniques.begin(), mapped.table.uniques.end(), [&](const UniqueSet& unique) {
        const bool is_it = index == unique.index || index == mapped.table.name + "." + unique.index;
        if (!is_it || unique.columns.size() != mapped.key_count()) return false;
        return std::all_of(unique.columns.begin(), unique.columns.end(), [&](const auto& name) {
          return std::any_of(mapped.columns.begin(),
                             mapped.columns.begin() + static_cast<ptrdiff_t>(mapped.key_count()),
                             [&](const Column& key) { return key.name == name; });
        });
      });
}

}  // namespace

Result<ports::ApplyResult> MariadbTarget::apply_apart(const ports::WriteBatch& batch) {
  stop_.reset();
  auto tried = try_apart(batch, Way::kPlain);
  // Records may swap unique values: where the plain way meets a clash, those are given away first.
  if (tried && tried.value().is_over) {
    roll_back();
    if (connection_ == nullptr) return no_connection();
    tried = try_apart(batch, Way::kFreeFirst);
  }
  if (!tried && tried.error().code == ErrorCode::kSystemOpen) return tried.error();
  if (!tried || tried.value().result.poison) roll_back();
  if (!tried && stop_) return stop({std::move(*stop_)});
  if (!tried) return tried.error();
  return std::move(tried).value().result;
}

Result<MariadbTarget::Apart> MariadbTarget::try_apart(const ports::WriteBatch& batch, Way way) {
  SYN_TRY(auto outside, begin_guarded(batch));
  if (!outside.empty()) return Apart{ports::refused_by(std::move(outside)), false};
  Found found;
  found.way = way;
  found.draws_left = kDrawsAllMax;
  found.due_us = clock_.steady_us() + kSearchUsMax;
  SYN_TRY(write_in_order(batch, found));
  if (!found.refused.empty()) {
    return Apart{ports::refused_by(std::move(found.refused)), found.is_over};
  }
  SYN_TRY(auto done, commit(batch, found.rows_written));
  return Apart{std::move(done), false};
}

Result<void> MariadbTarget::write_in_order(const ports::WriteBatch& batch, Found& found) {
  SYN_TRY(move_all(batch));
  for (const Step step : {Step::kDelete, Step::kFree, Step::kSet}) {
    if (step == Step::kFree && found.way == Way::kPlain) continue;
    std::vector<size_t> indexes;
    for (size_t i = 0; i < batch.writes.size(); ++i) {
      const bool is_delete = batch.writes[i].kind == model::EntryKind::kDelete;
      if (is_delete == (step == Step::kDelete)) indexes.push_back(i);
    }
    SYN_TRY(write_parts(batch, indexes, step, found));
    if (found.is_over || found.is_cut) return success();
  }
  SYN_TRY(write_late(batch, found));
  for (ports::Poison& poison : found.late) found.refused.push_back(std::move(poison));
  return success();
}

bool MariadbTarget::is_enough(const Found& found) const {
  return !found.refused.empty() && clock_.steady_us() >= found.due_us;
}

// As long as that helps, and each time from the other end, for values are passed on either way.
// What was made up for one may be what another is to have: it is drawn anew.
Result<void> MariadbTarget::write_late(const ports::WriteBatch& batch, Found& found) {
  int draws = kLateDrawsMax;
  const auto may_help = [&](size_t count) {
    if (found.late.empty() || found.late.size() != count) return !found.late.empty();
    return count <= kDrawnAgainMax && draws-- > 0;
  };
  for (size_t count = 0; may_help(count);) {
    count = found.late.size();
    std::vector<ports::Poison> late = std::exchange(found.late, {});
    std::reverse(late.begin(), late.end());
    for (const Step step : {Step::kFree, Step::kSet}) {
      for (const ports::Poison& poison : late) {
        SYN_TRY(write_one(batch, poison.write_index, step, found));
      }
    }
  }
  return success();
}

Result<void> MariadbTarget::write_part(const ports::WriteBatch& batch,
                                       std::span<const size_t> indexes, Step step, Found& found) {
  if (indexes.size() == 1) return write_one(batch, indexes.front(), step, found);
  SYN_TRY(const bool is_written, try_part(batch, indexes, step, found));
  if (is_written) return success();
  return write_parts(batch, indexes, step, found);
}

Result<void> MariadbTarget::write_parts(const ports::WriteBatch& batch,
                                        std::span<const size_t> indexes, Step step, Found& found) {
  const size_t size = (indexes.size() + kPartsMax - 1) / kPartsMax;
  for (size_t first = 0; first < indexes.size(); first += size) {
    found.is_cut = found.is_cut || is_enough(found);
    if (found.is_over || found.is_cut) return success();
    const size_t count = std::min(size, indexes.size() - first);
    SYN_TRY(write_part(batch, indexes.subspan(first, count), step, found));
  }
  return success();
}

Result<std::vector<Group>> MariadbTarget::groups_of(const ports::WriteBatch& batch,
                                                    std::span<const size_t> indexes,
                                                    Step step) const {
  std::vector<ports::RecordWrite> writes;
  Writer::Standings standings;
  for (const size_t index : indexes) {
    writes.push_back(batch.writes[index]);
    if (step != Step::kMove) writes.back().moved_from = {};
    if (step > Step::kMove) writes.back().is_replacing = false;
    if (step == Step::kClear) writes.back().is_replacing = true;
    standings.push_back(scan::standing_of(standings_, index));
  }
  if (step == Step::kFree) return writer_->freeing(writes, standings);
  auto groups = writer_->plan(writes, standings).groups;
  if (step <= Step::kMove) {
    std::erase_if(groups, [step](const Group& group) { return group.step > step; });
  }
  return groups;
}

// Rows that go to each other's places go together, or are written anew: one that stays would get
// the values of another, beside what only this system holds of it.
Result<void> MariadbTarget::move_all(const ports::WriteBatch& batch) {
  const ports::MoveWaves waves(batch.writes);
  std::vector<size_t> chained, others;
  for (const size_t index : ports::moved_in_order(batch.writes)) {
    (waves.is_chained(index) ? chained : others).push_back(index);
  }
  size_t tries_left = 1;
  SYN_TRY(const bool are_moved, move_rows(batch, chained, Step::kMove, tries_left));
  std::vector<size_t> cleared;
  for (size_t i = 0; i < batch.writes.size(); ++i) {
    const bool is_in_the_way = batch.writes[i].is_replacing && !(are_moved && waves.at(i));
    if (is_in_the_way || (waves.is_left(i) && !are_moved)) cleared.push_back(i);
  }
  tries_left = 1;
  SYN_TRY(move_rows(batch, cleared, Step::kClear, tries_left));
  tries_left = kMoveTriesMax;
  SYN_TRY(move_rows(batch, others, Step::kMove, tries_left));
  return success();
}

// What cannot be moved, for whatever is said of it, is deleted and inserted. Few are looked for.
// Returns whether all were moved.
Result<bool> MariadbTarget::move_rows(const ports::WriteBatch& batch,
                                      std::span<const size_t> indexes, Step step,
                                      size_t& tries_left) {
  if (indexes.empty()) return true;
  if (tries_left == 0) return false;
  --tries_left;
  SYN_TRY(auto groups, groups_of(batch, indexes, step));
  if (const auto saved = bulk_->run(kBeforePart); !saved.is_done) return saved.error;
  bool is_done = true;
  bool may_be_cut = true;
  for (Group& group : groups) {
    const Bulk::Outcome outcome = run_group(group);
    if (outcome.is_done) continue;
    if (!outcome.is_refusal() && !is_of_dataset(outcome.error)) return outcome.error;
    is_done = false;
    may_be_cut = outcome.is_refusal();
    break;
  }
  if (is_done) return true;
  if (const auto undone = bulk_->run(kUndoPart); !undone.is_done) return undone.error;
  if (indexes.size() == 1 || !may_be_cut) return false;
  const size_t half = indexes.size() / 2;
  SYN_TRY(const bool first, move_rows(batch, indexes.first(half), step, tries_left));
  SYN_TRY(const bool second, move_rows(batch, indexes.subspan(half), step, tries_left));
  return first && second;
}

// False: something of it was refused, and nothing of it was done.
Result<bool> MariadbTarget::try_part(const ports::WriteBatch& batch,
                                     std::span<const size_t> indexes, Step step, Found& found) {
  SYN_TRY(auto groups, groups_of(batch, indexes, step));
  if (const auto saved = bulk_->run(kBeforePart); !saved.is_done) return saved.error;
  size_t rows_written = 0;
  for (Group& group : groups) {
    const Bulk::Outcome outcome = run_group(group);
    if (outcome.is_done) {
      rows_written += outcome.matched_count;
      continue;
    }
    if (!outcome.is_refusal()) {
      const model::DatasetId dataset = group.mapped->dataset();
      if (is_of_dataset(outcome.error)) stop_ = ports::DatasetStop{dataset, outcome.error};
      return outcome.error;
    }
    if (const auto undone = bulk_->run(kUndoPart); !undone.is_done) return undone.error;
    return false;
  }
  if (step != Step::kFree) found.rows_written += rows_written;
  return true;
}

Result<void> MariadbTarget::write_one(const ports::WriteBatch& batch, size_t index, Step step,
                                      Found& found) {
  const ports::RecordWrite& write = batch.writes[index];
  SYN_TRY(auto groups, groups_of(batch, {&index, 1}, step));
  if (groups.empty()) return success();
  Group& group = groups.front();
  Bulk::Outcome outcome = run_group(group);
  const auto may_draw = [&](int draws) {
    return step == Step::kFree && outcome.is_clash() && draws < kDrawsMax && found.draws_left > 0;
  };
  for (int draws = 1; may_draw(draws); ++draws) {
    --found.draws_left;
    outcome = run_group(group);
  }
  if (outcome.is_done) {
    if (step != Step::kFree) found.rows_written += outcome.matched_count;
    return success();
  }
  if (!outcome.is_refusal()) {
    if (is_of_dataset(outcome.error)) stop_ = ports::DatasetStop{write.dataset, outcome.error};
    return outcome.error;
  }
  // What was made up does not suit another constraint, or there is none left: the record keeps its
  // values until its turn.
  if (step == Step::kFree) return success();
  SYN_TRY(auto poison, poison_of(group, write, scan::standing_of(standings_, index), outcome));
  poison.write_index = index;
  const bool may_swap = outcome.is_clash() && !is_own_key(*group.mapped, key_of(outcome.message));
  const bool is_swap = may_swap && batch.writes.size() > 1;
  found.is_over = found.is_over || (is_swap && found.way == Way::kPlain);
  const bool is_late = is_swap && found.way == Way::kFreeFirst && found.late.size() < kLateMax;
  (is_late ? found.late : found.refused).push_back(std::move(poison));
  return success();
}

// An error: a record that somebody has just inserted.
Result<ports::Poison> MariadbTarget::poison_of(const Group& group, const ports::RecordWrite& write,
                                               scan::Standing standing,
                                               const Bulk::Outcome& outcome) {
  Error error = outcome.error;
  if (outcome.is_clash() && is_own_key(*group.mapped, key_of(outcome.message))) {
    SYN_TRY(const std::string other, alike(*group.mapped, write));
    if (!other.empty()) {
      ports::Poison poison{0, {}};
      SYN_TRY(taken_for(*group.mapped, write, other, poison.error));
      return poison;
    }
    if (standing == scan::Standing::kAbsent) return guard_->was_inserted(write);
    if (write.kind == model::EntryKind::kInsert) {
      return ports::Poison{0, writer_->refusal(write, scan::another_is_there())};
    }
    error.code = ErrorCode::kSystemBusy;  // a user inserted it between our UPDATE and our INSERT
    return error;
  }
  error.code = ErrorCode::kSystemRefused;
  error.fix = "correct the record or the table, then `syncline quarantine retry`";
  return ports::Poison{0, writer_->refusal(write, std::move(error))};
}

}  // namespace syncline::mariadb
