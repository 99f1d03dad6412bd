// The events of a group on their way to being shown: held until its end is there, or in parts.
#include <algorithm>
#include <utility>

#include "drivers/systems/mariadb/detail/decoder.hpp"
#include "drivers/systems/mariadb/detail/objects.hpp"

namespace syncline::mariadb {
namespace {

bool is_same_group(const GroupMark& a, const GroupMark& b) {
  return a.place == b.place && a.gtid == b.gtid && a.time_s == b.time_s;
}

}  // namespace

// REQUIRES: of the group behind read_ a part was shown before. On another server its events may be
// cut otherwise: there it is shown from its beginning.
Result<void> Decoder::begin_behind_part(const GroupMark& mark) {
  if (is_moved_) return success();
  if (mark.gtid != read_.part.gtid || mark.time_s != read_.part.time_s) {
    return lost_log(shared_->config.name,
                    "the transaction that was read in part is not there any more: the server was "
                    "restored from an older backup, or lost what it had written");
  }
  group_.given = read_.part.taken;
  // What the given part did to children is told by the tables once they show this group.
  cascades_.forget();
  return success();
}

Result<void> Decoder::hold(Event event) {
  if (group_.is_read_through) return success();
  group_.held_bytes += event.size + event.rows.images.size();
  group_.events.push_back(std::move(event));
  if (group_.is_one || group_.held_bytes < shared_->limits.part_bytes) return success();
  group_.is_one = is_one();
  if (group_.is_one) return success();
  if (ended_ && is_same_group(*ended_, group_.mark)) {
    group_.is_undone = is_ended_undone_;
    return show_part();
  }
  group_.events = {};
  group_.is_read_through = true;
  return success();
}

// What we wrote is told from what users did by its marker, which comes first, in the same poll; and
// a place inside a group is one of this server.
bool Decoder::is_one() const {
  if (read_.place.turn != turn_) return true;
  if (group_.event_count > 0) return false;
  const auto table = std::ranges::find(group_.events, EventKind::kTableMap, &Event::kind);
  if (table == group_.events.end()) return false;
  const auto map = parse_table_map(table->body, table->flavour);
  return map && map.value().table == kCheckpoint;
}

// REQUIRES: the group's end was read.
Result<void> Decoder::show_part() {
  LogPosition end = read_;
  const uint64_t taken = group_.event_count + group_.events.size();
  if (taken > end.part.taken) end.part = {group_.mark.gtid, group_.mark.time_s, taken};
  if (is_history_known_) end.history.has_domains = has_domains_;
  group_.part_end = end;
  SYN_TRY(show_events());
  if (std::exchange(group_.is_begun, false)) sink_->end();
  group_.part_end.reset();
  read_ = std::move(end);
  has_shown_part_ = true;
  return success();
}

Result<void> Decoder::show_events() {
  group_.held_bytes = 0;
  for (const Event& event : std::exchange(group_.events, {})) {
    const bool was_given = ++group_.event_count <= group_.given;
    const bool is_passed_over = was_given || group_.is_undone;
    if (event.kind == EventKind::kStatement) {
      if (was_given) continue;
      SYN_TRY(look_after(read_statement(event.sql), event.database));
    } else if (is_passed_over && event.kind != EventKind::kTableMap) {
      note_touched(event);
    } else {
      SYN_TRY(on_table(event));
    }
  }
  return success();
}

void Decoder::note_touched(const Event& event) {
  const auto found = bound_.find(event.table);
  const bool is_known = found != bound_.end() && found->second.meaning == Meaning::kDataset;
  if (is_known) group_.touched.push_back(found->second.followed);
}

}  // namespace syncline::mariadb
