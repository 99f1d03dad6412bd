// Transactions of ours whose rows the log need not show: what they do is all that their statements
// say. No trigger, rule, policy or inherited table has a part in it, and no column changes what it
// is given; that is looked at in the transaction itself, behind its writes, when nobody can add one
// any more.
#include <algorithm>

#include "drivers/systems/postgres/detail/target.hpp"

namespace syncline::postgres {
namespace {

// Whether a write to one of these tables, an array of their names, may do more, or less, than it
// says.
std::string has_more(const std::string& tables) {
  const std::string any = "ANY(" + tables + "::regclass[]::oid[])";
  return "(EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgenabled IN ('A', 'R') AND tgrelid = " +
         any + ") OR EXISTS (SELECT FROM pg_catalog.pg_rewrite WHERE ev_class = " + any +
         ") OR EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = " + any +
         ") OR EXISTS (SELECT FROM pg_catalog.pg_class WHERE relrowsecurity AND oid = " + any +
         "))";
}

std::string look(const std::string& tables) {
  return "SELECT 1 / (CASE WHEN " + has_more(tables) + " THEN 0 ELSE 1 END)";
}

std::string array_of(const std::set<std::string>& tables) {
  ArrayLiteral names;
  for (const std::string& table : tables) names.add(table);
  return names.finish();
}

constexpr const char* kLeave = "SELECT pg_replication_origin_session_reset()";

}  // namespace

// Those whose writes have to be shown.
Result<std::set<model::DatasetId>> PostgresTarget::find_aloud(const std::vector<Mapped>& mapped) {
  std::set<model::DatasetId> aloud;
  for (const Mapped& one : mapped) {
    const std::string table = literal(array_of({one.table.sql_name()}));
    SYN_TRY(const Answer answer, connection_->query("SELECT " + has_more(table)));
    const bool is_plain = triggers_ == Triggers::kSuppressed && role_for(one) == "replica" &&
                          one.table.kind == 'r' && !answer.is_true(0, 0);
    if (!is_plain) aloud.insert(one.dataset());
  }
  return aloud;
}

bool PostgresTarget::may_be_quiet(const ports::WriteBatch& batch, const Writer::Plan& plan) const {
  return batch.may_be_quiet && plan.is_exact &&
         std::none_of(plan.groups.begin(), plan.groups.end(), [this](const Group& group) {
           return aloud_.contains(group.mapped->dataset());
         });
}

// The marker before it is under no origin: it is always shown.
void PostgresTarget::begin_quiet(Script& script) const {
  if (!has_origin_) return;
  script.asides.push_back(script.statements.size());
  script.add({"SELECT pg_replication_origin_session_setup" + origin_sql(shared_->object), {}});
}

void PostgresTarget::end_quiet(Script& script) const {
  script.asides.push_back(script.statements.size());
  script.add({look("$1"), {array_of(script.tables)}});
  if (!has_origin_) return;
  script.asides.push_back(script.statements.size());
  script.add({kLeave, {}});
}

// The same behind what is copied in; nothing for one that is not quiet.
std::string PostgresTarget::quiet_end(const Script& script) const {
  if (script.tables.empty()) return {};
  const std::string end = look(literal(array_of(script.tables))) + "; ";
  return has_origin_ ? end + kLeave + "; " : end;
}

// How to try again what failed by a statement that only quiet transactions have.
std::optional<PostgresTarget::Telling> PostgresTarget::other_telling(
    const Pipeline::Outcome& outcome, const Script& script) {
  const size_t failed = outcome.affected_counts.size();
  const auto& asides = script.asides;
  if (outcome.sqlstate.empty() || std::find(asides.begin(), asides.end(), failed) == asides.end()) {
    return std::nullopt;
  }
  const bool is_look = !script.statements[failed].parameters.empty();
  if (is_look) return Telling::kAloud;
  has_origin_ = false;  // it was dropped, or the server has no room for it
  return Telling::kQuietly;
}

// A transaction that failed may have left the session under it.
bool PostgresTarget::leave_origin() {
  if (!has_origin_) return true;
  return connection_
      ->run(
          "SELECT pg_replication_origin_session_reset() WHERE "
          "pg_replication_origin_session_is_setup()")
      .has_value();
}

}  // namespace syncline::postgres
