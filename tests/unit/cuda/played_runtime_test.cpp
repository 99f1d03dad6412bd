// The runtime of the card that the host plays, and what it sees by itself.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <utility>

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include "tests/unit/cuda/played_card.hpp"

namespace syncline::cuda {
namespace {

thread_local cudaError_t left_behind = cudaSuccess;
thread_local cudaStream_t capturing = nullptr;  // of this thread

cudaError_t told(cudaError_t status) {
  if (status != cudaSuccess) left_behind = status;
  return status;
}

const uint8_t* bytes_of(const void* data) {
  return static_cast<const uint8_t*>(data);
}

// The context is lost with it: every later call gives the same error.
bool is_lasting(cudaError_t error) {
  return error == cudaErrorIllegalAddress || error == cudaErrorLaunchFailure ||
         error == cudaErrorLaunchTimeout || error == cudaErrorECCUncorrectable;
}

// A test that leaves memory on the card has an engine that leaks.
class LeakChecker final : public testing::EmptyTestEventListener {
  void OnTestEnd(const testing::TestInfo& /*info*/) override {
    EXPECT_EQ(PlayedCard::get().allocation_count(), 0u) << "memory was not given back";
    EXPECT_EQ(PlayedCard::get().graph_count(), 0u) << "graphs were not given back";
  }
};
class CardEnvironment final : public testing::Environment {
  void SetUp() override {
    testing::UnitTest::GetInstance()->listeners().Append(std::make_unique<LeakChecker>().release());
  }
};
[[maybe_unused]] testing::Environment* const environment =
    testing::AddGlobalTestEnvironment(std::make_unique<CardEnvironment>().release());

}  // namespace

PlayedCard& PlayedCard::get() {
  static PlayedCard card;
  return card;
}

void PlayedCard::fail(Call call, int behind, cudaError_t error) {
  const std::lock_guard lock(mutex_);
  behind_[static_cast<size_t>(call)] = behind;
  errors_[static_cast<size_t>(call)] = error;
}

int PlayedCard::call_count(Call call) {
  const std::lock_guard lock(mutex_);
  return counts_[static_cast<size_t>(call)];
}

void PlayedCard::hang() {
  const std::lock_guard lock(mutex_);
  is_hanging_ = true;
}

void PlayedCard::go_on() {
  const std::lock_guard lock(mutex_);
  is_hanging_ = false;
}

int PlayedCard::pageable_copy_count() {
  const std::lock_guard lock(mutex_);
  return pageable_copies_;
}

bool PlayedCard::is_idle(cudaStream_t stream) {
  const std::lock_guard lock(mutex_);
  return streams_.at(stream)->commands.empty();
}

size_t PlayedCard::allocation_count() {
  const std::lock_guard lock(mutex_);
  return allocations_.size();
}

size_t PlayedCard::graph_count() {
  const std::lock_guard lock(mutex_);
  return graphs_.size() + executables_.size();
}

size_t PlayedCard::copies_from(const void* memory) {
  const std::lock_guard lock(mutex_);
  const auto found = find(memory);
  return found == allocations_.end() ? 0 : found->second.copies;
}

PlayedCard::Lane PlayedCard::take_lane() {
  const std::lock_guard lock(mutex_);
  return std::exchange(lane_, {});
}

void PlayedCard::note_lane(uint64_t used_count, uint64_t slot_count) {
  const double load = static_cast<double>(used_count) / static_cast<double>(slot_count);
  lane_.load_max = std::max(lane_.load_max, load);
  if (lane_.slot_count != 0 && slot_count > lane_.slot_count) ++lane_.growth_count;
  lane_.slot_count = slot_count;
}

// REQUIRES, here and in what follows without a lock of its own: the mutex is held.
cudaError_t PlayedCard::begin(Call call) {
  const auto index = static_cast<size_t>(call);
  if (lasting_ != cudaSuccess) return told(lasting_);
  ++counts_[index];
  if (behind_[index] < 0) return cudaSuccess;
  --behind_[index];
  if (behind_[index] >= 0) return cudaSuccess;
  if (is_lasting(errors_[index])) lasting_ = errors_[index];
  return told(errors_[index]);
}

cudaError_t PlayedCard::spoil_capture(cudaStream_t stream) {
  stream->is_spoilt = true;
  return told(cudaErrorStreamCaptureUnsupported);
}

// The memory that this lies in.
PlayedCard::Allocations::iterator PlayedCard::find(const void* data) {
  auto found = allocations_.upper_bound(bytes_of(data));
  if (found == allocations_.begin()) return allocations_.end();
  --found;
  return bytes_of(data) < found->first + found->second.size ? found : allocations_.end();
}

void PlayedCard::expect_there(const Range& use) {
  if (use.size == 0) return;
  const auto found = find(use.data);
  if (found == allocations_.end()) {
    ADD_FAILURE() << "a command uses memory that is not the card's: " << use.data;
  } else if (bytes_of(use.data) + use.size > found->first + found->second.size) {
    ADD_FAILURE() << "a command uses " << use.size << " bytes, of which some are behind the end of "
                  << found->second.size;
  }
}

bool PlayedCard::is_used_by(const Command& command, const uint8_t* begin, size_t size) {
  const auto is_inside = [&](const uint8_t* at) { return at >= begin && at < begin + size; };
  for (const Range& use : command.uses) {
    if (use.size > 0 && is_inside(bytes_of(use.data))) return true;
  }
  const auto table = find(command.table);
  if (table == allocations_.end()) return false;
  const auto* words = reinterpret_cast<const uint8_t* const*>(table->first);
  return std::any_of(words, words + table->second.size / sizeof(uint8_t*), is_inside);
}

bool PlayedCard::is_pending(const uint8_t* begin, size_t size) {
  for (const auto& [handle, stream] : streams_) {
    for (const Command& command : stream->commands) {
      if (is_used_by(command, begin, size)) return true;
    }
  }
  return false;
}

cudaError_t PlayedCard::allocate(Call call, void** memory, size_t size) {
  const std::lock_guard lock(mutex_);
  if (capturing != nullptr) return spoil_capture(capturing);
  if (const cudaError_t error = begin(call); error != cudaSuccess) return error;
  const bool is_full = call == Call::kAllocate && memory_taken() + size > memory_size;
  if (is_full) return told(cudaErrorMemoryAllocation);
  *memory = std::malloc(size);
  if (*memory == nullptr) return told(cudaErrorMemoryAllocation);
  std::memset(*memory, 0xcd, size);
  allocations_[bytes_of(*memory)] = {*memory, size, call, 0};
  lost_.erase(bytes_of(*memory));
  return cudaSuccess;
}

size_t PlayedCard::memory_held() {
  const std::lock_guard lock(mutex_);
  return memory_taken();
}

size_t PlayedCard::memory_taken() const {
  size_t taken = 0;
  for (const auto& [at, allocation] : allocations_) {
    if (allocation.call == Call::kAllocate) taken += allocation.size;
  }
  return taken;
}

cudaError_t PlayedCard::memory_info(size_t* left, size_t* all) {
  const std::lock_guard lock(mutex_);
  if (const cudaError_t error = begin(Call::kMemoryInfo); error != cudaSuccess) return error;
  *all = memory_size;
  *left = *all - std::min(*all, memory_taken());
  return cudaSuccess;
}

cudaError_t PlayedCard::give_back(Call call, void* memory) {
  const std::lock_guard lock(mutex_);
  if (memory == nullptr) return cudaSuccess;
  if (capturing != nullptr) return spoil_capture(capturing);
  if (lasting_ != cudaSuccess) return told(lasting_);
  const auto found = allocations_.find(bytes_of(memory));
  if (found == allocations_.end() || found->second.call != call) {
    if (!lost_.contains(bytes_of(memory))) ADD_FAILURE() << "it was not taken, and is given back";
    return told(cudaErrorInvalidValue);
  }
  if (is_pending(found->first, found->second.size)) {
    ADD_FAILURE() << "memory is given back that a pending command refers to";
    if (is_hanging_) {
      std::fputs("the played card: nobody would ever come back from this\n", stderr);
      std::abort();
    }
    for (const auto& [handle, stream] : streams_) run(*stream);
  }
  allocations_.erase(bytes_of(memory));
  std::free(memory);
  return cudaSuccess;
}

cudaMemoryType PlayedCard::type_of(const void* memory) {
  const std::lock_guard lock(mutex_);
  const auto found = find(memory);
  if (found == allocations_.end()) return cudaMemoryTypeUnregistered;
  return found->second.call == Call::kAllocatePinned ? cudaMemoryTypeHost : cudaMemoryTypeDevice;
}

cudaError_t PlayedCard::make_stream(cudaStream_t* stream) {
  const std::lock_guard lock(mutex_);
  if (const cudaError_t error = begin(Call::kStream); error != cudaSuccess) return error;
  auto made = std::make_unique<CUstream_st>();
  *stream = made.get();
  streams_[*stream] = std::move(made);
  return cudaSuccess;
}

// What is pending goes on without it.
cudaError_t PlayedCard::end_stream(cudaStream_t stream) {
  const std::lock_guard lock(mutex_);
  if (lasting_ != cudaSuccess) return told(lasting_);
  if (!streams_.contains(stream)) return told(cudaErrorInvalidResourceHandle);
  stream->is_ended = true;
  if (stream->commands.empty()) streams_.erase(stream);
  return cudaSuccess;
}

cudaError_t PlayedCard::enqueue(Call call, cudaStream_t stream, Command command) {
  if (const cudaError_t error = begin(call); error != cudaSuccess) return error;
  if (!streams_.contains(stream)) return told(cudaErrorInvalidResourceHandle);
  for (const Range& use : command.uses) expect_there(use);
  if (stream->is_spoilt) return told(cudaErrorStreamCaptureInvalidated);
  if (stream->is_capturing) {
    stream->captured.push_back(std::move(command));
    return cudaSuccess;
  }
  stream->commands.push_back(std::move(command));
  stream->was_asked = false;
  return cudaSuccess;
}

cudaError_t PlayedCard::later(Call call, cudaStream_t stream, Command command) {
  const std::lock_guard lock(mutex_);
  return enqueue(call, stream, std::move(command));
}

// The host's side of it may be any memory.
cudaError_t PlayedCard::copy(void* to, const void* from, size_t size, cudaMemcpyKind kind,
                             cudaStream_t stream) {
  const std::lock_guard lock(mutex_);
  const auto source = find(from);
  const bool is_source_any = kind == cudaMemcpyHostToDevice && source == allocations_.end();
  const bool is_target_any = kind == cudaMemcpyDeviceToHost && find(to) == allocations_.end();
  if ((is_source_any || is_target_any) && stream->is_capturing) return spoil_capture(stream);
  if (is_source_any) ++pageable_copies_;
  Command command;
  if (!is_source_any) command.uses.push_back({from, size});
  if (!is_target_any) command.uses.push_back({to, size});
  command.run = [=] {
    if (size > 0) std::memcpy(to, from, size);
  };
  const cudaError_t status = enqueue(Call::kCopy, stream, std::move(command));
  if (status == cudaSuccess && kind == cudaMemcpyHostToDevice && !is_source_any) {
    ++source->second.copies;
  }
  return status;
}

// With the mutex held: what commands change is looked at by others only between them.
void PlayedCard::run(CUstream_st& stream) {
  for (const Command& command : stream.commands) command.run();
  stream.commands.clear();
}

cudaError_t PlayedCard::query(cudaStream_t stream) {
  const std::lock_guard lock(mutex_);
  const cudaError_t error = begin(Call::kQuery);
  if (!streams_.contains(stream)) return told(cudaErrorInvalidResourceHandle);
  if (stream->is_capturing) return spoil_capture(stream);
  if (error != cudaSuccess) {
    stream->commands.clear();
    return error;
  }
  if (is_hanging_ || !std::exchange(stream->was_asked, true)) return told(cudaErrorNotReady);
  run(*stream);
  return cudaSuccess;
}

cudaError_t PlayedCard::begin_capture(cudaStream_t stream) {
  const std::lock_guard lock(mutex_);
  if (const cudaError_t error = begin(Call::kBeginCapture); error != cudaSuccess) return error;
  if (stream->is_capturing) return told(cudaErrorIllegalState);
  stream->is_capturing = true;
  capturing = stream;
  return cudaSuccess;
}

// It is over in any case.
cudaError_t PlayedCard::end_capture(cudaStream_t stream, cudaGraph_t* graph) {
  const std::lock_guard lock(mutex_);
  *graph = nullptr;
  capturing = nullptr;
  const bool is_spoilt = std::exchange(stream->is_spoilt, false);
  if (!std::exchange(stream->is_capturing, false)) return told(cudaErrorIllegalState);
  auto made = std::make_unique<CUgraph_st>(std::exchange(stream->captured, {}));
  if (const cudaError_t error = begin(Call::kEndCapture); error != cudaSuccess) return error;
  if (is_spoilt) return told(cudaErrorStreamCaptureInvalidated);
  *graph = made.release();
  graphs_.insert(*graph);
  return cudaSuccess;
}

cudaError_t PlayedCard::instantiate(cudaGraphExec_t* commands, cudaGraph_t graph) {
  const std::lock_guard lock(mutex_);
  if (const cudaError_t error = begin(Call::kInstantiate); error != cudaSuccess) return error;
  if (!graphs_.contains(graph)) return told(cudaErrorInvalidValue);
  *commands = std::make_unique<CUgraphExec_st>(graph->commands).release();
  executables_.insert(*commands);
  return cudaSuccess;
}

cudaError_t PlayedCard::launch(cudaGraphExec_t commands, cudaStream_t stream) {
  const std::lock_guard lock(mutex_);
  if (const cudaError_t error = begin(Call::kLaunchGraph); error != cudaSuccess) return error;
  if (!executables_.contains(commands)) return told(cudaErrorInvalidValue);
  for (const Command& command : commands->commands) {
    for (const Range& use : command.uses) expect_there(use);
    stream->commands.push_back(command);
  }
  stream->was_asked = false;
  return cudaSuccess;
}

cudaError_t PlayedCard::give_back(cudaGraph_t graph) {
  const std::lock_guard lock(mutex_);
  if (graphs_.erase(graph) == 0) return told(cudaErrorInvalidValue);
  std::unique_ptr<CUgraph_st>(graph).reset();
  return cudaSuccess;
}

cudaError_t PlayedCard::give_back(cudaGraphExec_t commands) {
  const std::lock_guard lock(mutex_);
  if (executables_.erase(commands) == 0) return told(cudaErrorInvalidValue);
  std::unique_ptr<CUgraphExec_st>(commands).reset();
  return cudaSuccess;
}

cudaError_t PlayedCard::last_error() {
  const std::lock_guard lock(mutex_);
  if (lasting_ != cudaSuccess) return lasting_;
  return std::exchange(left_behind, cudaSuccess);
}

// Whatever anybody holds of the card is gone.
cudaError_t PlayedCard::reset() {
  const std::lock_guard lock(mutex_);
  streams_.clear();
  for (const auto& [at, allocation] : allocations_) {
    lost_.insert(at);
    std::free(allocation.memory);
  }
  allocations_.clear();
  lasting_ = cudaSuccess;
  left_behind = cudaSuccess;
  behind_.fill(-1);
  return cudaSuccess;
}

}  // namespace syncline::cuda

using syncline::cuda::Call;
using syncline::cuda::PlayedCard;

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int /*device*/) {
  *properties = {};
  std::strcpy(properties->name, "a played card");
  properties->major = 8;
  return cudaSuccess;
}
cudaError_t cudaGetLastError() {
  return PlayedCard::get().last_error();
}
const char* cudaGetErrorString(cudaError_t /*status*/) {
  return "the played card's error";
}
cudaError_t cudaDeviceReset() {
  return PlayedCard::get().reset();
}

cudaError_t cudaMalloc(void** memory, size_t size) {
  return PlayedCard::get().allocate(Call::kAllocate, memory, size);
}
cudaError_t cudaMallocHost(void** memory, size_t size) {
  return PlayedCard::get().allocate(Call::kAllocatePinned, memory, size);
}
cudaError_t cudaFree(void* memory) {
  return PlayedCard::get().give_back(Call::kAllocate, memory);
}
cudaError_t cudaFreeHost(void* memory) {
  return PlayedCard::get().give_back(Call::kAllocatePinned, memory);
}
cudaError_t cudaMemGetInfo(size_t* left, size_t* all) {
  return PlayedCard::get().memory_info(left, all);
}
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* memory) {
  *attributes = {};
  attributes->type = PlayedCard::get().type_of(memory);
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int /*flags*/) {
  return PlayedCard::get().make_stream(stream);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return PlayedCard::get().end_stream(stream);
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  return PlayedCard::get().query(stream);
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  EXPECT_EQ(mode, cudaStreamCaptureModeThreadLocal) << "other threads may take memory meanwhile";
  return PlayedCard::get().begin_capture(stream);
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  return PlayedCard::get().end_capture(stream, graph);
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* commands, cudaGraph_t graph,
                                 unsigned long long /*flags*/) {
  return PlayedCard::get().instantiate(commands, graph);
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t commands, cudaStream_t stream) {
  return PlayedCard::get().launch(commands, stream);
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return PlayedCard::get().give_back(graph);
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t commands) {
  return PlayedCard::get().give_back(commands);
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t size, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return PlayedCard::get().copy(to, from, size, kind, stream);
}
cudaError_t cudaMemsetAsync(void* memory, int value, size_t size, cudaStream_t stream) {
  return PlayedCard::get().later(
      Call::kClear, stream, {[=] { std::memset(memory, value, size); }, {{memory, size}}, nullptr});
}

}  // extern "C"

namespace syncline::cuda {
namespace {

TEST(PlayedCard, SeesMemoryThatIsGivenBackOrIsNotThere) {
  void* memory = nullptr;
  cudaStream_t stream = nullptr;
  ASSERT_EQ(cudaMalloc(&memory, 64), cudaSuccess);
  ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  EXPECT_NONFATAL_FAILURE(cudaMemsetAsync(memory, 0, 65, stream), "behind the end");
  while (cudaStreamQuery(stream) != cudaSuccess) cudaGetLastError();
  ASSERT_EQ(cudaMemsetAsync(memory, 0, 64, stream), cudaSuccess);
  EXPECT_NONFATAL_FAILURE(cudaFree(memory), "a pending command refers to");
  EXPECT_NONFATAL_FAILURE(cudaFree(memory), "was not taken");
  EXPECT_NONFATAL_FAILURE(cudaMemsetAsync(memory, 0, 64, stream), "not the card's");
  cudaDeviceReset();
  EXPECT_EQ(cudaStreamDestroy(stream), cudaErrorInvalidResourceHandle) << "it is gone";
  cudaGetLastError();
}

TEST(PlayedCard, KeepsAnErrorThatEndsTheContextUntilItIsReset) {
  void* memory = nullptr;
  void* more = nullptr;
  ASSERT_EQ(cudaMalloc(&memory, 64), cudaSuccess);
  PlayedCard::get().fail(Call::kAllocate, 0, cudaErrorIllegalAddress);
  EXPECT_EQ(cudaMalloc(&more, 64), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaGetLastError(), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaGetLastError(), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaFree(memory), cudaErrorIllegalAddress);
  EXPECT_EQ(PlayedCard::get().allocation_count(), 1u);
  ASSERT_EQ(cudaDeviceReset(), cudaSuccess);
  EXPECT_EQ(PlayedCard::get().allocation_count(), 0u);
  EXPECT_EQ(cudaFree(memory), cudaErrorInvalidValue) << "what a reset took back is nobody's";
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  ASSERT_EQ(cudaMalloc(&more, 64), cudaSuccess);
  EXPECT_EQ(cudaFree(more), cudaSuccess);
}

// Whatever spoils a capture, its end says so and the stream is as before.
TEST(PlayedCard, WhatIsForbiddenInACaptureSpoilsIt) {
  void* memory = nullptr;
  void* more = nullptr;
  cudaStream_t stream = nullptr;
  cudaGraph_t graph = nullptr;
  std::array<uint8_t, 64> pageable{};
  ASSERT_EQ(cudaMalloc(&memory, 64), cudaSuccess);
  ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  const std::array<std::function<void()>, 4> forbidden{
      [&] { cudaMalloc(&more, 64); }, [&] { cudaFree(memory); }, [&] { cudaStreamQuery(stream); },
      [&] {
        cudaMemcpyAsync(memory, pageable.data(), pageable.size(), cudaMemcpyHostToDevice, stream);
      }};
  for (const auto& call : forbidden) {
    ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
    call();
    EXPECT_EQ(cudaGetLastError(), cudaErrorStreamCaptureUnsupported);
    EXPECT_NE(cudaMemsetAsync(memory, 0, 64, stream), cudaSuccess);
    EXPECT_EQ(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(graph, nullptr);
    cudaGetLastError();
  }
  EXPECT_EQ(cudaMemsetAsync(memory, 0, 64, stream), cudaSuccess);
  while (cudaStreamQuery(stream) != cudaSuccess) cudaGetLastError();
  EXPECT_EQ(cudaFree(memory), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
}

}  // namespace
}  // namespace syncline::cuda
