// Resync: a system starts anew after a gap (a restored backup, a lost log, the wrong data folder).
// Its epoch is raised, its log is read from now on, and at the next start its rows are compared by
// key with what is accepted; what differs is delivered, what it alone holds is taken.
//
// REQUIRES: no runtime on this storage. Threads: one. Errors: kStorage*.
#pragma once

#include "host/app/appliance.hpp"

namespace syncline::app {

// The shadow's items that a system's place in an appliance is kept in.
std::string epoch_item(const std::string& system);
std::string cursor_item(const std::string& system);
std::string needs_plan_item(const std::string& system);
std::string rescan_item(model::DatasetId dataset, model::SystemId system);
// How its tables were made when that was last told (Source::layout); empty: not known.
std::string layout_item(const std::string& system);
// How far a first sync has read; empty: from the start.
std::string sync_cursor_item(model::DatasetId dataset, model::SystemId system);
std::string phase_item(model::DatasetId dataset, model::SystemId system);
// The row filter that a system's records were read with; empty: none is noted.
std::string filter_item(model::DatasetId dataset, model::SystemId system);
std::string encode_filter(const std::string& where);
// Likewise the ways they go, its table and the columns of the fields.
std::string mapping_item(model::DatasetId dataset, model::SystemId system);
std::string encode_mapping(const ports::DatasetMapping& mapping);
inline constexpr std::string_view kMappingPrefix = "mapping/";
inline constexpr std::string_view kTakenOut = "taken out\n";  // in its place, of one that is gone
std::string encode_epoch(uint32_t epoch);

// Errors: kInvalidArgument for a system that the config does not name; the held dataset's where it
// was synced.
Result<void> prepare_resync(Storage& storage, const Blueprint& blueprint, const std::string& system,
                            Clock& clock);

// Refuses a system in which nothing is of this data folder: it may be quite another database.
Result<void> refuse_stranger(Storage& storage, const Blueprint& blueprint,
                             const std::string& system, Clock& clock);

}  // namespace syncline::app
