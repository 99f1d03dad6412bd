// The SQLite connector: changes are captured by triggers into a change table, or by reading whole
// tables where triggers are refused; writes are marked transactions.
//
// make_sqlite does no I/O: the three faces open the file when they are first used, each with
// connections of its own, so each may live on a thread of its own. config's schemas outlive the
// system. What SQLite can and cannot do is in README.md beside this file.
#pragma once

#include "host/base/clock.hpp"
#include "host/base/result.hpp"
#include "host/ports/sql_quotes.hpp"
#include "host/ports/system.hpp"

namespace syncline::sqlite {

// url: "sqlite:///absolute/path", "sqlite://relative/path" or a plain path. Errors: kConfigValue.
Result<ports::System> make_sqlite(const ports::SystemConfig& config, Clock& clock);

ports::SqlQuotes sql_quotes();

}  // namespace syncline::sqlite
