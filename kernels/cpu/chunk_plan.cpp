#include "kernels/cpu/chunk_plan.hpp"

#include <algorithm>
#include <utility>

namespace syncline::cpu {
namespace {

// A part of this size and more gets a zstd frame, and so entropy tables, of its own.
constexpr size_t kOwnFrameSizeMin = 1024;
// What is smaller than this is not worth a frame.
constexpr size_t kFrameSizeMin = 64;
// Buffers that grew beyond this for one block are given back after it.
constexpr size_t kKeptSizeMax = 4u << 20;

bool is_small(const PlacedColumn& placed) {
  return placed.entry.framed_size < kOwnFrameSizeMin;
}

bool can_store(const PlacedColumn& placed) {
  return placed.entry.framed_size == 0 || placed.entry.encoding == SYN_ENCODING_FRAMED;
}

}  // namespace

Result<void> check_columns(std::span<const engine::ColumnView> columns) {
  const auto refuse = [](std::string why) {
    return fail(ErrorCode::kInvalidArgument, "columns that a block cannot hold", std::move(why),
                "Seal fewer entries in one block.");
  };
  if (columns.size() > SYN_COLUMN_COUNT_MAX) return refuse("more than 4096 columns");
  size_t size = 0;
  for (const engine::ColumnView& column : columns) {
    size += column.bytes.size();
    if (column.type > SYN_COLUMN_U64) return refuse("a column of an unknown type");
    if (column.bytes.size() > SYN_COLUMN_SIZE_MAX) return refuse("a column beyond 256 MiB");
  }
  // Half, because no encoding may make a block larger than the limit.
  if (size > SYN_BLOCK_SIZE_MAX / 2) return refuse("more than 512 MiB in all");
  return success();
}

std::vector<size_t> plan_chunks(std::span<const engine::ColumnView> columns) {
  std::vector<size_t> counts(1, 0);
  size_t size = 0;
  for (const engine::ColumnView& column : columns) {
    if (counts.back() != 0 && size + column.bytes.size() > SYN_CHUNK_SIZE_TARGET) {
      counts.push_back(0);
      size = 0;
    }
    ++counts.back();
    size += column.bytes.size();
  }
  return counts;
}

void ChunkPlan::encode(std::span<const engine::ColumnView> columns, size_t first_ordinal) {
  for (std::string* buffer : {&parts_.framed, &parts_.stored, &gathered_, &stored_}) {
    if (buffer->capacity() > kKeptSizeMax) *buffer = {};
    buffer->clear();
  }
  placed_.clear();
  runs_.clear();
  encode_columns(columns, first_ordinal, placed_, parts_);
  order_columns();
  find_runs();
}

// The directory's order is the frames' order: first what shares a frame, then those with their own.
void ChunkPlan::order_columns() {
  std::stable_partition(placed_.begin(), placed_.end(), is_small);
}

void ChunkPlan::find_runs() {
  size_t small_count = 0;
  for (; small_count < placed_.size() && is_small(placed_[small_count]); ++small_count) {
    gathered_.append(framed_part(placed_[small_count]));
  }
  add_run(0, small_count, gathered_);
  for (size_t i = small_count; i < placed_.size(); ++i) add_run(i, 1, framed_part(placed_[i]));
}

void ChunkPlan::add_run(size_t first, size_t count, std::string_view content) {
  if (content.empty()) return;
  const std::span<const PlacedColumn> columns = std::span(placed_).subspan(first, count);
  const Run run{first, count, content, std::all_of(columns.begin(), columns.end(), can_store)};
  if (run.is_storable && content.size() < kFrameSizeMin) {
    keeps(run, content.size());
    return;
  }
  runs_.push_back(run);
}

bool ChunkPlan::keeps(const Run& run, size_t frames_size) {
  if (!run.is_storable || frames_size < run.content.size()) return true;
  for (PlacedColumn& placed : std::span(placed_).subspan(run.first, run.count)) {
    if (placed.entry.framed_size != 0) store_instead(placed);
  }
  return false;
}

void ChunkPlan::store_instead(PlacedColumn& placed) {
  const std::string_view part = framed_part(placed);
  placed.entry.encoding = SYN_ENCODING_STORED;
  placed.stored_at = parts_.stored.size();
  placed.entry.stored_size = placed.entry.framed_size;
  parts_.stored.append(part);
  placed.entry.framed_size = 0;
}

void ChunkPlan::finish(ChunkHeader header, size_t frames_size) {
  entries_.clear();
  directory_.clear();
  for (const PlacedColumn& placed : placed_) {
    entries_.push_back(placed.entry);
    stored_.append(parts_.stored, placed.stored_at, placed.entry.stored_size);
  }
  write_directory(entries_, directory_);
  header.column_count = static_cast<uint16_t>(entries_.size());
  header.directory_size = static_cast<uint32_t>(directory_.size());
  header.frames_size = static_cast<uint32_t>(frames_size);
  header.stored_size = static_cast<uint32_t>(stored_.size());
  char head[SYN_CHUNK_HEADER_SIZE];
  write_header(header, head);
  clear_.assign(head, sizeof head);
  clear_ += directory_;
}

std::string_view ChunkPlan::framed_part(const PlacedColumn& placed) const {
  return std::string_view(parts_.framed).substr(placed.framed_at, placed.entry.framed_size);
}

}  // namespace syncline::cpu
