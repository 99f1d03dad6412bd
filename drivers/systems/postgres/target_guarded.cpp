// Marked transactions where no log tells what users do: each record is locked, and compared with
// what was shown of it, before it is written; what was made of it is kept as an echo.
#include "drivers/systems/postgres/detail/objects.hpp"
#include "drivers/systems/postgres/detail/scan_tables.hpp"
#include "drivers/systems/postgres/detail/target.hpp"

namespace syncline::postgres {
namespace {

// "\x6162"
std::string hex_of(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex = "\\x";
  for (const char byte : bytes) {
    hex += kDigits[static_cast<uint8_t>(byte) >> 4];
    hex += kDigits[static_cast<uint8_t>(byte) & 15];
  }
  return hex;
}

}  // namespace

Result<ports::ApplyResult> PostgresTarget::apply_guarded(const ports::WriteBatch& batch) {
  if (auto stopped = writer_->stopped(batch.writes); !stopped.empty()) {
    return stop(std::move(stopped));
  }
  const auto held = guard_->hold();
  role_ = "replica";
  stop_.reset();
  const Pipeline::Outcome begun = pipeline_->run(
      {{"BEGIN", {}}, marker(batch, Telling::kAloud), {"SET CONSTRAINTS ALL IMMEDIATE", {}}});
  if (!begun.is_done) return after_error(batch, begun, {});
  auto result = write_guarded(batch);
  standings_.clear();
  const bool is_over = result && !result.value().poison;
  if (!is_over && connection_ != nullptr) roll_back();
  if (!result && stop_) return stop({std::move(*stop_)});
  if (is_over) advance_sequences();
  return result;
}

Result<ports::ApplyResult> PostgresTarget::write_guarded(const ports::WriteBatch& batch) {
  SYN_TRY(scan::Present before, look_at(batch));
  SYN_TRY(standings_, guard_->check(batch.writes, before.images));
  if (!before.outside.empty()) {
    return ports::refused_by(scan::find_outside(*guard_, *writer_, batch.writes, before));
  }
  Writer::Plan plan = writer_->plan(batch.writes, standings_, {});
  if (!plan.poisons.empty()) return ports::refused_by(std::move(plan.poisons));
  brought_ = std::move(plan.brought);
  SYN_TRY(auto found, write_groups(batch, plan));
  if (!found.refused.empty()) return result_of(std::move(found));
  SYN_TRY(scan::Present after, look_at(batch));
  if (!after.outside.empty()) {
    return ports::refused_by(scan::find_outside(*guard_, *writer_, batch.writes, after));
  }
  SYN_TRY(commit_guarded(batch, after));
  guard_->wrote(batch.writes, after.images);
  return ports::ApplyResult{found.rows_written, {}, {}};
}

Result<scan::Present> PostgresTarget::look_at(const ports::WriteBatch& batch) {
  using Side = scan::Lookup::Side;
  scan::Present present;
  RowCells cells;
  for (const model::DatasetId dataset : guard_->touched(batch.writes)) {
    SYN_TRY(const Mapped* mapped, writer_->find(dataset));
    const scan::Lookup lookup(*guard_, batch.writes, dataset);
    auto answers = select_records(*connection_, *mapped, lookup.keys(), Records::kLocked);
    if (!answers) {
      if (is_of_dataset(answers.error())) stop_ = ports::DatasetStop{dataset, answers.error()};
      return std::move(answers).as_failure();
    }
    for (const Answer& rows : answers.value()) {
      for (size_t row = 0; row < rows.row_count(); ++row) {
        SYN_TRY(const std::string key, key_of(*mapped, rows, row, cells));
        const bool is_inside = rows.is_true(row, mapped->columns.size());
        lookup.take(key, is_inside ? Side::kInside : Side::kOutside, image_of(*mapped, rows, row),
                    present);
      }
    }
  }
  return present;
}

// At once; where something is refused, in parts.
Result<PostgresTarget::Found> PostgresTarget::write_groups(const ports::WriteBatch& batch,
                                                           Writer::Plan& plan) {
  SYN_TRY(const Tried tried, try_groups(std::move(plan.groups), "syncline_writes"));
  if (tried.is_done) {
    Found found;
    found.rows_written = tried.rows_written;
    return found;
  }
  SYN_TRY(connection_->run("ROLLBACK TO SAVEPOINT syncline_writes"));
  return write_apart(batch);
}

// What our transaction leaves of each record; and those that are durable go.
SqlStatement PostgresTarget::echo(const ports::WriteBatch& batch,
                                  const scan::Present& present) const {
  ArrayLiteral datasets;
  ArrayLiteral keys;
  ArrayLiteral images;
  for (const ports::RecordWrite& write : batch.writes) {
    if (!guard_->is_guarded(write.dataset)) continue;
    const auto image = present.images.find(guard_->id_of(write));
    datasets.add(std::to_string(write.dataset));
    keys.add(hex_of(write.key));
    images.add(hex_of(image == present.images.end() ? std::string_view() : image->second));
  }
  return {
      "WITH durable AS (DELETE FROM syncline.syncline_echo WHERE appliance = $1 AND system = "
      "$2 AND number <= $3::bigint) INSERT INTO syncline.syncline_echo (appliance, system, "
      "dataset, key, image) SELECT $1, $2, u.d, u.k, u.i FROM unnest($4::bigint[], "
      "$5::bytea[], $6::bytea[]) AS u(d, k, i)",
      {shared_->config.appliance, shared_->config.name, std::to_string(guard_->durable_echo()),
       datasets.finish(), keys.finish(), images.finish()}};
}

Result<void> PostgresTarget::commit_guarded(const ports::WriteBatch& batch,
                                            const scan::Present& present) {
  const Pipeline::Outcome outcome = pipeline_->run({echo(batch, present), {"COMMIT", {}}});
  if (outcome.is_done) return success();
  // Not told that it failed is not told that it did.
  if (outcome.sqlstate.empty()) connection_.reset();
  return outcome.error;
}

}  // namespace syncline::postgres
