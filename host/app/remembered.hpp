// What the data folder remembers of the systems' tables: enough to go on while a system is away, or
// while a table is not what it was. The daemon writes it whenever it starts.
//
// The file (docs/formats/systems.md): "systems.json" in the data folder. Threads: pure functions
// over the file. Errors: those of the Disk; a file that cannot be read counts as none.
#pragma once

#include <string>
#include <vector>

#include "host/base/disk.hpp"
#include "host/config/resolve.hpp"

namespace syncline::app {

// Empty where the folder has never run.
std::vector<config::SystemShape> read_remembered(const std::string& data_folder);
Result<void> remember(const std::vector<config::SystemShape>& shapes, Disk& disk);

// Of one system in such a list; null where it is not there.
const config::TableShape* find_table(const std::vector<config::SystemShape>& shapes,
                                     const std::string& system, const std::string& table);

}  // namespace syncline::app
