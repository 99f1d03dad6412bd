// What of a target's work waits while the rest goes on: streams with a dataset that the target
// cannot take as it stands, and flows with a row that somebody holds or that needs another record.
// Each is tried again by itself after pauses that grow; such a flow is tried alone until it passes.
//
// Threads: the delivery's own.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/random.hpp"
#include "host/delivery/pending.hpp"
#include "host/ports/stop.hpp"

namespace syncline::delivery {

class Holds {
 public:
  Holds(int64_t wait_us_min, int64_t wait_us_max, Clock& clock, Random& random)
      : wait_us_min_(wait_us_min), wait_us_max_(wait_us_max), clock_(clock), random_(random) {}

  // met: the dataset's last entry of each flow that was tried. The stop ends when all have passed.
  void stop(model::StreamId stream, const ports::DatasetStop& stop,
            const std::map<FlowId, model::Sequence>& met);
  void meet_busy(const std::vector<FlowId>& flows);
  // One of its records needs another, which may come in another flow. False: it has waited for long
  // enough.
  bool wait_for_others(const FlowId& flow);
  // A record of it was written.
  void forget_others(const FlowId& flow);
  // The target holds the flow's entries up to this one.
  void pass(const FlowId& flow, model::Sequence applied);

  // Whether it is not this one's time; of a stream: as a whole.
  bool waits(model::StreamId stream) const;
  bool waits(const FlowId& flow) const;
  bool is_alone(const FlowId& flow) const { return busy_.contains(flow); }
  // Whether it waits now, or did and has not passed since.
  bool contains(const FlowId& flow) const {
    return stopped_.contains(flow.first) || busy_.contains(flow);
  }
  // Why each dataset is stopped.
  std::map<model::DatasetId, std::string> stopped() const;

 private:
  struct Retry {
    int64_t at_us = 0;
    int64_t wait_us = 0;
  };
  struct StoppedDataset {
    std::string why;
    std::map<FlowId, model::Sequence> met;
  };
  struct Stopped {
    Retry retry;
    std::map<model::DatasetId, StoppedDataset> datasets;
  };
  void back_off(Retry& retry);

  int64_t wait_us_min_;
  int64_t wait_us_max_;
  Clock& clock_;
  Random& random_;
  std::map<model::StreamId, Stopped> stopped_;
  std::map<FlowId, Retry> busy_;
  struct Others {
    int64_t since_us = 0;
    int64_t met_us = 0;     // last
    bool was_vain = false;  // the wait: for a time, none waits again
  };
  std::map<FlowId, Others> others_;
};

}  // namespace syncline::delivery
