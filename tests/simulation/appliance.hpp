// One appliance of real parts: captures, pipeline, lanes, journal, deliveries and the CPU engine,
// on simulated systems, disk, clock and chance. Its memory can be taken away at any moment.
//
// Owner: everything in Surroundings outlives it. Threads: one at a time.
#pragma once

#include <memory>
#include <vector>

#include "host/capture/capture.hpp"
#include "host/delivery/delivery.hpp"
#include "host/dispatch/dispatcher.hpp"
#include "host/pipeline/pipeline.hpp"
#include "host/state/shadow.hpp"
#include "tests/simulation/dice.hpp"
#include "tests/simulation/model_ports.hpp"
#include "tests/simulation/observer.hpp"

namespace syncline::simulation {

struct Surroundings {
  const Plan& plan;
  std::vector<std::unique_ptr<ModelSystem>>& systems;
  Disk& disk;
  state::MemoryShadow& shadow;
  SimClock& clock;
  const Weather& weather;
  Dice& dice;
  Observer& observer;
  Report& report;
};

class Appliance {
 public:
  explicit Appliance(const Surroundings& around);
  ~Appliance();

  // Opens the journal, recovers. Systems are opened when they are first used.
  Result<void> start();
  void stop();  // its memory is gone
  bool is_running() const { return pipeline_ != nullptr; }

  // Reads on at one system and appends what was decided. Returns whether there was anything.
  Result<bool> capture(size_t system, size_t row_limit);
  Result<void> commit();  // and acknowledges to the sources
  Result<void> acknowledge(size_t system);
  Result<bool> deliver(size_t system);
  Result<bool> report_skips(size_t system);
  // Puts the records that a system would not take to it once more.
  Result<void> retry_skipped(size_t system);
  Result<void> checkpoint(size_t lane_limit);
  // At rest: captured = delivered + superseded + filtered + quarantined + in flight.
  void check_accounts();

  const pipeline::Pipeline& pipeline() const { return *pipeline_; }
  const std::vector<uint64_t>& acknowledged() const { return acknowledged_; }
  int64_t wait_us() const;  // until a delivery tries again
  std::string head() const { return journal_->head(); }

  static std::string wrapping_key() { return std::string(32, 'k'); }
  std::unique_ptr<dispatch::Dispatcher> make_dispatcher();

 private:
  struct Link {  // to one system
    std::unique_ptr<ModelSource> source;
    std::unique_ptr<capture::Capture> capture;
    std::unique_ptr<ModelTarget> target;
    std::unique_ptr<delivery::Delivery> delivery;
    journal::GroupNumber saved_cursor = 0;
  };
  bool open_source(size_t system);
  Result<bool> open_delivery(size_t system);
  void check_positions();

  Surroundings around_;
  SeededRandom random_;
  std::unique_ptr<dispatch::Dispatcher> dispatcher_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<pipeline::Pipeline> pipeline_;
  std::vector<Link> links_;
  std::vector<uint64_t> acknowledged_;  // by system; it outlives the memory: the checker's
  std::vector<model::Skip> reported_;   // reported before, to be reported again
};

}  // namespace syncline::simulation
