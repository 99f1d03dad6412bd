// The pipeline's one implementation, split over pipeline.cpp (steps and commits), recovery.cpp
// (restart and checkpoints), rebuild.cpp (damaged tables), sweep.cpp (records that a system lacks),
// guarded.cpp (deletes beyond the limit), set_apart.cpp (rows that are one record), quiet.cpp (our
// writes that a log does not show) and join.cpp (what peers accepted).
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <tuple>

#include "host/pipeline/delete_guard.hpp"
#include "host/pipeline/lane_work.hpp"
#include "host/pipeline/pipeline.hpp"
#include "host/pipeline/tables.hpp"
#include "host/pipeline/twins.hpp"

namespace syncline::pipeline {

class PipelineImpl final : public Pipeline {
 public:
  PipelineImpl(const Options& options, const Dependencies& dependencies);
  ~PipelineImpl() override;

  Result<void> recover();

  model::Position position(model::SystemId system) const override;
  std::vector<capture::Captured> parts(capture::Captured captured) const override;
  Result<void> process(const capture::Captured& captured) override;
  bool is_waiting() const override { return waiting_.has_value(); }
  Result<void> append_waiting() override;
  Result<void> process_joined(const PeerEntries& read) override;
  Result<void> process_skips(std::span<const model::Skip> skips) override;
  Result<void> begin_reading(model::SystemId system, const model::Position& from) override;
  Result<void> begin_first_sweep(model::SystemId system, model::DatasetId dataset,
                                 size_t row_estimate) override;
  void begin_sweep(model::SystemId system, model::DatasetId dataset) override;
  Result<void> process_sweep(model::SystemId system, model::DatasetId dataset) override;
  Result<void> process_missing(model::SystemId system, model::DatasetId dataset,
                               model::LaneIndex lane) override;
  Result<bool> process_overwrite(model::SystemId system, model::DatasetId dataset,
                                 const std::string& key) override;
  Result<void> process_redeliver(model::SystemId system, model::DatasetId dataset,
                                 std::span<const std::string> keys) override;
  Result<void> approve_deletes(model::SystemId system, model::DatasetId dataset) override;
  std::vector<HeldDeletes> held_deletes() const override;
  std::vector<TwinRows> twins_due(model::SystemId system) const override;
  Result<std::vector<TwinRows>> settle_twins(std::span<const TwinRows> due,
                                             const capture::Captured& read,
                                             const DescribeTwins& describe) override;
  void look_at_twins(model::SystemId system, model::DatasetId dataset) override;
  Result<void> commit() override;
  std::optional<model::Position> take_acknowledgement(model::SystemId system) override;
  void set_epoch(model::SystemId system, uint32_t epoch) override;
  Result<std::optional<journal::GroupNumber>> checkpoint(size_t lane_limit,
                                                         const Items& items) override;
  journal::GroupNumber released() const override { return released_; }
  Counters counters() const override;
  std::vector<model::LocalCell> take_locals() override;
  size_t in_flight_count(model::SystemId system) const override;
  size_t in_flight_count(model::SystemId system, model::StreamId stream) const override;
  model::Sequence known_behind(model::SystemId system, model::StreamId stream,
                               model::LaneIndex lane) const override;
  std::vector<model::Sequence> skipped(model::SystemId system, model::StreamId stream,
                                       model::LaneIndex lane) const override {
    return lanes_[lane].skipped(system, stream);
  }
  model::Sequence last_sequence(model::StreamId stream, model::LaneIndex lane) const override {
    return lanes_[lane].last_sequence(stream);
  }
  model::Sequence confirmed(model::SystemId system, model::StreamId stream,
                            model::LaneIndex lane) const override;
  size_t table_size_bytes() const override;
  size_t uncommitted_bytes() const override {
    const std::lock_guard lock(mutex_);
    return appended_bytes_;
  }
  size_t table_record_count(model::SystemId system, model::DatasetId dataset) const override;

 private:
  // Frames on their way: decided, then appended as one group, then committed.
  struct Group {
    journal::GroupNumber number = 0;
    model::SystemId system = 0;
    model::Position position;  // acknowledged with its commit
    std::vector<model::FramePointer> frames;
    size_t size_bytes = 0;  // of them
  };
  struct TableUse {
    size_t record_count = 0;
    size_t size_bytes = 0;
  };
  struct LaneCheckpoint {
    uint64_t frame_number = 0;
    journal::GroupNumber group = 0;  // what it needs lies behind this group
  };

  Result<void> examine(const capture::Captured& captured);
  Result<void> run_work(std::vector<LaneWork>& work, model::SystemId system,
                        const model::Position& position);
  Result<model::FramePointer> step_lane(LaneWork& work);
  void add_quiet_deltas(LaneWork& work) const;
  struct Alone {  // a quiet transaction of a poll: where it lies there, and in the system's log
    uint32_t begin = 0;
    uint32_t end = 0;
    model::Position before;
    model::Position position;
  };
  std::vector<Alone> find_alone(const capture::Captured& captured) const;
  Result<core::RecordSet> load_records(const core::Lane& lane, const core::Input& input);
  size_t value_count(model::DatasetId dataset) const;
  Result<void> commit_group(const Group& group);
  void acknowledge_later(const Group& group);

  Result<void> restore_lane(model::LaneIndex lane);
  Result<void> replay_group(const journal::Group& group);
  Result<void> replay_frame(const model::FramePointer& frame, journal::GroupNumber group);
  Result<void> load_positions();
  bool is_forgotten(model::SystemId system, journal::GroupNumber group) const;
  Result<void> checkpoint_lane(model::LaneIndex lane);
  Result<void> end_round();

  Result<void> load_guard();
  Result<void> save_guard();
  Result<void> forget_losses(const DeleteGuard::Id& id);
  Result<void> replay_tables(const model::Frame& frame, journal::GroupNumber group);
  Result<std::set<model::DatasetId>> guard_deletes(const capture::Captured& captured);
  capture::Captured without_users_rows(const capture::Captured& captured,
                                       const std::set<model::DatasetId>& held) const;
  Result<void> process_examined(const capture::Captured& captured);
  Result<bool> hold_if_beyond(const DeleteGuard::Id& id, int64_t lost);
  Result<bool> hold_sweep_if_beyond(const DeleteGuard::Id& id);
  Result<void> end_approval(const DeleteGuard::Id& id);
  bool is_held(const DeleteGuard::Id& id) const;
  bool is_approved(const DeleteGuard::Id& id) const;

  Result<bool> may_have_twins(const model::Batch& batch);
  using TwinsOf = std::map<model::KeyHash, Twin>;
  Result<TwinsOf> twins_near(const DeleteGuard::Id& id, const model::Batch& batch,
                             const Examined& examined);
  static std::vector<bool> find_others(const model::Batch& batch, const Examined& examined,
                                       TwinsOf& twins);
  Result<std::optional<capture::Captured>> leave_out_others(const capture::Captured& captured);
  Result<void> keep_twins(const DeleteGuard::Id& id, const TwinsOf& twins);
  Result<void> load_twins();
  bool is_twin(const DeleteGuard::Id& id, const model::KeyHash& hash) const;
  std::optional<Twin> twin_of(const DeleteGuard::Id& id, const TwinRows& due) const;
  Result<bool> exists(model::DatasetId dataset, const std::string& key);
  void look_at_twins_of(model::SystemId system, std::span<const core::RecordId> records);
  Result<void> settle_one(const DeleteGuard::Id& id, const capture::Captured& read,
                          const std::vector<std::string>& present, Twin& twin);
  Result<void> take_own_row(const capture::Captured& read, const Twin& twin,
                            const std::string& old_key);
  Result<void> take_gone(const capture::Captured& read, model::DatasetId dataset,
                         const std::string& key);
  Result<void> tell_twins(const DeleteGuard::Id& id, const TwinRows& left, const Twin& twin,
                          const DescribeTwins& describe);
  Result<void> process_guarded(const capture::Captured& captured);

  Result<void> rebuild_table(const Tables::Damage& damage);
  Result<void> take_rows(model::SystemId system, model::BatchBuilder& builder,
                         model::LaneIndex lane);

  Result<std::vector<syn_hash128>> fingerprint_keys(model::DatasetId dataset,
                                                    std::span<const std::string> keys);
  Result<std::vector<std::string>> pick_keys(
      model::DatasetId dataset, model::LaneIndex lane,
      const std::function<bool(const syn_hash128&)>& is_wanted);
  Result<void> process_keys(model::SystemId system, model::DatasetId dataset,
                            std::span<const std::string> keys, core::RowOp op);
  Result<void> forget_unseen(model::SystemId system, model::DatasetId dataset);
  core::Row key_row(model::DatasetId dataset, const std::string& key, core::RowOp op) const;
  void note_confirmed(model::LaneIndex lane, const model::Confirmation& confirmation);
  std::string shortened(model::DatasetId dataset, model::LaneIndex lane, std::string_view state);
  void publish(const Group& group);
  void publish_known(const Group& group);
  using InFlight = std::map<std::pair<model::SystemId, model::StreamId>, size_t>;
  void publish_in_flight(model::LaneIndex lane);
  void publish_all();

  Options options_;
  Dependencies with_;
  Tables tables_;
  std::vector<core::Lane> lanes_;
  std::vector<Examined> examined_;  // kept with its memory from poll to poll

  using FlowId = std::pair<model::SystemId, model::StreamId>;
  std::mutex confirmed_mutex_;
  std::vector<std::map<FlowId, model::Confirmation>> confirmed_;  // durably, per lane

  DeleteGuard guard_;
  std::string saved_peaks_;
  std::set<model::DatasetId> unfolded_;  // whose keys were ever written otherwise than folded

  std::optional<Group> waiting_;  // decided, not yet in the journal
  std::mutex commit_mutex_;
  mutable std::mutex mutex_;  // guards what follows
  std::deque<Group> appended_;
  size_t appended_bytes_ = 0;
  journal::GroupNumber appended_number_ = 0;
  journal::GroupNumber committed_number_ = 0;
  std::map<model::SystemId, model::Position> acknowledgements_;
  std::map<model::SystemId, model::Position> positions_;
  Counters counters_;
  std::vector<model::LocalCell> locals_;  // to be told
  std::set<std::tuple<model::DatasetId, model::FieldIndex, model::SystemId>> locals_told_;
  std::vector<InFlight> in_flight_;                              // per lane
  std::vector<std::map<FlowId, model::Sequence>> known_behind_;  // per lane
  std::map<std::pair<model::SystemId, model::DatasetId>, TableUse> table_use_;

  std::map<DeleteGuard::Id, HeldDeletes> held_;
  std::map<DeleteGuard::Id, TwinsOf> twins_;

  std::map<model::SystemId, journal::GroupNumber> forgotten_;  // positions up to these groups
  std::vector<uint64_t> applied_;  // per lane: the shadow's frame number, during recovery
  std::vector<LaneCheckpoint> checkpoints_;
  size_t next_checkpoint_ = 0;
  std::map<model::LaneIndex, std::string> lane_snapshots_;  // of this round, not yet stored
  std::atomic<journal::GroupNumber> released_{0};
};

}  // namespace syncline::pipeline
