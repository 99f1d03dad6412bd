#include "kernels/cuda/graphs.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

namespace syncline::cuda {
namespace {

std::atomic<uint64_t>& capture_counter() {
  static std::atomic<uint64_t> count = 0;
  return count;
}

std::atomic<uint64_t>& launch_counter() {
  static std::atomic<uint64_t> count = 0;
  return count;
}

// The next call's status is its own then.
bool is_done(cudaError_t status) {
  if (status == cudaSuccess) return true;
  cudaGetLastError();
  return false;
}

}  // namespace

GraphCounts graph_counts() {
  return {capture_counter().load(std::memory_order_relaxed),
          launch_counter().load(std::memory_order_relaxed)};
}

Graphs::Graph* Graphs::find(const TripKey& key) {
  const auto found = std::find_if(graphs_.begin(), graphs_.end(), [&](const Graph& graph) {
    return graph.commands != nullptr && graph.key == key;
  });
  return found == graphs_.end() ? nullptr : &*found;
}

bool Graphs::is_seen_again(const TripKey& key) {
  if (is_off_) return false;
  const auto found = std::find(seen_.begin(), seen_.end(), key);
  if (found != seen_.end()) {
    *found = {};
    return true;
  }
  seen_[next_seen_] = key;
  next_seen_ = (next_seen_ + 1) % seen_.size();
  return false;
}

// By thread: another one's cudaMalloc is none of this stream's business.
bool Graphs::begin_capture(cudaStream_t stream) {
  if (is_done(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal))) return true;
  turn_off();
  return false;
}

Graphs::Graph* Graphs::end_capture(const TripKey& key, cudaStream_t stream, Capture capture) {
  cudaGraph_t captured = nullptr;
  cudaGraphExec_t commands = nullptr;
  const bool is_whole =
      is_done(cudaStreamEndCapture(stream, &captured)) && capture == Capture::kWhole;
  const bool is_made = is_whole && is_done(cudaGraphInstantiate(&commands, captured, 0));
  if (captured != nullptr) is_done(cudaGraphDestroy(captured));
  if (!is_made) {
    turn_off();
    return nullptr;
  }
  capture_counter().fetch_add(1, std::memory_order_relaxed);
  Graph& oldest =
      *std::min_element(graphs_.begin(), graphs_.end(),
                        [](const Graph& one, const Graph& other) { return one.turn < other.turn; });
  if (oldest.commands != nullptr) {
    is_done(cudaGraphExecDestroy(oldest.commands));
    ++evictions_;
  }
  oldest = {key, commands, 0};
  return &oldest;
}

bool Graphs::launch(Graph& graph, cudaStream_t stream) {
  graph.turn = ++turns_;
  if (!is_done(cudaGraphLaunch(graph.commands, stream))) {
    turn_off();
    return false;
  }
  ++launches_;
  launch_counter().fetch_add(1, std::memory_order_relaxed);
  return true;
}

void Graphs::forget() {
  for (Graph& graph : graphs_) {
    cudaGraphExec_t commands = std::exchange(graph, {}).commands;
    if (commands != nullptr) is_done(cudaGraphExecDestroy(commands));
  }
  seen_ = {};
}

void Graphs::turn_off() {
  forget();
  is_off_ = true;
}

}  // namespace syncline::cuda
