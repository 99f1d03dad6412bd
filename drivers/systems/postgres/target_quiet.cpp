// Transactions of ours whose rows the log need not show: what they do is all that their statements
// say. No trigger, rule, policy or inherited table has a part in it, and the columns, which store
// what they are given, are still those that were looked at. That is asked in the transaction
// itself, behind its writes, when nobody can change it any more.
#include <algorithm>

#include "drivers/systems/postgres/detail/target.hpp"

namespace syncline::postgres {
namespace {

// What of a table decides how it stores a value.
constexpr const char* kShape =
    "(SELECT string_agg(attname || ' ' || atttypid || ' ' || atttypmod || attgenerated::text, ',' "
    "ORDER BY attnum) FROM pg_catalog.pg_attribute WHERE attrelid = t.name::regclass AND attnum > "
    "0 AND NOT attisdropped)";

// Whether a write to one of these tables may do more, or less, than it says, or another shape than
// it had. tables, shapes: arrays in SQL, one after the other the same tables'.
std::string has_more(const std::string& tables, const std::string& shapes) {
  const std::string any = "ANY(" + tables + "::regclass[]::oid[])";
  return "(EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgenabled IN ('A', 'R') AND tgrelid = " +
         any + ") OR EXISTS (SELECT FROM pg_catalog.pg_rewrite WHERE ev_class = " + any +
         ") OR EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = " + any +
         ") OR EXISTS (SELECT FROM pg_catalog.pg_class WHERE relrowsecurity AND oid = " + any +
         ") OR EXISTS (SELECT FROM unnest(" + tables + "::text[], " + shapes +
         "::text[]) AS t(name, shape) WHERE t.shape IS DISTINCT FROM " + kShape + "))";
}

std::string look(const std::string& tables, const std::string& shapes) {
  return "SELECT 1 / (CASE WHEN " + has_more(tables, shapes) + " THEN 0 ELSE 1 END)";
}

struct Arrays {
  std::string tables;
  std::string shapes;
};
Arrays arrays_of(const std::map<std::string, std::string>& tables) {
  ArrayLiteral names;
  ArrayLiteral shapes;
  for (const auto& [name, shape] : tables) {
    names.add(name);
    shapes.add(shape);
  }
  return {names.finish(), shapes.finish()};
}

constexpr std::string_view kDivisionByZero = "22012";
constexpr const char* kLeave = "SELECT pg_replication_origin_session_reset()";

}  // namespace

// Reads the tables' shapes, and those whose writes have to be shown.
Result<void> PostgresTarget::look_at_tables(const std::vector<Mapped>& mapped) {
  aloud_.clear();
  shapes_.clear();
  for (const Mapped& one : mapped) {
    const std::string name = one.table.sql_name();
    SYN_TRY(const std::string shape,
            connection_->query_text("SELECT " + std::string(kShape) + " FROM (SELECT " +
                                    literal(name) + " AS name) AS t"));
    shapes_[name] = shape;
    const Arrays arrays = arrays_of({{name, shape}});
    SYN_TRY(const Answer answer, connection_->query("SELECT " + has_more(literal(arrays.tables),
                                                                         literal(arrays.shapes))));
    const bool is_plain = triggers_ == Triggers::kSuppressed && role_for(one) == "replica" &&
                          one.table.kind == 'r' && !answer.is_true(0, 0);
    if (!is_plain) aloud_.insert(one.dataset());
  }
  return success();
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
  script.add(
      {"SELECT pg_replication_origin_session_setup" + origin_sql(shared_->object, place_), {}});
}

void PostgresTarget::end_quiet(Script& script) const {
  Arrays arrays = arrays_of(script.tables);
  script.look = script.statements.size();
  script.add({look("$1", "$2"), {std::move(arrays.tables), std::move(arrays.shapes)}});
  if (!has_origin_) return;
  script.asides.push_back(script.statements.size());
  script.add({kLeave, {}});
}

// The same behind what is copied in; nothing for one that is not quiet.
std::string PostgresTarget::quiet_end(const Script& script) const {
  if (script.tables.empty()) return {};
  const Arrays arrays = arrays_of(script.tables);
  const std::string end = look(literal(arrays.tables), literal(arrays.shapes)) + "; ";
  return has_origin_ ? end + kLeave + "; " : end;
}

// How to try again what failed by a statement that only quiet transactions have. Nothing: as any
// other, later.
std::optional<PostgresTarget::Telling> PostgresTarget::other_telling(
    const Pipeline::Outcome& outcome, const Script& script) {
  constexpr std::string_view kOriginTrouble[] = {"42501", "42704", "55000", "55006", "53400"};
  const size_t failed = outcome.affected_counts.size();
  if (failed == script.look && outcome.sqlstate == kDivisionByZero) return Telling::kAloud;
  const auto& asides = script.asides;
  const bool is_aside = std::find(asides.begin(), asides.end(), failed) != asides.end();
  const bool is_known = std::find(std::begin(kOriginTrouble), std::end(kOriginTrouble),
                                  outcome.sqlstate) != std::end(kOriginTrouble);
  if (!is_aside || !is_known) return std::nullopt;
  // It was dropped, another session holds it, or the server has no room for it.
  has_origin_ = false;
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
