// syncline-sim: whole runs of Syncline in one thread, each from one seed.
//
//   syncline-sim --seed N [--trace]      one run
//   syncline-sim --seeds A-B [--part I/N] [--stop-at-first]
//                                        many; prints failing seeds and runs per second
#include <charconv>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <optional>
#include <string_view>

#include "tests/simulation/world.hpp"

namespace {

using syncline::simulation::Report;
using syncline::simulation::run_seed;
using syncline::simulation::RunFigures;

constexpr uint64_t kFailuresShown = 5;

struct Arguments {
  uint64_t first = 1;
  uint64_t last = 0;
  uint64_t part = 0;
  uint64_t part_count = 1;
  bool is_traced = false;
  uint64_t failures_max = kFailuresShown;
};

bool parse_number(std::string_view text, uint64_t& number) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

bool parse_pair(std::string_view text, char separator, uint64_t& left, uint64_t& right) {
  const size_t middle = text.find(separator);
  return middle != std::string_view::npos && parse_number(text.substr(0, middle), left) &&
         parse_number(text.substr(middle + 1), right);
}

std::optional<Arguments> parse(int argc, char** argv) {
  Arguments arguments;
  for (int at = 1; at < argc; ++at) {
    const std::string_view name = argv[at];
    if (name == "--trace") {
      arguments.is_traced = true;
      continue;
    }
    if (name == "--stop-at-first") {
      arguments.failures_max = 1;
      continue;
    }
    if (at + 1 == argc) return std::nullopt;
    const std::string_view value = argv[++at];
    bool is_good = false;
    if (name == "--seed") {
      is_good = parse_number(value, arguments.first);
      arguments.last = arguments.first;
    } else if (name == "--seeds") {
      is_good = parse_pair(value, '-', arguments.first, arguments.last);
    } else if (name == "--part") {
      is_good = parse_pair(value, '/', arguments.part, arguments.part_count) &&
                arguments.part < arguments.part_count;
    }
    if (!is_good) return std::nullopt;
  }
  if (arguments.last < arguments.first) return std::nullopt;
  return arguments;
}

void print_failure(uint64_t seed, const Report& report) {
  std::cout << "seed " << seed << " FAILED\n";
  for (const auto& violation : report.violations()) {
    std::cout << "  " << violation.promise << ": " << violation.what << "\n";
  }
  std::cout << "  replay: build/release/syncline-sim --seed " << seed << " --trace" << std::endl;
}

int run(const Arguments& arguments) {
  const auto begin = std::chrono::steady_clock::now();
  uint64_t runs = 0;
  uint64_t failures = 0;
  RunFigures sum;
  for (uint64_t seed = arguments.first; seed <= arguments.last; ++seed) {
    if (seed % arguments.part_count != arguments.part) continue;
    Report report(arguments.is_traced ? &std::cout : nullptr);
    const RunFigures figures = run_seed(seed, report);
    ++runs;
    sum.user_transactions += figures.user_transactions;
    sum.marked_transactions += figures.marked_transactions;
    sum.quiet_transactions += figures.quiet_transactions;
    sum.entries += figures.entries;
    sum.conflicts += figures.conflicts;
    sum.crashes += figures.crashes;
    sum.joined_entries += figures.joined_entries;
    sum.moved_rows += figures.moved_rows;
    sum.rows_apart += figures.rows_apart;
    sum.device_batches += figures.device_batches;
    sum.device_faults += figures.device_faults;
    if (report.is_clean()) continue;
    print_failure(seed, report);
    if (++failures == arguments.failures_max) break;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf(
      "%llu runs, %llu failed, %.1f seeds/s; %llu user transactions, %llu marked "
      "transactions (%llu of them quiet), %llu entries (%llu more joined from peers), %llu "
      "conflicts, %llu crashes, %llu rows moved, %llu set apart, %llu batches on devices, %llu "
      "faults "
      "of those\n",
      static_cast<unsigned long long>(runs), static_cast<unsigned long long>(failures),
      static_cast<double>(runs) / took.count(),
      static_cast<unsigned long long>(sum.user_transactions),
      static_cast<unsigned long long>(sum.marked_transactions),
      static_cast<unsigned long long>(sum.quiet_transactions),
      static_cast<unsigned long long>(sum.entries),
      static_cast<unsigned long long>(sum.joined_entries),
      static_cast<unsigned long long>(sum.conflicts), static_cast<unsigned long long>(sum.crashes),
      static_cast<unsigned long long>(sum.moved_rows),
      static_cast<unsigned long long>(sum.rows_apart),
      static_cast<unsigned long long>(sum.device_batches),
      static_cast<unsigned long long>(sum.device_faults));
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = parse(argc, argv);
  if (!arguments) {
    std::cerr
        << "usage: syncline-sim --seed N [--trace] | --seeds A-B [--part I/N] [--stop-at-first]\n";
    return 2;
  }
  return run(*arguments);
}
