// Full records that a table lacks, by COPY. What it cannot take, or not at once, goes the long way.
#include "drivers/systems/postgres/detail/copy.hpp"
#include "drivers/systems/postgres/detail/target.hpp"

namespace syncline::postgres {
namespace {

constexpr std::string_view kDivisionByZero = "22012";

}  // namespace

// REQUIRES: a transaction is open in which all but these are written; it ends with them.
Result<ports::ApplyResult> PostgresTarget::fill(const ports::WriteBatch& batch,
                                                const Script& script, size_t rows_written) {
  std::string sql;
  std::vector<const std::string*> texts;
  for (const Group& group : script.fills) {
    if (const auto role = role_change(*group.mapped)) sql += *role + "; ";
    sql += group.copy_sql() + "; ";
    texts.push_back(&group.rows);
  }
  const auto copied = copy_rows(*connection_, sql + quiet_end(script) + "COMMIT", texts);
  if (copied) {
    advance_sequences();
    return ports::ApplyResult{rows_written + copied.value(), {}, {}};
  }
  if (connection_->sqlstate().empty()) {
    connection_.reset();  // not told that a commit failed is not told that it did
    return copied.as_failure();
  }
  const bool is_of_rows = is_refusal(connection_->sqlstate());  // one is there, or not taken
  const bool was_not_quiet = !script.tables.empty() && connection_->sqlstate() == kDivisionByZero;
  roll_back();
  if (copied.error().code == ErrorCode::kSystemBusy || connection_ == nullptr) {
    return copied.as_failure();
  }
  if (was_not_quiet) {
    SYN_TRY(read_tables());
    return apply_together(batch, Telling::kAloud);
  }
  for (const Group& group : script.fills) {
    filling_.erase(group.mapped->dataset());
    if (!is_of_rows) uncopied_.insert(group.mapped->dataset());
  }
  return apply(batch);
}

}  // namespace syncline::postgres
