#include "tests/simulation/world.hpp"

#include <algorithm>
#include <limits>

#include "tests/simulation/checker.hpp"

namespace syncline::simulation {

namespace {

constexpr int kSettleRoundsMax = 1000;
constexpr int kQuietRounds = 3;
constexpr int64_t kIdleSeconds = 10'000;
constexpr int64_t kIdleStepSeconds = 100;

}  // namespace

World::World(Plan plan, Report& report)
    : plan_(std::move(plan)),
      report_(report),
      dice_(plan_.seed * 0x9e3779b97f4a7c15 + 7),
      weather_{plan_.faults},
      disk_(plan_.seed),
      shadow_(state::make_memory_shadow(plan_.lane_count)),
      observer_(plan_, report),
      down_until_us_(plan_.systems.size()),
      full_until_us_(plan_.systems.size()) {
  make_rules(plan_);
  for (size_t index = 0; index < plan_.systems.size(); ++index) {
    systems_.push_back(std::make_unique<ModelSystem>(plan_, index, clock_, history_, report));
  }
  appliance_ = std::make_unique<Appliance>(
      Surroundings{plan_, systems_, disk_, *shadow_, clock_, weather_, dice_, observer_, report});
}

World::~World() {
  appliance_->stop();
}

void World::run() {
  if (report_.is_traced()) report_.trace(describe(plan_));
  start();
  for (size_t step_index = 0; step_index < plan_.step_count && report_.is_clean(); ++step_index) {
    step();
  }
  if (!report_.is_clean()) return;
  calm_down();
  if (!settle()) return;
  check();
  mend_poison();
  if (!report_.is_clean()) return;
  stay_idle();
  restart_cleanly();
  check_audit();
}

void World::step() {
  clock_.advance(dice_.chance(0.02) ? dice_.between(1, 5) * kSecondUs : dice_.between(0, 20'000));
  change_weather();
  if (dice_.chance(0.35)) user_step();
  if (!appliance_->is_running()) {
    if (dice_.chance(0.3)) start();
    return;
  }
  appliance_step();
  if (appliance_->is_running() && (disk_.is_down() || dice_.chance(weather_.faults.crash_step))) {
    crash();
  }
}

void World::change_weather() {
  const FaultPlan& faults = weather_.faults;
  for (const auto& system : systems_) change_system(*system);
  if (dice_.chance(faults.clock_jump)) clock_.set_jump(dice_.between(-600, 600) * kSecondUs);
  if (disk_full_until_us_ != 0 && clock_.steady_us() > disk_full_until_us_) {
    disk_.set_room_bytes(std::nullopt);
    disk_full_until_us_ = 0;
  }
  if (disk_full_until_us_ == 0 && dice_.chance(faults.disk_full)) {
    disk_.set_room_bytes(disk_.size_bytes() + dice_.below(500));
    disk_full_until_us_ = clock_.steady_us() + dice_.between(1, 3'000'000);
    report_.trace("the disk is full");
  }
  if (dice_.chance(faults.sync_failure)) disk_.fail_sync_after(dice_.below(4));
  if (appliance_->is_running() && dice_.chance(faults.crash_disk)) {
    disk_.crash_at(disk_.boundary_count() + 1 + dice_.below(12));
  }
}

void World::change_system(ModelSystem& system) {
  int64_t& down_until_us = down_until_us_[system.index()];
  int64_t& full_until_us = full_until_us_[system.index()];
  system.is_down = clock_.steady_us() < down_until_us;
  system.is_full = clock_.steady_us() < full_until_us;
  if (dice_.chance(weather_.faults.system_down)) {
    down_until_us = clock_.steady_us() + dice_.between(10'000, 20 * kSecondUs);
    report_.trace(system.plan().name + " goes away");
  }
  if (dice_.chance(weather_.faults.system_full)) {
    full_until_us = clock_.steady_us() + dice_.between(10'000, 10 * kSecondUs);
  }
  if (!system.cut_sessions().empty() && dice_.chance(0.05)) system.commit_stray();
}

UserOp World::roll_op(size_t system, const RecordKey& record) {
  UserOp op;
  op.record = record;
  if (systems_[system]->row(record) == nullptr) {
    op.verb = UserVerb::kInsert;
  } else if (dice_.chance(plan_.delete_chance)) {
    op.verb = dice_.chance(0.15) ? UserVerb::kReplace : UserVerb::kDelete;
  } else if (dice_.chance(0.03)) {
    op.verb = UserVerb::kTouch;
  }
  if (op.verb == UserVerb::kDelete || op.verb == UserVerb::kTouch) return op;
  const int64_t tag = next_tag();
  const size_t only = dice_.chance(0.8) ? dice_.below(kFieldsMax) : kFieldsMax;
  for (size_t field = 0; field < kFieldsMax; ++field) {
    if (op.verb == UserVerb::kUpdate && only != kFieldsMax && only != field) continue;
    const model::TypeKind kind = plan_.datasets[record.dataset].kind(field);
    op.cells[field] = make_value(kind, dice_.chance(0.03) ? kNullTag : tag,
                                 static_cast<int>(dice_.below(kFormCount)));
    // Now and then the same value as an older one of this record.
    if (dice_.chance(0.03) && tag > 2) {
      const int64_t old_tag = dice_.between(1, tag - 1);
      if (history_.knows(record, field, old_tag)) {
        op.cells[field] = make_value(kind, old_tag, static_cast<int>(dice_.below(kFormCount)));
      }
    }
  }
  return op;
}

void World::user_step() {
  const size_t system = dice_.below(systems_.size());
  std::vector<UserOp> ops;
  const size_t op_count = dice_.chance(0.75) ? 1 : 1 + dice_.below(4);
  for (size_t index = 0; index < op_count; ++index) {
    const size_t dataset = dice_.below(plan_.datasets.size());
    const size_t key_count = plan_.datasets[dataset].key_count;
    const RecordKey record = {dataset, "k" + std::to_string(dice_.below(key_count))};
    const bool is_twice = std::any_of(ops.begin(), ops.end(),
                                      [&record](const UserOp& op) { return op.record == record; });
    if (!is_twice && history_.has_room(record)) ops.push_back(roll_op(system, record));
  }
  if (ops.empty()) return;
  systems_[system]->user_transaction(ops);
  ++user_transactions_;
}

void World::appliance_step() {
  const size_t system = dice_.below(systems_.size());
  const size_t kind = dice_.below(100);
  Result<void> done = success();
  if (kind < 35) {
    const auto captured = appliance_->capture(system, 1 + dice_.below(12));
    if (!captured) done = captured.as_failure();
  } else if (kind < 55) {
    done = appliance_->commit();
  } else if (kind < 90) {
    const auto delivered = appliance_->deliver(system);
    if (!delivered) done = delivered.as_failure();
  } else if (kind < 97) {
    const auto reported = appliance_->report_skips(system);
    if (!reported) done = reported.as_failure();
  } else {
    if (dice_.chance(20 * weather_.faults.crash_disk)) {
      disk_.crash_at(disk_.boundary_count() + dice_.below(12));
    }
    done = appliance_->checkpoint(1 + dice_.below(plan_.lane_count));
  }
  if (!done) handle(done.error());
}

// What an operator and a service manager would do: wait where it says that it waits, start it again
// where it stopped. Anything else is a defect.
void World::handle(const Error& error) {
  if (disk_.is_down()) return;  // step() sees to it
  if (error.code == ErrorCode::kStorageFull) {
    if (disk_full_until_us_ == 0) report_.violation("bad input", to_string(error));
    return;
  }
  if (error.code == ErrorCode::kStorageSync) {
    report_.trace("a sync failed: the process stops");
    crash();
    return;
  }
  report_.violation("an error nobody caused", to_string(error));
}

// A killed process loses its memory; a machine without power also what was not synced.
void World::crash() {
  ++crashes_;
  report_.trace("crash");
  appliance_->stop();
  const bool is_power_lost = disk_.is_down() || dice_.chance(0.5);
  disk_.crash();
  disk_.restart(loss_.value_or(is_power_lost ? SimDisk::Loss::kAny : SimDisk::Loss::kKept));
  shadow_->crash([this](model::LaneIndex, uint64_t flushed, uint64_t applied) {
    return static_cast<uint64_t>(
        dice_.between(static_cast<int64_t>(flushed), static_cast<int64_t>(applied)));
  });
}

bool World::start() {
  const auto started = appliance_->start();
  if (started) {
    report_.trace("started");
    return true;
  }
  appliance_->stop();
  if (disk_.is_down() || started.error().code == ErrorCode::kStorageSync) {
    crash();
  } else if (started.error().code != ErrorCode::kStorageFull || disk_full_until_us_ == 0) {
    report_.violation("an error nobody caused", "at the start: " + to_string(started.error()));
  }
  return false;
}

void World::calm_down() {
  weather_.faults = {};
  clock_.set_jump(0);
  disk_.set_room_bytes(std::nullopt);
  disk_.crash_at(std::numeric_limits<uint64_t>::max());
  disk_.fail_sync_after(std::numeric_limits<uint64_t>::max());
  disk_full_until_us_ = 0;
  for (const auto& system : systems_) {
    down_until_us_[system->index()] = full_until_us_[system->index()] = 0;
    system->is_down = system->is_full = false;
    while (!system->cut_sessions().empty()) system->commit_stray();
  }
  report_.trace("the faults end");
}

bool World::work_once() {
  bool is_busy = false;
  const auto note = [&](const auto& result) {
    if (!result) {
      handle(result.error());
    } else {
      is_busy = is_busy || result.value();
    }
    return appliance_->is_running();
  };
  for (size_t system = 0; system < systems_.size(); ++system) {
    if (!note(appliance_->capture(system, 50))) return true;
    const auto committed = appliance_->commit();
    if (!committed) handle(committed.error());
    if (!appliance_->is_running()) return true;
    if (!note(appliance_->deliver(system))) return true;
    if (!note(appliance_->report_skips(system))) return true;
  }
  return is_busy;
}

bool World::settle() {
  int quiet = 0;
  for (int round = 0; round < kSettleRoundsMax && report_.is_clean(); ++round) {
    if (!appliance_->is_running() && !start()) {
      clock_.advance(kSecondUs);
      continue;
    }
    const bool is_busy = work_once();
    if (disk_.is_down()) {
      crash();
      continue;
    }
    quiet = is_busy || appliance_->wait_us() > 0 ? 0 : quiet + 1;
    if (quiet == kQuietRounds) return true;
    clock_.advance(quiet > 0 ? kSecondUs : 10'000 + appliance_->wait_us());
  }
  if (report_.is_clean()) report_.violation("does not settle", "there is always more to do");
  return false;
}

void World::check() {
  check_promises({plan_, history_, systems_, observer_, report_});
  appliance_->check_accounts();
  const uint64_t corrections = appliance_->pipeline().counters().corrections_total;
  if (corrections > 0 && plan_.roundings() == std::set<Rounding>{Rounding::kExact}) {
    report_.violation("echo",
                      std::to_string(corrections) + " corrections of systems that made none");
  }
  for (const auto& system : systems_) {
    if (system->plan().poison_modulus > 0 && !system->takes_everything) continue;
    const size_t in_flight = appliance_->pipeline().in_flight_count(system->plan().id);
    if (in_flight != 0) {
      report_.violation("accounting", std::to_string(in_flight) + " entries are in flight to " +
                                          system->plan().name + " at rest");
    }
  }
}

// What some systems refused, they take now; it is retried, and then nothing may differ.
void World::mend_poison() {
  bool is_needed = false;
  for (const auto& system : systems_) {
    if (system->plan().poison_modulus == 0) continue;
    is_needed = true;
    system->takes_everything = true;
    const auto retried = appliance_->retry_skipped(system->index());
    if (!retried) handle(retried.error());
  }
  if (is_needed && settle()) check();
}

uint64_t World::marked_commits() const {
  uint64_t count = 0;
  for (const auto& system : systems_) count += system->marked_commits;
  return count;
}

void World::stay_idle() {
  const uint64_t before = marked_commits();
  const size_t entries_before = observer_.entry_count;
  for (int64_t passed = 0; passed < kIdleSeconds; passed += kIdleStepSeconds) {
    clock_.advance(kIdleStepSeconds * kSecondUs);
    work_once();
    const auto done = appliance_->checkpoint(1);
    if (!done) handle(done.error());
    if (!appliance_->is_running()) return;
  }
  if (marked_commits() != before || observer_.entry_count != entries_before) {
    report_.violation(
        "echo", "idle systems caused " + std::to_string(marked_commits() - before) + " writes");
  }
}

void World::restart_cleanly() {
  const uint64_t before = marked_commits();
  appliance_->stop();
  if (!settle()) return;
  if (marked_commits() != before) {
    report_.violation("echo",
                      "a restart caused " + std::to_string(marked_commits() - before) + " writes");
  }
  check();
}

void World::check_audit() {
  if (!report_.is_clean()) return;
  const std::string head = appliance_->head();
  const auto dispatcher = appliance_->make_dispatcher();
  const auto sound = journal::audit(disk_, *dispatcher, Appliance::wrapping_key());
  if (!sound) {
    report_.violation("corruption", "a sound journal: " + to_string(sound.error()));
    return;
  }
  std::vector<std::string> files;
  for (const std::string& path : disk_.paths()) {
    if (path.starts_with("journal/") && !disk_.contents(path).empty()) files.push_back(path);
  }
  const std::string where = dice_.pick(files);
  const uint64_t bit = dice_.below(disk_.contents(where).size() * 8);
  disk_.flip_bit(where, bit);
  const auto damaged = journal::audit(disk_, *dispatcher, Appliance::wrapping_key());
  if (damaged && damaged.value().head == head) {
    report_.violation("corruption",
                      "nobody finds bit " + std::to_string(bit) + " flipped in " + where);
  }
}

RunFigures World::figures() const {
  return {user_transactions_, marked_commits(), observer_.entry_count, observer_.conflict_count,
          crashes_};
}

RunFigures run_seed(uint64_t seed, Report& report) {
  World world(make_plan(seed), report);
  world.run();
  return world.figures();
}

}  // namespace syncline::simulation
