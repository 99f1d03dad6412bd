// OpenCL's objects, released when their owner goes, and what a failed call says.
//
// Owner: whoever holds the handle. Threads: those of the objects (kernels: one at a time). Errors:
// kEngine, with the error's name in OpenCL.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include <CL/cl.h>

#include "host/base/result.hpp"

namespace syncline::opencl {

template <class T, cl_int (*release)(T)>
class Handle {
 public:
  Handle() = default;
  explicit Handle(T object) : object_(object) {}
  ~Handle() {
    if (object_ != nullptr) release(object_);
  }
  Handle(Handle&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  T get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  T object_ = nullptr;
};

using Context = Handle<cl_context, clReleaseContext>;
using Queue = Handle<cl_command_queue, clReleaseCommandQueue>;
using Program = Handle<cl_program, clReleaseProgram>;
using Kernel = Handle<cl_kernel, clReleaseKernel>;
cl_int release_memory(cl_mem memory);
using Memory = Handle<cl_mem, release_memory>;
using Event = Handle<cl_event, clReleaseEvent>;

// "CL_OUT_OF_RESOURCES (-5)"
std::string error_name(cl_int status);

// what: the call, for the error's text.
Result<void> check(cl_int status, const char* what);

// Device or kernel properties of a fixed size; the default where they cannot be asked.
template <class T>
T device_info(cl_device_id device, cl_device_info what, T otherwise = {}) {
  T value = otherwise;
  if (clGetDeviceInfo(device, what, sizeof value, &value, nullptr) != CL_SUCCESS) return otherwise;
  return value;
}
std::string device_text(cl_device_id device, cl_device_info what);

// All memory on devices that this process takes is taken here, and counted.
Memory make_memory(cl_context context, cl_mem_flags flags, size_t size, cl_int& status);
uint64_t allocations();
// Bytes that it has now, but for what lies on the host.
uint64_t memory_held();
// Whether a buffer was refused for want of memory.
bool is_memory_short(cl_int status);

}  // namespace syncline::opencl
