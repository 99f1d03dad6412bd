// The face of a SQLite file that is written to: one marked transaction at a time.
//
// Threads: one at a time; apart from the source's.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "drivers/scan/guard.hpp"
#include "drivers/systems/sqlite/detail/shared.hpp"
#include "drivers/systems/sqlite/detail/touched.hpp"
#include "drivers/systems/sqlite/detail/writer.hpp"
#include "host/base/clock.hpp"
#include "host/ports/target.hpp"

namespace syncline::sqlite {

class SqliteTarget final : public ports::Target {
 public:
  // guard: of a file that is scanned; null where its log is read.
  SqliteTarget(std::shared_ptr<Shared> shared, std::unique_ptr<scan::Guard> guard, Clock& clock)
      : shared_(std::move(shared)), guard_(std::move(guard)), clock_(clock) {}

  Result<void> open() override;
  Result<void> open_epoch(uint32_t epoch, std::span<const model::StreamId> streams,
                          size_t lane_count) override;
  Result<std::vector<ports::Checkpoint>> probe(uint32_t epoch) override;
  Result<ports::ApplyResult> apply(const ports::WriteBatch& batch) override;

 private:
  Result<void> connect();
  Result<void> refresh_schema();
  Result<void> move_markers(const ports::WriteBatch& batch);
  Result<void> begin_mark(const ports::WriteBatch& batch);
  Result<void> end_mark();
  Result<void> keep_images(const ports::WriteBatch& batch);
  enum class Way : uint8_t { kPlain, kFreeFirst };
  Result<ports::ApplyResult> write_all(const ports::WriteBatch& batch);
  bool can_swap(const ports::WriteBatch& batch) const;
  struct Found {
    size_t rows_written = 0;
    std::vector<ports::Poison> refused;
    std::set<size_t> moved;  // writes that are done with that
    bool is_unique_clash = false;
  };
  Result<void> move_rows(const ports::WriteBatch& batch, Found& found);
  Result<void> clear_rows(const ports::WriteBatch& batch,
                          const std::function<bool(size_t)>& is_cleared);
  Result<Found> write_once(const ports::WriteBatch& batch, Way way);
  Result<ports::ApplyResult> write_batch(const ports::WriteBatch& batch);
  Result<ports::ApplyResult> write_logged(const ports::WriteBatch& batch);
  // target_guarded.cpp
  Result<ports::ApplyResult> write_guarded(const ports::WriteBatch& batch);
  Result<scan::Present> look_at(const ports::WriteBatch& batch);
  Result<void> keep_echoes(const ports::WriteBatch& batch, const scan::Images& left);
  Result<void> forget_acknowledged();
  Result<void> commit();

  std::shared_ptr<Shared> shared_;
  std::unique_ptr<scan::Guard> guard_;
  Clock& clock_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Writer> writer_;
  Statement move_;
  Statement mark_;
  Statement log_;
  TouchedRecords touched_;
  std::vector<std::string> imaged_;  // by the transaction at hand
  int64_t forgotten_to_ = 0;         // by the transaction at hand
  bool are_moves_off_ = false;       // a trigger ended the transaction with one
  int64_t schema_version_ = -1;
  bool is_lost_ = false;  // a commit's outcome is unknown: only a new connection tells
};

}  // namespace syncline::sqlite
