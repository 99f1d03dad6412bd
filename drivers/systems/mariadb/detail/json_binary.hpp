// MySQL's own form of JSON, as rows in its log have it, as text. Source: the source documentation's
// page on the binary format.
//
//   value: type, then by its type
//   object: count | size | per key its offset, 2 size | per value its type, its offset or itself
//   | keys | values; array: the same without keys; counts, sizes and offsets have 2 bytes or 4
//   string: size of 7 bits a byte | bytes; opaque: type of a column | the same
//
// Foreign bytes: every length is checked, depth and number of values are bounded. Threads: pure
// functions. Errors: kValue for bytes that are no such value.
#pragma once

#include <string>
#include <string_view>

#include "host/base/result.hpp"

namespace syncline::mariadb {

Result<std::string> json_text(std::string_view bytes);

}  // namespace syncline::mariadb
