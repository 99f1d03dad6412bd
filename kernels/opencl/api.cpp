#include "kernels/opencl/api.hpp"

#include <atomic>

namespace syncline::opencl {
namespace {

std::atomic<uint64_t> taken_count = 0;
std::atomic<uint64_t> held_size = 0;

// On the device; 0: it lies on the host.
uint64_t size_there(cl_mem memory) {
  cl_mem_flags flags = 0;
  size_t size = 0;
  clGetMemObjectInfo(memory, CL_MEM_FLAGS, sizeof flags, &flags, nullptr);
  clGetMemObjectInfo(memory, CL_MEM_SIZE, sizeof size, &size, nullptr);
  return (flags & CL_MEM_ALLOC_HOST_PTR) != 0 ? 0 : size;
}

const char* name_of(cl_int status) {
  switch (status) {
    case CL_DEVICE_NOT_FOUND:
      return "CL_DEVICE_NOT_FOUND";
    case CL_DEVICE_NOT_AVAILABLE:
      return "CL_DEVICE_NOT_AVAILABLE";
    case CL_COMPILER_NOT_AVAILABLE:
      return "CL_COMPILER_NOT_AVAILABLE";
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
      return "CL_MEM_OBJECT_ALLOCATION_FAILURE";
    case CL_OUT_OF_RESOURCES:
      return "CL_OUT_OF_RESOURCES";
    case CL_OUT_OF_HOST_MEMORY:
      return "CL_OUT_OF_HOST_MEMORY";
    case CL_BUILD_PROGRAM_FAILURE:
      return "CL_BUILD_PROGRAM_FAILURE";
    case CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST:
      return "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST";
    case CL_INVALID_BUILD_OPTIONS:
      return "CL_INVALID_BUILD_OPTIONS";
    case CL_INVALID_BINARY:
      return "CL_INVALID_BINARY";
    case CL_INVALID_BUFFER_SIZE:
      return "CL_INVALID_BUFFER_SIZE";
    case CL_INVALID_COMMAND_QUEUE:
      return "CL_INVALID_COMMAND_QUEUE";
    case CL_INVALID_WORK_GROUP_SIZE:
      return "CL_INVALID_WORK_GROUP_SIZE";
    case -1001:
      return "CL_PLATFORM_NOT_FOUND_KHR";
    default:
      return "an OpenCL error";
  }
}

}  // namespace

std::string error_name(cl_int status) {
  return std::string(name_of(status)) + " (" + std::to_string(status) + ")";
}

Result<void> check(cl_int status, const char* what) {
  if (status == CL_SUCCESS) return success();
  return fail(ErrorCode::kEngine, what, error_name(status),
              "The other engines go on; see the driver's log, and clinfo.");
}

Memory make_memory(cl_context context, cl_mem_flags flags, size_t size, cl_int& status) {
  taken_count.fetch_add(1, std::memory_order_relaxed);
  Memory made(clCreateBuffer(context, flags, size, nullptr, &status));
  if (made) held_size.fetch_add(size_there(made.get()), std::memory_order_relaxed);
  return made;
}

cl_int release_memory(cl_mem memory) {
  held_size.fetch_sub(size_there(memory), std::memory_order_relaxed);
  return clReleaseMemObject(memory);
}

uint64_t memory_held() {
  return held_size.load(std::memory_order_relaxed);
}

bool is_memory_short(cl_int status) {
  return status == CL_MEM_OBJECT_ALLOCATION_FAILURE || status == CL_OUT_OF_RESOURCES ||
         status == CL_INVALID_BUFFER_SIZE;
}

uint64_t allocations() {
  return taken_count.load(std::memory_order_relaxed);
}

std::string device_text(cl_device_id device, cl_device_info what) {
  size_t size = 0;
  if (clGetDeviceInfo(device, what, 0, nullptr, &size) != CL_SUCCESS || size == 0) return {};
  std::string text(size, '\0');
  if (clGetDeviceInfo(device, what, size, text.data(), nullptr) != CL_SUCCESS) return {};
  text.resize(text.find('\0') == std::string::npos ? size : text.find('\0'));
  return text;
}

}  // namespace syncline::opencl
