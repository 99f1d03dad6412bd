// The dispatcher: which engine runs this stage of this batch. It measures each engine at start-up
// (under a second for all, beside what an engine does once: its context, kernels that are compiled,
// its check of blocks, a trial of coders), models time = fixed cost + bytes / rate per stage,
// refits while running, and falls back to the CPU when a device fails; the report counts it and
// says why, and whoever made the dispatcher is told once each time that an engine goes out of
// service. Batches of a stage and size stay with their engine until another is predicted to be
// quicker by 5 %.
//
//   in service  --a call fails-->  out of service for 1 s, then 2 s, ... up to 64 s
//   out, time is up  --the next batch is tried-->  in service, or out for twice as long
//
// Each stage of an engine for itself, and all of them where stages fail one after the other without
// a success in between: that is the device. An engine that is not ready for a batch is not at
// fault: the CPU does the batch, and the engine is asked again a little later.
//
// What a failed call left behind is dropped here: a block it sealed never leaves the process, so
// the CPU may seal the same columns under the same nonces.
//
// Owner: engines, in priority order; the last one must be the CPU's. Threads: any; no locks on the
// path of a batch. Errors: those of the CPU engine.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/result.hpp"
#include "host/dispatch/cost_model.hpp"
#include "kernels/engine/engine.hpp"

namespace syncline::dispatch {

struct EngineReport {
  engine::Description description;
  StageCost cost[engine::kStageCount];
  uint64_t done_total[engine::kStageCount] = {};       // batches that it did
  uint64_t not_ready_total[engine::kStageCount] = {};  // batches that it could not take yet
  bool is_out[engine::kStageCount] = {};               // of service
  uint64_t batches_total = 0;                          // done, of all stages
  uint64_t faults_total = 0;
  bool is_out_of_service = false;  // at least one stage is
  std::string last_fault;  // why it last went out of service; to be logged once by whoever sees it
};

// Which engine a stage's next batch of so many bytes goes to, and why. The bytes are what the stage
// works on: an arena, fingerprints, columns, sealed bytes.
struct Explanation {
  struct Candidate {
    std::string name;
    double predicted_us = -1;  // what waits for the device included; below 0: not known
    std::string remark;        // why it is out of the question; empty: it is not
  };
  engine::Stage stage{};
  double bytes = 0;
  std::string chosen;
  std::string why;
  std::vector<Candidate> candidates;  // in priority order
};

// An engine's name, and why it went out of service: once each time. Called on the thread of the
// batch that failed.
using OnFault = std::function<void(const std::string& engine, const std::string& fault)>;

class Dispatcher {
 public:
  // forced: an engine's name, or "auto". Errors: kEngineAbsent when the forced one is not there.
  static Result<std::unique_ptr<Dispatcher>> make(
      std::vector<std::unique_ptr<engine::Engine>> engines, const std::string& forced, Clock& clock,
      OnFault on_fault = {});
  virtual ~Dispatcher() = default;

  // Measures all engines; without it costs are unknown and priority decides.
  virtual void calibrate() = 0;

  virtual Result<void> fingerprint(const syn_batch& batch, const engine::Secret& secret,
                                   engine::Fingerprints& out) = 0;
  virtual Result<void> detect(const syn_batch& batch, const engine::Fingerprints& fingerprints,
                              const engine::TableRef& table, engine::Detected& out) = 0;
  virtual Result<engine::Sealed> seal(std::span<const engine::ColumnView> columns,
                                      const engine::SealKey& key,
                                      std::string_view associated_data) = 0;
  virtual Result<std::vector<engine::ColumnBytes>> open(std::string_view sealed,
                                                        const engine::SealKey& key,
                                                        std::string_view associated_data,
                                                        std::array<uint8_t, 32>& tags_digest) = 0;
  virtual std::vector<EngineReport> report() const = 0;
  // One a stage, for a batch whose engine is chosen; changes nothing. Now and then a batch goes to
  // the second best engine all the same, to measure it, and one to an engine whose time out of
  // service is up. Where the CPU is chosen for a very short one, some dozens more go to it unasked.
  virtual std::vector<Explanation> explain(double bytes) const = 0;
};

// From how many bytes on an engine takes a stage's batches.
struct Share {
  double from_bytes = 0;
  std::string engine;
};

// Who takes a stage, from the smallest batches on: asked of sizes that double, from 1 KiB to 64
// MiB.
std::vector<Share> shares_of(const Dispatcher& dispatcher, engine::Stage stage);

}  // namespace syncline::dispatch
