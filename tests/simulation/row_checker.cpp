#include <algorithm>

#include "tests/simulation/checker.hpp"

namespace syncline::simulation {

namespace {

// Where such a row is always moved as the row that it is.
bool moves_rows(const ModelSystem& system) {
  return system.plan().poison_modulus == 0 && !system.was_busy;
}

void check_kept(const AtRest& rest, const ModelSystem& system, const RowLine& line) {
  const RecordKey& record = line.path.back();
  const std::string where = system.plan().name + " " + describe(rest.plan, record);
  const StoredRow* row = system.row(record);
  if (row == nullptr) {
    if (system.plan().poison_modulus == 0) rest.report.violation("a row is lost", where);
    return;
  }
  const auto kept = line.kept.find(system.index());
  if (!moves_rows(system) ||
      rest.plan.datasets[record.dataset].insert_exists != core::InsertExists::kMerge) {
    return;
  }
  if (kept != line.kept.end() && row->kept == kept->second) return;
  std::string path;
  for (const RecordKey& each : line.path) path += " " + each.key;
  rest.report.violation("a private cell is lost",
                        where + " keeps " + std::to_string(row->kept) + ", and once " +
                            std::to_string(kept == line.kept.end() ? 0 : kept->second) +
                            "; its keys:" + path);
}

void check_left(const AtRest& rest, const ModelSystem& system, const RowLine& line) {
  for (auto key = line.path.begin(); key + 1 != line.path.end(); ++key) {
    if (system.row(*key) == nullptr) continue;
    rest.report.violation("it came back by itself",
                          system.plan().name + " holds " + describe(rest.plan, *key) +
                              ", which a user moved to " + line.path.back().key);
  }
}

}  // namespace

bool AtRest::is_apart(const ModelSystem& system, const RecordKey& record) const {
  return std::any_of(observers.begin(), observers.end(), [&](const Observer* each) {
    return each->apart.contains({system.plan().id, record});
  });
}

void check_rows(const AtRest& rest) {
  for (const RowLine& line : rest.lineage.lines()) {
    if (!line.is_plain || line.path.empty()) continue;
    for (const auto& system : rest.systems) {
      check_kept(rest, *system, line);
      check_left(rest, *system, line);
    }
  }
}

}  // namespace syncline::simulation
