#include "drivers/scan/source.hpp"

#include <algorithm>
#include <utility>

#include "host/model/key.hpp"

namespace syncline::scan {
namespace {

using ports::RowOp;

constexpr int64_t kPollEveryUs = 1'000'000;
constexpr int64_t kRestFactor =
    9;  // unless the config says so, a tenth of the time goes to reading
constexpr int64_t kLookEveryUs = 5'000'000;
constexpr size_t kPolledRecordsMax = 200'000;  // that are kept in mind of a dataset
constexpr size_t kRecordsAtOnce = 1024;        // asked for by key in one statement

bool is_of_table(const Error& error) {
  return error.code == ErrorCode::kSystemSchema || error.code == ErrorCode::kSystemKey;
}

}  // namespace

Source::Source(const ports::SystemConfig& config, std::unique_ptr<Tables> tables,
               std::shared_ptr<Shared> shared, Clock& clock)
    : config_(config), tables_(std::move(tables)), shared_(std::move(shared)), clock_(clock) {
  for (const ports::DatasetMapping& mapping : config_.datasets) {
    if (mapping.direction == ports::Direction::kTo) continue;
    datasets_.emplace_back().mapping = &mapping;
  }
}

Result<void> Source::connect() {
  if (tables_->is_connected()) return success();
  SYN_TRY(tables_->connect());
  look_due_us_ = 0;
  for (Dataset& dataset : datasets_) dataset.read_stamp.reset();
  return success();
}

Result<void> Source::open(const model::Position& position) {
  is_open_ = false;
  stops_to_report_.clear();
  rescans_to_report_.clear();
  notices_to_report_.clear();
  markers_.clear();
  must_look_ = true;
  Place place;
  if (!position.is_start()) {
    SYN_TRY(place, place_of(position, config_.name));
  }
  position_ = std::max(clock_.now_us(), place.number);
  echo_ = place.echo;
  for (Dataset& dataset : datasets_) {
    const ports::DatasetMapping* mapping = dataset.mapping;
    dataset = {};
    dataset.mapping = mapping;
    shared_->known.forget(dataset.id());
    const auto from = place.from.find(dataset.id());
    const bool has_place =
        dataset.is_polled() && from != place.from.end() && from->second.column == mapping->poll_by;
    if (has_place) dataset.place.begin(from->second.value);
    if (!position.is_start() && !has_place) rescans_to_report_.insert(dataset.id());
    dataset.next_us = clock_.steady_us() + (dataset.is_polled() ? 0 : rest_us(dataset));
  }
  SYN_TRY(tables_->connect());
  SYN_TRY(tables_->install());
  SYN_TRY(look_at_tables());
  if (position.is_start()) {
    SYN_TRY(tables_->forget_echoes());
  }
  is_open_ = true;
  return success();
}

Result<void> Source::look_at_tables() {
  for (Dataset& dataset : datasets_) {
    SYN_TRY(look_at(dataset));
  }
  look_due_us_ = clock_.steady_us() + kLookEveryUs;
  return success();
}

// A table that is not what it was is read whole, as one that is back after a stop.
Result<void> Source::look_at(Dataset& dataset) {
  auto look = tables_->look(*dataset.mapping);
  if (!look && !is_of_table(look.error())) return std::move(look).as_failure();
  if (!look) {
    dataset.is_read = false;
    dataset.is_due = dataset.is_gone_due = false;
    if (dataset.stopped && dataset.stopped->what == look.error().what) return success();
    dataset.stopped = look.error();
    stops_to_report_.push_back({dataset.id(), std::move(look).error()});
    return success();
  }
  const bool is_back = dataset.stopped.has_value();
  if (is_back || (dataset.is_read && look.value() == Tables::Look::kOther)) {
    shared_->known.forget(dataset.id());
    dataset.read_stamp.reset();
    dataset.is_due = dataset.is_gone_due = false;
    dataset.place.begin({});
    must_look_ = true;
    rescans_to_report_.insert(dataset.id());
  }
  dataset.stopped.reset();
  dataset.is_read = dataset.was_read = true;
  return success();
}

Source::Dataset* Source::find(model::DatasetId id) {
  const auto found = std::find_if(datasets_.begin(), datasets_.end(),
                                  [id](const Dataset& dataset) { return dataset.id() == id; });
  return found == datasets_.end() ? nullptr : &*found;
}

Wanted Source::wanted(const Dataset& dataset, const std::string& key) {
  return {{dataset.id(), model::hash_key(key)}, key};
}

model::Position Source::place(uint64_t echo) const {
  Place place{position_, echo, {}};
  for (const Dataset& dataset : datasets_) {
    if (!dataset.is_polled()) continue;
    place.from[dataset.id()] = {dataset.mapping->poll_by, dataset.place.from()};
  }
  return position_of(place);
}

Source::Dataset* Source::next_due() {
  Dataset* next = nullptr;
  for (Dataset& dataset : datasets_) {
    if (!dataset.is_read) continue;
    if (dataset.is_due) return &dataset;
    if (next == nullptr || dataset.next_us < next->next_us) next = &dataset;
  }
  return next;
}

// Not what a rescan is to read: it would be read twice.
Source::Dataset* Source::due_now() {
  Dataset* next = next_due();
  if (next == nullptr || rescans_to_report_.contains(next->id())) return nullptr;
  return next->is_due || next->next_us <= clock_.steady_us() ? next : nullptr;
}

bool Source::is_work_due() {
  if (must_look_ || shared_->known.is_wanted() || shared_->known.has_news()) return true;
  return due_now() != nullptr;
}

void Source::wait_for_work(int wait_ms) {
  if (is_work_due()) return;
  int64_t wait_us = int64_t{1000} * wait_ms;
  if (const Dataset* next = next_due(); next != nullptr) {
    wait_us = std::min(wait_us, next->next_us - clock_.steady_us());
  }
  shared_->known.wait(wait_us);
}

// Until the first scan, and until a table that is as it was is asked for again.
int64_t Source::rest_us(const Dataset& dataset) const {
  const int64_t every_us = dataset.mapping->every_us;
  return every_us > 0 ? std::min(every_us, tables_->rest_us()) : tables_->rest_us();
}

// Where nothing was committed since it was last read, there is nothing to be read.
Result<void> Source::put_off_unchanged() {
  Dataset* due = due_now();
  if (due == nullptr || due->is_due || due->is_polled()) return success();
  SYN_TRY(due->stamp, tables_->stamp());
  if (!due->stamp || due->stamp != due->read_stamp) return success();
  due->next_us = clock_.steady_us() + rest_us(*due);
  return success();
}

Result<ports::PollResult> Source::poll(ports::ChangeSink& sink, size_t row_limit, int wait_ms) {
  SYN_TRY(connect());
  if (clock_.steady_us() >= look_due_us_) {
    SYN_TRY(look_at_tables());
  }
  wait_for_work(wait_ms);
  SYN_TRY(put_off_unchanged());
  ports::PollResult result;
  if (is_work_due()) {
    Look look;
    shared_->known.begin_look();
    auto read_all = read(look, row_limit);
    tables_->end();
    if (!read_all) {
      shared_->known.drop_shown();
      if (is_of_table(read_all.error())) look_due_us_ = 0;
      for (Dataset& dataset : datasets_) {
        dataset.is_due = dataset.is_gone_due = false;
      }
      return std::move(read_all).as_failure();
    }
    show(look, sink, result);
    for (const Dataset& dataset : datasets_) {
      if (dataset.is_polled()) shared_->known.trim(dataset.id(), kPolledRecordsMax);
    }
  }
  const Dataset* next = next_due();
  result.has_more = next != nullptr && next->is_due;
  result.stopped = std::exchange(stops_to_report_, {});
  result.notices = std::exchange(notices_to_report_, {});
  result.rescan.assign(rescans_to_report_.begin(), rescans_to_report_.end());
  rescans_to_report_.clear();
  return result;
}

// While nothing of ours is written, what the snapshot holds and what we know we wrote are the same.
Result<void> Source::read(Look& look, size_t row_limit) {
  Known& known = shared_->known;
  std::vector<Wanted> wishes;
  Dataset* due = due_now();
  // Asked before the snapshot: what commits in between is in it.
  if (due != nullptr && !due->is_due && due->is_polled()) {
    SYN_TRY(reach(*due));
  }
  {
    const auto held = known.hold_writes();
    SYN_TRY(tables_->begin());
    look.mark = known.mark();
    wishes = known.take_wishes();
  }
  SYN_TRY(read_markers(look));
  SYN_TRY(read_echoes(look));
  SYN_TRY(read_wishes(wishes, look));
  if (due == nullptr) return success();
  return due->is_gone_due ? read_gone(*due, row_limit, look) : read_round(*due, row_limit, look);
}

// Of several of one record the last: the markers are of the last of our transactions, too. Where a
// table never fitted, nobody knows what an echo's image holds: it waits, and those behind it.
Result<void> Source::read_echoes(Look& look) {
  look.echo = echo_;
  SYN_TRY(auto echoes, tables_->echoes(echo_));
  std::unordered_map<RecordId, size_t, RecordIdHasher> places;
  for (Echo& echo : echoes) {
    const Dataset* dataset = find(echo.dataset);
    if (dataset != nullptr && !dataset->was_read) break;
    look.echo = std::max(look.echo, echo.number);
    if (dataset == nullptr) continue;
    const Wanted record = wanted(*dataset, echo.row.key);
    shared_->known.see_echo(record, image_hash(echo.row.image), look.mark);
    const auto [at, is_new] = places.try_emplace(record.id, look.items.size());
    if (is_new) look.items.emplace_back();
    look.items[at->second] = {echo.dataset, RowOp::kUpdate, true, std::move(echo.row)};
  }
  return success();
}

void Source::take(Dataset& dataset, Row&& row, Look& look) {
  const Wanted record = wanted(dataset, row.key);
  const auto seen = shared_->known.see(record, image_hash(row.image), look.mark);
  if (seen == Known::Seen::kKnown) return;
  // Where not all records were met before, one that was just made looks like any other.
  const RowOp op = seen == Known::Seen::kNew ? RowOp::kInsert : RowOp::kUpdate;
  look.items.push_back({dataset.id(), op, false, std::move(row)});
}

void Source::take_gone(const Wanted& record, Look& look) {
  if (shared_->known.see(record, kNoImage, look.mark) == Known::Seen::kKnown) return;
  look.items.push_back({record.id.dataset, RowOp::kDelete, false, {record.key, {}}});
}

// Records that writes wait for: as they are, or gone.
Result<void> Source::read_wishes(const std::vector<Wanted>& wishes, Look& look) {
  for (Dataset& dataset : datasets_) {
    std::unordered_map<RecordId, const Wanted*, RecordIdHasher> open;
    std::vector<std::string> keys;
    for (const Wanted& wish : wishes) {
      if (wish.id.dataset != dataset.id() || !dataset.is_read) continue;
      open.emplace(wish.id, &wish);
      keys.push_back(wish.key);
    }
    for (size_t first = 0; first < keys.size(); first += kRecordsAtOnce) {
      const size_t count = std::min(kRecordsAtOnce, keys.size() - first);
      SYN_TRY(auto rows, tables_->records(dataset.id(), std::span(keys).subspan(first, count)));
      for (Row& row : rows) {
        open.erase(wanted(dataset, row.key).id);
        take(dataset, std::move(row), look);
      }
    }
    for (const auto& [id, wish] : open) take_gone(*wish, look);
  }
  return success();
}

void Source::begin_round(Dataset& dataset) {
  dataset.is_due = true;
  dataset.began_us = clock_.steady_us();
  dataset.cursor.clear();
  if (!dataset.is_polled()) shared_->known.begin_scan(dataset.id());
}

void Source::end_round(Dataset& dataset) {
  const int64_t now_us = clock_.steady_us();
  const int64_t took_us = now_us - dataset.began_us;
  const int64_t every_us = dataset.mapping->every_us;
  const int64_t rest_us =
      std::max(dataset.is_polled() ? kPollEveryUs : tables_->rest_us(), kRestFactor * took_us);
  dataset.read_stamp = dataset.stamp;
  dataset.is_due = dataset.is_gone_due = false;
  dataset.next_us = every_us > 0 ? std::max(now_us, dataset.began_us + every_us) : now_us + rest_us;
}

Result<void> Source::read_round(Dataset& dataset, size_t row_limit, Look& look) {
  if (!dataset.is_due) {
    begin_round(dataset);
  }
  const model::DatasetId id = dataset.id();
  Rows rows;
  if (dataset.is_polled()) {
    const size_t limit = std::min(row_limit, dataset.rows_fitting);
    SYN_TRY(rows, tables_->changed(id, dataset.place.from(), dataset.cursor, limit));
    dataset.note_size(rows);
  } else {
    SYN_TRY(rows, tables_->chunk(id, dataset.cursor, row_limit));
  }
  for (Row& row : rows.rows) take(dataset, std::move(row), look);
  for (auto& rejected : rows.rejected) look.rejected.push_back(std::move(rejected));
  dataset.cursor = std::move(rows.cursor);
  if (!dataset.cursor.empty()) return success();
  if (dataset.is_polled()) {
    dataset.place.end_round(dataset.reached, dataset.mapping->overlap_us);
    end_round(dataset);
    return success();
  }
  dataset.is_gone_due = true;
  return read_gone(dataset, row_limit, look);
}

// A record whose key was written otherwise may stand behind the scan: it was not met, but is there.
Result<void> Source::read_gone(Dataset& dataset, size_t row_limit, Look& look) {
  const Known::Unseen unseen = shared_->known.unseen(dataset.id(), row_limit);
  SYN_TRY(read_wishes(unseen.records, look));
  if (!unseen.is_last) return success();
  shared_->known.end_scan(dataset.id());
  end_round(dataset);
  return success();
}

void Source::show(const Look& look, ports::ChangeSink& sink, ports::PollResult& result) {
  Known& known = shared_->known;
  must_look_ = false;
  known.end_echoes(look.mark);
  result.rejected = look.rejected;
  const int64_t now_us = clock_.now_us();
  const int64_t steady_us = clock_.steady_us();
  // A change was made between the last look and this one.
  const int64_t resolution_us = shown_us_ == 0 ? 1 : std::max<int64_t>(1, steady_us - shown_us_);
  shown_us_ = steady_us;
  if (look.markers.empty() && look.items.empty() && !known.has_news()) return;
  position_ = std::max(position_ + 1, now_us);
  echo_ = look.echo;
  sink.begin({place(echo_), now_us - resolution_us, resolution_us});
  for (const Marker& marker : look.markers) {
    markers_[{marker.stream, marker.lane}] = marker;
    sink.marker({config_.appliance, marker.epoch, marker.stream, marker.lane, marker.sequence});
  }
  for (const Item& item : look.items) show_item(item, sink, result);
  sink.end();
  known.keep_shown(position_);
}

void Source::show_item(const Item& item, ports::ChangeSink& sink, ports::PollResult& result) {
  const model::Schema& schema = *find(item.dataset)->mapping->schema;
  if (item.row.image.empty()) {
    key_cells_.assign(schema.fields.size(), {});
    const auto parts = model::split_key(item.row.key);
    for (size_t i = 0; i < parts.size(); ++i) {
      key_cells_[i] = {model::CellState::kValue, parts[i]};
    }
    sink.row({item.dataset, RowOp::kDelete, item.is_ours, key_cells_, {}});
    ++result.row_count;
    return;
  }
  auto cells = tables_->cells(item.dataset, item.row.image);
  if (!cells) {
    result.rejected.push_back(
        tables_->rejected(item.dataset, item.row.key, std::move(cells).error()));
    return;
  }
  sink.row({item.dataset, item.op, item.is_ours, cells.value(), {}});
  ++result.row_count;
}

Result<void> Source::acknowledge(const model::Position& position) {
  if (position.is_start()) return success();
  SYN_TRY(const Place durable, place_of(position, config_.name));
  shared_->known.acknowledge(durable.number);
  shared_->durable_echo = std::max(shared_->durable_echo.load(), durable.echo);
  return success();
}

Result<model::Position> Source::current_position() {
  position_ = std::max(position_, clock_.now_us());
  return place(echo_);
}

Result<Source::Dataset*> Source::readable(model::DatasetId id) {
  SYN_TRY(connect());
  Dataset* dataset = find(id);
  if (dataset == nullptr) {
    return fail(ErrorCode::kInvalidArgument, "the dataset is not read in system " + config_.name,
                "its direction is \"to\", or the config does not name it", "correct the config");
  }
  if (!is_open_ || !dataset->is_read) {
    SYN_TRY(look_at(*dataset));
  }
  if (dataset->stopped) return *dataset->stopped;
  return dataset;
}

Result<ports::SnapshotChunk> Source::read_snapshot(model::DatasetId id, const std::string& cursor,
                                                   size_t row_limit, ports::ChangeSink& sink) {
  SYN_TRY(const Dataset* dataset, readable(id));
  SYN_TRY(tables_->begin());
  auto read = tables_->chunk(id, cursor, row_limit);
  tables_->end();
  if (!read) return std::move(read).as_failure();
  Rows rows = std::move(read).value();
  // What is polled is looked at where a write wants it: a table may be too large to be kept in
  // mind.
  const bool is_known = is_open_ && !dataset->is_polled();
  if (is_known && cursor.empty()) shared_->known.begin_scan(id);
  ports::SnapshotChunk chunk;
  chunk.rejected = std::move(rows.rejected);
  sink.begin({is_open_ ? place(echo_) : model::Position{}, clock_.now_us(), 1});
  for (const Row& row : rows.rows) {
    if (is_known) shared_->known.see_apart(wanted(*dataset, row.key), image_hash(row.image));
    auto cells = tables_->cells(id, row.image);
    if (!cells) {
      chunk.rejected.push_back(tables_->rejected(id, row.key, std::move(cells).error()));
      continue;
    }
    sink.row({id, RowOp::kSnapshot, false, cells.value(), {}});
    ++chunk.row_count;
  }
  sink.end();
  chunk.cursor = std::move(rows.cursor);
  if (is_known && chunk.cursor.empty()) shared_->known.end_scan(id);
  return chunk;
}

Result<uint64_t> Source::estimate_rows(model::DatasetId id) {
  SYN_TRY(readable(id));
  return tables_->estimate_rows(id);
}

Result<std::vector<ports::RejectedRow>> Source::read_records(model::DatasetId id,
                                                             std::span<const std::string> keys,
                                                             ports::ChangeSink& sink) {
  SYN_TRY(readable(id));
  SYN_TRY(tables_->begin());
  auto rows = tables_->records(id, keys);
  tables_->end();
  if (!rows) return std::move(rows).as_failure();
  std::vector<ports::RejectedRow> rejected;
  sink.begin({is_open_ ? place(echo_) : model::Position{}, clock_.now_us(), 1});
  for (const Row& row : rows.value()) {
    if (auto cells = tables_->cells(id, row.image); cells) {
      sink.row({id, RowOp::kSnapshot, false, cells.value(), {}});
    } else {
      rejected.push_back(tables_->rejected(id, row.key, std::move(cells).error()));
    }
  }
  sink.end();
  return rejected;
}

}  // namespace syncline::scan
