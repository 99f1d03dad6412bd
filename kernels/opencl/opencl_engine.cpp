#include "kernels/opencl/opencl_engine.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>
#include <vector>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/device/device_engine.hpp"
#include "kernels/opencl/program.hpp"
#include "kernels/opencl/slot.hpp"
#include "kernels/opencl/table_memory.hpp"

namespace syncline::opencl {
namespace {

constexpr const char* kIsProcessor =
    "it is this machine's processor, which the cpu engine uses already";
constexpr auto kLookPatience = std::chrono::seconds(10);
constexpr auto kLookPause = std::chrono::milliseconds(2);
constexpr cl_uint kPlatformCountMax = 16;
constexpr cl_uint kDeviceCountMax = 64;
// On a processor a work group is a piece of work for one thread; elsewhere some warps of a card.
constexpr size_t kProcessorGroupSize = 128;
constexpr size_t kGroupSize = 256;
constexpr uint32_t kLaneWorkers = 32;
// A piece, a frame or a chunk is shared by so many work items of a card; a processor's core has it
// to itself. So many of them are worked on at once for every compute unit.
constexpr size_t kBlockWidth = 32;
constexpr size_t kBlockGroups = 8;
constexpr size_t kProcessorBlockGroups = 4;
// Of the device's memory that a slot's groups may take.
constexpr uint64_t kScratchSizeMax = 256u << 20;
// Compiling is no batch: it may take longer than one.
constexpr int64_t kWarmUpLimitUs = 60'000'000;

struct Candidate {
  cl_device_id device = nullptr;
  std::string name;
  bool is_processor = false;
};

// Sorted so that the first is the one to take.
constexpr cl_device_type kTypes[] = {CL_DEVICE_TYPE_GPU, CL_DEVICE_TYPE_ACCELERATOR,
                                     CL_DEVICE_TYPE_CPU};

// "OpenCL 1.2 ..." or later.
bool is_new_enough(const std::string& version) {
  int major = 0;
  int minor = 0;
  if (std::sscanf(version.c_str(), "OpenCL %d.%d", &major, &minor) != 2) return false;
  return major > 1 || (major == 1 && minor >= 2);
}

// Why a device is not taken; empty: it can be.
std::string objection(cl_device_id device) {
  if (!is_new_enough(device_text(device, CL_DEVICE_VERSION))) return "it is older than OpenCL 1.2";
  if (device_info<cl_bool>(device, CL_DEVICE_AVAILABLE) == CL_FALSE) return "it is not available";
  if (device_info<cl_bool>(device, CL_DEVICE_COMPILER_AVAILABLE) == CL_FALSE) {
    return "its driver has no compiler";
  }
  if (device_info<cl_bool>(device, CL_DEVICE_ENDIAN_LITTLE) == CL_FALSE) return "it is big endian";
  constexpr cl_ulong kLocalSizeMin = std::max(sizeof(syn_zstd_encoder), sizeof(syn_zstd_decoder));
  if (device_info<cl_ulong>(device, CL_DEVICE_LOCAL_MEM_SIZE) < kLocalSizeMin) {
    return "its groups share too little memory";
  }
  return {};
}

std::vector<cl_platform_id> platforms(cl_int& status) {
  std::vector<cl_platform_id> found(kPlatformCountMax);
  cl_uint count = 0;
  status = clGetPlatformIDs(kPlatformCountMax, found.data(), &count);
  found.resize(status == CL_SUCCESS ? std::min(count, kPlatformCountMax) : 0);
  return found;
}

std::vector<cl_device_id> devices(cl_platform_id platform, cl_device_type type) {
  std::vector<cl_device_id> found(kDeviceCountMax);
  cl_uint count = 0;
  const cl_int status = clGetDeviceIDs(platform, type, kDeviceCountMax, found.data(), &count);
  found.resize(status == CL_SUCCESS ? std::min(count, kDeviceCountMax) : 0);
  return found;
}

Error no_device(std::string why) {
  return {ErrorCode::kUnsupported, "no OpenCL device can be used", std::move(why),
          "Install the device's OpenCL driver (for a processor pocl-opencl-icd); clinfo lists what "
          "there is."};
}

Result<Candidate> choose_device(const OpenclOptions& options) {
  cl_int status = CL_SUCCESS;
  const std::vector<cl_platform_id> all = platforms(status);
  std::string why = all.empty() ? "no driver is installed: " + error_name(status) : "";
  for (const cl_device_type type : kTypes) {
    for (const cl_platform_id platform : all) {
      for (const cl_device_id device : devices(platform, type)) {
        const std::string name = device_text(device, CL_DEVICE_NAME);
        std::string no = objection(device);
        const bool is_processor = type == CL_DEVICE_TYPE_CPU;
        if (is_processor && options.processor == ProcessorUse::kNone) {
          no = kIsProcessor;
        }
        if (no.empty()) return Candidate{device, name, is_processor};
        why.append(why.empty() ? "" : "; ").append(name).append(": ").append(no);
      }
    }
  }
  return no_device(why.empty() ? "the drivers have none" : why);
}

// Whether all devices are processors, as told by a process that ends with their drivers: a compiler
// that one keeps in memory, 80 MB, is not kept in this one for nothing. In doubt, or when a driver
// does not come to an end, they are not.
bool are_only_processors() {
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    // It must not outlive this process, nor keep its locks.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    close_range(STDERR_FILENO + 1, ~0U, 0);
    cl_int status = CL_SUCCESS;
    const std::vector<cl_platform_id> all = platforms(status);
    const bool is_so = !all.empty() && std::ranges::all_of(all, [](cl_platform_id platform) {
      const size_t count = devices(platform, CL_DEVICE_TYPE_CPU).size();
      return count > 0 && count == devices(platform, CL_DEVICE_TYPE_ALL).size();
    });
    _exit(is_so ? 0 : 1);
  }
  if (child < 0) return false;
  int status = 1;
  const auto deadline = std::chrono::steady_clock::now() + kLookPatience;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > deadline) kill(child, SIGKILL);
    std::this_thread::sleep_for(kLookPause);
  }
  return status == 0;
}

class OpenclDevice final : public device::Device {
 public:
  OpenclDevice(const Candidate& chosen, const OpenclOptions& options)
      : name_(chosen.name), options_(options) {
    shared_.is_processor = chosen.is_processor;
    shared_.device = chosen.device;
    shared_.allocation_size_max =
        device_info<cl_ulong>(chosen.device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, 1 << 27);
    shared_.memory_size =
        options.memory_size != 0
            ? options.memory_size
            : device_info<cl_ulong>(chosen.device, CL_DEVICE_GLOBAL_MEM_SIZE, 1 << 27);
  }

  engine::Description describe() const override {
    engine::Description description;
    description.name = "opencl";
    description.device = name_ + ", driver " + device_text(shared_.device, CL_DRIVER_VERSION);
    description.variants = "fingerprint opencl, detect opencl, seal opencl, open opencl";
    description.is_only_forced =
        shared_.is_processor && options_.processor == ProcessorUse::kOnlyForced;
    return description;
  }

  uint8_t engine() const override { return SYN_ENGINE_OPENCL; }
  Result<void> start() override;
  std::unique_ptr<device::Slot> make_slot() override {
    return std::make_unique<OpenclSlot>(shared_);
  }
  std::unique_ptr<device::TableMemory> make_table_memory(size_t lane_count,
                                                         uint32_t value_count) override {
    return std::make_unique<OpenclTableMemory>(shared_, lane_count, value_count);
  }

 private:
  size_t group_size_max() const;
  Result<Program> build(cl_context context, size_t width);
  Result<void> build_widest(cl_context context);

  std::string name_;
  OpenclOptions options_;
  Shared shared_;
  std::unique_ptr<OpenclSlot> warm_;
};

// What all kernels can do.
size_t OpenclDevice::group_size_max() const {
  const size_t sizes_max[] = {device_info<size_t>(shared_.device, CL_DEVICE_MAX_WORK_GROUP_SIZE, 1),
                              device_info<std::array<size_t, 3>>(
                                  shared_.device, CL_DEVICE_MAX_WORK_ITEM_SIZES, {1, 1, 1})[0]};
  size_t least = std::min(sizes_max[0], sizes_max[1]);
  cl_kernel kernels[kKernelCount];
  cl_uint count = 0;
  if (clCreateKernelsInProgram(shared_.program.get(), kKernelCount, kernels, &count) !=
      CL_SUCCESS) {
    return 1;
  }
  for (cl_uint i = 0; i < count; ++i) {
    const Kernel kernel(kernels[i]);
    size_t size = 1;
    clGetKernelWorkGroupInfo(kernel.get(), shared_.device, CL_KERNEL_WORK_GROUP_SIZE, sizeof size,
                             &size, nullptr);
    least = std::min(least, size);
  }
  return std::max<size_t>(least, 1);
}

Result<Program> OpenclDevice::build(cl_context context, size_t width) {
  const std::string option = "-DSYN_GROUP_WIDTH=" + std::to_string(width);
  SYN_TRY(BuiltProgram built,
          build_program({context, shared_.device, option + " " + options_.build_options,
                         options_.cache_folder, options_.on_compile}));
  return std::move(built.program);
}

// By groups of the width that suits the device; a group of one runs everywhere.
Result<void> OpenclDevice::build_widest(cl_context context) {
  shared_.block_width = options_.block_width != 0 ? options_.block_width
                        : shared_.is_processor    ? 1
                                                  : kBlockWidth;
  Result<Program> built = build(context, shared_.block_width);
  if (built.has_value()) {
    shared_.program = std::move(built.value());
    if (group_size_max() >= shared_.block_width) return success();
  } else if (shared_.block_width == 1) {
    return built.error();
  }
  shared_.block_width = 1;
  SYN_TRY(shared_.program, build(context, 1));
  return success();
}

Result<void> OpenclDevice::start() {
  if (warm_ != nullptr && warm_->use.is_lost) {
    SYN_TRY(const bool is_done, warm_->is_done());
    if (!is_done) return fail(ErrorCode::kEngine, "the device still works on its first kernels");
  }
  cl_int status = CL_SUCCESS;
  Context context(clCreateContext(nullptr, 1, &shared_.device, nullptr, nullptr, &status));
  SYN_TRY(check(status, "no context"));
  SYN_TRY(build_widest(context.get()));
  shared_.context = std::move(context);
  shared_.group_size =
      std::min(shared_.is_processor ? kProcessorGroupSize : kGroupSize, group_size_max());
  shared_.lane_workers = shared_.is_processor ? 1 : kLaneWorkers;
  shared_.lane_group_size =
      shared_.is_processor ? 1 : std::min<size_t>(shared_.group_size, kLaneWorkers);
  const uint64_t groups_max =
      std::min(kScratchSizeMax, shared_.allocation_size_max / 2) / SYN_CODER_SCRATCH_SIZE;
  const size_t groups = device_info<cl_uint>(shared_.device, CL_DEVICE_MAX_COMPUTE_UNITS, 1) *
                        (shared_.is_processor ? kProcessorBlockGroups : kBlockGroups);
  shared_.block_groups = std::max<size_t>(std::min<uint64_t>(groups, groups_max), 1);
  // Kept where it came to no end: what is on it may still use its memory.
  warm_ = std::make_unique<OpenclSlot>(shared_);
  warm_->wait_limit_us = std::max(kWarmUpLimitUs, options_.wait_limit_us);
  SYN_TRY(warm_->start());
  SYN_TRY(warm_->warm_up());
  warm_ = nullptr;
  return success();
}

}  // namespace

std::string default_cache_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/') {
    return std::string(cache) + "/syncline/opencl";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') {
    return std::string(home) + "/.cache/syncline/opencl";
  }
  return {};
}

Result<std::unique_ptr<engine::Engine>> make_opencl_engine(const OpenclOptions& options) {
  if (options.processor == ProcessorUse::kNone && are_only_processors()) {
    return no_device(kIsProcessor);
  }
  SYN_TRY(const Candidate chosen, choose_device(options));
  auto device = std::make_unique<OpenclDevice>(chosen, options);
  if (options.wait_limit_us == 0) return device::make_device_engine(std::move(device));
  return device::make_device_engine(std::move(device), options.wait_limit_us);
}

}  // namespace syncline::opencl
