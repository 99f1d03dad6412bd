// A model system's two faces towards us, with everything that can go wrong between us and it.
//
// Owner: the system, dice and report outlive them. Threads: one at a time.
#pragma once

#include "host/ports/source.hpp"
#include "host/ports/target.hpp"
#include "tests/simulation/model_system.hpp"

namespace syncline::simulation {

// What the world lets happen at the moment; all zero while it settles.
struct Weather {
  FaultPlan faults;
};

model::Position position_of(uint64_t number);
uint64_t number_of(const model::Position& position);

class ModelSource final : public ports::Source {
 public:
  ModelSource(ModelSystem& system, const Weather& weather, Dice& dice, Report& report)
      : system_(system), weather_(weather), dice_(dice), report_(report) {}

  Result<void> open(const model::Position& position) override;
  Result<ports::PollResult> poll(ports::ChangeSink& sink, size_t row_limit, int wait_ms) override;
  Result<void> acknowledge(const model::Position& position) override;
  Result<model::Position> current_position() override;
  Result<ports::SnapshotChunk> read_snapshot(model::DatasetId dataset, const std::string& cursor,
                                             size_t row_limit, ports::ChangeSink& sink) override;
  Result<std::vector<ports::RejectedRow>> read_records(model::DatasetId dataset,
                                                       std::span<const std::string> keys,
                                                       ports::ChangeSink& sink) override;
  Result<Lag> lag() override;

 private:
  void go_back();
  void emit(std::span<const LoggedTransaction* const> stretch, ports::ChangeSink& sink);
  void emit_logged(const LoggedRow& row, ports::ChangeSink& sink);
  void emit_row(const LoggedRow& row, ImageStyle images, ports::ChangeSink& sink);
  void emit_markers(const LoggedTransaction& transaction, ports::ChangeSink& sink);

  ModelSystem& system_;
  const Weather& weather_;
  Dice& dice_;
  Report& report_;
  uint64_t read_ = 0;
  bool is_connected_ = false;
};

class ModelTarget final : public ports::Target {
 public:
  ModelTarget(ModelSystem& system, const Weather& weather, Dice& dice, Report& report)
      : system_(system), weather_(weather), dice_(dice), report_(report) {}

  Result<void> open() override;
  Result<void> open_epoch(uint32_t epoch, std::span<const model::StreamId> streams,
                          size_t lane_count) override;
  Result<std::vector<ports::Checkpoint>> probe(uint32_t epoch) override;
  Result<ports::ApplyResult> apply(const ports::WriteBatch& batch) override;

 private:
  Result<void> check_reachable();
  void check_batch(const ports::WriteBatch& batch);
  Result<ports::ApplyResult> break_connection(Session&& session);

  ModelSystem& system_;
  const Weather& weather_;
  Dice& dice_;
  Report& report_;
};

}  // namespace syncline::simulation
