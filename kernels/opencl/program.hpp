// The kernels, compiled by the device's driver once and kept on disk.
//
// A file of the cache is named by the hash of all that the compiled program depends on: the device,
// its driver's version, the options and the kernels' text. It begins with a mark and the hash of
// what follows; a file that does not match, or that the driver refuses, is made anew. The cache is
// a convenience: that it cannot be written is no error.
// Threads: any. Errors: kEngine (the driver cannot compile the kernels; why holds its words).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "host/base/result.hpp"
#include "kernels/opencl/api.hpp"

namespace syncline::opencl {

// Generated: kernels.cl with all that it includes.
extern const char* const kKernelSource;

struct ProgramRequest {
  cl_context context = nullptr;
  cl_device_id device = nullptr;
  std::string options;                    // beside ours
  std::string cache_folder;               // empty: no cache
  std::function<void()> on_compile = {};  // before the driver's compiler is asked
};

struct BuiltProgram {
  Program program;
  bool is_cached = false;  // it came from disk
};

Result<BuiltProgram> build_program(const ProgramRequest& request);

// The file of the cache that belongs to a request, without its folder.
std::string cache_name(const ProgramRequest& request);

}  // namespace syncline::opencl
