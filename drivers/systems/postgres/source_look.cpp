// What the source looks at beside the log: the tables, our publication, and who else writes under
// an origin.
#include <algorithm>
#include <utility>

#include "drivers/systems/postgres/detail/reads.hpp"
#include "drivers/systems/postgres/detail/source.hpp"
#include "drivers/systems/postgres/detail/whole.hpp"

namespace syncline::postgres {
namespace {

constexpr int64_t kRefreshEveryUs = 5'000'000;

bool is_read(const ports::DatasetMapping& mapping) {
  return mapping.direction != ports::Direction::kTo;
}

}  // namespace

void PostgresSource::stop(const ports::DatasetMapping& mapping, Error error,
                          ports::PollResult* result) {
  const model::DatasetId dataset = mapping.schema->dataset;
  if (!stopped_.emplace(dataset, error).second) return;
  auto& stops = result == nullptr ? stops_to_report_ : result->stopped;
  stops.push_back({dataset, std::move(error)});
}

Error PostgresSource::lost_publication() const {
  return lost_log(shared_->config.name, "the publication " + shared_->object + " was dropped",
                  given_.reach());
}

// From 18 on a stream without its publication is no error: it shows nothing. What somebody made
// anew while nobody looked shows nothing of what was written before.
Result<void> PostgresSource::check_publication(const Publication& publication) {
  if (publication.number == seen_.published.number) return success();
  given_up_ = lost_publication();
  return *given_up_;
}

// One dataset's table as it is now; nothing: it stopped.
Result<std::optional<Mapped>> PostgresSource::look_at(const ports::DatasetMapping& mapping,
                                                      ports::PollResult* result) {
  auto mapped = read_mapped(*connection_, mapping);
  if (!mapped) {
    const bool is_of_table = mapped.error().code == ErrorCode::kSystemSchema ||
                             mapped.error().code == ErrorCode::kSystemKey;
    if (!is_of_table) return std::move(mapped).as_failure();
    stop(mapping, std::move(mapped).error(), result);
    return std::optional<Mapped>();
  }
  SYN_TRY(auto problems, log_problems(*connection_, mapped.value()));
  if (problems.empty()) return std::optional(std::move(mapped).value());
  stop(mapping, std::move(problems.front()), result);
  return std::optional<Mapped>();
}

// Looks at the tables as they are now: at open (result is null), and now and then, for changes of
// tables that nobody writes to are told by nothing else.
Result<void> PostgresSource::refresh(ports::PollResult* result) {
  refresh_due_us_ = clock_.steady_us() + kRefreshEveryUs;
  SYN_TRY(Connection * connection, connect());
  SYN_TRY(auto publication, read_publication(*connection, shared_->object));
  if (result != nullptr) {
    SYN_TRY(check_publication(publication));
    SYN_TRY(check_origins(*connection, result->rescan));
  }
  std::vector<Mapped> captured;
  std::vector<model::DatasetId> rescans;
  bool is_changed = result == nullptr;
  for (const ports::DatasetMapping& mapping : shared_->config.datasets) {
    if (!is_read(mapping)) continue;
    const model::DatasetId dataset = mapping.schema->dataset;
    SYN_TRY(auto mapped, look_at(mapping, result));
    const Mapped* before = decoder_.find(dataset);
    if (!mapped) {
      is_changed = is_changed || before != nullptr;
      continue;
    }
    const bool was_stopped = stopped_.erase(dataset) > 0 || decoder_.is_stopped(dataset);
    const bool is_other = was_stopped || before == nullptr || !is_same_shape(*before, *mapped);
    if (is_other) rescans.push_back(dataset);
    is_changed = is_changed || is_other;
    captured.push_back(*std::move(mapped));
  }
  const int64_t before = seen_.published.number;
  SYN_TRY(publication_, install_publication(*connection, shared_->object, captured, publication));
  if (before != 0 && publication.number != before) publication_ = Made::kNow;
  if (result == nullptr) rescans.clear();
  SYN_TRY(look_at_files(*connection, captured, publication, rescans));
  if (!is_changed) return success();
  SYN_TRY(note_primary(*connection));
  decoder_.follow(std::move(captured));
  if (result == nullptr) return success();
  close_stream();  // a new stream describes every relation anew
  result->rescan.insert(result->rescan.end(), rescans.begin(), rescans.end());
  return success();
}

// What a partition lost or brought, what became of a column's values or of a label, and what the
// publication left out is found by reading the table, once the log is read as far as that: what it
// still tells of rows that are gone must not come behind the reading. Kept when the source is
// opened again, for what happens meanwhile.
Result<void> PostgresSource::look_at_files(Connection& connection,
                                           const std::vector<Mapped>& tables,
                                           const Publication& publication,
                                           std::vector<model::DatasetId>& rescans) {
  SeenTables now;
  now.layouts = layouts_of(tables);
  now.published = published_of(publication, tables);
  SYN_TRY(now.labels, read_enum_labels(connection, tables));
  SYN_TRY(now.partitions, read_partitions(connection, tables));
  auto others = republished(seen_.published, now.published);
  const auto add = [&](const std::vector<model::DatasetId>& more) {
    others.insert(others.end(), more.begin(), more.end());
  };
  add(take_published(now.published, rescans));
  add(relabelled(seen_.labels, now.labels));
  if (!others.empty()) {
    SYN_TRY(writers_, writers_of(connection, tables));
  }
  add(regrouped(connection, seen_.partitions, now.partitions));
  for (const model::DatasetId dataset : rewritten(seen_.layouts, now.layouts)) {
    const bool is_told = std::find(rescans.begin(), rescans.end(), dataset) != rescans.end();
    if (!is_told) others.push_back(dataset);
  }
  if (!others.empty()) {
    SYN_TRY(regrouped_end_, end_of_log(connection));
  }
  regrouped_.insert(others.begin(), others.end());
  seen_ = std::move(now);
  is_seen_anew_ = true;
  return success();
}

// Takes out of these whose tables came into the publication since the last look.
std::vector<model::DatasetId> PostgresSource::take_published(
    const Published& now, std::vector<model::DatasetId>& rescans) const {
  const auto& before = seen_.published.members;
  const auto stayed = [&](model::DatasetId dataset) {
    const auto known = before.find(dataset);
    return known != before.end() && known->second == now.members.at(dataset);
  };
  const auto begin = std::stable_partition(rescans.begin(), rescans.end(), stayed);
  std::vector<model::DatasetId> published(begin, rescans.end());
  rescans.erase(begin, rescans.end());
  return published;
}

// What these wrote before their table came into the publication is not in the log that we are
// shown, but in the table once they have ended; and it may tell what they wrote before a label was
// renamed with the old one.
Result<bool> PostgresSource::have_writers_ended() {
  if (writers_.empty()) return true;
  SYN_TRY(Connection * connection, connect());
  SYN_TRY(const bool have_ended, postgres::have_ended(*connection, writers_));
  if (!have_ended) return false;
  writers_.clear();
  SYN_TRY(regrouped_end_, end_of_log(*connection));
  return true;
}

Result<void> PostgresSource::give_regrouped(ports::PollResult& result) {
  if (auto& behind = decoder_.behind(); !behind.empty()) {
    SYN_TRY(Connection * connection, connect());
    SYN_TRY(regrouped_end_, end_of_log(*connection));
    regrouped_.merge(behind);
    behind.clear();
    refresh_due_us_ = clock_.steady_us();
    return success();
  }
  if (regrouped_.empty()) return success();
  SYN_TRY(const bool is_settled, have_writers_ended());
  if (!is_settled) return success();
  SYN_TRY(const bool is_read, has_passed(place_, regrouped_end_));
  if (!is_read) return success();
  for (const model::DatasetId dataset : std::exchange(regrouped_, {})) {
    const auto& known = result.rescan;
    const bool is_told = std::find(known.begin(), known.end(), dataset) != known.end();
    // What has stopped is read when it goes on.
    const bool is_stopped = stopped_.contains(dataset) || decoder_.is_stopped(dataset);
    if (!is_told && !is_stopped) result.rescan.push_back(dataset);
  }
  return success();
}

// What has changed since the last look: where somebody else writes here under an origin of theirs,
// or has done so since, what the server left out of it is found by reading the tables.
Result<void> PostgresSource::check_origins(Connection& connection,
                                           std::vector<model::DatasetId>& rescan) {
  SYN_TRY(const Origins now, look_at_origins(connection, shared_->object));
  const Origins before = std::exchange(origins_, now);
  const bool is_shared = now.ours == Origin::kForeign;
  if (now == before && is_shared && rescan.empty() && rescans_to_report_.empty()) {
    // The reading is noted. While a session of ours still uses it, ours stays.
    auto dropped = drop_origins(connection, shared_->object);
    return dropped || dropped.error().code == ErrorCode::kSystemBusy ? success() : dropped;
  }
  if (now == before) {
    origins_.end = before.end;
    return success();
  }
  const bool may_lack = is_filtered_ || (is_shared && before.ours != Origin::kForeign);
  is_filtering_due_ = false;
  if (stream_ != nullptr && is_filtered_) {
    close_stream();
    place_ = given_;
  }
  if (!may_lack) return success();
  for (const ports::DatasetMapping& mapping : shared_->config.datasets) {
    if (is_read(mapping)) rescan.push_back(mapping.schema->dataset);
  }
  return success();
}

// Whether the stream, which shows all origins, has come to where ours can be left out.
bool PostgresSource::is_past_look() const {
  if (origins_.ours != Origin::kOurs || is_filtered_ || at_hand_ || stream_ == nullptr)
    return false;
  return given_.lsn >= origins_.end || stream_->idle_end() >= origins_.end;
}

}  // namespace syncline::postgres
