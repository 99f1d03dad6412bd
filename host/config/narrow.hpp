// Columns that hold less of a field than other systems' columns do: what becomes of the values that
// do not fit, and what such a column would have to hold.
//
// Times and decimals are brought to the coarsest type when they are read (resolve.hpp); what a
// narrower column cannot hold at all is never written, but goes to quarantine. Threads: pure
// functions.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "host/model/extent.hpp"

namespace syncline::config {

// A field's column in one system.
struct Holder {
  std::string column;    // "shop.customer.paid"
  std::string declared;  // "decimal(10,2)"
  model::Extent extent;
  bool is_read = true;
  bool is_written = true;
};

struct Narrow {
  size_t holder = 0;
  bool is_rounding = false;  // else values go to quarantine only
  std::string what;          // names the columns, and what becomes of which values
  model::Extent wanted;      // holds what all others hold
};

// type: the field's among the systems.
std::vector<Narrow> find_narrow(const model::LogicalType& type, std::span<const Holder> holders);

}  // namespace syncline::config
