// What the runtime keeps for its own restart: delivery cursors, and with them how much of the
// journal may go; and what happens to the slowest target where that is not enough.
#include <algorithm>

#include "host/app/resync.hpp"
#include "host/app/runtime_internal.hpp"
#include "host/base/bytes.hpp"

namespace syncline::app {

Result<journal::GroupNumber> RuntimeImpl::load_cursor(const RuntimeSystem& system) {
  SYN_TRY(const std::string stored, parts_.shadow.get_item(cursor_item(system.name)));
  return stored.empty() ? 0 : ByteReader(stored).u64();
}

// Cursors are read before the pipeline stores them: what is released afterwards is behind
// everything that a restart asks for. True: a round over all lanes has ended.
Result<bool> RuntimeImpl::checkpoint(size_t lane_limit) {
  SystemRun* slowest = nullptr;
  journal::GroupNumber oldest = 0;
  pipeline::Pipeline::Items cursors;
  for (const auto& run : runs_) {
    if (!run->delivery || run->needs_plan) continue;
    const journal::GroupNumber cursor =
        run->is_target_open ? run->delivery->cursor() : run->start_cursor;
    std::string bytes;
    ByteWriter(bytes).u64(cursor);
    cursors.emplace_back(cursor_item(run->system->name), std::move(bytes));
    if (slowest != nullptr && cursor >= oldest) continue;
    slowest = run.get();
    oldest = cursor;
  }
  SYN_TRY(const auto saved, pipeline_->checkpoint(lane_limit, cursors));
  if (!saved) return false;
  SYN_TRY(keep_places());
  SYN_TRY(parts_.journal.release(slowest == nullptr ? *saved : std::min(*saved, oldest)));
  const bool is_enough = slowest == nullptr || oldest >= *saved || parts_.journal.is_within_limit();
  if (!is_enough) {
    SYN_TRY(drop_cursor(*slowest));
  }
  return true;
}

Result<void> RuntimeImpl::keep_places() {
  KnownPlaces places;
  for (const auto& run : runs_) {
    model::Position place = pipeline_->position(run->system->id);
    if (!place.is_start()) places.emplace(run->system->name, std::move(place));
  }
  if (places == kept_places_) return success();
  SYN_TRY(app::keep_places(places, parts_.disk));
  kept_places_ = std::move(places);
  return success();
}

// Lane by lane, for a stop waits for it. Beyond its limit the journal waits for nothing but the end
// of a round.
Result<void> RuntimeImpl::checkpoint_share() {
  if (!parts_.journal.is_within_limit()) {
    SYN_TRY(checkpoint(parts_.options.lane_count));
    return success();
  }
  for (size_t i = 0; i < parts_.options.checkpoint_lanes && is_reading_; ++i) {
    SYN_TRY(const bool is_round_over, checkpoint(1));
    if (is_round_over) break;
  }
  return success();
}

// The round at hand and one more, so that a restart has nothing to do. Where datasets are many that
// may take long: what is not saved in time is in the journal, as after a crash.
Result<void> RuntimeImpl::checkpoint_at_stop() {
  const int64_t deadline_us = parts_.clock.steady_us() + parts_.options.stop_save_us_max;
  int rounds = 0;
  while (rounds < 2 && parts_.clock.steady_us() < deadline_us) {
    SYN_TRY(const bool is_round_over, checkpoint(1));
    if (is_round_over) ++rounds;
  }
  return success();
}

// The journal is beyond its limit by what this target alone still needs. It is told so, durably,
// before that goes; the next checkpoint lets it go. The others never stop.
Result<void> RuntimeImpl::drop_cursor(SystemRun& run) {
  const Error error = needs_plan_error(run.system->name);
  SYN_TRY(parts_.shadow.put_item(needs_plan_item(run.system->name), "1"));
  SYN_TRY(parts_.shadow.flush());
  run.needs_plan = true;
  parts_.log.error(error);
  committed_.raise();
  return success();
}

Result<void> RuntimeImpl::load_needs_plan(SystemRun& run) {
  SYN_TRY(const std::string stored, parts_.shadow.get_item(needs_plan_item(run.system->name)));
  run.needs_plan = !stored.empty();
  if (run.needs_plan) parts_.log.error(needs_plan_error(run.system->name));
  return success();
}

Error RuntimeImpl::needs_plan_error(const std::string& system) {
  return {
      ErrorCode::kSystemLost, "nothing is written to system '" + system + "' any more",
      "it was away until the journal reached its limit, and the journal let go of what it lacks",
      "`syncline plan` shows how far it is behind; `syncline resync --system " + system +
          " --yes` compares and starts it anew. [journal] limit sets how long it may be away"};
}

void RuntimeImpl::checkpoint_if_due() {
  if (pipeline_->is_waiting()) return;
  const int64_t now_us = parts_.clock.steady_us();
  const uint64_t journalled = parts_.journal.stats().frame_bytes_total;
  if (now_us < checkpoint_due_us_ && journalled < checkpoint_due_bytes_) return;
  checkpoint_due_us_ = now_us + parts_.options.checkpoint_every_us;
  checkpoint_due_bytes_ = journalled + parts_.options.checkpoint_every_bytes;
  const auto saved = checkpoint_share();
  if (saved) return;
  if (saved.error().code == ErrorCode::kStorageFull) {
    parts_.log.error(saved.error());  // the journal keeps what a restart needs; tried again
    return;
  }
  fail_all(saved.error());
}

}  // namespace syncline::app
