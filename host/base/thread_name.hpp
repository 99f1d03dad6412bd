// Names the calling thread for `top`, `perf` and core dumps. Names longer than 15 bytes are cut.
//
// Threads: each names itself. Errors: none; a name is only for people.
#pragma once

#include <string_view>

namespace syncline {

void name_thread(std::string_view name);

}  // namespace syncline
