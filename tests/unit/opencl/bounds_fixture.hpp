// What tests of kernels' bounds share: a processor that OpenCL runs on, the engine's program or a
// bent one, and runs of its kernels over guarded memory (guarded_memory.hpp).
//
// Skips, and says so, where there is no such processor. Threads: one.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "kernels/opencl/program.hpp"
#include "tests/unit/opencl/guarded_memory.hpp"

namespace syncline::opencl {

using Edge = Guarded::Edge;

inline constexpr Edge kEdges[] = {Edge::kBegin, Edge::kEnd};

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  EXPECT_EQ(text.find(from, at + 1), std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

// A kernel's text, and what stands there instead.
struct Bend {
  const char* what;
  const char* from;
  const char* to;
};

// A text without the kernels that are not named: there is less to compile.
inline std::string with_only(std::initializer_list<std::string_view> names, std::string source) {
  size_t at = 0;
  while ((at = source.find("\n__kernel ", at)) != std::string::npos) {
    const size_t end = source.find("\n}\n", at) + 2;
    const std::string_view head(&source[at], source.find('(', source.find("void", at)) - at);
    const auto is_named = [&](std::string_view name) {
      return head.ends_with(name) && head[head.size() - name.size() - 1] == ' ';
    };
    if (std::any_of(names.begin(), names.end(), is_named)) {
      at = end;
    } else {
      source.erase(at, end - at);
    }
  }
  return source;
}

class BoundsTest : public testing::TestWithParam<uint32_t> {
 protected:
  void SetUp() override {
    cl_platform_id platform = nullptr;
    if (clGetPlatformIDs(1, &platform, nullptr) != CL_SUCCESS ||
        clGetDeviceIDs(platform, CL_DEVICE_TYPE_CPU, 1, &device_, nullptr) != CL_SUCCESS) {
      GTEST_SKIP() << "no processor that OpenCL runs on";
    }
    context_ = Context(clCreateContext(nullptr, 1, &device_, nullptr, nullptr, nullptr));
    queue_ = Queue(clCreateCommandQueue(context_.get(), device_, 0, nullptr));
    Guards::forget_all();
    Guards::watch();
  }

  // The engine's program.
  void build() { build_of(kKernelSource, ""); }
  // These kernels, bent; as they are written, so that nothing that they do is left out.
  void build_bent(const Bend& bend, std::initializer_list<std::string_view> kernels) {
    build_of(with_only(kernels, replaced(kKernelSource, bend.from, bend.to)), " -cl-opt-disable");
  }
  void build_of(const std::string& source, const std::string& more_options) {
    const char* text = source.c_str();
    program_ = Program(clCreateProgramWithSource(context_.get(), 1, &text, nullptr, nullptr));
    const std::string options =
        "-cl-std=CL1.2 -DSYN_GROUP_WIDTH=" + std::to_string(GetParam()) + more_options;
    ASSERT_EQ(clBuildProgram(program_.get(), 1, &device_, options.c_str(), nullptr, nullptr),
              CL_SUCCESS);
  }

  // So many groups. Arguments are numbers and buffers, as clSetKernelArg takes them.
  template <class... Arguments>
  void run_groups(size_t count, const char* name, const Arguments&... arguments) {
    const Kernel kernel(clCreateKernel(program_.get(), name, nullptr));
    cl_uint index = 0;
    const bool are_taken =
        ((clSetKernelArg(kernel.get(), index++, sizeof arguments, &arguments) == CL_SUCCESS) &&
         ...);
    ASSERT_TRUE(are_taken);
    const size_t width = GetParam();
    const size_t whole = count * width;
    ASSERT_EQ(clEnqueueNDRangeKernel(queue_.get(), kernel.get(), 1, nullptr, &whole, &width, 0,
                                     nullptr, nullptr),
              CL_SUCCESS);
    ASSERT_EQ(clFinish(queue_.get()), CL_SUCCESS);
  }
  template <class... Arguments>
  void run(const char* name, const Arguments&... arguments) {
    run_groups(1, name, arguments...);
  }
  // As many groups as hold so many work items, at least one: the last ones have nothing to do.
  template <class... Arguments>
  void run_items(size_t count, const char* name, const Arguments&... arguments) {
    run_groups(count / GetParam() + 1, name, arguments...);
  }

  cl_device_id device_ = nullptr;
  Context context_;
  Queue queue_;
  Program program_;
};

inline std::string width_name(const testing::TestParamInfo<uint32_t>& instance) {
  return "Width" + std::to_string(instance.param);
}

}  // namespace syncline::opencl
