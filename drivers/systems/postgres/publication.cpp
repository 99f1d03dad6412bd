#include "drivers/systems/postgres/detail/publication.hpp"

#include <algorithm>
#include <set>

#include "drivers/systems/postgres/detail/objects.hpp"

namespace syncline::postgres {
namespace {

constexpr int kNarrowing = 150000;  // the first version with whole schemas in a publication
constexpr const char* kWhole =
    "publish = 'insert, update, delete, truncate', publish_via_partition_root = true";

// Filters and column lists are there from 15 on.
constexpr const char* kMembers =
    "SELECT p.oid, p.xmin, p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate AND "
    "p.pubviaroot, to_regclass($2)::oid, r.prrelid, r.prrelid || '.' || r.oid || '.' || r.xmin, "
    "coalesce(to_jsonb(r)->>'prqual', to_jsonb(r)->>'prattrs') IS NOT NULL, ";
constexpr const char* kOfMembers =
    " FROM pg_publication p LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid WHERE p.pubname = "
    "$1";
constexpr const char* kHasSchemas =
    "EXISTS (SELECT FROM pg_publication_namespace s WHERE s.pnpubid = p.oid)";

// Who writes through the table locks it, who writes to a partition of it locks that.
constexpr const char* kWriters =
    "WITH RECURSIVE part AS (SELECT unnest($1::oid[]) AS id UNION ALL SELECT i.inhrelid FROM part "
    "p JOIN pg_inherits i ON i.inhparent = p.id) SELECT DISTINCT l.virtualtransaction FROM "
    "pg_locks l JOIN part p ON p.id = l.relation WHERE l.locktype = 'relation' AND l.database = "
    "(SELECT oid FROM pg_database WHERE datname = current_database()) AND l.mode IN "
    "('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')";

bool is_as_wanted(const Publication& publication, const std::vector<Mapped>& captured) {
  std::set<Oid> wanted = {publication.checkpoint};
  for (const Mapped& mapped : captured) wanted.insert(mapped.table.oid);
  const auto& members = publication.members;
  return !publication.is_wider && members.size() == wanted.size() &&
         std::all_of(members.begin(), members.end(), [&](const auto& member) {
           return wanted.contains(member.first) && !member.second.is_narrowed;
         });
}

}  // namespace

Result<Publication> read_publication(Connection& connection, const std::string& name) {
  const std::string has_schemas = connection.version() >= kNarrowing ? kHasSchemas : "false";
  const Parameter parameters[] = {name, kCheckpoint};
  SYN_TRY(const Answer rows, connection.query(kMembers + has_schemas + kOfMembers, parameters));
  Publication publication;
  for (size_t row = 0; row < rows.row_count(); ++row) {
    publication.number = rows.integer(row, 0);
    publication.version = rows.text(row, 1);
    publication.is_whole = rows.is_true(row, 2);
    publication.checkpoint = static_cast<Oid>(rows.integer(row, 3));
    publication.is_wider = rows.is_true(row, 7);
    if (rows.is_null(row, 4)) continue;
    publication.members[static_cast<Oid>(rows.integer(row, 4))] = {std::string(rows.text(row, 5)),
                                                                   rows.is_true(row, 6)};
  }
  return publication;
}

Result<Made> install_publication(Connection& connection, const std::string& name,
                                 const std::vector<Mapped>& captured, Publication& publication) {
  std::string tables = kCheckpoint;
  for (const Mapped& mapped : captured) tables += ", " + mapped.table.sql_name();
  const Made made = publication.number == 0 ? Made::kNow : Made::kBefore;
  std::string sql;
  if (made == Made::kNow) {
    sql = "CREATE PUBLICATION " + quoted_name(name) + " FOR TABLE " + tables + " WITH (" + kWhole +
          ");";
  } else {
    const std::string alter = "ALTER PUBLICATION " + quoted_name(name) + " SET ";
    if (!publication.is_whole) sql.append(alter).append("(").append(kWhole).append(");");
    if (!is_as_wanted(publication, captured)) sql += alter + "TABLE " + tables + ";";
  }
  if (sql.empty()) return made;
  SYN_TRY(connection.run(sql));
  SYN_TRY(publication, read_publication(connection, name));
  return made;
}

Published published_of(const Publication& publication, const std::vector<Mapped>& captured) {
  Published published{publication.number, publication.version, {}};
  for (const Mapped& mapped : captured) {
    const auto member = publication.members.find(mapped.table.oid);
    const bool is_in = member != publication.members.end();  // else it went out as we looked
    published.members[mapped.dataset()] = is_in ? member->second.version : "out";
  }
  return published;
}

std::vector<model::DatasetId> republished(const Published& before, const Published& now) {
  std::vector<model::DatasetId> datasets;
  if (before.number == 0) return datasets;
  const bool is_altered = before.version != now.version;
  for (const auto& [dataset, version] : now.members) {
    const auto known = before.members.find(dataset);
    if (known == before.members.end()) continue;
    if (is_altered || known->second != version) datasets.push_back(dataset);
  }
  return datasets;
}

Result<std::vector<std::string>> writers_of(Connection& connection,
                                            const std::vector<Mapped>& tables) {
  ArrayLiteral oids;
  for (const Mapped& mapped : tables) oids.add(std::to_string(mapped.table.oid));
  const Parameter parameter[] = {oids.finish()};
  SYN_TRY(const Answer rows, connection.query(kWriters, parameter));
  std::vector<std::string> writers;
  writers.reserve(rows.row_count());
  for (size_t row = 0; row < rows.row_count(); ++row) writers.emplace_back(rows.text(row, 0));
  return writers;
}

Result<bool> have_ended(Connection& connection, const std::vector<std::string>& writers) {
  if (writers.empty()) return true;
  ArrayLiteral names;
  for (const std::string& writer : writers) names.add(writer);
  const Parameter parameter[] = {names.finish()};
  SYN_TRY(const Answer rows, connection.query("SELECT FROM pg_locks WHERE virtualtransaction = "
                                              "ANY($1::text[]) LIMIT 1",
                                              parameter));
  return rows.row_count() == 0;
}

}  // namespace syncline::postgres
