// Comparing the systems of a blueprint: for verify, plan, the demo's proof and `first = "stop"`.
//
// Opens connections of its own; changes nothing. Threads: one. Errors: those of the systems.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "host/app/blueprint.hpp"
#include "host/compare/compare.hpp"

namespace syncline::app {

struct ComparisonOptions {
  std::string dataset;    // empty: all
  int64_t settle_us = 0;  // look again at what differs until none of it settled for so long
  bool is_progress_shown = false;
  // Told of a dataset that cannot be compared, while the others are; without it that is the end.
  std::function<void(const std::string& dataset, const Error& error)> on_error = {};
  // Told of all that still differs then, some hundred records at a time.
  std::function<Result<compare::Then>(const std::string& dataset,
                                      std::span<const compare::Difference> left)>
      on_different = {};
};

struct ComparedDataset {
  std::string dataset;
  std::vector<std::string> systems;  // the sides, in the config's order
  compare::Comparison comparison;
  double seconds = 0;
  size_t rows_read = 0;          // of all systems, once
  uint64_t rows_per_second = 0;  // while that was so
};

// Errors: kInvalidArgument for an unknown dataset.
Result<std::vector<ComparedDataset>> compare_systems(const Blueprint& blueprint,
                                                     const ComparisonOptions& options);

struct SystemFinding {
  std::string system;
  ports::Finding finding;
};
// What the catalog of every system with datasets has to say. One that cannot say it stops its
// system, and holds up no other's.
std::vector<SystemFinding> find_in_systems(const Blueprint& blueprint);

// {"is_equal", "datasets": [{"dataset", "records", "equal", "missing", "different", ...}]}
// Records of one system that the key of another takes for one: each system's, with some of the keys
// and the statements that tell them apart.
Result<std::vector<SystemFinding>> find_collisions(const std::vector<ComparedDataset>& compared,
                                                   const Blueprint& blueprint);

boost::json::object comparison_to_json(const std::vector<ComparedDataset>& compared,
                                       const Blueprint& blueprint);
// One line a dataset, then one per differing cell with - and +, as a diff reads.
std::string comparison_text(const std::vector<ComparedDataset>& compared,
                            const Blueprint& blueprint);

boost::json::object plan_to_json(const ComparedDataset& compared, const Blueprint& blueprint);
std::string plan_text(const ComparedDataset& compared, const Blueprint& blueprint);

}  // namespace syncline::app
