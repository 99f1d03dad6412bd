// Built where there is no CUDA compiler.
#include "kernels/cuda/cuda_engine.hpp"

namespace syncline::cuda {

Result<std::unique_ptr<engine::Engine>> make_cuda_engine() {
  return make_cuda_engine(CudaOptions());
}

Result<std::unique_ptr<engine::Engine>> make_cuda_engine(const CudaOptions& /*options*/) {
  return fail(ErrorCode::kUnsupported, "this build has no CUDA engine",
              "no CUDA compiler was found when it was configured",
              "Run tools/setup --with-cuda and build again.");
}

uint64_t allocations() {
  return 0;
}

uint64_t graph_launches() {
  return 0;
}

}  // namespace syncline::cuda
