// The OpenCL engine: the four stages on a device of OpenCL 1.2 or higher.
//
// It is the engine of kernels/device on this device: the first GPU of the machine, else the first
// accelerator, else a processor. Kernels are compiled by the driver when the first batch comes, and
// kept compiled on disk (program.hpp). Threads, errors: those of kernels/device/device_engine.hpp.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "host/base/result.hpp"
#include "kernels/engine/engine.hpp"

namespace syncline::opencl {

// A processor computes on the cores that the CPU's engine has.
enum class ProcessorUse {
  kEqual,       // a device like any other
  kOnlyForced,  // the dispatcher takes it only where it is forced
  kNone,        // not a device
};

struct OpenclOptions {
  // Where compiled programs are kept; empty: nowhere.
  std::string cache_folder = {};
  std::string build_options = {};  // for the driver's compiler, beside ours
  int64_t wait_limit_us = 0;       // of one wait; 0: what every device has
  uint64_t memory_size = 0;        // so much of the device's is used; 0: all
  size_t block_width = 0;          // work items that share a piece of a block; 0: what suits it
  ProcessorUse processor = ProcessorUse::kEqual;
  // Before kernels that no cache has are compiled: seconds on a card, up to a minute on a
  // processor.
  std::function<void()> on_compile = {};
};

// $XDG_CACHE_HOME/syncline/opencl, else ~/.cache/syncline/opencl; empty where neither is set.
std::string default_cache_folder();

// Nothing is compiled or started before the first batch. Errors: kUnsupported, with the reason,
// where this build or this machine has no such device.
Result<std::unique_ptr<engine::Engine>> make_opencl_engine(const OpenclOptions& options);

}  // namespace syncline::opencl
