// The sections of the config, read one by one; parse.cpp calls them in order.
//
// Threads: one at a time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/config/detail/reader.hpp"

namespace syncline::config::detail {

enum class NameOf : uint8_t { kAppliance, kSystem, kDataset, kGroup };

// Letters, digits, - and _, at most 63, not one of the config's own words.
void check_name(NameOf kind, const std::string& name, const Place& place, Problems& problems);

std::vector<std::string> names_of(const std::vector<SystemSettings>& systems);
std::vector<std::string> names_of(const std::vector<Mapping>& mappings);

// `systems`: those of the dataset.
enum class PolicyUse : uint8_t { kDefault, kField };
Policy read_policy(const Member& member, PolicyUse use, const std::vector<std::string>& systems,
                   TableReader& reader);

// REQUIRES: config.systems is complete.
Dataset read_dataset(const Member& member, const Config& config, const Offer& offer,
                     Problems& problems);

// What only shows when the sections stand side by side: ids that meet, tables used twice.
void check_whole(const Config& config, Problems& problems);

}  // namespace syncline::config::detail
