// G5 without the engine's hand-over: pinned rows cross the bus, are fingerprinted and looked up,
// and verdicts and bitmaps come back, three batches in flight. What the engine adds to this is
// copies between the caller's memory and pinned memory, fingerprints for the host, and the delta.
#include <array>
#include <cstring>
#include <memory>

#include "bench/gpu/benches.hpp"
#include "bench/gpu/rivals.hpp"
#include "bench/gpu/rows.hpp"

namespace syncline::bench {
namespace {

constexpr uint32_t kLanes = 64;
constexpr uint32_t kLines = 1 << 16;  // of each lane, half of its slots taken by other records
constexpr uint32_t kFlight = 3;

class Lanes {
 public:
  Lanes()
      : keys_(kLanes * keys_size()),
        cells_(kLanes * keys_size() / 8 * kRowValues * SYN_CELL_SIZE),
        lanes_(kLanes * (sizeof(syn_table_lane) + 8)) {
    constexpr uint64_t kRecords = kLines * SYN_SLOTS_PER_LINE / 2;
    CardMemory made_keys(kRecords * 8);
    CardMemory made_cells(kRecords * kRowValues * SYN_CELL_SIZE);
    require(cudaMemset(keys_.as<uint8_t>(), 0, kLanes * keys_size()), "memset");
    std::array<syn_table_lane, kLanes> lanes{};
    for (uint32_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = {keys_.as<uint64_t>(lane * keys_size()),
                     cells_.as<uint8_t>(lane * keys_size() / 8 * kRowValues * SYN_CELL_SIZE),
                     kLines};
      require(launch_make_slots(made_keys.as<uint64_t>(), made_cells.as<uint8_t>(), lane, kRecords,
                                kLanes, kRowValues),
              "records cannot be made");
      auto* used = lanes_.as<unsigned long long>(kLanes * sizeof(syn_table_lane)) + lane;
      require(cuda::launch_fill({lanes[lane], used, made_keys.as<uint64_t>(),
                                 made_cells.as<uint8_t>(), kRecords, kRowValues},
                                nullptr),
              "a lane cannot be filled");
    }
    require(
        cudaMemcpy(lanes_.as<syn_table_lane>(), lanes.data(), sizeof lanes, cudaMemcpyHostToDevice),
        "lanes cannot be copied");
  }
  const syn_table_lane* lanes() { return lanes_.as<syn_table_lane>(); }

 private:
  static constexpr size_t keys_size() { return size_t{kLines} * SYN_SLOTS_PER_LINE * 8; }

  CardMemory keys_;
  CardMemory cells_;
  CardMemory lanes_;
};

// One batch in flight.
class Flight {
 public:
  Flight(const HostRows& rows, const syn_table_lane* lanes)
      : rows_(rows),
        input_(rows.input_size() + 256),
        fingerprints_(rows.view().row_count * size_t{16 + kRowValues * 8}),
        detected_(out_size() + 16) {
    require(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "no stream");
    require(cudaMallocHost(&results_, out_size()), "no pinned memory");
    const syn_batch batch = rows.view();
    const auto moved = [&]<class T>(const T* array) {
      return input_.as<T>(static_cast<size_t>(reinterpret_cast<const uint8_t*>(array) - batch.op));
    };
    fingerprint_ = {batch.row_count,
                    batch.field_count,
                    batch.key_count,
                    moved(batch.key_offset),
                    moved(batch.key_length),
                    moved(batch.cell_offset),
                    moved(batch.cell_length),
                    moved(batch.arena),
                    fingerprints_.as<syn_hash128>(),
                    fingerprints_.as<uint64_t>(batch.row_count * size_t{16})};
    detect_ = {batch.row_count,
               kRowValues,
               moved(batch.op),
               moved(batch.lane),
               fingerprint_.keys,
               fingerprint_.cells,
               lanes,
               detected_.as<uint8_t>(batch.row_count * size_t{8}),
               detected_.as<uint64_t>(),
               detected_.as<uint32_t>(out_size())};
  }
  ~Flight() {
    cudaStreamDestroy(stream_);
    cudaFreeHost(results_);
  }
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;

  void start(const cuda::SecretArgument& secret) {
    require(cudaStreamSynchronize(stream_), "a batch failed");
    require(cudaMemcpyAsync(input_.as<uint8_t>(), rows_.view().op, rows_.input_size(),
                            cudaMemcpyHostToDevice, stream_),
            "rows cannot be copied");
    require(cuda::launch_fingerprint(fingerprint_, secret, stream_), "no fingerprints");
    require(cuda::launch_detect(detect_, stream_), "no verdicts");
    require(cudaMemcpyAsync(results_, detected_.as<uint8_t>(), out_size(), cudaMemcpyDeviceToHost,
                            stream_),
            "results cannot be copied");
  }

 private:
  size_t out_size() const { return rows_.view().row_count * size_t{9}; }

  const HostRows& rows_;
  CardMemory input_;
  CardMemory fingerprints_;
  CardMemory detected_;
  cudaStream_t stream_ = nullptr;
  void* results_ = nullptr;
  cuda::FingerprintWork fingerprint_{};
  cuda::DetectWork detect_{};
};

}  // namespace

void bench_card_stream(const Options& options) {
  const uint32_t row_count = options.is_quick ? 1u << 14 : 1u << 16;
  const HostRows rows(row_count, 5, kLanes, RowMemory::kPinned);
  Lanes lanes;
  std::array<std::unique_ptr<Flight>, kFlight> flights;
  for (auto& flight : flights) flight = std::make_unique<Flight>(rows, lanes.lanes());
  CardMemory card(rows.input_size());
  cuda::SecretArgument secret;
  std::memset(secret.words, 0x6b, sizeof secret.words);
  const auto ours = [&] {
    constexpr int kBatches = 60;
    for (int i = 0; i < kBatches; ++i) flights[i % kFlight]->start(secret);
    require(cudaDeviceSynchronize(), "a batch failed");
    return static_cast<double>(kBatches) * static_cast<double>(rows.input_size());
  };
  const auto copy = repeated(60, static_cast<double>(rows.input_size()), [&] {
    return cudaMemcpyAsync(card.as<uint8_t>(), rows.view().op, rows.input_size(),
                           cudaMemcpyHostToDevice, nullptr);
  });
  report(measure_rate(options, "engines.cuda.stream",
                      "pinned rows to pinned verdicts of unknown keys, below the engine", "bytes/s",
                      ours, {"copy of the pinned rows", copy}));
}

}  // namespace syncline::bench
