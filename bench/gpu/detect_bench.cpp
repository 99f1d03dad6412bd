// G2: detect against a table as large as the card holds, up to 1e9 records of 8 cells at load
// 0.875, beside a thread a key on the same table.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "bench/gpu/benches.hpp"
#include "bench/gpu/card.hpp"
#include "bench/gpu/rivals.hpp"

namespace syncline::bench {
namespace {

constexpr uint32_t kValues = 8;
constexpr uint32_t kLanes = 64;
constexpr uint64_t kRecordsMax = 1'000'000'000;
constexpr uint32_t kRows = 1u << 22;
constexpr uint64_t kRoomBeside = uint64_t{5} << 30;  // for batches and for making the table
constexpr double kLoad = 0.875;

uint64_t record_count_for(const Options& options) {
  size_t free_size = 0;
  size_t total_size = 0;
  require(cudaMemGetInfo(&free_size, &total_size), "the card's memory cannot be asked for");
  const double slot_size = 8 + kValues * SYN_CELL_SIZE;
  const double fits = static_cast<double>(free_size - kRoomBeside) * kLoad / slot_size;
  const uint64_t wanted = options.is_quick ? 10'000'000 : kRecordsMax;
  return std::min(wanted, static_cast<uint64_t>(fits)) / kLanes * kLanes;
}

// Record r is in lane r % kLanes.
class CardTable {
 public:
  explicit CardTable(uint64_t record_count)
      : per_lane_(record_count / kLanes),
        lines_(static_cast<uint64_t>(static_cast<double>(per_lane_) / kLoad / SYN_SLOTS_PER_LINE) +
               1),
        memory_(size_of_lane() * kLanes),
        lanes_(kLanes * (sizeof(syn_table_lane) + 8)) {
    require(cudaMemset(lanes_.as<uint8_t>(), 0, kLanes * (sizeof(syn_table_lane) + 8)), "memset");
    std::vector<syn_table_lane> lanes;
    for (uint32_t lane = 0; lane < kLanes; ++lane) lanes.push_back(fill_lane(lane));
    require(cudaMemcpy(lanes_.as<syn_table_lane>(), lanes.data(),
                       lanes.size() * sizeof(syn_table_lane), cudaMemcpyHostToDevice),
            "lanes cannot be copied");
  }

  const syn_table_lane* lanes() { return lanes_.as<syn_table_lane>(); }

 private:
  static constexpr uint64_t kPiece = 1u << 22;

  uint64_t keys_size() const { return lines_ * SYN_SLOTS_PER_LINE * 8; }
  uint64_t size_of_lane() const {
    return (keys_size() + lines_ * SYN_SLOTS_PER_LINE * kValues * SYN_CELL_SIZE + 255) / 256 * 256;
  }

  syn_table_lane fill_lane(uint32_t lane) {
    CardMemory keys(kPiece * 8);
    CardMemory cells(kPiece * kValues * SYN_CELL_SIZE);
    const syn_table_lane into{memory_.as<uint64_t>(lane * size_of_lane()),
                              memory_.as<uint8_t>(lane * size_of_lane() + keys_size()), lines_};
    require(cudaMemset(into.keys, 0, keys_size()), "a lane cannot be cleared");
    auto* used = lanes_.as<unsigned long long>(kLanes * sizeof(syn_table_lane)) + lane;
    for (uint64_t first = 0; first < per_lane_; first += kPiece) {
      const uint64_t count = std::min(kPiece, per_lane_ - first);
      require(launch_make_slots(keys.as<uint64_t>(), cells.as<uint8_t>(), first * kLanes + lane,
                                count, kLanes, kValues),
              "records cannot be made");
      require(cuda::launch_fill(
                  {into, used, keys.as<uint64_t>(), cells.as<uint8_t>(), count, kValues}, nullptr),
              "a lane cannot be filled");
    }
    require(cudaDeviceSynchronize(), "a lane was not filled");
    return into;
  }

  uint64_t per_lane_;
  uint64_t lines_;
  CardMemory memory_;
  CardMemory lanes_;
};

class CardBatch {
 public:
  CardBatch(uint64_t record_count, uint64_t seed, const syn_table_lane* lanes)
      : memory_(size_t{kRows} * (1 + 2 + 16 + kValues * 8 + 1 + 8) + 4096) {
    const MadeRows rows{take<uint8_t>(), take<uint16_t>(), take<syn_hash128>(),
                        take<uint64_t>(kValues)};
    work = {kRows,      kValues, rows.op,         rows.lane,        rows.keys,
            rows.cells, lanes,   take<uint8_t>(), take<uint64_t>(), memory_.as<uint32_t>(used_)};
    require(cudaMemset(work.status, 0, sizeof(uint32_t)), "memset");
    require(launch_make_rows(rows, kRows, kValues, record_count, kLanes, seed), "no rows");
    require(cudaDeviceSynchronize(), "rows were not made");
  }

  // Every tenth row has two changed cells, the others are as the table has them.
  void expect_right() const {
    std::vector<uint8_t> verdicts(kRows);
    std::vector<uint64_t> changed(kRows);
    require(cudaMemcpy(verdicts.data(), work.verdicts, kRows, cudaMemcpyDeviceToHost), "copy");
    require(cudaMemcpy(changed.data(), work.changed, kRows * 8, cudaMemcpyDeviceToHost), "copy");
    for (uint32_t row = 0; row < kRows; ++row) {
      const bool is_changed = row % 10 == 9;
      const uint8_t verdict = is_changed ? SYN_VERDICT_CHANGED : SYN_VERDICT_SAME;
      if (verdicts[row] == verdict && changed[row] == (is_changed ? 3u : 0u)) continue;
      std::fprintf(stderr, "bench: row %u: verdict %d\n", row, verdicts[row]);
      std::exit(1);
    }
  }
  void poison() { require(cudaMemset(work.verdicts, 0xee, kRows), "memset"); }

  cuda::DetectWork work{};

 private:
  template <class T>
  T* take(size_t per_row = 1) {
    T* place = memory_.as<T>(used_);
    used_ += (kRows * per_row * sizeof(T) + 255) / 256 * 256;
    return place;
  }

  CardMemory memory_;
  size_t used_ = 0;
};

}  // namespace

void bench_card_detect(const Options& options) {
  const uint64_t record_count = record_count_for(options);
  CardTable table(record_count);
  // Two batches in turn, so that no cache holds one batch's lines for the next run.
  CardBatch batches[] = {{record_count, 1, table.lanes()}, {record_count, 1u << 30, table.lanes()}};
  for (CardBatch& batch : batches) {
    for (const bool is_ours : {true, false}) {
      batch.poison();
      require(
          is_ours ? cuda::launch_detect(batch.work, nullptr) : launch_thread_per_key(batch.work),
          "the kernel cannot be started");
      require(cudaDeviceSynchronize(), "the kernel failed");
      batch.expect_right();
    }
  }
  int turn = 0;
  const auto next = [&]() -> const cuda::DetectWork& { return batches[turn++ % 2].work; };
  char what[120];
  std::snprintf(what, sizeof what, "rows of 8 cells against %.3g records on the card, load %.3f",
                static_cast<double>(record_count), kLoad);
  report(measure_rate(
      options, "engines.cuda.detect", what, "rows/s",
      repeated(10, kRows, [&] { return cuda::launch_detect(next(), nullptr); }),
      {"a thread a key", repeated(10, kRows, [&] { return launch_thread_per_key(next()); })}));
}

}  // namespace syncline::bench
