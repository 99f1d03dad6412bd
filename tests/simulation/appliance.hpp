// One appliance of real parts: captures, pipeline, lanes, journal, deliveries and engines (the
// CPU's, and in some runs a device's), on simulated systems, disk, clock, network and chance. Its
// memory can be taken away at any moment.
//
// To its peers it sends what its journal holds for them, group by group, again where nothing is
// acknowledged in time; a peer takes only what joins on to what it holds, and acknowledges what its
// own journal has made durable. The order of a link, with parcels in place of its bytes.
//
// Owner: everything in Surroundings outlives it. Threads: one at a time.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "host/capture/capture.hpp"
#include "host/delivery/delivery.hpp"
#include "host/dispatch/dispatcher.hpp"
#include "host/pipeline/pipeline.hpp"
#include "host/state/shadow.hpp"
#include "tests/simulation/dice.hpp"
#include "tests/simulation/model_ports.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/observer.hpp"

namespace syncline::simulation {

struct Surroundings {
  const Plan& plan;
  size_t index = 0;  // which of the plan's appliances this is
  std::vector<std::unique_ptr<ModelSystem>>& systems;
  Disk& disk;
  state::MemoryShadow& shadow;
  MachineClock& clock;
  Network& network;
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

  // Of its own systems and peers, by their index in the plan.
  const std::vector<size_t>& systems() const { return systems_; }
  const std::vector<size_t>& peers() const { return peers_; }

  // Reads on at one system and appends what was decided. Returns whether there was anything.
  Result<bool> capture(size_t system, size_t row_limit);
  Result<void> commit();  // and acknowledges to the sources
  Result<void> acknowledge(size_t system);
  Result<bool> deliver(size_t system);
  Result<bool> report_skips(size_t system);
  // Puts the records that a system would not take to it once more.
  Result<void> retry_skipped(size_t system);
  Result<void> checkpoint(size_t lane_limit);
  // Sends on to a peer what it has not got. Returns whether anything is on its way.
  Result<bool> send(size_t peer);
  // Takes up to so many parcels of a peer's. Returns whether there were any.
  Result<bool> receive(size_t peer, size_t parcel_limit);
  // At rest: captured = delivered + superseded + filtered + quarantined + in flight.
  void check_accounts();
  // At rest: every peer holds all that this journal has for it.
  void check_peers();

  const pipeline::Pipeline& pipeline() const { return *pipeline_; }
  int64_t wait_us() const;                                 // until a delivery tries again
  uint64_t joined_count() const { return joined_count_; }  // entries of peers, ever
  std::string head() const { return journal_->head(); }
  // In priority order; the CPU's is the last.
  std::vector<dispatch::EngineReport> engines() const { return dispatcher_->report(); }

  static std::string wrapping_key() { return std::string(32, 'k'); }
  std::unique_ptr<dispatch::Dispatcher> make_dispatcher();

 private:
  struct Link {  // to one system
    std::unique_ptr<ModelSource> source;
    std::unique_ptr<capture::Capture> capture;
    std::deque<capture::Captured> parts;                // of a poll, not yet taken
    std::vector<std::unique_ptr<ModelTarget>> targets;  // connections to write through
    std::unique_ptr<delivery::Delivery> delivery;
    journal::GroupNumber saved_cursor = 0;
  };
  struct Sending {  // to one peer
    std::unique_ptr<journal::Cursor> cursor;
    std::deque<journal::GroupNumber> on_the_way;
    journal::GroupNumber sent = 0;
    journal::GroupNumber acknowledged = 0;
    int64_t resend_at_us = 0;
  };
  Result<bool> process_parts(Link& link, size_t system);
  const AppliancePlan& plan() const { return around_.plan.appliances[around_.index]; }
  model::SystemId peer_id(size_t peer) const { return around_.plan.appliances[peer].id; }
  Result<void> load_sendings();
  Result<Parcel> next_parcel(size_t peer);
  Result<void> take(size_t peer, const Parcel& parcel);
  Result<void> join(size_t peer, const Parcel& parcel);
  Result<void> take_acknowledgement(size_t peer, journal::GroupNumber number);
  void acknowledge_to(size_t peer, const model::Position& position);
  bool open_source(size_t system);
  Result<bool> open_delivery(size_t system);
  void check_positions();

  Surroundings around_;
  SeededRandom random_;
  std::unique_ptr<dispatch::Dispatcher> dispatcher_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<pipeline::Pipeline> pipeline_;
  std::vector<size_t> systems_;
  std::vector<size_t> peers_;
  std::map<size_t, Link> links_;                            // by system
  std::map<size_t, Sending> sendings_;                      // by peer
  std::map<size_t, journal::GroupNumber> received_;         // by peer; joined, maybe not durable
  std::map<size_t, uint64_t> acknowledged_;                 // by system; outlives the memory
  std::map<size_t, journal::GroupNumber> acknowledged_to_;  // by peer; outlives the memory
  uint64_t joined_count_ = 0;
  std::vector<model::Skip> reported_;    // reported before, to be reported again
  std::vector<model::Skip> unreported_;  // until the disk has room for all of them
};

}  // namespace syncline::simulation
