// What a run found wrong, and, where asked for, what it did.
//
// Threads: one at a time.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace syncline::simulation {

struct Violation {
  std::string promise;  // which one is broken, in a word or two
  std::string what;
};

class Report {
 public:
  explicit Report(std::ostream* trace = nullptr) : trace_(trace) {}

  void violation(const std::string& promise, const std::string& what) {
    if (violations_.size() < kViolationsMax) violations_.push_back({promise, what});
    if (is_traced()) trace("VIOLATION " + promise + ": " + what);
  }
  const std::vector<Violation>& violations() const { return violations_; }
  bool is_clean() const { return violations_.empty(); }

  bool is_traced() const { return trace_ != nullptr; }
  // Ask is_traced() before building a costly line.
  void trace(const std::string& line) {
    if (trace_ != nullptr) *trace_ << line << '\n';
  }

 private:
  static constexpr size_t kViolationsMax = 20;
  std::ostream* trace_;
  std::vector<Violation> violations_;
};

}  // namespace syncline::simulation
