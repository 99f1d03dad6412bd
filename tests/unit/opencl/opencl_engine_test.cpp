// What is OpenCL's own: the cache of compiled programs, a driver that cannot compile, a device that
// hangs, and what the dispatcher makes of those. Results are held against the reference by the
// engines' suite. Skips, and says so, where there is no device.
#include "kernels/opencl/opencl_engine.hpp"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "host/dispatch/dispatcher.hpp"
#include "kernels/cpu/cpu_engine.hpp"
#include "kernels/device/device_engine.hpp"
#include "kernels/opencl/program.hpp"
#include "kernels/opencl/slot.hpp"
#include "tests/conformance/random_batch.hpp"
#include "tests/unit/bodies/zstd_frames.hpp"
#include "tests/unit/device/steady_rounds.hpp"

namespace syncline::opencl {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

class OpenclTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto made = make_opencl_engine({});
    if (!made.has_value()) GTEST_SKIP() << to_string(made.error());
    std::string pattern = (fs::temp_directory_path() / "syncline-opencl-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    options_.cache_folder = pattern + "/cache/opencl";
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  // A small batch by a fresh engine: the program is had from wherever it is.
  Result<void> run_once() {
    SYN_TRY(const auto engine, make_opencl_engine(options_));
    conformance::RawBatch batch(1);
    batch.add_row(SYN_OP_INSERT, 0, "k", {{0, "a"}});
    engine::Fingerprints ours;
    SYN_TRY(engine->fingerprint(batch.view(), {}, ours));
    engine::Fingerprints right;
    SYN_TRY(cpu::make_cpu_engine()->fingerprint(batch.view(), {}, right));
    EXPECT_EQ(ours.cells, right.cells);
    return success();
  }
  std::vector<fs::path> cached() {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(options_.cache_folder)) {
      files.push_back(entry.path());
    }
    return files;
  }
  static std::string read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void write(const fs::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }

  std::string folder_;
  OpenclOptions options_;
};

// A context of its own, for what lies below the engine.
class ProgramTest : public OpenclTest {
 protected:
  void SetUp() override {
    OpenclTest::SetUp();
    if (IsSkipped()) return;
    cl_platform_id platform = nullptr;
    ASSERT_EQ(clGetPlatformIDs(1, &platform, nullptr), CL_SUCCESS);
    ASSERT_EQ(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &shared_.device, nullptr),
              CL_SUCCESS);
    shared_.context =
        Context(clCreateContext(nullptr, 1, &shared_.device, nullptr, nullptr, nullptr));
    ASSERT_TRUE(shared_.context);
  }
  ProgramRequest request() {
    return {
        shared_.context.get(), shared_.device, "-DSYN_GROUP_WIDTH=1", options_.cache_folder, {}};
  }
  bool comes_from_disk() {
    auto built = build_program(request());
    EXPECT_TRUE(built.has_value());
    return built.has_value() && built.value().is_cached;
  }

  Shared shared_;
};

TEST_F(ProgramTest, ASecondBuildComesFromDisk) {
  EXPECT_FALSE(comes_from_disk());
  EXPECT_TRUE(comes_from_disk());
  ASSERT_EQ(cached().size(), 1u);
  EXPECT_EQ(cached()[0].filename(), cache_name(request()));
}

TEST_F(ProgramTest, ADamagedFileOfTheCacheIsMadeAnew) {
  EXPECT_FALSE(comes_from_disk());
  const fs::path file = cached()[0];
  const std::string whole = read(file);
  std::string flipped = whole;
  flipped[whole.size() / 2] = static_cast<char>(flipped[whole.size() / 2] ^ 1);
  for (const std::string& damaged : {std::string(), whole.substr(0, 20), flipped,
                                     whole.substr(0, whole.size() - 1), whole + "x"}) {
    write(file, damaged);
    EXPECT_FALSE(comes_from_disk()) << damaged.size();
    EXPECT_TRUE(comes_from_disk()) << "it was written again";
  }
}

TEST_F(ProgramTest, OtherOptionsAreAnotherProgram) {
  ProgramRequest other = request();
  other.options = "-D SYN_OTHER=1";
  EXPECT_NE(cache_name(request()), cache_name(other));
}

TEST_F(OpenclTest, AStartThatCompilesIsToldAndOneThatFindsKernelsIsNot) {
  int told = 0;
  options_.on_compile = [&told] { ++told; };
  EXPECT_TRUE(run_once().has_value());
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(run_once().has_value());
  EXPECT_EQ(told, 1);
}

TEST_F(OpenclTest, ACacheThatCannotBeWrittenIsNoError) {
  write(folder_ + "/cache", "a file where the folder should be");
  EXPECT_TRUE(run_once().has_value());
}

TEST_F(OpenclTest, ASteadyStateTakesNoMemoryOnTheDevice) {
  const auto engine = std::move(make_opencl_engine(options_).value());
  device::SteadyRounds rounds(*engine);
  const uint64_t before = allocations();
  ASSERT_NO_FATAL_FAILURE(rounds.run(20));
  const uint64_t warm = allocations();
  EXPECT_GT(warm, before + 4);
  ASSERT_NO_FATAL_FAILURE(rounds.run(20));
  EXPECT_EQ(allocations(), warm);
}

TEST_F(OpenclTest, ABlockThatFindsNoMemoryIsNoFault) {
  options_.memory_size = memory_held() + (24 << 20);
  const auto engine = std::move(make_opencl_engine(options_).value());
  device::SteadyRounds rounds(*engine);
  ASSERT_NO_FATAL_FAILURE(rounds.run(3));
  const std::string large = bodies::noise_of(20 << 20, 1, 6);
  const std::vector<engine::ColumnView> columns = {{0, 0, large}};
  for (int i = 0; i < 3; ++i) {
    const auto refused = engine->seal(columns, {}, "block");
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kEngineNotReady) << to_string(refused.error());
  }
  ASSERT_NO_FATAL_FAILURE(rounds.run(3));
}

TEST_F(OpenclTest, WhatTheDriverCannotCompileIsSaidInItsWords) {
  options_.build_options = "-D syn_find_slot=1";
  const auto failed = run_once();
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kEngine);
  EXPECT_THAT(failed.error().what, HasSubstr("opencl: the driver cannot compile the kernels"));
  EXPECT_THAT(failed.error().why, HasSubstr("CL_BUILD_PROGRAM_FAILURE"));
}

TEST_F(OpenclTest, WhatTheDriverCannotCompileIsTheCpusWithOneWarning) {
  options_.build_options = "-D syn_find_slot=1";
  std::vector<std::unique_ptr<engine::Engine>> engines;
  engines.push_back(std::move(make_opencl_engine(options_).value()));
  engines.push_back(cpu::make_cpu_engine());
  std::vector<std::string> warnings;
  const auto dispatcher =
      dispatch::Dispatcher::make(std::move(engines), "opencl", system_clock(),
                                 [&](const std::string& engine, const std::string& fault) {
                                   warnings.push_back(engine + ": " + fault);
                                 })
          .value();
  conformance::RawBatch batch(1);
  batch.add_row(SYN_OP_INSERT, 0, "k", {{0, "a"}});
  engine::Fingerprints out;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(dispatcher->fingerprint(batch.view(), {}, out).has_value());
  }
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0], HasSubstr("cannot compile"));
  EXPECT_TRUE(dispatcher->report()[0].is_out_of_service);
}

// A queue that waits for an event of ours hangs for as long as we like.
TEST_F(ProgramTest, AQueueThatDoesNotMoveIsGivenUpAtTheDeadlineAndSeenWhenItMoves) {
  shared_.program = std::move(build_program(request()).value().program);
  OpenclSlot slot(shared_);
  slot.wait_limit_us = 50'000;
  ASSERT_TRUE(slot.start().has_value());
  ASSERT_TRUE(slot.wait().has_value());
  const Event gate(clCreateUserEvent(shared_.context.get(), nullptr));
  cl_event waited_for = gate.get();
  ASSERT_EQ(clEnqueueMarkerWithWaitList(slot.queue(), 1, &waited_for, nullptr), CL_SUCCESS);
  const auto given_up = slot.wait();
  ASSERT_FALSE(given_up.has_value());
  EXPECT_EQ(given_up.error().code, ErrorCode::kEngine);
  EXPECT_TRUE(slot.use.is_lost);
  EXPECT_FALSE(slot.is_done().value());
  ASSERT_EQ(clSetUserEventStatus(gate.get(), CL_COMPLETE), CL_SUCCESS);
  slot.wait_limit_us = device::kWaitLimitUs;
  EXPECT_TRUE(slot.wait().has_value());
  EXPECT_TRUE(slot.is_done().value());
}

TEST(OpenclCacheFolder, FollowsTheUsersCache) {
  setenv("XDG_CACHE_HOME", "/somewhere", 1);
  EXPECT_EQ(default_cache_folder(), "/somewhere/syncline/opencl");
  unsetenv("XDG_CACHE_HOME");
  setenv("HOME", "/users/ann", 1);
  EXPECT_EQ(default_cache_folder(), "/users/ann/.cache/syncline/opencl");
  setenv("HOME", "", 1);
  EXPECT_EQ(default_cache_folder(), "");
}

}  // namespace
}  // namespace syncline::opencl
