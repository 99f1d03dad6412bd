// Counts what this program takes from the heap: operator new is replaced in allocations.cpp.
#pragma once

#include <cstdint>

namespace syncline::bench {

uint64_t host_allocations();

}  // namespace syncline::bench
