// Which way of reading a system's config chooses.
//
// Threads: pure functions. Errors: kConfigValue.
#pragma once

#include <string>

#include "host/base/result.hpp"
#include "host/ports/system.hpp"

namespace syncline::scan {

// Whether its tables are scanned or polled; false: its log is read. One system has one of the two,
// for what a log tells and what tables show are two orders of its changes. what: "a PostgreSQL
// database".
Result<bool> is_scanned(const ports::SystemConfig& config, const std::string& what);

}  // namespace syncline::scan
