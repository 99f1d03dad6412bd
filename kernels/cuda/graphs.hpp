// A slot's trips that came before, kept as CUDA graphs: one call sends off all commands of one.
//
// A shape that is seen for the second time is captured, and the capture is what runs then and from
// then on; shapes that never come again cost a comparison. Where there are more shapes than graphs
// are kept, so that they push each other out, no more are captured than launches have paid for.
// Where capturing fails once, trips go command by command from then on: it is never a fault. What a
// graph refers to must stay where it is: whoever moves it calls forget().
// Owner: the slot. Threads: one at a time. Errors: those of the steps.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <cuda_runtime.h>

#include "host/base/result.hpp"

namespace syncline::cuda {

// What makes one trip's commands like another's, the places in the slot's memory aside.
struct TripKey {
  enum class Stage : uint8_t { kNone, kFingerprint, kDetect };
  Stage stage = Stage::kNone;
  uint32_t row_count = 0;
  uint32_t field_count = 0;
  uint32_t key_count = 0;
  size_t in_size = 0;
  const void* table = nullptr;
  bool operator==(const TripKey&) const = default;
};

// Of this process.
struct GraphCounts {
  uint64_t captures = 0;
  uint64_t launches = 0;
};
GraphCounts graph_counts();

class Graphs {
 public:
  static constexpr size_t kCount = 8;
  // What it costs to make a graph is saved by so many launches of it.
  static constexpr uint64_t kLaunchesWorth = 8;

  Graphs() = default;
  ~Graphs() { forget(); }
  Graphs(const Graphs&) = delete;
  Graphs& operator=(const Graphs&) = delete;

  // Sends the steps' commands off. steps: starts them on the stream; it may be called twice, and
  // what it starts must be the same for the same key.
  template <class Steps>
  Result<void> run(const TripKey& key, cudaStream_t stream, const Steps& steps) {
    Graph* graph = find(key);
    if (graph == nullptr && is_seen_again(key) && is_paid_for() && begin_capture(stream)) {
      const bool is_whole = steps().has_value();
      graph = end_capture(key, stream, is_whole ? Capture::kWhole : Capture::kBroken);
    }
    if (graph != nullptr && launch(*graph, stream)) return success();
    return steps();
  }
  void forget();
  // From now on command by command.
  void turn_off();

 private:
  enum class Capture { kWhole, kBroken };
  struct Graph {
    TripKey key;
    cudaGraphExec_t commands = nullptr;
    uint64_t turn = 0;
  };

  Graph* find(const TripKey& key);
  bool is_seen_again(const TripKey& key);
  bool is_paid_for() const { return evictions_ * kLaunchesWorth <= launches_; }
  bool begin_capture(cudaStream_t stream);
  Graph* end_capture(const TripKey& key, cudaStream_t stream, Capture capture);
  bool launch(Graph& graph, cudaStream_t stream);

  std::array<Graph, kCount> graphs_;
  std::array<TripKey, kCount> seen_;  // lately, and once
  size_t next_seen_ = 0;
  uint64_t turns_ = 0;
  uint64_t launches_ = 0;
  uint64_t evictions_ = 0;  // of graphs by others
  bool is_off_ = false;
};

}  // namespace syncline::cuda
