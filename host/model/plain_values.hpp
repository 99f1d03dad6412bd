// Everyday values to canonical bytes, without what unusual ones need: no memory of their own, no
// error to carry. Reading a table spends most of its time here.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "host/model/types.hpp"

namespace syncline::model {

// True: out is what canonical_from_text gives. False: the value is not plain, or none of its type;
// canonical_from_text says, and out is as it was.
bool canonical_if_plain(std::string_view text, const LogicalType& type, std::string& out);

}  // namespace syncline::model
