// The core against its executable model: traces made by core-model.py at test time, replayed
// through C++ lanes, must end where the model ended, with the same local cells and, where
// appliances form no cycle, the same conflicts.
//
// One trace again: SYN_TRACE_SEED=17 build/.../trace_replay --gtest_filter='*/deletes_newest'
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include "tests/model/world.hpp"

namespace syncline::trace {
namespace {

constexpr int kTracesPerCombination = 560;  // times 36 combinations: 20,160
constexpr int kReplayEvery = 16;            // of the traces, those whose lanes are also restored

struct Flags {
  const char* name;
  const char* arguments;
};
constexpr Flags kChanges[] = {{"plain", ""},
                              {"deletes", "--deletes"},
                              {"corrections", "--corrections"},
                              {"deletes_corrections", "--deletes --corrections"}};
constexpr Flags kTopologies[] = {
    {"", ""}, {"_tree", "--appliances 4"}, {"_cycles", "--appliances 4 --cycles"}};
constexpr Flags kPolicies[] = {{"_newest", "--policy newest"},
                               {"_oldest", "--policy oldest"},
                               {"_authority", "--policy authority"}};

using Combination = std::tuple<Flags, Flags, Flags>;

class TraceReplay : public testing::TestWithParam<Combination> {
 protected:
  static std::string command() {
    const auto& [changes, topology, policy] = GetParam();
    const char* seed = std::getenv("SYN_TRACE_SEED");
    const std::string which = seed != nullptr ? std::string("--seed ") + seed
                                              : "--runs " + std::to_string(kTracesPerCombination);
    return std::string("/usr/bin/python3 " SYN_CORE_MODEL " --trace ") + which + " " +
           changes.arguments + " " + topology.arguments + " " + policy.arguments + " 2>/dev/null";
  }
};

class Lines {
 public:
  explicit Lines(const std::string& command) : pipe_(popen(command.c_str(), "r")) {}
  ~Lines() {
    std::free(line_);
    if (pipe_ != nullptr) pclose(pipe_);  // its status is the model's verdict on itself
  }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  bool next(std::string_view& line) {
    const ssize_t size = pipe_ == nullptr ? -1 : getline(&line_, &capacity_, pipe_);
    if (size <= 0) return false;
    line = {line_, static_cast<size_t>(size)};
    return true;
  }

 private:
  FILE* pipe_;
  char* line_ = nullptr;
  size_t capacity_ = 0;
};

TEST_P(TraceReplay, ends_where_the_model_ends) {
  Lines lines(command());
  std::string_view line;
  int count = 0;
  for (; lines.next(line); ++count) {
    const Json trace = JsonReader::read(line);
    const int64_t seed = trace.at("seed").number;
    const Reading reading = seed % 2 == 0 ? Reading::kOneByOne : Reading::kTogether;
    SCOPED_TRACE("SYN_TRACE_SEED=" + std::to_string(seed));
    World world(trace, reading);
    world.run();
    ASSERT_EQ(world.differences(), "");
    if (seed % kReplayEvery < 2) world.check_replay();
  }
  EXPECT_EQ(count, std::getenv("SYN_TRACE_SEED") != nullptr ? 1 : kTracesPerCombination)
      << command();
}

INSTANTIATE_TEST_SUITE_P(Model, TraceReplay,
                         testing::Combine(testing::ValuesIn(kChanges),
                                          testing::ValuesIn(kTopologies),
                                          testing::ValuesIn(kPolicies)),
                         [](const testing::TestParamInfo<Combination>& made) {
                           return std::string(std::get<0>(made.param).name) +
                                  std::get<1>(made.param).name + std::get<2>(made.param).name;
                         });

}  // namespace
}  // namespace syncline::trace
