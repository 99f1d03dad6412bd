// Our publication: which tables the log shows to us, and whether it has always done so. What others
// take out of it, be it for a moment, is in no log that we are shown.
//
// Threads: values; reads on the connection given. Errors: those of the connection.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "drivers/systems/postgres/detail/table.hpp"

namespace syncline::postgres {

// As it stands.
struct Publication {
  struct Member {
    std::string version;       // the row that says it is in, and the transaction that wrote it
    bool is_narrowed = false;  // by a row filter or a column list
  };
  int64_t number = 0;     // 0: there is none. Dropped and made anew it has another
  std::string version;    // the transaction that said last which changes it shows
  bool is_whole = false;  // all kinds of changes, of partitions as their root's
  bool is_wider = false;  // whole schemas, too
  Oid checkpoint = 0;     // the table of that name
  std::map<Oid, Member> members;
};

// What of it is compared from one look to the next.
struct Published {
  int64_t number = 0;  // 0: not known
  std::string version;
  std::map<model::DatasetId, std::string> members;  // the versions of the datasets' tables
};

Result<Publication> read_publication(Connection& connection, const std::string& name);

enum class Made : uint8_t { kBefore, kNow };
// Makes it one of exactly these tables and the checkpoint, whole; nothing is done where it is. Then
// `publication`, as it was read, says how it is.
Result<Made> install_publication(Connection& connection, const std::string& name,
                                 const std::vector<Mapped>& captured, Publication& publication);

Published published_of(const Publication& publication, const std::vector<Mapped>& captured);

// The datasets in both of them of which the log may lack something: their tables were out of it, or
// kinds of changes were.
std::vector<model::DatasetId> republished(const Published& before, const Published& now);

// The transactions that have written to these tables, or are about to: what one of them wrote
// before its table came into the publication is in no log. Names for have_ended.
Result<std::vector<std::string>> writers_of(Connection& connection,
                                            const std::vector<Mapped>& tables);
Result<bool> have_ended(Connection& connection, const std::vector<std::string>& writers);

}  // namespace syncline::postgres
