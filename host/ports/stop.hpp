// One dataset cannot go on in a system; the others do. Said by Sources and Targets alike.
#pragma once

#include "host/base/error.hpp"
#include "host/model/ids.hpp"

namespace syncline::ports {

struct DatasetStop {
  model::DatasetId dataset = 0;
  Error error;
};

}  // namespace syncline::ports
