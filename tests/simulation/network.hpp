// What lies between linked appliances: for each direction a line of parcels that may lose, repeat
// and overtake them, or be cut for a while. It outlives the appliances' crashes.
//
// Owner: clock, weather, dice outlive it. Threads: one at a time.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "host/journal/journal.hpp"
#include "host/model/entry.hpp"
#include "tests/simulation/dice.hpp"
#include "tests/simulation/model_ports.hpp"
#include "tests/simulation/sim_clock.hpp"

namespace syncline::simulation {

// A group of the sender's journal, or that the receiver holds everything up to one.
struct Parcel {
  bool is_acknowledgement = false;
  journal::GroupNumber number = 0;
  journal::GroupNumber previous = 0;  // the last group before it that has entries for the receiver
  std::vector<model::Entry> entries;  // those for the receiver
};

class Network {
 public:
  Network(const SimClock& clock, const Weather& weather, Dice& dice)
      : clock_(clock), weather_(weather), dice_(dice) {}

  // From and to are appliances, by index.
  void send(size_t from, size_t to, const Parcel& parcel);
  std::optional<Parcel> receive(size_t from, size_t to);
  // Nothing passes between these two, either way, until then.
  void cut(size_t left, size_t right, int64_t until_us);
  void mend() { cut_until_us_.clear(); }

 private:
  bool is_cut(size_t left, size_t right) const;

  const SimClock& clock_;
  const Weather& weather_;
  Dice& dice_;
  std::map<std::pair<size_t, size_t>, std::deque<Parcel>> lines_;
  std::map<std::pair<size_t, size_t>, int64_t> cut_until_us_;
};

}  // namespace syncline::simulation
