// What commands print: the runtime's status and the ledger's records as JSON and as text for
// people. The JSON is the contract; the text is made from it, so both always say the same.
//
// Threads: pure functions. Errors: none.
#pragma once

#include <string>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "host/app/blueprint.hpp"
#include "host/app/runtime.hpp"
#include "host/model/frame.hpp"

namespace syncline::app {

// "  engines: cuda 120 batches, cpu 64 batches", and why one is out of service; of a status as
// JSON.
std::string engines_text(const boost::json::array& engines);

// Those of an engine's stages that are out of service, as "seal, open"; empty: none.
std::string stages_out_text(const dispatch::EngineReport& engine);

// One object a stage. appliance: the running one that explains; empty: none does.
boost::json::array explanations_to_json(const std::vector<dispatch::Explanation>& explanations,
                                        const std::string& appliance);
std::string explanations_text(const boost::json::array& explanations);

boost::json::object status_to_json(const Status& status);
boost::json::object conflict_to_json(const std::string& id, const model::Conflict& conflict,
                                     const Blueprint& blueprint);
boost::json::object skip_to_json(const std::string& id, const model::Skip& skip,
                                 const Blueprint& blueprint);

std::string status_text(const boost::json::object& status);
// "orders of s1: 45,000 of about 100,000 rows, 20,000 rows/s, about 3.0 s left".
std::string progress_text(const SyncProgress& progress);
std::string lag_text(const boost::json::object& status);
std::string conflicts_text(const boost::json::array& conflicts);
std::string conflict_text(const boost::json::object& conflict);
// What a dataset's key does not tell apart.
const char* equivalence_text(model::KeyEquivalence equivalence);
std::string quarantine_text(const boost::json::array& skips);

// "1.2 MiB", "3.4 s", "12,345".
std::string size_text(double bytes);
std::string duration_text(double seconds);
std::string count_text(uint64_t count);
// "2026-11-23T08:32:00.000001Z".
std::string time_text(int64_t time_us);

}  // namespace syncline::app
