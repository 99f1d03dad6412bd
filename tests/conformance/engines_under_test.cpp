#include "tests/conformance/engines_under_test.hpp"

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

// 0: the width that suits the device.
template <size_t block_width>
Result<std::unique_ptr<engine::Engine>> make_opencl() {
  return opencl::make_opencl_engine(
      {.cache_folder = opencl::default_cache_folder(), .block_width = block_width});
}

}  // namespace

std::vector<EngineUnderTest> engines_under_test() {
  using cpu::CpuVariant;
  const EngineUnderTest all[] = {
      {"cpu_auto", "", make_cpu<CpuVariant::kAuto>},
      {"cpu_scalar", "fingerprint scalar, detect scalar", make_cpu<CpuVariant::kScalar>},
      {"cpu_avx2", "fingerprint avx2, detect avx2", make_cpu<CpuVariant::kAvx2>},
      {"cpu_avx512", "fingerprint avx512, detect avx512", make_cpu<CpuVariant::kAvx512>},
      {"cuda", "fingerprint sm_", make_present<cuda::make_cuda_engine>},
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
