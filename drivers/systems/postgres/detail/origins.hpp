// Replication origins (16 and later): under ours the server leaves the rows that we write out of
// what it sends us. It then leaves out those of every other origin too, so it is asked for only
// from a place on before which nobody else can have written under one; where somebody has since,
// the tables have to be read for it.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <string>
#include <vector>

#include "drivers/systems/postgres/detail/connection.hpp"
#include "drivers/systems/postgres/detail/place.hpp"
#include "drivers/systems/postgres/detail/shared.hpp"
#include "host/ports/catalog.hpp"

namespace syncline::postgres {

enum class Origin : uint8_t {
  kNone,     // there is none of ours, or it is of no use to us
  kOurs,     // rows under it are ours alone, and nobody else writes under one
  kForeign,  // ours is there, and somebody else's too: that one's rows may have been left out
};
struct Origins {
  Origin ours = Origin::kNone;
  int64_t made_count = 0;  // by anybody, as the server counts them: one that came and went shows
  Lsn end = 0;             // of the log, before the look
  bool operator==(const Origins& other) const {
    return ours == other.ours && made_count == other.made_count;
  }
};
Result<Origins> look_at_origins(Connection& connection, const std::string& object);

// Each connection that we write through has an origin of its own, for no two may be under one at
// the same time. place: the connection's, from 0.
//
// Whether it is there, and this session has the rights that it takes to write under it.
Result<bool> may_use_origin(Connection& connection, const std::string& object, size_t place);
// The name of the one that is wanted; empty: the server is too old, somebody else writes under one,
// or we may not.
Result<std::string> wanted_origin(Connection& connection, const std::string& object, size_t place);
// Makes those of the first `count` places that are wanted and not there: all at once, for each that
// comes later is looked into by who reads the log without our rows.
Result<void> install_origins(Connection& connection, const std::string& object, size_t count);
// Those of all our connections that are there. kSystemBusy: a session still uses one.
Result<void> drop_origins(Connection& connection, const std::string& object);

// The SQL text of its name in this database.
std::string origin_sql(const std::string& object, size_t place);
// The condition that a row o of pg_replication_origin is one of ours here.
std::string is_ours(const std::string& object);
// Why the server sends our own writes back, where it need not, and what mends it.
Result<void> find_needless_echoes(Connection& connection, const std::string& object,
                                  std::vector<ports::Finding>& out);

}  // namespace syncline::postgres
