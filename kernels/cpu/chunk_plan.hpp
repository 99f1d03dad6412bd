// What a chunk will hold, before and after its frames are known: the part of seal that every engine
// shares.
//
// A plan encodes the columns and says which runs of them would share a frame; whoever compresses
// them tells each run's size; then the directory and the stored bytes stand. Owner: a plan owns
// its buffers and can be used again; the views that it gives are good until then. Threads: one at
// a time. Errors: check_columns, kInvalidArgument.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.hpp"
#include "kernels/cpu/chunk.hpp"
#include "kernels/cpu/columns.hpp"

namespace syncline::cpu {

// Refuses more than the limits of block.h allow.
Result<void> check_columns(std::span<const engine::ColumnView> columns);

// How many columns go into each chunk: as many as fit the target, at least one.
std::vector<size_t> plan_chunks(std::span<const engine::ColumnView> columns);

class ChunkPlan {
 public:
  ChunkPlan() = default;
  ChunkPlan(const ChunkPlan&) = delete;
  ChunkPlan& operator=(const ChunkPlan&) = delete;

  // Columns whose framed parts lie in frames of their own, one after the other.
  struct Run {
    size_t first = 0;
    size_t count = 0;
    std::string_view content;
    bool is_storable = false;  // where frames do not make it smaller
  };

  // REQUIRES: columns that check_columns let pass. first_ordinal: of the first in its block.
  void encode(std::span<const engine::ColumnView> columns, size_t first_ordinal);
  // In the order of the frames.
  std::span<const Run> runs() const { return runs_; }
  // Whether the run's frames, of so many bytes, go into the chunk; else its columns are stored.
  bool keeps(const Run& run, size_t frames_size);
  // After all runs. header: its engine, index and count are set; the rest is the plan's.
  void finish(ChunkHeader header, size_t frames_size);

  std::string_view stored() const { return stored_; }
  // Header and directory.
  std::string_view clear() const { return clear_; }

 private:
  void order_columns();
  void find_runs();
  void add_run(size_t first, size_t count, std::string_view content);
  void store_instead(PlacedColumn& placed);
  std::string_view framed_part(const PlacedColumn& placed) const;

  Parts parts_;
  std::vector<PlacedColumn> placed_;
  std::vector<ColumnEntry> entries_;
  std::vector<Run> runs_;
  std::string gathered_;  // the small framed parts, side by side
  std::string stored_;
  std::string directory_;
  std::string clear_;
};

}  // namespace syncline::cpu
