// The daemon: an appliance with its control socket, from start to a clean stop.
//
// Threads: run_daemon blocks the calling thread until SIGTERM or SIGINT; SIGHUP reloads.
// Errors: those of opening and of a runtime that cannot go on.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "host/app/appliance.hpp"
#include "host/app/control.hpp"

namespace syncline::app {

// Answers what the other commands ask: status, pause, resume, conflicts, quarantine, repair.
Result<boost::json::value> answer_request(Appliance& appliance, const boost::json::object& request);

// What the shadow's ledger holds, newest first; also for a stopped appliance's folder.
Result<boost::json::array> list_conflicts(state::Shadow& shadow, const Blueprint& blueprint,
                                          const std::string& dataset, uint64_t limit);
Result<boost::json::array> list_quarantine(state::Shadow& shadow, const Blueprint& blueprint,
                                           const std::string& dataset, uint64_t limit);

std::string to_hex(std::string_view bytes);
// Errors: kUsage.
Result<std::string> from_hex(std::string_view text);

struct DaemonOptions {
  std::string config_path;
  std::string engine;  // forces it over the config's; empty: the config's
};

Result<void> run_daemon(const DaemonOptions& options, Log& log);

}  // namespace syncline::app
