// A value as messages repeat it: who reads them, and their JSON, take UTF-8 only.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace syncline::model {

// Cut behind a character where it is long; in hex where it is no UTF-8.
std::string quote(std::string_view text);

}  // namespace syncline::model
