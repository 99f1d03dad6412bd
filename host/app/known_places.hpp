// How far each system's log was read, beside the journal, so that `plan` and `doctor` can ask a
// system whether it still has that place, while no appliance runs and without opening what one
// would: a system that has not was put back.
//
// The file (docs/formats/places.md): "places.json" in the data folder, written now and then; it may
// be behind, and is ahead of nothing that a system has shown. Threads: pure functions over the
// file. Errors: those of the Disk; a file that cannot be read counts as none.
#pragma once

#include <map>
#include <string>

#include "host/base/disk.hpp"
#include "host/model/position.hpp"

namespace syncline::app {

using KnownPlaces = std::map<std::string, model::Position>;  // by the system's name

// Empty where the folder has never run.
KnownPlaces read_places(const std::string& data_folder);
Result<void> keep_places(const KnownPlaces& places, Disk& disk);
// Its place is another from now on.
Result<void> forget_place(const std::string& system, Disk& disk);

}  // namespace syncline::app
