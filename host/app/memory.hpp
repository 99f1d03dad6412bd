// Memory that a burst took and nobody uses: the allocator would keep as much again as the program
// needs. Threads: any.
#pragma once

namespace syncline::app {

// Gives back to the system what is free beyond a reserve. Nothing where the allocator does that by
// itself.
void release_free_memory();

}  // namespace syncline::app
