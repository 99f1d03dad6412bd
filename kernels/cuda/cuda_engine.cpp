#include "kernels/cuda/cuda_engine.hpp"

#include <string>

#include "kernels/cuda/coders.hpp"
#include "kernels/cuda/graphs.hpp"
#include "kernels/cuda/slot.hpp"
#include "kernels/cuda/table_memory.hpp"
#include "kernels/device/device_engine.hpp"

namespace syncline::cuda {
namespace {

constexpr int kCapabilityMin = 8;  // major

class CudaDevice final : public device::Device {
 public:
  CudaDevice(const cudaDeviceProp& properties, const CudaOptions& options)
      : options_(options),
        coders_(std::make_shared<Coders>(options)),
        device_(properties.name),
        variant_("sm_" + std::to_string(properties.major * 10 + properties.minor)) {}

  engine::Description describe() const override {
    engine::Description description;
    description.name = "cuda";
    description.device = device_;
    const std::string coder = coders_->nvcomp() == nullptr ? "" : "+nvcomp";
    description.variants = "fingerprint " + variant_ + ", detect " + variant_ + ", seal " +
                           variant_ + coder + ", open " + variant_;
    return description;
  }
  uint8_t engine() const override { return SYN_ENGINE_CUDA; }
  Result<void> start() override;
  std::unique_ptr<device::Slot> make_slot() override {
    return std::make_unique<CudaSlot>(options_, coders_);
  }
  std::unique_ptr<device::TableMemory> make_table_memory(size_t lane_count,
                                                         uint32_t value_count) override {
    return std::make_unique<CudaTableMemory>(lane_count, value_count);
  }

 private:
  CudaOptions options_;
  std::shared_ptr<Coders> coders_;
  std::string device_;
  std::string variant_;
};

// A kernel that touched what it must not, or a card that fell off the bus, ends the process's
// context on it: every call gives the same error then. Where nobody in this process has anything
// there (of this engine's memory; no other part uses the card), a new one is made.
Result<void> CudaDevice::start() {
  cudaGetLastError();  // what was left behind is nobody's any more
  cudaStream_t stream = nullptr;
  cudaError_t status = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  if (status != cudaSuccess && allocations_held() == 0) {
    cudaGetLastError();
    SYN_TRY(check(cudaDeviceReset(), "the card cannot be reset"));
    coders_->drop("the card was reset, and what the library had there is gone");
    status = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  }
  SYN_TRY(check(status, "no stream"));
  return check(cudaStreamDestroy(stream), "a stream does not end");
}

}  // namespace

Result<std::unique_ptr<engine::Engine>> make_cuda_engine() {
  return make_cuda_engine(CudaOptions());
}

Result<std::unique_ptr<engine::Engine>> make_cuda_engine(const CudaOptions& options) {
  int count = 0;
  SYN_TRY(check_absent(cudaGetDeviceCount(&count), "no card is found"));
  cudaDeviceProp properties;
  SYN_TRY(check_absent(cudaGetDeviceProperties(&properties, 0), "the card cannot be asked"));
  if (properties.major < kCapabilityMin) {
    return fail(ErrorCode::kUnsupported, "the card is too old",
                std::string(properties.name) + " has compute capability " +
                    std::to_string(properties.major) + "." + std::to_string(properties.minor),
                "A card of compute capability 8.0 or higher is needed.");
  }
  if (options.coder == Coder::kNvcomp && Coders::find(options) == nullptr) {
    return fail(ErrorCode::kUnsupported, "nvCOMP is not found",
                "its headers when this was built, or its library now");
  }
  return device::make_device_engine(std::make_unique<CudaDevice>(properties, options));
}

uint64_t graph_launches() {
  return graph_counts().launches;
}

}  // namespace syncline::cuda
