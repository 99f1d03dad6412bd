#include "drivers/systems/postgres/detail/numbering.hpp"

#include <algorithm>
#include <charconv>

namespace syncline::postgres {
namespace {

using ports::Finding, ports::Severity;

// A sequence is never set back: users number on while it is looked at. A short way is gone in its
// own steps; a long one leaves so much room behind the look that no user catches up in between.
constexpr const char* kAdvanceBegin =
    "SELECT CASE WHEN s.gap <= 0 THEN 0 WHEN s.gap <= 1000 THEN (SELECT max(nextval($2)) FROM "
    "generate_series(1, s.gap)) ELSE setval($2, $1::bigint) END FROM (SELECT $1::bigint - "
    "last_value + CASE WHEN is_called THEN 0 ELSE 1 END AS gap FROM ";

// Between a look at a sequence and its long way no other connection of ours may move it further.
// It holds until the pipeline's end, in the transaction that the server makes of what stands there.
// Our other connections go in turn: that is no user's lock, which we would not wait for.
constexpr const char* kWaitForOurs = "SELECT set_config('lock_timeout', '10s', true)";
constexpr const char* kOneByOne =
    "SELECT pg_advisory_xact_lock(hashtextextended('syncline.sequences', 0))";

// Ranges of systems that cannot count in steps begin here.
constexpr const char* kFarRange = "1000000000000000";

// Above every number that stands in the table or was given, also to a row that is gone since or not
// committed yet; but those of a far range.
std::string ranges_sql(const Mapped& mapped, const Column& column) {
  const std::string count = std::to_string(mapped.mapping->maker_count);
  const std::string name = quoted_name(column.name);
  const std::string& sequence = column.numbering.sequence;
  return "ALTER SEQUENCE " + sequence + " INCREMENT BY " + count + "; SELECT setval(" +
         literal(sequence) + ", (greatest((SELECT max(" + name + ") FROM " +
         mapped.table.sql_name() + " WHERE " + name + " < " + kFarRange +
         "), (SELECT last_value FROM " + sequence + " WHERE last_value < " + kFarRange +
         "), 0) / " + count + " + 1) * " + count + " + " +
         std::to_string(mapped.mapping->maker_index) + ");";
}

// The sequence that the column's default draws from, without being its own.
constexpr const char* kDrawnFrom =
    "SELECT quote_ident(n.nspname) || '.' || quote_ident(s.relname) FROM pg_attrdef d JOIN "
    "pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_depend p ON p.classid "
    "= 'pg_attrdef'::regclass AND p.objid = d.oid AND p.refclassid = 'pg_class'::regclass JOIN "
    "pg_class s ON s.oid = p.refobjid AND s.relkind = 'S' JOIN pg_namespace n ON n.oid = "
    "s.relnamespace WHERE d.adrelid = $1::oid AND a.attname = $2";

// Owned, it counts as an identity's does. One that several tables draw from stays as it is.
Result<std::string> owning_sql(Connection& connection, const Mapped& mapped, const Column& column) {
  const Parameter parameters[] = {std::to_string(mapped.table.oid), column.name};
  SYN_TRY(const std::string sequence, connection.query_text(kDrawnFrom, parameters));
  const std::string apart = "numbers = \"apart\" in the dataset's section of this system";
  if (sequence.empty()) return apart;
  return "ALTER SEQUENCE " + sequence + " OWNED BY " + mapped.table.sql_name() + "." +
         quoted_name(column.name) +
         "; then plan again. Where it numbers other tables too: " + apart;
}

// Numbers that two systems give must never meet; those of a field that is no key may be meant to.
Result<void> find_meeting(Connection& connection, const Mapped& mapped, size_t field,
                          std::vector<Finding>& out) {
  const ports::DatasetMapping& mapping = *mapped.mapping;
  const Column& column = mapped.columns[field];
  const bool is_key = field < mapped.key_count();
  const auto makers = static_cast<int64_t>(mapping.maker_count);
  if (mapping.direction == ports::Direction::kTo || makers < 2) return success();
  const Numbering& numbering = column.numbering;
  const int64_t rest = ((numbering.last % makers) + makers) % makers;
  const bool is_own_rest =
      numbering.step % makers == 0 && rest == static_cast<int64_t>(mapping.maker_index);
  if (!numbering.sequence.empty() && !numbering.is_bounded && is_own_rest) return success();
  const std::string what = (is_key ? "key column " : "column ") + column.name + " of " +
                           mapped.table.display_name() + " is numbered ";
  if (column.is_drawn) {
    out.push_back(
        {Severity::kWarning, mapped.schema->name,
         what + "by what its default makes of a sequence's numbers: see that systems "
                "never give the same",
         "numbers = \"apart\" in the dataset's section of this system, if they never do"});
    return success();
  }
  if (numbering.sequence.empty()) {
    SYN_TRY(std::string fix, owning_sql(connection, mapped, column));
    out.push_back({Severity::kWarning, mapped.schema->name,
                   what + "by a sequence that it does not own: see that systems never give the "
                          "same number",
                   std::move(fix)});
    return success();
  }
  const std::string apart =
      "numbers = \"apart\" in the dataset's section of this system, if they never do";
  if (numbering.is_bounded) {
    out.push_back({Severity::kWarning, mapped.schema->name,
                   what + "in a range of its own: see that no other system gives the same numbers",
                   apart});
    return success();
  }
  if (!numbering.is_writable && numbering.step % makers == 0) return success();  // asked for below
  const std::string steps =
      numbering.is_plain() ? "" : " in steps of " + std::to_string(numbering.step);
  out.push_back({is_key ? Severity::kStops : Severity::kWarning, mapped.schema->name,
                 what + "by this database" + steps +
                     ", and another system makes records too: two would share a number",
                 ranges_sql(mapped, column) + " Or " + apart});
  return success();
}

}  // namespace

Result<void> find_numbering(Connection& connection, const Mapped& mapped, const std::string& role,
                            std::vector<Finding>& out) {
  const bool is_written = mapped.mapping->direction != ports::Direction::kFrom;
  for (size_t field = 0; field < mapped.columns.size(); ++field) {
    const Column& column = mapped.columns[field];
    if (!column.is_numbered && !column.is_drawn) continue;
    const bool is_key = field < mapped.key_count();
    SYN_TRY(find_meeting(connection, mapped, field, out));
    if (!is_written || !column.is_numbered) continue;
    if (!is_key && column.is_always_identity) {
      out.push_back({Severity::kStops, mapped.schema->name,
                     "column " + column.name + " of " + mapped.table.display_name() +
                         " is GENERATED ALWAYS: the database takes no UPDATE of it",
                     identity_sql(mapped.table, column)});
    }
    const bool is_unsure = is_key && mapped.mapping->maker_count > 1;
    const bool is_asked = column.numbering.is_plain() || is_unsure;
    if (is_asked && !column.numbering.sequence.empty() && !column.numbering.is_writable) {
      out.push_back(
          {Severity::kWarning, mapped.schema->name,
           "sequence " + column.numbering.sequence +
               (column.numbering.is_plain() ? " stays behind the numbers that come from elsewhere"
                                            : " is not ours to read: whether its numbers meet "
                                              "another system's is not known"),
           "GRANT SELECT, UPDATE ON SEQUENCE " + column.numbering.sequence + " TO " + role + ";"});
    }
  }
  return success();
}

void note_brought(const Column& column, std::string_view text, Brought& brought) {
  if (!column.numbering.is_plain() || !column.numbering.is_writable) return;
  int64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || value < 1) return;
  int64_t& highest = brought[column.numbering.sequence];
  highest = std::max(highest, value);
}

std::vector<SqlStatement> Sequences::advance(const Brought& brought) const {
  std::vector<SqlStatement> statements;
  for (const auto& [sequence, value] : brought) {
    const auto reached = reached_.find(sequence);
    if (reached != reached_.end() && reached->second >= value) continue;
    if (is_shared_ && statements.empty()) statements = {{kWaitForOurs, {}}, {kOneByOne, {}}};
    statements.push_back({kAdvanceBegin + sequence + ") AS s", {std::to_string(value), sequence}});
  }
  return statements;
}

void Sequences::done(const Brought& brought) {
  for (const auto& [sequence, value] : brought) {
    int64_t& reached = reached_[sequence];
    reached = std::max(reached, value);
  }
}

}  // namespace syncline::postgres
