#include "host/app/runtime.hpp"

#include <algorithm>
#include <utility>

#include "host/app/runtime_internal.hpp"
#include "host/base/thread_name.hpp"

namespace syncline::app {

RuntimeImpl::RuntimeImpl(RuntimeParts&& parts)
    : parts_(std::move(parts)),
      queue_(parts_.options.queue_polls_max, parts_.options.queue_bytes_max),
      latency_(metrics_.histogram("syncline_delivery_latency_seconds",
                                  "From the origin's commit to the target's commit.")) {}

RuntimeImpl::~RuntimeImpl() {
  stop_threads();
}

Result<std::unique_ptr<Runtime>> Runtime::open(RuntimeParts&& parts) {
  auto runtime = std::make_unique<RuntimeImpl>(std::move(parts));
  SYN_TRY(runtime->recover());
  return runtime;
}

bool RuntimeSystem::is_read(model::DatasetId dataset) const {
  return mappings.at(dataset).direction != ports::Direction::kTo;
}

bool RuntimeSystem::is_written_to(model::DatasetId dataset) const {
  return mappings.at(dataset).direction != ports::Direction::kFrom;
}

SystemRun* RuntimeImpl::find(model::SystemId system) {
  for (const auto& run : runs_) {
    if (run->system->id == system) return run.get();
  }
  return nullptr;
}

Result<void> RuntimeImpl::recover() {
  SYN_TRY(check_datasets());
  SYN_TRY(load_phases());
  const pipeline::Options options{parts_.options.appliance, parts_.options.lane_count,
                                  parts_.options.pool};
  const pipeline::Dependencies dependencies{parts_.clock,   parts_.disk,   parts_.dispatcher,
                                            parts_.journal, parts_.shadow, parts_.rules,
                                            parts_.secret};
  SYN_TRY(pipeline_, pipeline::Pipeline::open(options, dependencies));
  for (RuntimeSystem& system : parts_.systems) {
    auto run = std::make_unique<SystemRun>();
    run->system = &system;
    run->is_log_full = system.log_pause_bytes > 0;
    SYN_TRY(prepare_system(*run));
    SYN_TRY(open_system(*run));
    runs_.push_back(std::move(run));
  }
  pause_what_is_held();
  return success();
}

Result<void> RuntimeImpl::start() {
  started_us_ = parts_.clock.steady_us();
  is_running_ = true;
  is_reading_ = true;
  phase_ = "first sync";
  step_thread_ = std::thread([this] {
    name_thread("step");
    step_loop();
  });
  commit_thread_ = std::thread([this] {
    name_thread("commit");
    commit_loop();
  });
  for (const auto& run : runs_) {
    if (!run->delivery) continue;
    run->delivery_thread = std::thread([this, &run] {
      name_thread("to-" + run->system->name);
      delivery_loop(*run);
    });
  }
  sync_thread_ = std::thread([this] {
    name_thread("sync");
    sync_loop();
  });
  return success();
}

void RuntimeImpl::stop_reading() {
  is_reading_ = false;
  committed_.raise();
}

void RuntimeImpl::stop_captures() {
  stop_reading();
  if (sync_thread_.joinable()) sync_thread_.join();  // before it, there may be captures to come
  for (const auto& run : runs_) {
    if (run->capture_thread.joinable()) run->capture_thread.join();
  }
}

// Deliveries go on until nothing waits, the time is over, or only what cannot move is left.
void RuntimeImpl::wait_for_deliveries(int64_t drain_us_max) {
  const int64_t deadline_us = parts_.clock.steady_us() + drain_us_max;
  uint64_t seen = 0;
  while (parts_.clock.steady_us() < deadline_us && !failure()) {
    bool is_waiting = items_done_ != items_queued_;
    for (const auto& run : runs_) {
      const bool can_move = run->delivery && run->is_target_open && run->is_delivering;
      if (!can_move || run->is_paused || run->is_log_full) continue;
      const delivery::Stats stats = run->delivery->stats();
      const bool is_moving = stats.cursor_moving < parts_.journal.stats().committed;
      is_waiting = is_waiting || (is_moving && !stats.is_retrying);
    }
    if (!is_waiting) return;
    seen = committed_.wait(seen, 10'000);
  }
}

void RuntimeImpl::stop_threads() {
  stop_captures();
  is_running_ = false;
  queue_.close();
  appended_.raise();
  committed_.raise();
  if (step_thread_.joinable()) step_thread_.join();
  if (commit_thread_.joinable()) commit_thread_.join();
  for (const auto& run : runs_) {
    if (run->delivery_thread.joinable()) run->delivery_thread.join();
  }
}

Result<void> RuntimeImpl::drain_and_stop(int64_t drain_us_max) {
  phase_ = "draining";
  stop_captures();
  wait_for_deliveries(drain_us_max);
  stop_threads();
  phase_ = "stopped";
  if (const auto error = failure()) return *error;
  if (pipeline_->is_waiting()) return success();  // no room: the sources keep it and tell it again
  SYN_TRY(pipeline_->commit());
  for (const auto& run : runs_) acknowledge(*run);
  return checkpoint_at_stop();
}

void RuntimeImpl::fail_all(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) {
      failure_ = error;
      parts_.log.error(error);
    }
  }
  is_reading_ = false;
  is_running_ = false;
  queue_.close();
  appended_.raise();
  committed_.raise();
}

std::optional<Error> RuntimeImpl::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

std::future<Result<void>> RuntimeImpl::queue_work(
    std::function<Result<void>(pipeline::Pipeline&)> work) {
  auto done = std::make_shared<std::promise<Result<void>>>();
  if (!push(Command{std::move(work), done})) {
    done->set_value(
        fail(ErrorCode::kNotRunning, "the appliance is stopping", "", "try again when it runs"));
  }
  return done->get_future();
}

Result<void> RuntimeImpl::on_step_thread(std::function<Result<void>(pipeline::Pipeline&)> work) {
  return queue_work(std::move(work)).get();
}

Result<void> RuntimeImpl::on_step_thread_in_time(
    std::function<Result<void>(pipeline::Pipeline&)> work) {
  return in_time(queue_work(std::move(work)));
}

bool RuntimeImpl::push(StepItem&& item) {
  constexpr int64_t kWaitUs = 100'000;
  const auto* captured = std::get_if<capture::Captured>(&item);
  const size_t size = captured == nullptr ? 0 : captured->size_bytes();
  ++items_queued_;
  while (is_running_) {
    // The queue takes it only when it says so.
    const QueueState state = queue_.push(static_cast<StepItem&&>(item), kWaitUs, size);
    if (state == QueueState::kDone) return true;
    if (state == QueueState::kClosed) break;
  }
  --items_queued_;
  return false;
}

}  // namespace syncline::app
