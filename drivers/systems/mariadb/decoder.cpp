#include "drivers/systems/mariadb/detail/decoder.hpp"

#include <algorithm>

#include "drivers/systems/mariadb/detail/findings.hpp"
#include "drivers/systems/mariadb/detail/objects.hpp"

namespace syncline::mariadb {
namespace {

constexpr int64_t kSecondUs = 1'000'000;

auto out_of_step(std::string why) {
  return fail(ErrorCode::kSystemOpen, "the log is out of step", std::move(why),
              "nothing: the log is opened anew");
}

bool is_of_table(const Error& error) {
  return error.code == ErrorCode::kSystemSchema || error.code == ErrorCode::kSystemKey;
}

Error parent_stands_still(const ports::DatasetMapping& mapping, const model::Schema& parent) {
  return {ErrorCode::kSystemSchema, "dataset " + mapping.schema->name + " is not read",
          "foreign keys act on " + mapping.table + " by way of dataset " + parent.name +
              ", which is not read either",
          "mend that one: this one then goes on by a scan"};
}

}  // namespace

Decoder::Decoder(std::shared_ptr<const Shared> shared, Connect connect)
    : shared_(std::move(shared)), connect_(std::move(connect)) {
  for (const ports::DatasetMapping& mapping : shared_->config.datasets) {
    if (mapping.direction == ports::Direction::kTo) continue;
    followed_.emplace_back().mapping = &mapping;
  }
}

const Mapped* Decoder::find(model::DatasetId dataset) const {
  for (const Followed& followed : followed_) {
    if (followed.mapped && followed.mapped->dataset() == dataset) return &*followed.mapped;
  }
  return nullptr;
}

const Error* Decoder::why_stopped(model::DatasetId dataset) const {
  for (const Followed& followed : followed_) {
    const bool is_meant = followed.mapping->schema->dataset == dataset;
    if (is_meant && !followed.mapped && !followed.why_stopped.what.empty()) {
      return &followed.why_stopped;
    }
  }
  return nullptr;
}

void Decoder::stop(Followed& followed, Error error) {
  const bool is_known = !followed.mapped && followed.why_stopped.what == error.what;
  const model::Schema& schema = *followed.mapping->schema;
  followed.mapped.reset();
  ignore(followed);
  set_links(followed, {});
  followed.why_stopped = error;
  if (!is_known) stops_.push_back({schema.dataset, std::move(error)});
  for (const model::DatasetId child : cascades_.right_below(schema.dataset)) {
    stop(*followed_of(child), parent_stands_still(*followed_of(child)->mapping, schema));
  }
}

// What foreign keys do by way of a dataset that stands still is not made up.
std::optional<Error> Decoder::find_still_parent(const Followed& followed,
                                                const std::vector<Link>& links) {
  for (const Link& link : links) {
    if (!link.parent_dataset) continue;
    const Followed* parent = followed_of(*link.parent_dataset);
    if (parent == nullptr || parent == &followed) continue;
    const bool is_still = !parent->mapped && !parent->why_stopped.what.empty();
    if (is_still) return parent_stands_still(*followed.mapping, *parent->mapping->schema);
  }
  return std::nullopt;
}

// Rows were changed that nobody told of: what foreign keys made of that is not known either.
void Decoder::rescan(const Followed& followed) {
  scan(followed);
  rescan_below(followed.mapping->table);
  if (cascades_.is_loaded(followed.mapping->schema->dataset)) cascades_.forget();
}

void Decoder::scan(const Followed& followed) {
  const model::DatasetId dataset = followed.mapping->schema->dataset;
  if (std::find(rescans_.begin(), rescans_.end(), dataset) == rescans_.end()) {
    rescans_.push_back(dataset);
  }
}

// Rows of the group at hand may still come; a description that comes again is looked at again.
void Decoder::ignore(const Followed& followed) {
  const auto index = static_cast<size_t>(&followed - followed_.data());
  for (auto& [table, bound] : bound_) {
    if (bound.meaning != Meaning::kDataset || bound.followed != index) continue;
    bound.meaning = Meaning::kIgnored;
    bound.body.clear();
  }
}

// Rows of descriptions that were read before may still come: of an XA transaction.
void Decoder::unbind(const Followed& followed) {
  const auto index = static_cast<size_t>(&followed - followed_.data());
  std::erase_if(bound_, [index](const auto& known) {
    return known.second.meaning == Meaning::kDataset && known.second.followed == index;
  });
}

// One that stood still, or whose columns are others now, goes on by a scan.
Result<void> Decoder::look_at(Followed& followed) {
  SYN_TRY(Connection * connection, connect_());
  auto mapped = read_mapped(*connection, *followed.mapping, *shared_->charsets);
  unbind(followed);
  if (!mapped) {
    if (!is_of_table(mapped.error())) return std::move(mapped).as_failure();
    stop(followed, std::move(mapped).error());
    return success();
  }
  if (followed.unfit && is_same_shape(followed.unfit->first, mapped.value())) {
    stop(followed, followed.unfit->second);
    return success();
  }
  if (auto problem = cascade_problem(mapped.value())) {
    stop(followed, std::move(*problem));
    return success();
  }
  SYN_TRY(auto links, read_links(*connection, mapped.value(), *shared_));
  if (!links.problems.empty()) {
    stop(followed, std::move(links.problems.front()));
    return success();
  }
  if (auto still = find_still_parent(followed, links.links)) {
    stop(followed, std::move(*still));
    return success();
  }
  SYN_TRY(read_letters(*connection, links.links));
  set_links(followed, std::move(links.links));
  const bool was_stopped = !followed.mapped && !followed.why_stopped.what.empty();
  const bool is_other = followed.mapped && !is_same_shape(*followed.mapped, mapped.value());
  followed.mapped = std::move(mapped).value();
  followed.why_stopped = {};
  if (was_stopped || is_other) rescan(followed);
  return success();
}

Result<void> Decoder::look(Which which) {
  for (Followed& followed : followed_) {
    if (which == Which::kStopped && followed.mapped) continue;
    SYN_TRY(look_at(followed));
    bound_.clear();
  }
  if (which == Which::kAll) cascades_.forget();
  return success();
}

// What a statement alone, or one in the place of row events, may have done.
Result<void> Decoder::look_after(const Statement& statement, std::string_view database) {
  const bool is_of_rows = statement.kind == StatementKind::kRows;
  const bool is_of_contents = statement.kind == StatementKind::kContents;
  const bool is_of_columns = statement.kind == StatementKind::kColumns;
  const bool is_of_shape = is_of_columns || statement.kind == StatementKind::kSchema;
  if (!is_of_rows && !is_of_contents && !is_of_shape) return success();
  SYN_TRY(look_below(statement, database));
  for (Followed& followed : followed_) {
    if (!may_touch(statement, database, shared_->endpoint.database, followed.mapping->table)) {
      continue;
    }
    bound_.clear();
    if (is_of_rows) {
      rescan_behind_statement(followed);
      continue;
    }
    followed.unfit.reset();
    SYN_TRY(look_at(followed));
    // Foreign keys that went with this statement may have acted before, in log that is read now.
    const bool is_derived = followed.mapping->cascade == ports::Cascade::kDerive;
    const bool has_other_values =
        is_of_contents || (is_of_columns && names_any(statement, followed.mapping->columns));
    if ((has_other_values || is_derived) && followed.mapped) rescan(followed);
  }
  return success();
}

Result<void> Decoder::take(Event event) {
  if (event.end != 0 && !event.is_artificial) event.end = whole_end(event.end);
  const uint64_t end = event.end;
  SYN_TRY(take_event(std::move(event)));
  if (end != 0 && !is_in_group()) {
    reached_ = std::max(reached_, Place{turn_, file_.number, end});
  }
  return success();
}

Result<void> Decoder::take_event(Event event) {
  switch (event.kind) {
    case EventKind::kRotate:
      on_rotate(event);
      return success();
    case EventKind::kFile:
      return on_file(event);
    case EventKind::kGroup:
      return on_group(event);
    case EventKind::kIncident:
      rescan_behind_incident();
      return success();
    default:
      if (is_in_group()) return on_in_group(std::move(event));
      if (event.kind == EventKind::kStrange) rescan_behind_strange(event);
      return success();
  }
}

// The server names the file first that it sends.
void Decoder::on_rotate(const Event& event) {
  if (!event.is_artificial) return;
  const auto name = parse_file_name(event.file);
  if (!name) return;
  file_ = *name;
  file_end_ = 0;
}

// A file is known by when it was begun: after RESET MASTER one of the same name is another.
Result<void> Decoder::on_file(const Event& event) {
  file_began_s_ = event.time_s;
  bound_.clear();
  if (is_in_group()) {  // the machine went down before the rest was written: it never was
    torn_ = group_.mark.place;
    last_ = group_.mark.before;
    const bool is_shown = group_.is_begun;
    group_ = {};
    if (is_shown) return out_of_step("a transaction was never written to its end");
  }
  if (is_verified_) {
    pass_into_file();
    return success();
  }
  if (!is_moved_ && expected_.began_s != 0 && expected_.began_s != file_began_s_) {
    return lost_log(shared_->config.name, "the log file " + file_name(file_.base, file_.number) +
                                              " is another than the one of that name before: the "
                                              "URL leads to another server, or its log was reset");
  }
  is_verified_ = expected_.gtid.sequence == 0;
  return success();
}

Result<void> Decoder::on_group(const Event& event) {
  if (is_in_group()) return out_of_step("a transaction begins inside another");
  if (event.end < event.size) return out_of_step("a group without a place");
  group_ = {};
  group_.mark.place = {turn_, file_.number, event.end - event.size};
  group_.mark.gtid = event.gtid;
  group_.mark.time_s = event.time_s;
  group_.mark.began_s = file_began_s_;
  group_.mark.before = last_;
  has_domains_ = has_domains_ || (last_.sequence != 0 && last_.domain != event.gtid.domain);
  last_ = group_.mark.gtid;
  if (!is_verified_) {
    if (!is_as_expected(group_.mark)) {
      return lost_log(shared_->config.name,
                      "where transaction " + gtid_text(event.flavour, expected_.gtid) +
                          " was read there is " + gtid_text(event.flavour, group_.mark.gtid) +
                          ", or one of another time: the server was restored from an older "
                          "backup, or is another");
    }
    is_verified_ = true;
  }
  group_.size_bytes = event.size;
  group_.is_shown_before = is_shown_before(group_.mark);
  if (!group_.is_shown_before && read_.part.taken > 0) {
    SYN_TRY(begin_behind_part(group_.mark));
  }
  group_.kind = event.group;
  group_.xid = event.xid;
  if (group_.kind == GroupKind::kPrepared) {
    held_[group_.xid] = {group_.mark, {}};
    for (const auto& [xid, held] : held_) group_.held_bytes += held.size_bytes;
  }
  return success();
}

Result<void> Decoder::on_in_group(Event event) {
  group_.size_bytes += event.size;
  if (event.kind == EventKind::kPrepared && event.is_one_phase) {
    SYN_TRY(show_held());
  }
  if (event.kind == EventKind::kPrepared || event.kind == EventKind::kCommit) return end_group();
  const bool is_of_rows = event.kind == EventKind::kTableMap || event.kind == EventKind::kRows ||
                          event.kind == EventKind::kUntold || event.kind == EventKind::kStrange;
  if (group_.kind == GroupKind::kPrepared) {
    const bool is_statement = event.kind == EventKind::kStatement;
    if (is_of_rows || is_statement) hold_prepared(std::move(event));
    return success();
  }
  if (event.kind == EventKind::kStatement) return on_statement(std::move(event));
  return is_of_rows && !group_.is_shown_before ? hold(std::move(event)) : success();
}

// It stays undecided for as long as its users like: of one that is too large, or one too many, only
// that it was is kept.
void Decoder::hold_prepared(Event event) {
  Held& held = held_[group_.xid];
  if (held.is_beyond_memory) return;
  const size_t size = event.size + event.rows.images.size();
  held.size_bytes += size;
  group_.held_bytes += size;
  held.events.push_back(std::move(event));
  if (group_.held_bytes <= shared_->limits.prepared_bytes) return;
  held.is_beyond_memory = true;
  held.size_bytes = 0;
  held.events = {};
}

Result<void> Decoder::on_table(const Event& event) {
  switch (event.kind) {
    case EventKind::kTableMap:
      return on_table_map(event);
    case EventKind::kUntold:
      return on_untold(event);
    case EventKind::kStrange:
      rescan_behind_strange(event);
      return success();
    default:
      return on_rows(event);
  }
}

Result<void> Decoder::on_statement(Event event) {
  const Statement statement = read_statement(event.sql);
  const bool is_end = group_.kind == GroupKind::kAlone || group_.kind == GroupKind::kDecided ||
                      statement.kind == StatementKind::kCommit ||
                      statement.kind == StatementKind::kRollback;
  if (!is_end) return group_.is_shown_before ? success() : hold(std::move(event));
  switch (statement.kind) {
    case StatementKind::kXaCommit: {
      SYN_TRY(show_held());
      break;
    }
    case StatementKind::kXaRollback:
      held_.erase(group_.xid);
      break;
    case StatementKind::kRollback: {
      group_.is_undone = true;
      SYN_TRY(show_events());
      roll_back_group();
      break;
    }
    default:
      if (!group_.is_shown_before) {
        SYN_TRY(look_after(statement, event.database));
      }
  }
  return end_group();
}

// The rows that XA PREPARE left are there now. Of one that was prepared before we looked, or that
// was beyond memory, nothing is known but that it was.
Result<void> Decoder::show_held() {
  const auto found = held_.find(group_.xid);
  if (group_.is_shown_before) {
    if (found != held_.end()) held_.erase(found);
    return success();
  }
  const Held held = found == held_.end() ? Held{} : std::move(found->second);
  if (found == held_.end() || held.is_beyond_memory) {
    for (const Followed& followed : followed_) rescan(followed);
  }
  if (found != held_.end()) held_.erase(found);
  for (const Event& event : held.events) {
    if (event.kind == EventKind::kStatement) {
      SYN_TRY(look_after(read_statement(event.sql), event.database));
    } else {
      SYN_TRY(on_table(event));
    }
  }
  return success();
}

// What changed in tables that can roll back did not happen; in others it did.
void Decoder::roll_back_group() {
  for (const size_t index : group_.touched) rescan(followed_[index]);
}

void Decoder::open_in_sink() {
  if (std::exchange(group_.is_begun, true)) return;
  const LogPosition position = group_.part_end ? *group_.part_end : position_of(group_.mark);
  sink_->begin({encode(position), group_.mark.time_s * kSecondUs, kSecondUs});
  told_ = position.place;
}

Result<void> Decoder::end_group() {
  group_.is_ended = true;
  if (group_.is_read_through) {
    ended_ = group_.mark;
    is_ended_undone_ = group_.is_undone;
    return success();
  }
  SYN_TRY(show_events());
  if (group_.is_begun) sink_->end();
  if (!group_.is_shown_before) {
    read_ = position_of(group_.mark);
    groups_.push_back(
        {group_.mark.place, group_.mark.time_s * kSecondUs, group_.row_count, group_.size_bytes});
  } else if (is_moved_ && group_.mark.gtid == shown_last_) {
    read_ = position_of(group_.mark);  // from here on places are this server's
  }
  group_ = {};
  return success();
}

void Decoder::end_poll(ports::PollResult& result) {
  if (read_.place > told_) {
    sink_->begin({encode(read_), read_.from.time_s * kSecondUs, kSecondUs});
    sink_->end();
    told_ = read_.place;
  }
  cascades_.commit();
  result.row_count = std::exchange(row_count_, 0);
  result.stopped = std::exchange(stops_, {});
  result.rescan = std::exchange(rescans_, {});
  result.rejected = std::exchange(rejected_, {});
}

}  // namespace syncline::mariadb
