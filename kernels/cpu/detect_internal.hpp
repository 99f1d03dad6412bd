// Rows of one batch that share a key: what the kernels leave to be settled in order.
#pragma once

#include "kernels/cpu/detect.hpp"

namespace syncline::cpu {

// The kernel judged every row against the table as it is. Judges again each row whose key an
// earlier row of the batch had, against what the earlier ones leave behind.
void settle_repeats(const DetectRows& rows, engine::Detected::Scratch& scratch);

}  // namespace syncline::cpu
