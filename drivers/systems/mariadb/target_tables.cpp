// The tables that are written to, and the triggers on them, as they are now; and locks of rows.
#include <algorithm>

#include "drivers/systems/mariadb/detail/findings.hpp"
#include "drivers/systems/mariadb/detail/reads.hpp"
#include "drivers/systems/mariadb/detail/target.hpp"

namespace syncline::mariadb {
namespace {

constexpr int64_t kTriggersEveryUs = 5'000'000;
constexpr int64_t kTriggersFactor = 100;  // at most a hundredth of the time goes to asking

}  // namespace

// What `plan` asked of triggers is asked again: some may have been added since.
Result<void> MariadbTarget::read_tables() {
  std::vector<Mapped> mapped;
  std::map<model::DatasetId, Error> stopped;
  for (const ports::DatasetMapping& mapping : shared_->config.datasets) {
    if (mapping.direction == ports::Direction::kFrom) continue;
    auto read = read_mapped(*connection_, mapping, *shared_->charsets);
    if (read) {
      SYN_TRY(auto problems, trigger_problems(*connection_, read.value()));
      if (problems.empty()) {
        mapped.push_back(std::move(read).value());
      } else {
        stopped.emplace(mapping.schema->dataset, std::move(problems.front()));
      }
    } else if (read.error().code == ErrorCode::kSystemSchema ||
               read.error().code == ErrorCode::kSystemKey) {
      stopped.emplace(mapping.schema->dataset, std::move(read).error());
    } else {
      return std::move(read).as_failure();
    }
  }
  writer_ = std::make_unique<Writer>(std::move(mapped), std::move(stopped));
  return success();
}

// MySQL waits for a lock for a second at least, and behind us the user might be the victim of a
// deadlock. So the rows that are there are locked first, without waiting.
Result<void> MariadbTarget::lock_records(const ports::WriteBatch& batch) {
  if (!connection_->kind().is_mysql()) return success();
  std::map<model::DatasetId, std::vector<std::string>> keys;
  for (const ports::RecordWrite& write : batch.writes) {
    keys[write.dataset].emplace_back(write.key);
  }
  for (const auto& [dataset, wanted] : keys) {
    SYN_TRY(const Mapped* mapped, writer_->find(dataset));
    auto locked = select_records(*connection_, *mapped, wanted, Records::kLocked);
    if (locked) continue;
    if (is_of_dataset(locked.error())) stop_ = ports::DatasetStop{dataset, locked.error()};
    return std::move(locked).as_failure();
  }
  return success();
}

// The server tells nobody when one is added, and to ask takes milliseconds: now and then, so that
// nobody's trigger fires for long.
Result<void> MariadbTarget::look_for_triggers() {
  const int64_t began_us = clock_.steady_us();
  if (began_us < triggers_due_us_) return success();
  SYN_TRY(std::string now, list_triggers(*connection_));
  const int64_t took_us = clock_.steady_us() - began_us;
  triggers_due_us_ = began_us + std::max(kTriggersEveryUs, kTriggersFactor * took_us);
  if (now != triggers_) writer_.reset();
  triggers_ = std::move(now);
  return success();
}

}  // namespace syncline::mariadb
