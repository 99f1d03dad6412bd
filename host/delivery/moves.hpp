// What one transaction takes while rows wait whose keys changed: the two entries of such a row are
// in two lanes and of one group, so groups go whole, that the target can move the row.
//
// Threads: the delivery's own. Errors: none: where an entry may not go, or is of another group, the
// row is deleted and inserted.
#pragma once

#include <functional>
#include <map>
#include <set>

#include "host/delivery/pending.hpp"

namespace syncline::delivery {

// Those of which rows that may go have moved.
std::set<model::StreamId> moving_streams(const Pending& pending,
                                         const std::function<bool(const FlowId&)>& may_go);

using Taken = std::map<FlowId, size_t>;  // how many of each flow's first entries

// Of the flows that may_go, group by group, until there are entries_max; up to what was refused.
Taken take_whole_groups(const std::map<FlowId, Flow>& flows, size_t entries_max,
                        const std::function<bool(const FlowId&)>& may_go);

}  // namespace syncline::delivery
