// A column that is to hold more, for the statement that makes it so.
//
// Threads: values.
#pragma once

#include <string>

#include "host/model/extent.hpp"

namespace syncline::ports {

struct Widening {
  std::string table;  // as the config names it
  std::string column;
  model::Extent wanted;
};

}  // namespace syncline::ports
