// How the tables were made when they were last looked at, as far as no log tells it, and the same
// as text, to be kept from one start to the next.
//
//   publication 16390 750        its number, and the transaction that said what it shows
//   dataset 7 16402              a dataset, and the file that its table is in
//   field 3 751                  a mapped column: its number, and the transaction that declared it
//   label 16500 754              of an enum in them: its number, and the transaction that named it
//   published 16402.16405.752    that its table is in the publication, and since when
//   partition 16410 16410/753    of a partitioned table: its number, its file, and who attached it
//
// Threads: values.
#pragma once

#include <string>
#include <string_view>

#include "drivers/systems/postgres/detail/enums.hpp"
#include "drivers/systems/postgres/detail/partitions.hpp"
#include "drivers/systems/postgres/detail/publication.hpp"
#include "drivers/systems/postgres/detail/rewrites.hpp"

namespace syncline::postgres {

struct SeenTables {
  Layouts layouts;
  EnumLabels labels;
  Partitions partitions;
  Published published;
};

std::string to_text(const SeenTables& seen);
// What cannot be read is not known: nothing is compared with it.
SeenTables seen_from(std::string_view text);

}  // namespace syncline::postgres
