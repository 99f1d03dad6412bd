// A whole run in one thread from one seed: model systems with users, appliances of real parts
// joined in a tree or with cycles, and whatever goes wrong. Then it settles, and the checker
// decides.
//
// Threads: one at a time.
#pragma once

#include <memory>
#include <vector>

#include "tests/simulation/appliance.hpp"
#include "tests/simulation/sim_disk.hpp"

namespace syncline::simulation {

struct RunFigures {
  uint64_t user_transactions = 0;
  uint64_t marked_transactions = 0;
  uint64_t quiet_transactions = 0;  // of those
  uint64_t entries = 0;
  uint64_t conflicts = 0;
  uint64_t crashes = 0;
  uint64_t joined_entries = 0;  // that came from peers
  uint64_t moved_rows = 0;      // whose keys we changed
  uint64_t rows_apart = 0;      // that were set apart
  uint64_t device_batches = 0;  // that devices did
  uint64_t device_faults = 0;
};

class World {
 public:
  World(Plan plan, Report& report);
  ~World();

  // Everything: the workload with its faults, the settling, every check.
  void run();
  RunFigures figures() const;

  // The parts of run(), for stories.
  void step();
  void calm_down();        // faults end: systems are back, the disk has room
  bool settle();           // works until nothing is left to do; false: it never ends
  void stay_idle();        // 10,000 seconds; reports any write
  void restart_cleanly();  // stops and starts; reports any write that follows
  void check();            // promises 1 to 8, at rest
  void check_audit();      // and that a flipped bit is found
  // An appliance's process dies, perhaps with its machine.
  void crash(size_t appliance = 0);
  bool start();      // all that do not run; false: one could not
  bool work_once();  // capture, commit, deliver, send and receive everywhere, once

  Appliance& appliance(size_t index = 0) { return *machines_[index]->appliance; }
  ModelSystem& system(size_t index) { return *systems_[index]; }
  std::vector<std::unique_ptr<ModelSystem>>& systems() { return systems_; }
  SimClock& clock() { return clock_; }
  SimDisk& disk(size_t appliance = 0) { return machines_[appliance]->disk; }
  Network& network() { return network_; }
  Weather& weather() { return weather_; }
  Observer& observer(size_t appliance = 0) { return machines_[appliance]->observer; }
  History& history() { return history_; }
  const Plan& plan() const { return plan_; }
  // What crashes lose from here on of all that was not synced; by chance where no story says it.
  void lose(SimDisk::Loss loss) { loss_ = loss; }
  int64_t next_tag() { return ++last_tag_; }

 private:
  struct Machine {  // with what outlives its appliance's process
    Machine(const Plan& plan, size_t index, const SimClock& clock, Report& report);

    size_t index;
    MachineClock clock;
    SimDisk disk;
    std::unique_ptr<state::MemoryShadow> shadow;
    Observer observer;
    std::unique_ptr<Appliance> appliance;
    int64_t disk_full_until_us = 0;
  };
  bool start(Machine& machine);
  void crash(Machine& machine);
  bool work_once(Machine& machine);
  int64_t wait_us() const;
  uint64_t entry_count() const;
  void check(Machine& machine);
  void check_audit(Machine& machine);
  void change_weather();
  void change_machine(Machine& machine);
  void change_system(ModelSystem& system);
  void user_step();
  void key_step(size_t system);
  UserOp roll_op(size_t system, const RecordKey& record);
  RecordKey roll_row(size_t system, size_t dataset, const RecordKey& otherwise);
  std::vector<RecordKey> rows_of(size_t system, size_t dataset) const;
  std::string fresh_key();
  void change_too(UserOp& move);
  void appliance_step(Machine& machine);
  Result<void> link_step(Machine& machine);
  Result<void> checkpoint_step(Machine& machine);
  void handle(const Machine& machine, const Error& error);
  void mend_poison();
  void mend_apart();
  uint64_t marked_commits() const;

  Plan plan_;
  Report& report_;
  Dice dice_;
  SimClock clock_;
  History history_;
  Lineage lineage_;
  Weather weather_;
  Network network_;
  std::vector<std::unique_ptr<ModelSystem>> systems_;
  std::vector<std::unique_ptr<Machine>> machines_;
  int64_t last_tag_ = 0;
  int64_t last_key_ = 0;
  uint64_t user_transactions_ = 0;
  uint64_t crashes_ = 0;
  std::optional<SimDisk::Loss> loss_;
  std::vector<int64_t> down_until_us_;
  std::vector<int64_t> full_until_us_;
};

// One seed from beginning to end.
RunFigures run_seed(uint64_t seed, Report& report);

}  // namespace syncline::simulation
