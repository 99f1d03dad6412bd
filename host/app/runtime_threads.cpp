// The runtime's loops. Each does a bounded amount of work a turn and looks whether to stop.
#include <algorithm>
#include <utility>

#include "host/app/resync.hpp"
#include "host/app/runtime_internal.hpp"
#include "host/model/key.hpp"
#include "host/pipeline/ledger.hpp"

namespace syncline::app {
namespace {

constexpr int64_t kBackoffUsMin = 5'000;
constexpr int64_t kBackoffUsMax = 5'000'000;
constexpr int64_t kIdleUs = 20'000;
constexpr int64_t kRoomRetryUs = 200'000;
constexpr int64_t kCommitWaitUsMax = 1'000'000;
constexpr int64_t kCommitLookUs = 2'000;
constexpr int64_t kLagEveryUs = 500'000;

}  // namespace

void RuntimeImpl::capture_loop(SystemRun& run) {
  int64_t backoff_us = kBackoffUsMin;
  uint64_t seen = 0;
  while (is_reading_) {
    acknowledge(run);
    answer_requests(run);
    measure_lag(run, run.lag_due_us);
    if (run.is_paused) {
      run.is_caught_up = false;  // nobody looks
      seen = committed_.wait(seen, kIdleUs);
      continue;
    }
    const auto read = capture_once(run, parts_.options.poll_wait_ms, backoff_us);
    if (!read) {
      seen = committed_.wait(seen, backoff_us);
      backoff_us = std::min(backoff_us * 2, kBackoffUsMax);
    }
  }
  answer_requests(run);
}

// A system that is not read keeps its log for us: that is watched while it is paused, too.
void RuntimeImpl::measure_lag(SystemRun& run, int64_t& due_us) {
  if (parts_.clock.steady_us() < due_us || !run.is_source_open) return;
  due_us = parts_.clock.steady_us() + kLagEveryUs;
  const auto lag = run.system->ports.source->lag();
  if (!lag) return;  // what is wrong with the system, the next poll tells
  const uint64_t retained = lag.value().retained_bytes;
  {
    const std::lock_guard lock(run.mutex);
    run.lag = lag.value();
  }
  metrics_
      .gauge("syncline_source_retained_bytes", "Of its log, kept by the system because of us.",
             {{"system", run.system->name}})
      .set(static_cast<double>(retained));
  const uint64_t alarm = run.system->log_alarm_bytes;
  const bool is_alarming = alarm > 0 && retained > alarm;
  if (is_alarming && !run.is_log_alarming) {
    parts_.log.warning(run.system->name + ": keeps " + std::to_string(retained >> 20) +
                       " MiB of its log for us, more than log_alarm (" +
                       std::to_string(alarm >> 20) + " MiB)" +
                       (run.is_paused ? ": it is paused" : ""));
  }
  run.is_log_alarming = is_alarming;
  note_withheld(run, lag.value().withheld);
  pause_at_log_limit(run, lag.value());
}

void RuntimeImpl::note_withheld(SystemRun& run, const std::optional<Error>& why) {
  const std::string text = why ? to_string(*why) : std::string();
  const std::lock_guard lock(run.mutex);
  if (run.withheld == text) return;
  if (why) parts_.log.warning(run.system->name + ": " + text);
  if (!why) parts_.log.info(run.system->name + ": its log is shown again");
  run.withheld = text;
}

// Our writes fill the log that cannot be let go. They wait until it has come well below the limit,
// so that they do not begin and end with each segment.
void RuntimeImpl::pause_at_log_limit(SystemRun& run, const ports::Source::Lag& lag) {
  const uint64_t limit = run.system->log_pause_bytes;
  const uint64_t low = limit / 4 * 3;
  const bool was_full = !run.log_full.empty();  // this thread's own word
  const bool is_full = limit > 0 && lag.retained_bytes > (was_full ? low : limit);
  if (!is_full && !was_full) {
    run.is_log_full = false;
    return;
  }
  const std::string& name = run.system->name;
  const Error error{ErrorCode::kLogLimit,
                    "nothing is written to system '" + name + "': it keeps " +
                        std::to_string(lag.retained_bytes >> 20) +
                        " MiB of its log for us, and log_limit is " + std::to_string(limit >> 20) +
                        " MiB",
                    lag.held_by.empty() ? "we have not read it to its end" : lag.held_by,
                    "it goes on by itself below " + std::to_string(low >> 20) +
                        " MiB; nothing is lost, and it is read meanwhile"};
  if (is_full && !was_full) parts_.log.warning(to_string(error));
  if (!is_full) parts_.log.info(name + ": its log was let go: it is written to again");
  const std::lock_guard lock(run.mutex);
  run.is_log_full = is_full;
  run.log_full = is_full ? to_string(error) : std::string();
}

// Where no log is read, only our checkpoints tell that a database went back: its old rows would be
// taken for edits of now. Whoever writes there asks for them first, and what stopped that for good
// stops the reading. A target that cannot be opened, or is not to be, holds no reading up.
Result<void> RuntimeImpl::check_checkpoints_first(SystemRun& run) {
  const bool is_scanned = std::ranges::any_of(run.system->mappings, [](const auto& mapping) {
    return mapping.second.capture != ports::Capture::kLog;
  });
  if (!is_scanned || !run.delivery || run.needs_plan) return success();
  const std::lock_guard lock(run.mutex);
  if (!run.is_delivering) {
    return fail(ErrorCode::kSystemLost, "system " + run.system->name + " is not read any more",
                "nothing is written there: " + run.error, "see `syncline status`");
  }
  const bool is_asked = run.is_target_open || !run.target_error.empty();
  if (is_asked || run.is_paused || run.is_log_full) return success();
  return fail(ErrorCode::kSystemBusy, "system " + run.system->name + " is not read yet",
              "what it holds of ours is being asked for", "nothing: it takes a moment");
}

Result<capture::Captured> RuntimeImpl::poll(SystemRun& run, int wait_ms) {
  SYN_TRY(open_source(run));
  if (run.system->schemas.empty()) return capture::Captured{};
  SYN_TRY(check_checkpoints_first(run));
  return run.capture->run_once(parts_.options.poll_rows_max, wait_ms);
}

// The first sync will read these datasets whole, behind what their log tells now.
void RuntimeImpl::pass_over_unsynced(SystemRun& run, capture::Captured& captured) {
  const size_t row_count = captured.row_count();
  std::erase_if(captured.batches,
                [&](const model::Batch& batch) { return run.unsynced.contains(batch.dataset()); });
  captured.rows_left_out += row_count - captured.row_count();
  std::erase_if(captured.result.rescan,
                [&](model::DatasetId dataset) { return run.unsynced.contains(dataset); });
}

// One poll. An error is noted where status shows it; the loop waits and tries again. A log that was
// lost is not looked at again: a restored server's grows, and would once seem to go on where we
// were.
Result<ReadOn> RuntimeImpl::capture_once(SystemRun& run, int wait_ms, int64_t& backoff_us) {
  if (run.lost) return *run.lost;
  const bool was_open = run.is_source_open;
  auto polled = poll(run, wait_ms);
  if (!polled) {
    run.is_caught_up = false;
    if (is_lost(polled.error().code)) lose(run, polled.error());
    if (polled.error().code != ErrorCode::kSystemBusy) note_error(run, polled.error());
    return std::move(polled).as_failure();
  }
  backoff_us = kBackoffUsMin;
  if (!was_open) parts_.log.info(run.system->name + " is there now: it is read");
  note_recovered(run);
  capture::Captured& captured = polled.value();
  pass_over_unsynced(run, captured);
  run.rows_captured += captured.row_count();
  const ports::PollResult result = std::move(captured.result);
  note_stops(run, result);
  SYN_TRY(quarantine_rejected(run, result.rejected));
  SYN_TRY(note_rescans(run, to_be_scanned(run, result)));
  if (!captured.is_empty() || !captured.position.is_start()) push(std::move(captured));
  run.is_caught_up = result.row_count == 0 && !result.has_more && !next_rescan(run);
  SYN_TRY(note_layout(run));
  SYN_TRY(rescan_what_is_due(run));
  settle_due_twins(run);
  return result.has_more ? ReadOn::kMore : ReadOn::kEnd;
}

void RuntimeImpl::lose(SystemRun& run, const Error& error) {
  run.lost = error;
  run.has_gap = error.code == ErrorCode::kSystemLost;
  run.is_log_lost = true;
}

void RuntimeImpl::note_error(SystemRun& run, const Error& error) {
  const std::lock_guard lock(run.mutex);
  if (error.code == ErrorCode::kSystemWentBack) run.has_gone_back = true;
  if (run.state == "stopped") return;  // until a resync
  const std::string text = to_string(error);
  if (run.error != text) parts_.log.warning(run.system->name + ": " + text);
  run.error = text;
  run.state = is_lost(error.code) ? "stopped" : "retrying";
  system_up(run).set(0);
}

Gauge& RuntimeImpl::system_up(const SystemRun& run) {
  return metrics_.gauge("syncline_system_up", "1 while the system is read, 0 while it is away.",
                        {{"system", run.system->name}});
}

void RuntimeImpl::note_recovered(SystemRun& run) {
  const std::lock_guard lock(run.mutex);
  system_up(run).set(run.state == "stopped" ? 0 : 1);
  if (run.state != "retrying") return;
  run.state = "running";
  run.error.clear();
}

void RuntimeImpl::note_stops(SystemRun& run, const ports::PollResult& result) {
  const std::lock_guard lock(run.mutex);
  for (const ports::DatasetStop& stop : result.stopped) {
    const std::string text = to_string(stop.error);
    if (run.stopped[stop.dataset] != text) parts_.log.error(run.system->name + ": " + text);
    run.stopped[stop.dataset] = text;
  }
  for (const model::DatasetId dataset : result.rescan) run.stopped.erase(dataset);  // it goes on
  for (const Error& notice : result.notices) {
    parts_.log.warning(run.system->name + ": " + to_string(notice));
  }
}

// A row that its own system holds, but no type of ours: it goes nowhere, and says so. A later value
// of the record that can be held travels as any other.
Result<void> RuntimeImpl::quarantine_rejected(SystemRun& run,
                                              const std::vector<ports::RejectedRow>& all) {
  return all.empty() ? success() : note(quarantining(run, all));
}

// The work of it, for the step thread.
std::function<Result<void>(pipeline::Pipeline&)> RuntimeImpl::quarantining(
    SystemRun& run, const std::vector<ports::RejectedRow>& all) {
  std::vector<model::Skip> skips;
  for (const ports::RejectedRow& rejected : all) {
    const std::string reason = to_string(rejected.error);
    parts_.log.warning(run.system->name + ": quarantined: " + reason);
    const model::Schema& schema = *parts_.rules.at(rejected.dataset).schema;
    // One that is no record has no place among them: another may have that key.
    const std::string key = rejected.is_record ? rejected.key : std::string();
    const model::KeyHash hash =
        key.empty() ? model::hash_key(reason) : model::record_hash(key, schema);
    skips.push_back({run.system->id, rejected.dataset, hash, key, 0, reason});
  }
  return [this, skips = std::move(skips)](pipeline::Pipeline& pipeline) -> Result<void> {
    SYN_TRY(pipeline.commit());
    for (const model::Skip& skip : skips) {
      SYN_TRY(pipeline::quarantine(skip, parts_.shadow));
    }
    return parts_.shadow.flush();
  };
}

// Asked for on another thread, done on the capture's.
Result<std::vector<ports::RejectedRow>> RuntimeImpl::reread(SystemRun& run,
                                                            model::DatasetId dataset,
                                                            const std::vector<std::string>& keys) {
  auto done = std::make_shared<std::promise<Result<std::vector<ports::RejectedRow>>>>();
  auto outcome = done->get_future();
  {
    const std::lock_guard lock(run.mutex);
    if (!is_reading_) {
      return fail(ErrorCode::kNotRunning, "the appliance is stopping", "", "start it again");
    }
    if (!is_synced_) {
      return fail(ErrorCode::kSystemBusy, "records cannot be read again now",
                  "the first sync is going on",
                  "try again when `syncline status` says that it is running");
    }
    run.requests.push_back([this, &run, dataset, keys, done] {
      auto read = run.capture->read_records(dataset, keys);
      if (!read) return done->set_value(read.error());
      auto rejected = std::move(read.value().result.rejected);
      if (!read.value().is_empty()) push(std::move(read).value());
      done->set_value(std::move(rejected));
    });
  }
  return in_time(std::move(outcome));
}

void RuntimeImpl::answer_requests(SystemRun& run) {
  std::deque<std::function<void()>> requests;
  {
    const std::lock_guard lock(run.mutex);
    requests.swap(run.requests);
  }
  for (const auto& request : requests) request();
}

void RuntimeImpl::acknowledge(SystemRun& run) {
  if (!run.is_source_open) return;
  const auto position = pipeline_->take_acknowledgement(run.system->id);
  if (!position) return;
  const auto done = run.system->ports.source->acknowledge(*position);
  if (!done && done.error().code != ErrorCode::kSystemBusy) {
    parts_.log.warning(run.system->name + ": " + to_string(done.error()));
  }
}

void RuntimeImpl::delivery_loop(SystemRun& run) {
  uint64_t seen = 0;
  int64_t open_wait_us = 0;
  while (is_running_ && run.is_delivering && !run.needs_plan) {
    if (run.is_paused || run.is_log_full) {
      seen = committed_.wait(seen, kIdleUs);
      continue;
    }
    if (!wait_for_target(run, open_wait_us)) continue;
    const auto worked = run.delivery->run_once();
    report_deliveries(run);
    if (!worked) {
      const std::lock_guard lock(run.mutex);
      run.state = "stopped";
      run.error = to_string(worked.error());
      parts_.log.error(run.system->name + ": " + run.error);
      break;
    }
    const int64_t wait_us = run.delivery->wait_us();
    if (!worked.value() || wait_us > 0) {
      seen = committed_.wait(seen, wait_us > 0 ? std::min(wait_us, kIdleUs) : kIdleUs);
    }
  }
  run.is_delivering = false;
}

void RuntimeImpl::report_deliveries(SystemRun& run) {
  for (const delivery::Delivered& delivered : run.delivery->take_delivered()) {
    ++delivered_;
    latency_.record(static_cast<uint64_t>(
        std::max<int64_t>(0, delivered.applied_time_us - delivered.commit_time_us)));
  }
  report_not_written(run);
  auto skips = run.delivery->take_skips();
  if (skips.empty()) return;
  for (const model::Skip& skip : skips) {
    parts_.log.warning(run.system->name + ": quarantined: " + skip.reason);
  }
  push(std::move(skips));
}

// Told when it begins, unless its reading stopped, too, and when it ends. What stands in the way
// meanwhile may change from try to try: status shows it.
void RuntimeImpl::report_not_written(SystemRun& run) {
  auto now = run.delivery->stats().stopped;
  const auto name = [&](model::DatasetId dataset) {
    return run.system->name + ": dataset " + parts_.rules.at(dataset).schema->name;
  };
  for (const auto& [dataset, why] : now) {
    if (run.not_written.contains(dataset)) continue;
    const std::lock_guard lock(run.mutex);
    if (run.stopped.contains(dataset)) continue;
    parts_.log.error(name(dataset).append(" is not written, others go on: ").append(why));
  }
  for (const auto& [dataset, why] : run.not_written) {
    if (!now.contains(dataset)) parts_.log.info(name(dataset).append(" is written again"));
  }
  run.not_written = std::move(now);
}

void RuntimeImpl::step_loop() {
  StepItem item;
  while (true) {
    wait_for_commits();
    const QueueState state = queue_.pop(item, kIdleUs);
    if (state == QueueState::kClosed) break;
    if (state == QueueState::kDone) {
      const auto done = step(item);
      item = StepItem{};
      ++items_done_;
      if (!done) {
        fail_all(done.error());
        break;
      }
    }
    checkpoint_if_due();
  }
  // Whoever still waits for a command is told.
  while (queue_.pop(item, 0) == QueueState::kDone) {
    if (auto* command = std::get_if<Command>(&item)) {
      command->done->set_value(
          fail(ErrorCode::kNotRunning, "the appliance is stopping", "", "start it again"));
    }
    ++items_done_;
  }
}

// What is decided faster than it is made durable waits in memory. Where commits are held up, the
// commands behind what waits are not.
void RuntimeImpl::wait_for_commits() {
  const int64_t end_us = parts_.clock.steady_us() + kCommitWaitUsMax;
  uint64_t seen = 0;
  while (pipeline_->uncommitted_bytes() > parts_.options.uncommitted_bytes_max && is_reading_ &&
         parts_.clock.steady_us() < end_us) {
    seen = committed_.wait(seen, kCommitLookUs);
  }
}

Result<void> RuntimeImpl::step(StepItem& item) {
  Result<void> done = success();
  if (pipeline_->is_waiting()) {
    // No room, and the appliance is stopping: what comes is not taken, its source tells it again.
    if (auto* command = std::get_if<Command>(&item)) {
      command->done->set_value(
          fail(ErrorCode::kNotRunning, "the appliance is stopping", "", "start it again"));
    }
    return success();
  }
  if (auto* command = std::get_if<Command>(&item)) {
    command->done->set_value(run_to_its_end(command->run));
    pause_what_is_held();
    appended_.raise();
    return success();
  }
  if (auto* skips = std::get_if<std::vector<model::Skip>>(&item)) {
    done = run_to_its_end(
        [skips](pipeline::Pipeline& pipeline) { return pipeline.process_skips(*skips); });
  } else {
    for (const capture::Captured& part :
         pipeline_->parts(std::move(std::get<capture::Captured>(item)))) {
      done = process_at_last(part);
      if (!done && done.error().code == ErrorCode::kStorageFull && pipeline_->is_waiting()) {
        parts_.log.error(done.error());
        done = append_when_there_is_room();
      }
      if (!done || pipeline_->is_waiting()) break;
    }
  }
  pause_what_is_held();
  appended_.raise();
  report_locals();
  return done;
}

// What a full disk cut short before anything was decided is done again: what follows it in its
// system's log may not come first. While the appliance stops, that is the error it ends with.
Result<void> RuntimeImpl::process_at_last(const capture::Captured& captured) {
  uint64_t seen = 0;
  while (true) {
    auto done = pipeline_->process(captured);
    const bool is_to_be_done_again = !done && done.error().code == ErrorCode::kStorageFull &&
                                     !pipeline_->is_waiting() && is_reading_;
    is_out_of_room_ = is_to_be_done_again;
    if (!is_to_be_done_again) return done;
    parts_.log.error(done.error());
    seen = committed_.wait(seen, kRoomRetryUs);
  }
}

// Systems that each set a cell themselves never agree on it.
void RuntimeImpl::report_locals() {
  for (const model::LocalCell& local : pipeline_->take_locals()) {
    const model::Schema& schema = *parts_.rules.at(local.dataset).schema;
    const std::string& field = schema.fields[local.field].name;
    std::string text = find(local.system)->system->name;
    text.append(": dataset ").append(schema.name).append(": it sets ").append(field);
    text.append(
        " itself, and so does another system: after three rounds each keeps its own, and `verify` "
        "tells them apart. Fix: [datasets.");
    text.append(schema.name).append(".conflict.fields] ").append(field).append(" = \"local\"");
    parts_.log.warning(text);
  }
}

// Work of many groups that a full disk cuts short is done again from its beginning, once what it
// had decided has found room: doing a part of it twice says nothing new.
Result<void> RuntimeImpl::run_to_its_end(
    const std::function<Result<void>(pipeline::Pipeline&)>& work) {
  while (true) {
    auto done = work(*pipeline_);
    if (done || done.error().code != ErrorCode::kStorageFull || !pipeline_->is_waiting()) {
      return done;
    }
    parts_.log.error(done.error());
    SYN_TRY(append_when_there_is_room());
    if (pipeline_->is_waiting()) return done;  // the appliance is stopping
  }
}

// What was decided waits for room; sources wait behind it and keep what they have.
Result<void> RuntimeImpl::append_when_there_is_room() {
  is_out_of_room_ = true;
  uint64_t seen = 0;
  while (is_reading_ && pipeline_->is_waiting()) {
    const auto appended = pipeline_->append_waiting();
    if (!appended && appended.error().code != ErrorCode::kStorageFull) return appended;
    if (!appended) seen = committed_.wait(seen, kRoomRetryUs);
  }
  is_out_of_room_ = false;
  return success();
}

void RuntimeImpl::commit_loop() {
  uint64_t seen = 0;
  while (true) {
    const auto committed = pipeline_->commit();
    if (!committed && committed.error().code != ErrorCode::kStorageFull) {
      fail_all(committed.error());
      return;
    }
    committed_.raise();
    if (!is_running_) return;
    seen = appended_.wait(seen, kIdleUs);
  }
}

}  // namespace syncline::app
