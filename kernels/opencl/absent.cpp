// Built where OpenCL's headers or its loader are not installed.
#include "kernels/opencl/opencl_engine.hpp"

namespace syncline::opencl {

std::string default_cache_folder() {
  return {};
}

Result<std::unique_ptr<engine::Engine>> make_opencl_engine(const OpenclOptions& /*options*/) {
  return fail(ErrorCode::kUnsupported, "this build has no OpenCL engine",
              "OpenCL's headers or its loader were not found when it was configured",
              "Install opencl-headers and ocl-icd-opencl-dev, and build again.");
}

}  // namespace syncline::opencl
