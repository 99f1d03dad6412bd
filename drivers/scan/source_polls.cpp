// What a source has to do with polls alone: where a round begins, and how much it reads at once.
#include <algorithm>

#include "drivers/scan/findings.hpp"
#include "drivers/scan/source.hpp"
#include "host/ports/pieces.hpp"

namespace syncline::scan {

void Source::Dataset::note_size(const Rows& changed) {
  constexpr size_t kRowsMin = 64;
  constexpr size_t kGrowth = 8;
  if (changed.rows.empty()) return;
  size_t size_bytes = 0;
  for (const Row& row : changed.rows) size_bytes += row.image.size();
  const size_t row_size = std::max<size_t>(1, size_bytes / changed.rows.size());
  rows_fitting = std::clamp(ports::kChunkBytesMax / row_size, kRowsMin, kGrowth * rows_fitting);
}

// Where the clock was set back, from then on.
Result<void> Source::reach(Dataset& dataset) {
  const int64_t steady_us = clock_.steady_us();
  SYN_TRY(dataset.reached, tables_->reach(dataset.id()));
  dataset.reached.steady_us = steady_us;
  const auto time_us = dataset.place.set_back_to(dataset.reached, dataset.mapping->overlap_us);
  if (!time_us) return success();
  SYN_TRY(auto from, tables_->highest_at(dataset.id(), *time_us));
  dataset.place.begin(std::move(from));
  notices_to_report_.push_back(set_back_clock(*dataset.mapping));
  return success();
}

}  // namespace syncline::scan
