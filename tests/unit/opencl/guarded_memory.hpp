// Memory for a device that computes in the host's: parts that border on pages that nobody may
// touch, and a count of the touches.
//
//   | closed | front | closed | body | closed |
//
// The front ends at a closed page, to the byte; the body begins and ends at one. A touch, reads
// too, is counted and the page opened, so that the kernel goes on. The buffer spans front to body.
// Owner: a Guarded owns its memory and its buffer. Threads: one makes them; touches come from any.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>
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
  // Where in the body bytes lie: at its first one, or up to its last one.
  enum class Edge { kBegin, kEnd };

  Guarded(cl_context context, size_t front_size, size_t body_size)
      : body_size_((body_size + kPageSize - 1) / kPageSize * kPageSize) {
    const size_t front_pages = (front_size + kPageSize - 1) / kPageSize * kPageSize;
    mapped_size_ = 3 * Guards::kClosedSize + front_pages + body_size_;
    void* mapped = mmap(nullptr, mapped_size_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    EXPECT_NE(mapped, MAP_FAILED);
    mapped_ = static_cast<uint8_t*>(mapped);
    uint8_t* const hole = mapped_ + Guards::kClosedSize + front_pages;
    front_ = hole - front_size;
    body_ = hole + Guards::kClosedSize;
    Guards::close(mapped_);
    Guards::close(hole);
    Guards::close(body_ + body_size_);
    uint8_t* const begin = front_size == 0 ? body_ : front_;
    cl_int status = CL_SUCCESS;
    memory_ =
        Memory(clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR,
                              static_cast<size_t>(body_ + body_size_ - begin), begin, &status));
    EXPECT_EQ(status, CL_SUCCESS);
    body_at_ = static_cast<size_t>(body_ - begin);
  }
  ~Guarded() {
    memory_ = {};
    munmap(mapped_, mapped_size_);
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  cl_mem memory() const { return memory_.get(); }
  uint8_t* front() { return front_; }
  // From the buffer's beginning.
  uint32_t place(Edge edge, size_t size) const {
    return static_cast<uint32_t>(body_at_ + (edge == Edge::kBegin ? 0 : body_size_ - size));
  }
  uint32_t put(Edge edge, const std::string& bytes) {
    std::memcpy(at(edge, bytes.size()), bytes.data(), bytes.size());
    return place(edge, bytes.size());
  }
  std::string take(Edge edge, size_t size) {
    return {reinterpret_cast<const char*>(at(edge, size)), size};
  }

 private:
  static constexpr size_t kPageSize = 4096;
  uint8_t* at(Edge edge, size_t size) {
    return body_ + (edge == Edge::kBegin ? 0 : body_size_ - size);
  }

  size_t body_size_;
  size_t mapped_size_ = 0;
  uint8_t* mapped_ = nullptr;
  uint8_t* front_ = nullptr;
  uint8_t* body_ = nullptr;
  size_t body_at_ = 0;
  Memory memory_;
};

}  // namespace syncline::opencl
