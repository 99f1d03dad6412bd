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

World::Machine::Machine(const Plan& plan, size_t at, const SimClock& time, Report& report)
    : index(at),
      clock(time),
      disk(plan.seed * plan.appliances.size() + at),
      shadow(state::make_memory_shadow(plan.appliances[at].lane_count)),
      observer(plan, report) {}

World::World(Plan plan, Report& report)
    : plan_(std::move(plan)),
      report_(report),
      dice_(plan_.seed * 0x9e3779b97f4a7c15 + 7),
      weather_{plan_.faults},
      network_(clock_, weather_, dice_),
      down_until_us_(plan_.systems.size()),
      full_until_us_(plan_.systems.size()) {
  make_rules(plan_);
  for (size_t index = 0; index < plan_.systems.size(); ++index) {
    systems_.push_back(
        std::make_unique<ModelSystem>(plan_, index, clock_, history_, lineage_, report));
  }
  for (size_t index = 0; index < plan_.appliances.size(); ++index) {
    machines_.push_back(std::make_unique<Machine>(plan_, index, clock_, report));
    Machine& machine = *machines_.back();
    machine.appliance = std::make_unique<Appliance>(
        Surroundings{plan_, index, systems_, machine.disk, *machine.shadow, machine.clock, network_,
                     weather_, dice_, machine.observer, report});
  }
}

World::~World() {
  for (const auto& machine : machines_) machine->appliance->stop();
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
  if (report_.is_clean()) mend_apart();
  if (!report_.is_clean()) return;
  stay_idle();
  restart_cleanly();
  check_audit();
}

void World::step() {
  clock_.advance(dice_.chance(0.02) ? dice_.between(1, 5) * kSecondUs : dice_.between(0, 20'000));
  change_weather();
  if (dice_.chance(0.35)) user_step();
  Machine& machine = *dice_.pick(machines_);
  if (!machine.appliance->is_running()) {
    if (dice_.chance(0.3)) start(machine);
    return;
  }
  appliance_step(machine);
  if (!machine.appliance->is_running()) return;
  if (machine.disk.is_down() || dice_.chance(weather_.faults.crash_step)) crash(machine);
}

void World::change_weather() {
  for (const auto& system : systems_) change_system(*system);
  for (const auto& machine : machines_) change_machine(*machine);
  if (plan_.links.empty() || !dice_.chance(weather_.faults.partition)) return;
  const auto [left, right] = dice_.pick(plan_.links);
  network_.cut(left, right, clock_.steady_us() + dice_.between(10'000, 20 * kSecondUs));
  report_.trace(plan_.appliances[left].name + " and " + plan_.appliances[right].name +
                " lose each other");
}

void World::change_machine(Machine& machine) {
  const FaultPlan& faults = weather_.faults;
  if (dice_.chance(faults.clock_jump)) {
    machine.clock.set_jump(dice_.between(-600, 600) * kSecondUs);
  }
  if (machine.disk_full_until_us != 0 && clock_.steady_us() > machine.disk_full_until_us) {
    machine.disk.set_room_bytes(std::nullopt);
    machine.disk_full_until_us = 0;
  }
  if (machine.disk_full_until_us == 0 && dice_.chance(faults.disk_full)) {
    machine.disk.set_room_bytes(machine.disk.size_bytes() + dice_.below(500));
    machine.disk_full_until_us = clock_.steady_us() + dice_.between(1, 3'000'000);
    report_.trace("the disk is full");
  }
  if (dice_.chance(faults.sync_failure)) machine.disk.fail_sync_after(dice_.below(4));
  if (machine.appliance->is_running() && dice_.chance(faults.crash_disk)) {
    machine.disk.crash_at(machine.disk.boundary_count() + 1 + dice_.below(12));
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
  if (dice_.chance(weather_.faults.clock_jump)) {
    system.clock_jump_us = dice_.between(-600, 600) * kSecondUs;
  }
}

void World::appliance_step(Machine& machine) {
  Appliance& appliance = *machine.appliance;
  const size_t system = dice_.pick(appliance.systems());
  const size_t kind = dice_.below(100);
  Result<void> done = success();
  if (!appliance.peers().empty() && dice_.chance(0.4)) {
    done = link_step(machine);
  } else if (kind < 20) {
    done = appliance.commit();
  } else if (kind < 23) {
    done = checkpoint_step(machine);
  } else if (!dice_.chance(plan_.systems[system].slowness)) {
    const auto ran = kind < 58   ? appliance.capture(system, 1 + dice_.below(12))
                     : kind < 93 ? appliance.deliver(system)
                                 : appliance.report_skips(system);
    if (!ran) done = ran.as_failure();
  }
  if (!done) handle(machine, done.error());
}

Result<void> World::link_step(Machine& machine) {
  const size_t peer = dice_.pick(machine.appliance->peers());
  const auto done = dice_.chance(0.4) ? machine.appliance->send(peer)
                                      : machine.appliance->receive(peer, 1 + dice_.below(4));
  if (!done) return done.as_failure();
  return success();
}

Result<void> World::checkpoint_step(Machine& machine) {
  if (dice_.chance(20 * weather_.faults.crash_disk)) {
    machine.disk.crash_at(machine.disk.boundary_count() + dice_.below(12));
  }
  return machine.appliance->checkpoint(1 + dice_.below(plan_.appliances[machine.index].lane_count));
}

// What an operator and a service manager would do: wait where it says that it waits, start it again
// where it stopped. Anything else is a defect.
void World::handle(const Machine& machine, const Error& error) {
  if (machine.disk.is_down()) return;  // step() and settle() see to it
  if (error.code == ErrorCode::kStorageFull) {
    if (machine.disk_full_until_us == 0) report_.violation("bad input", to_string(error));
    return;
  }
  if (error.code == ErrorCode::kStorageSync) {
    report_.trace("a sync failed: the process stops");
    crash(machine.index);
    return;
  }
  report_.violation("an error nobody caused", to_string(error));
}

void World::crash(size_t appliance) {
  crash(*machines_[appliance]);
}

// A killed process loses its memory; a machine without power also what was not synced.
void World::crash(Machine& machine) {
  ++crashes_;
  report_.trace("crash of " + plan_.appliances[machine.index].name);
  machine.appliance->stop();
  const bool is_power_lost = machine.disk.is_down() || dice_.chance(0.5);
  machine.disk.crash();
  machine.disk.restart(loss_.value_or(is_power_lost ? SimDisk::Loss::kAny : SimDisk::Loss::kKept));
  machine.shadow->crash([this](model::LaneIndex, uint64_t flushed, uint64_t applied) {
    return static_cast<uint64_t>(
        dice_.between(static_cast<int64_t>(flushed), static_cast<int64_t>(applied)));
  });
}

bool World::start() {
  return std::all_of(machines_.begin(), machines_.end(), [this](const auto& machine) {
    return machine->appliance->is_running() || start(*machine);
  });
}

bool World::start(Machine& machine) {
  const auto started = machine.appliance->start();
  if (started) {
    report_.trace("started " + plan_.appliances[machine.index].name);
    return true;
  }
  machine.appliance->stop();
  if (machine.disk.is_down() || started.error().code == ErrorCode::kStorageSync) {
    crash(machine);
  } else if (started.error().code != ErrorCode::kStorageFull || machine.disk_full_until_us == 0) {
    report_.violation("an error nobody caused", "at the start: " + to_string(started.error()));
  }
  return false;
}

void World::calm_down() {
  weather_.faults = {};
  network_.mend();
  for (const auto& machine : machines_) {
    machine->clock.set_jump(0);
    machine->disk.set_room_bytes(std::nullopt);
    machine->disk.crash_at(std::numeric_limits<uint64_t>::max());
    machine->disk.fail_sync_after(std::numeric_limits<uint64_t>::max());
    machine->disk_full_until_us = 0;
  }
  for (const auto& system : systems_) {
    down_until_us_[system->index()] = full_until_us_[system->index()] = 0;
    system->is_down = system->is_full = false;
    while (!system->cut_sessions().empty()) system->commit_stray();
  }
  report_.trace("the faults end");
}

bool World::work_once() {
  bool is_busy = false;
  for (const auto& machine : machines_) {
    if (machine->appliance->is_running()) is_busy = work_once(*machine) || is_busy;
  }
  return is_busy;
}

bool World::work_once(Machine& machine) {
  Appliance& appliance = *machine.appliance;
  bool is_busy = false;
  const auto note = [&](const auto& result) {
    if (!result) {
      handle(machine, result.error());
    } else {
      is_busy = is_busy || result.value();
    }
    return appliance.is_running();
  };
  const auto commit = [&] {
    const auto committed = appliance.commit();
    if (!committed) handle(machine, committed.error());
    return appliance.is_running();
  };
  for (const size_t system : appliance.systems()) {
    if (!note(appliance.capture(system, 50))) return true;
    if (!commit()) return true;
    if (!note(appliance.deliver(system))) return true;
    if (!note(appliance.report_skips(system))) return true;
  }
  for (const size_t peer : appliance.peers()) {
    if (!note(appliance.send(peer))) return true;
    if (!note(appliance.receive(peer, 50))) return true;
    if (!commit()) return true;
  }
  return is_busy;
}

bool World::settle() {
  int quiet = 0;
  for (int round = 0; round < kSettleRoundsMax && report_.is_clean(); ++round) {
    if (!start()) {
      clock_.advance(kSecondUs);
      continue;
    }
    const bool is_busy = work_once();
    for (const auto& machine : machines_) {
      if (machine->disk.is_down()) crash(*machine);
    }
    const bool is_running = std::all_of(machines_.begin(), machines_.end(), [](const auto& each) {
      return each->appliance->is_running();
    });
    quiet = is_busy || !is_running || wait_us() > 0 ? 0 : quiet + 1;
    if (quiet == kQuietRounds) return true;
    clock_.advance(quiet > 0 ? kSecondUs : 10'000 + wait_us());
  }
  if (report_.is_clean()) report_.violation("does not settle", "there is always more to do");
  return false;
}

int64_t World::wait_us() const {
  int64_t longest_us = 0;
  for (const auto& machine : machines_) {
    longest_us = std::max(longest_us, machine->appliance->wait_us());
  }
  return longest_us;
}

void World::check() {
  AtRest rest{plan_, history_, lineage_, systems_, {}, report_};
  for (const auto& machine : machines_) rest.observers.push_back(&machine->observer);
  check_promises(rest);
  check_rows(rest);
  for (const auto& machine : machines_) check(*machine);
}

void World::check(Machine& machine) {
  Appliance& appliance = *machine.appliance;
  appliance.check_accounts();
  appliance.check_peers();
  const uint64_t corrections = appliance.pipeline().counters().corrections_total;
  if (corrections > 0 && plan_.roundings() == std::set<Rounding>{Rounding::kExact}) {
    report_.violation("echo",
                      std::to_string(corrections) + " corrections of systems that made none");
  }
  for (const size_t index : appliance.systems()) {
    const ModelSystem& system = *systems_[index];
    if (system.plan().poison_modulus > 0 && !system.takes_everything) continue;
    const size_t in_flight = appliance.pipeline().in_flight_count(system.plan().id);
    if (in_flight != 0) {
      report_.violation("accounting", std::to_string(in_flight) + " entries are in flight to " +
                                          system.plan().name + " at rest");
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
    Machine& machine = *machines_[system->plan().appliance];
    const auto retried = machine.appliance->retry_skipped(system->index());
    if (!retried) handle(machine, retried.error());
  }
  if (is_needed && settle()) check();
}

uint64_t World::marked_commits() const {
  uint64_t count = 0;
  for (const auto& system : systems_) count += system->marked_commits;
  return count;
}

uint64_t World::entry_count() const {
  uint64_t count = 0;
  for (const auto& machine : machines_) count += machine->observer.entry_count;
  return count;
}

void World::stay_idle() {
  const uint64_t before = marked_commits();
  const uint64_t entries_before = entry_count();
  for (int64_t passed = 0; passed < kIdleSeconds; passed += kIdleStepSeconds) {
    clock_.advance(kIdleStepSeconds * kSecondUs);
    work_once();
    for (const auto& machine : machines_) {
      const auto done = machine->appliance->checkpoint(1);
      if (!done) handle(*machine, done.error());
      if (!machine->appliance->is_running()) return;
    }
  }
  if (marked_commits() != before || entry_count() != entries_before) {
    report_.violation(
        "echo", "idle systems caused " + std::to_string(marked_commits() - before) + " writes");
  }
}

void World::restart_cleanly() {
  const uint64_t before = marked_commits();
  for (const auto& machine : machines_) machine->appliance->stop();
  if (!settle()) return;
  if (marked_commits() != before) {
    report_.violation("echo",
                      "a restart caused " + std::to_string(marked_commits() - before) + " writes");
  }
  check();
}

void World::check_audit() {
  for (const auto& machine : machines_) {
    if (report_.is_clean()) check_audit(*machine);
  }
}

void World::check_audit(Machine& machine) {
  SimDisk& disk = machine.disk;
  const std::string head = machine.appliance->head();
  const auto dispatcher = machine.appliance->make_dispatcher();
  const auto sound = journal::audit(disk, *dispatcher, Appliance::wrapping_key());
  if (!sound) {
    report_.violation("corruption", "a sound journal: " + to_string(sound.error()));
    return;
  }
  std::vector<std::string> files;
  for (const std::string& path : disk.paths()) {
    if (path.starts_with("journal/") && !disk.contents(path).empty()) files.push_back(path);
  }
  const std::string where = dice_.pick(files);
  const uint64_t bit = dice_.below(disk.contents(where).size() * 8);
  disk.flip_bit(where, bit);
  const auto damaged = journal::audit(disk, *dispatcher, Appliance::wrapping_key());
  if (damaged && damaged.value().head == head) {
    report_.violation("corruption",
                      "nobody finds bit " + std::to_string(bit) + " flipped in " + where);
  }
}

RunFigures World::figures() const {
  uint64_t conflict_count = 0;
  uint64_t joined_count = 0;
  uint64_t quiet_count = 0;
  uint64_t moved_count = 0;
  uint64_t apart_count = 0;
  uint64_t device_batches = 0;
  uint64_t device_faults = 0;
  for (const auto& system : systems_) {
    quiet_count += system->quiet_commits;
    moved_count += system->rows_moved_by_us;
  }
  for (const auto& machine : machines_) {
    apart_count += machine->observer.apart_count;
    conflict_count += machine->observer.conflict_count;
    joined_count += machine->appliance->joined_count();
    const std::vector<dispatch::EngineReport> engines = machine->appliance->engines();
    if (engines.size() == 1) continue;
    device_batches += engines.front().batches_total;
    device_faults += engines.front().faults_total;
  }
  return {user_transactions_, marked_commits(), quiet_count,  entry_count(),
          conflict_count,     crashes_,         joined_count, moved_count,
          apart_count,        device_batches,   device_faults};
}

RunFigures run_seed(uint64_t seed, Report& report) {
  World world(make_plan(seed), report);
  world.run();
  return world.figures();
}

}  // namespace syncline::simulation
