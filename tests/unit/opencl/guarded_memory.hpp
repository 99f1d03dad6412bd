// Memory for a device that computes in the host's: parts that border on pages that nobody may
// touch, and a count of the touches.
//
//   | closed | front | closed | part | closed | part | closed | ...
//
// The front ends at a closed page, to the byte; a part begins and ends at one. A touch, reads too,
// is counted and the page opened, so that the kernel goes on. The buffer spans front to last part;
// kernels are told where in it a part's bytes lie.
// Owner: a Guarded owns its memory and its buffer. Threads: one makes them; touches come from any.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels/opencl/api.hpp"

namespace syncline::opencl {

class Guards {
 public:
  static constexpr size_t kClosedSize = 1 << 20;

  // From now on until the end of the process.
  static void watch() {
    struct sigaction action = {};
    action.sa_sigaction = &Guards::on_touch;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, nullptr);
  }
  static void close(uint8_t* page) {
    ASSERT_EQ(mprotect(page, kClosedSize, PROT_NONE), 0);
    const size_t index = count();
    ASSERT_LT(index, kClosedMax);
    closed()[index] = reinterpret_cast<uintptr_t>(page);
    ++count();
  }
  static void forget_all() { count() = 0; }
  static void forget(const uint8_t* from, size_t size) {
    const auto begin = reinterpret_cast<uintptr_t>(from);
    for (size_t i = count(); i-- > 0;) {
      if (closed()[i] < begin || closed()[i] >= begin + size) continue;
      closed()[i] = closed()[--count()].load();
    }
  }
  // How often somebody touched a closed page since; closes them again.
  static int take_touches() {
    const int out = touches().exchange(0);
    for (size_t i = 0; out > 0 && i < count(); ++i) {
      mprotect(reinterpret_cast<void*>(closed()[i].load()), kClosedSize, PROT_NONE);
    }
    return out;
  }

 private:
  static constexpr size_t kClosedMax = 64;
  static std::atomic<uintptr_t>* closed() {
    static std::atomic<uintptr_t> pages[kClosedMax];
    return pages;
  }
  static std::atomic<size_t>& count() {
    static std::atomic<size_t> number = 0;
    return number;
  }
  static std::atomic<int>& touches() {
    static std::atomic<int> number = 0;
    return number;
  }

  static void on_touch(int, siginfo_t* info, void*) {
    const auto at = reinterpret_cast<uintptr_t>(info->si_addr);
    for (size_t i = 0; i < count(); ++i) {
      if (at < closed()[i] || at >= closed()[i] + kClosedSize) continue;
      ++touches();
      mprotect(reinterpret_cast<void*>(closed()[i].load()), kClosedSize, PROT_READ | PROT_WRITE);
      return;
    }
    signal(SIGSEGV, SIG_DFL);  // none of ours: it comes again, and ends the program
  }
};

class Guarded {
 public:
  // Where in a part bytes lie: at its first one, or up to its last one.
  enum class Edge { kBegin, kEnd };

  template <class... Sizes>
  Guarded(cl_context context, size_t front_size, Sizes... part_sizes)
      : part_sizes_{whole_pages(static_cast<size_t>(part_sizes))...} {
    const size_t front_pages = whole_pages(front_size);
    mapped_size_ = Guards::kClosedSize + front_pages;
    for (const size_t size : part_sizes_) mapped_size_ += Guards::kClosedSize + size;
    mapped_size_ += Guards::kClosedSize;
    void* mapped = mmap(nullptr, mapped_size_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    EXPECT_NE(mapped, MAP_FAILED);
    mapped_ = static_cast<uint8_t*>(mapped);
    Guards::close(mapped_);
    uint8_t* end = mapped_ + Guards::kClosedSize + front_pages;
    front_ = end - front_size;
    for (const size_t size : part_sizes_) {
      Guards::close(end);
      parts_.push_back(end + Guards::kClosedSize);
      end = parts_.back() + size;
    }
    Guards::close(end);
    begin_ = front_size == 0 ? parts_[0] : front_;
    // Nothing at all is a byte of a closed page: a buffer cannot be empty.
    const size_t size = std::max<size_t>(static_cast<size_t>(end - begin_), 1);
    cl_int status = CL_SUCCESS;
    memory_ = Memory(
        clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, size, begin_, &status));
    EXPECT_EQ(status, CL_SUCCESS);
  }
  ~Guarded() {
    memory_ = {};
    Guards::forget(mapped_, mapped_size_);
    munmap(mapped_, mapped_size_);
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  cl_mem memory() const { return memory_.get(); }
  uint8_t* front() { return front_; }
  uint8_t* at(Edge edge, size_t size, size_t part = 0) {
    return parts_[part] + (edge == Edge::kBegin ? 0 : part_sizes_[part] - size);
  }
  // From the buffer's beginning.
  uint32_t place(Edge edge, size_t size, size_t part = 0) {
    return static_cast<uint32_t>(at(edge, size, part) - begin_);
  }
  uint32_t put(Edge edge, std::string_view bytes, size_t part = 0) {
    if (!bytes.empty()) std::memcpy(at(edge, bytes.size(), part), bytes.data(), bytes.size());
    return place(edge, bytes.size(), part);
  }
  std::string take(Edge edge, size_t size, size_t part = 0) {
    return {reinterpret_cast<const char*>(at(edge, size, part)), size};
  }

 private:
  static constexpr size_t kPageSize = 4096;
  static size_t whole_pages(size_t size) { return (size + kPageSize - 1) / kPageSize * kPageSize; }

  std::vector<size_t> part_sizes_;
  size_t mapped_size_ = 0;
  uint8_t* mapped_ = nullptr;
  uint8_t* front_ = nullptr;
  uint8_t* begin_ = nullptr;
  std::vector<uint8_t*> parts_;
  Memory memory_;
};

}  // namespace syncline::opencl
