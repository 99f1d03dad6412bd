#include "tests/conformance/engines_under_test.hpp"

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include <gtest/gtest.h>

#include "kernels/cpu/cpu_engine.hpp"
#include "kernels/cuda/cuda_engine.hpp"
#include "kernels/opencl/opencl_engine.hpp"

namespace syncline::conformance {
namespace {

template <cpu::CpuVariant variant>
std::unique_ptr<engine::Engine> make_cpu() {
  return cpu::make_cpu_engine({variant});
}

template <Result<std::unique_ptr<engine::Engine>> (*make)()>
std::unique_ptr<engine::Engine> make_present() {
  auto made = make();
  return made.has_value() ? std::move(made.value()) : nullptr;
}

template <cuda::Coder coder, cuda::Trips trips>
Result<std::unique_ptr<engine::Engine>> make_cuda() {
  return cuda::make_cuda_engine({.trips = trips, .coder = coder});
}

// 0: the width that suits the device.
template <size_t block_width>
Result<std::unique_ptr<engine::Engine>> make_opencl() {
  return opencl::make_opencl_engine(
      {.cache_folder = opencl::default_cache_folder(), .block_width = block_width});
}

// Whether what was asked for is there; else why not.
Result<void> find_required(const std::string& name) {
  const std::vector<EngineUnderTest> present = engines_under_test();
  const auto is_named = [&](const EngineUnderTest& row) { return row.name == name; };
  if (std::any_of(present.begin(), present.end(), is_named)) return success();
  if (name == "cuda-compiler") {
#ifdef SYN_HAVE_CUDA_COMPILER
    return success();
#else
    return fail(ErrorCode::kUnsupported, "CMake found no CUDA compiler");
#endif
  }
  if (name == "cuda") return cuda::make_cuda_engine().error();
  if (name == "opencl") return make_opencl<0>().error();
  return fail(ErrorCode::kInvalidArgument, "no engine is called so");
}

// Where nobody requires anything, an engine that a machine lacks is left out without a word.
TEST(RequiredEngines, AreAllHere) {
  const char* const required = std::getenv("SYN_REQUIRE_ENGINES");
  std::stringstream names(required == nullptr ? "" : required);
  for (std::string name; std::getline(names, name, ';');) {
    const Result<void> found = find_required(name);
    EXPECT_TRUE(found.has_value())
        << "SYN_REQUIRE_ENGINES has " << name << ": " << (found ? "" : to_string(found.error()));
  }
}

}  // namespace

std::vector<EngineUnderTest> engines_under_test() {
  using cpu::CpuVariant;
  using cuda::Coder;
  using cuda::Trips;
  const EngineUnderTest all[] = {
      {"cpu_auto", "", make_cpu<CpuVariant::kAuto>},
      {"cpu_scalar", "fingerprint scalar, detect scalar", make_cpu<CpuVariant::kScalar>},
      {"cpu_avx2", "fingerprint avx2, detect avx2", make_cpu<CpuVariant::kAvx2>},
      {"cpu_avx512", "fingerprint avx512, detect avx512", make_cpu<CpuVariant::kAvx512>},
      {"cuda", "fingerprint sm_", make_present<make_cuda<Coder::kFaster, Trips::kAsGraphs>>},
      {"cuda_own_coder", "fingerprint sm_",
       make_present<make_cuda<Coder::kOurs, Trips::kAsGraphs>>},
      {"cuda_by_command", "fingerprint sm_",
       make_present<make_cuda<Coder::kOurs, Trips::kByCommand>>},
      {"cuda_nvcomp", "fingerprint sm_", make_present<make_cuda<Coder::kNvcomp, Trips::kAsGraphs>>},
      {"opencl", "fingerprint opencl", make_present<make_opencl<0>>},
      {"opencl_groups", "fingerprint opencl", make_present<make_opencl<32>>},
  };
  std::vector<EngineUnderTest> present;
  for (const EngineUnderTest& row : all) {
    if (row.make() != nullptr) present.push_back(row);
  }
  return present;
}

}  // namespace syncline::conformance
