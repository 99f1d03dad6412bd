#include "kernels/opencl/program.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>

#include "host/base/disk.hpp"
#include "kernels/bodies/xxh3.h"

namespace syncline::opencl {
namespace {

constexpr const char* kOptions = "-cl-std=CL1.2";
constexpr std::string_view kMark = "syncline opencl program 1\n";
constexpr size_t kLogSizeMax = 2000;

syn_hash128 hash_of(std::string_view bytes) {
  uint8_t secret[SYN_SECRET_SIZE];
  for (size_t i = 0; i < sizeof secret; ++i) secret[i] = static_cast<uint8_t>(i * 37 + 11);
  return syn_xxh3_128(reinterpret_cast<const uint8_t*>(bytes.data()),
                      static_cast<uint32_t>(bytes.size()), secret);
}

std::string hex_of(syn_hash128 hash) {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(hash.high),
                static_cast<unsigned long long>(hash.low));
  return text;
}

std::string options_of(const ProgramRequest& request) {
  return request.options.empty() ? kOptions : std::string(kOptions) + " " + request.options;
}

std::string build_log(cl_program program, cl_device_id device) {
  size_t size = 0;
  clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, 0, nullptr, &size);
  std::string log(size, '\0');
  clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, size, log.data(), nullptr);
  log.resize(std::min({size, std::strlen(log.c_str()), kLogSizeMax}));
  return log;
}

Result<Program> compile(const ProgramRequest& request) {
  cl_int status = CL_SUCCESS;
  const char* source = kKernelSource;
  Program program(clCreateProgramWithSource(request.context, 1, &source, nullptr, &status));
  SYN_TRY(check(status, "the kernels cannot be given to the driver"));
  status = clBuildProgram(program.get(), 1, &request.device, options_of(request).c_str(), nullptr,
                          nullptr);
  if (status == CL_SUCCESS) return program;
  return fail(ErrorCode::kEngine, "the driver cannot compile the kernels",
              error_name(status) + " " + build_log(program.get(), request.device),
              "The other engines go on; a newer driver may help.");
}

// Opened where it can be, made where it is not there.
std::unique_ptr<Disk> open_cache(const std::string& folder) {
  if (folder.empty()) return nullptr;
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  if (code) return nullptr;
  auto disk = make_posix_disk(folder);
  return disk.has_value() ? std::move(disk.value()) : nullptr;
}

std::optional<std::string> read_cached(Disk& disk, const std::string& name) {
  const auto is_there = disk.exists(name);
  if (!is_there.has_value() || !is_there.value()) return std::nullopt;
  const auto bytes = disk.read_all(name);
  if (!bytes.has_value()) return std::nullopt;
  const std::string_view all = bytes.value();
  const size_t head = kMark.size() + 32;
  if (all.size() <= head || !all.starts_with(kMark)) return std::nullopt;
  const std::string_view binary = all.substr(head);
  if (all.substr(kMark.size(), 32) != hex_of(hash_of(binary))) return std::nullopt;
  return std::string(binary);
}

// Nothing where the driver does not take its own binary any more.
std::optional<Program> load(const ProgramRequest& request, const std::string& binary) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(binary.data());
  const size_t size = binary.size();
  cl_int taken = CL_SUCCESS;
  cl_int status = CL_SUCCESS;
  Program program(clCreateProgramWithBinary(request.context, 1, &request.device, &size, &bytes,
                                            &taken, &status));
  if (status != CL_SUCCESS || taken != CL_SUCCESS) return std::nullopt;
  status = clBuildProgram(program.get(), 1, &request.device, options_of(request).c_str(), nullptr,
                          nullptr);
  if (status != CL_SUCCESS) return std::nullopt;
  return program;
}

void store(Disk& disk, const std::string& name, cl_program program) {
  size_t size = 0;
  if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, nullptr) !=
          CL_SUCCESS ||
      size == 0) {
    return;
  }
  std::string binary(size, '\0');
  auto* bytes = reinterpret_cast<unsigned char*>(binary.data());
  if (clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof(bytes), static_cast<void*>(&bytes),
                       nullptr) != CL_SUCCESS) {
    return;
  }
  const std::string file = std::string(kMark) + hex_of(hash_of(binary)) + binary;
  static_cast<void>(disk.replace(name, file).has_value());
}

}  // namespace

std::string cache_name(const ProgramRequest& request) {
  std::string all;
  for (const cl_device_info what :
       {CL_DEVICE_VENDOR, CL_DEVICE_NAME, CL_DEVICE_VERSION, CL_DRIVER_VERSION}) {
    all += device_text(request.device, what) + "\n";
  }
  all += options_of(request) + "\n" + kKernelSource;
  return hex_of(hash_of(all)) + ".bin";
}

Result<BuiltProgram> build_program(const ProgramRequest& request) {
  BuiltProgram built;
  const std::unique_ptr<Disk> disk = open_cache(request.cache_folder);
  const std::string name = cache_name(request);
  if (disk != nullptr) {
    if (const auto binary = read_cached(*disk, name)) {
      if (auto program = load(request, *binary)) {
        built.program = std::move(*program);
        built.is_cached = true;
        return built;
      }
    }
  }
  if (request.on_compile) request.on_compile();
  SYN_TRY(built.program, compile(request));
  if (disk != nullptr) store(*disk, name, built.program.get());
  return built;
}

}  // namespace syncline::opencl
