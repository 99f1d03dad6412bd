// The labels of enums that columns hold, be it within an array, a domain, a composite or a range. A
// label that is renamed changes every row that has it, and no log tells of it.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "drivers/systems/postgres/detail/table.hpp"

namespace syncline::postgres {

// Per dataset: each label by its number, and the transaction that wrote it last.
using EnumLabels = std::map<model::DatasetId, std::map<std::string, std::string>>;

// One query for all of them.
Result<EnumLabels> read_enum_labels(Connection& connection, const std::vector<Mapped>& tables);

// The datasets in both of them of which a label was renamed; those that are new are in no row that
// the log did not tell.
std::vector<model::DatasetId> relabelled(const EnumLabels& before, const EnumLabels& now);

}  // namespace syncline::postgres
