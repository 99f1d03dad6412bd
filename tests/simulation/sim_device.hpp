// A device beside the CPU: the engine that all devices share, on one that the host plays, and for
// blocks a CPU engine. It breaks, hangs, loses what it was given, has no room, is not ready, and
// comes back some calls later, all by dice of its own.
//
// Owner: the weather outlives it. Threads: one at a time. Errors: as the dice fall.
#pragma once

#include <memory>

#include "kernels/engine/engine.hpp"
#include "tests/simulation/model_ports.hpp"

namespace syncline::simulation {

std::unique_ptr<engine::Engine> make_sim_device(uint64_t seed, const Weather& weather);

}  // namespace syncline::simulation
