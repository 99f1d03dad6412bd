// Whether a device seals and opens as the CPU does: asked once, before it may seal for anybody.
//
// What is sealed goes into journals, and a device or its driver's compiler may be at fault where no
// test of ours ever ran. Threads: any, one a slot. Errors: kEngine (the device), kInternal (it does
// not).
#pragma once

#include "kernels/device/device.hpp"

namespace syncline::device {

// engine: SYN_ENGINE_*.
Result<void> check_blocks(Slot& slot, uint8_t engine);

}  // namespace syncline::device
