// A zstd frame as the CPU writes it, at level 1: what every engine's ratio is held against.
//
// Threads: any; each has a context of its own. Errors: kEngine.
#pragma once

#include <string>
#include <string_view>

#include "host/base/result.hpp"

namespace syncline::cpu {

// Behind what is in out. The frame says how large its content is.
Result<void> append_frame(std::string_view content, std::string& out);

}  // namespace syncline::cpu
