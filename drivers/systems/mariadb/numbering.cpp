#include "drivers/systems/mariadb/detail/numbering.hpp"

namespace syncline::mariadb {
namespace {

using ports::Finding, ports::Severity;

// Of the server: what a session of a user's counts by from its beginning on.
struct Steps {
  int64_t increment = 1;
  int64_t offset = 1;

  // An offset above the increment counts for nothing.
  bool gives(int64_t makers, int64_t index) const {
    return increment % makers == 0 && offset <= increment && offset % makers == index;
  }
};

// For a table alone, as servers with several systems need it: a sequence does not go on above what
// others bring, and has no need to.
std::string sequence_sql(const Mapped& mapped, const Column& column) {
  const std::string count = std::to_string(mapped.mapping->maker_count);
  const std::string table = quoted_name(mapped.table.name);
  const std::string sequence = quoted_name(mapped.table.name + "_" + column.name + "_numbers");
  return "SELECT (AUTO_INCREMENT DIV " + count + " + 1) * " + count + " + " +
         std::to_string(mapped.mapping->maker_index) +
         " INTO @start FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND "
         "TABLE_NAME = " +
         literal(mapped.table.name) + "; EXECUTE IMMEDIATE concat(" +
         literal("CREATE SEQUENCE " + sequence + " INCREMENT BY " + count + " START WITH ") +
         ", @start); ALTER TABLE " + table + " MODIFY " + quoted_name(column.name) + " " +
         column.type.name + " NOT NULL DEFAULT nextval(" + sequence + ");";
}

std::string steps_sql(const Mapped& mapped) {
  const size_t count = mapped.mapping->maker_count;
  const size_t index = mapped.mapping->maker_index;
  // Offsets begin at 1: the first system's remainder, 0, is the increment itself.
  const std::string increment = std::to_string(count);
  const std::string offset = std::to_string(index == 0 ? count : index);
  return "SET GLOBAL auto_increment_increment = " + increment +
         "; SET GLOBAL auto_increment_offset = " + offset +
         "; and in the server's config, that it outlives a restart: auto_increment_increment = " +
         increment + " and auto_increment_offset = " + offset +
         ". Sessions of users that are open must connect anew";
}

// MySQL has no sequences.
Finding meeting_keys(const ServerKind& server, const Mapped& mapped, const Column& column,
                     const Steps& steps) {
  std::string what =
      "key column " + column.name + " of " + mapped.table.name +
      " is numbered by this server (auto_increment_increment = " + std::to_string(steps.increment) +
      ", auto_increment_offset = " + std::to_string(steps.offset) +
      "), and another system makes records too: two would share a number";
  std::string fix = steps_sql(mapped) + ".";
  if (!server.is_mysql()) {
    fix +=
        " Where another system lies on this same server, whose settings are one for all: a "
        "sequence for this key, " +
        sequence_sql(mapped, column);
  }
  return {Severity::kStops, mapped.schema->name, std::move(what),
          fix +
              " Or numbers = \"apart\" in the dataset's section of this system, if its numbers "
              "are kept apart otherwise"};
}

}  // namespace

Result<void> find_numbering(Connection& connection, const Mapped& mapped,
                            std::vector<Finding>& out) {
  const ports::DatasetMapping& mapping = *mapped.mapping;
  if (mapping.direction == ports::Direction::kTo || mapping.maker_count < 2) return success();
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    if (!mapped.columns[i].is_numbered) continue;
    SYN_TRY(Answer row, connection.query("SELECT @@global.auto_increment_increment, "
                                         "@@global.auto_increment_offset"));
    row.next();
    const Steps steps{row.integer(0), row.integer(1)};
    const bool is_apart = steps.gives(static_cast<int64_t>(mapping.maker_count),
                                      static_cast<int64_t>(mapping.maker_index));
    if (!is_apart) {
      out.push_back(meeting_keys(connection.kind(), mapped, mapped.columns[i], steps));
    }
  }
  return success();
}

}  // namespace syncline::mariadb
