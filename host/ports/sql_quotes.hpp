// How one kind of system writes names and values in SQL: for statements that people run there.
// Quoted always, for an unquoted name may be another thing (`user` is a function in PostgreSQL).
//
// Threads: pure functions. Errors: none.
#pragma once

#include <string>
#include <string_view>

namespace syncline::ports {

struct SqlQuotes {
  std::string (*table)(std::string_view table);  // as the config names it
  std::string (*name)(std::string_view name);    // of a column or an index
  std::string (*text)(std::string_view text);
  std::string (*bytes)(std::string_view digits);  // hexadecimal ones
};

}  // namespace syncline::ports
