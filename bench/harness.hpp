// The bench harness: measures us and a named peer alternately in one run, and reports the median
// with its spread as one JSON line on stdout and one row of a table on stderr.
//
// {"id","what","value","unit","beside","beside_value","ratio","spread","runs"}
//   value, beside_value  medians; beside is the peer's name, null where there is none
//   ratio                the median of the repetitions' own ratios: what slows both cancels out
//   spread               (largest - smallest) / median of our repetitions
// Threads: one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace syncline::bench {

struct Options {
  bool is_quick = false;  // smaller data, fewer repetitions: to see that it runs
  std::string only;       // an id, or a prefix of ids; empty: all
  // Figures that are below their goal, for the exit status under --strict.
  std::shared_ptr<std::vector<std::string>> misses = std::make_shared<std::vector<std::string>>();
  void miss(const std::string& id) const { misses->push_back(id); }
  size_t record_count = 0;  // known to a bench of the whole pipeline; 0: what the bench chooses
};

struct Figure {
  std::string id;  // one of the names in the manual: "stage.fingerprint"
  std::string what;
  double value = 0;
  std::string unit;
  std::string beside;
  double beside_value = 0;
  double ratio = 0;
  double spread = 0;
  int runs = 0;
};

// Does one repetition and returns how many units it did.
using Work = std::function<double()>;

struct Contestant {
  std::string name;
  Work work;
};

int repetitions(const Options& options);
double median(std::vector<double> values);
// (most - least) / median. REQUIRES: values is not empty.
double spread(const std::vector<double>& values);

// What a second is: of the wall, or of this thread's own time on a core, which other programs on
// the machine disturb less. kThread only where all the work is done by the calling thread.
enum class Time { kWall, kThread };

// Units a second of both. A warm-up each, then ours and theirs in turn. An empty peer.work: none.
Figure measure_rate(const Options& options, const std::string& id, const std::string& what,
                    const std::string& unit, const Work& ours, const Contestant& peer,
                    Time time = Time::kWall);

void report(const Figure& figure);

struct BenchRow {
  const char* id;
  void (*run)(const Options& options);
};

// The main of a bench program. --only ID, --records N, --quick, --strict, --list. Exit status 2 for
// a wrong command line; 1 under --strict where a figure misses its goal.
int run_benches(int argument_count, char** arguments, const std::vector<BenchRow>& rows);

}  // namespace syncline::bench
