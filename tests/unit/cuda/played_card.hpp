// The card that the host plays, as a test sees it: what it has to fail at, whether it hangs, and
// what memory it holds.
//
// It notes all memory that was taken and what each pending command refers to, and fails the running
// test where a command refers to memory that is not there, or where memory is given back that a
// pending command refers to: the runtime's cudaFree would wait for it, without any deadline.
// Owner: the process. Threads: any; a stream from one at a time. Errors: the runtime's, where a
// test asked for them.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include <cuda_runtime.h>

namespace syncline::cuda {

// Calls of the runtime that can be made to fail.
enum class Call {
  kAllocate,
  kAllocatePinned,
  kMemoryInfo,
  kStream,
  kCopy,
  kClear,
  kLaunch,
  kQuery,
  kBeginCapture,
  kEndCapture,
  kInstantiate,
  kLaunchGraph,
};
inline constexpr size_t kCallCount = 12;

// Memory that a command refers to.
struct Range {
  const void* data = nullptr;
  size_t size = 0;
};
template <class T>
Range range(const T* data, size_t count) {
  return {data, count * sizeof(T)};
}

struct Command {
  std::function<void()> run;
  std::vector<Range> uses;      // of the card's memory
  const void* table = nullptr;  // on the card: descriptions of more that it uses
};

class PlayedCard {
 public:
  static PlayedCard& get();

  // The call of this kind that comes behind so many others fails, once. An error after which the
  // runtime refuses everything (cudaErrorIllegalAddress and its like) stays until the card is
  // reset.
  void fail(Call call, int behind, cudaError_t error);
  int call_count(Call call);
  // What there is for cudaMalloc, in bytes.
  std::atomic<size_t> memory_size = size_t{1} << 40;
  // Whether our own coder's kernel gives frames that open to other bytes.
  std::atomic<bool> is_coding_wrongly = false;
  // No stream is ever done, until it goes on.
  void hang();
  void go_on();

  // Copies to the card from memory that is not pinned.
  int pageable_copy_count();
  bool is_idle(cudaStream_t stream);
  size_t memory_held();  // by cudaMalloc
  size_t allocation_count();
  // Graphs that were captured or made executable, and are not given back.
  size_t graph_count();
  // How many copies to the card came from within this pinned memory.
  size_t copies_from(const void* memory);
  // Of a table's first lane on the card, since the last call: how full it was at most, and how
  // often it was larger than before.
  struct Lane {
    double load_max = 0;
    uint64_t slot_count = 0;
    int growth_count = 0;
  };
  Lane take_lane();
  // By a command that put something into it.
  void note_lane(uint64_t used_count, uint64_t slot_count);

  // The runtime.
  cudaError_t allocate(Call call, void** memory, size_t size);
  cudaError_t give_back(Call call, void* memory);
  cudaError_t memory_info(size_t* left, size_t* all);
  cudaMemoryType type_of(const void* memory);
  cudaError_t make_stream(cudaStream_t* stream);
  cudaError_t end_stream(cudaStream_t stream);
  // The command is refused where this call fails.
  cudaError_t later(Call call, cudaStream_t stream, Command command);
  cudaError_t copy(void* to, const void* from, size_t size, cudaMemcpyKind kind,
                   cudaStream_t stream);
  cudaError_t query(cudaStream_t stream);
  // A capture takes a stream's commands instead of the card. What the runtime forbids meanwhile, of
  // the thread and of the stream, spoils it.
  cudaError_t begin_capture(cudaStream_t stream);
  cudaError_t end_capture(cudaStream_t stream, cudaGraph_t* graph);
  cudaError_t instantiate(cudaGraphExec_t* commands, cudaGraph_t graph);
  cudaError_t launch(cudaGraphExec_t commands, cudaStream_t stream);
  cudaError_t give_back(cudaGraph_t graph);
  cudaError_t give_back(cudaGraphExec_t commands);
  cudaError_t last_error();
  cudaError_t reset();

 private:
  struct Allocation {
    void* memory = nullptr;
    size_t size = 0;
    Call call = Call::kAllocate;
    size_t copies = 0;
  };
  using Allocations = std::map<const uint8_t*, Allocation>;

  cudaError_t begin(Call call);
  size_t memory_taken() const;
  cudaError_t spoil_capture(cudaStream_t stream);
  Allocations::iterator find(const void* data);
  void expect_there(const Range& use);
  bool is_used_by(const Command& command, const uint8_t* begin, size_t size);
  bool is_pending(const uint8_t* begin, size_t size);
  cudaError_t enqueue(Call call, cudaStream_t stream, Command command);
  void run(CUstream_st& stream);
  static std::array<int, kCallCount> none() {
    std::array<int, kCallCount> out;
    out.fill(-1);
    return out;
  }

  std::mutex mutex_;
  Allocations allocations_;
  std::set<const uint8_t*> lost_;  // what a reset took back
  std::map<cudaStream_t, std::unique_ptr<CUstream_st>> streams_;
  std::array<int, kCallCount> counts_{};
  std::array<int, kCallCount> behind_ = none();  // below 0: none fails
  std::array<cudaError_t, kCallCount> errors_{};
  int pageable_copies_ = 0;
  Lane lane_;
  cudaError_t lasting_ = cudaSuccess;
  bool is_hanging_ = false;
  std::set<cudaGraph_t> graphs_;
  std::set<cudaGraphExec_t> executables_;
};

}  // namespace syncline::cuda

// What cudaStream_t points to. One that ended goes when its commands are done.
struct CUstream_st {
  std::deque<syncline::cuda::Command> commands;
  bool was_asked = false;
  bool is_ended = false;
  bool is_capturing = false;
  bool is_spoilt = false;
  std::vector<syncline::cuda::Command> captured;
};

// What cudaGraph_t and cudaGraphExec_t point to.
struct CUgraph_st {
  std::vector<syncline::cuda::Command> commands;
};
struct CUgraphExec_st {
  std::vector<syncline::cuda::Command> commands;
};
