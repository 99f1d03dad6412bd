// Detect on the CPU: looks every row up with grouped prefetch, then settles rows that share a key
// in one batch, then writes the delta.
//
// Threads: any; all scratch memory is in Detected. Errors: kInvalidArgument (the parts do not
// belong together).
#pragma once

#include "host/base/result.hpp"
#include "kernels/contract/detect.h"
#include "kernels/engine/engine.hpp"

namespace syncline::cpu {

// What a kernel reads and writes: every row against the table as it is, as if no key came twice.
struct DetectRows {
  uint32_t row_count;
  uint32_t value_count;
  uint32_t bitmap_words;
  const uint8_t* op;
  const uint16_t* lane;
  const syn_hash128* keys;
  const uint64_t* cells;
  const engine::TableLaneRef* lanes;
  uint8_t* verdicts;
  uint64_t* changed;
};

using DetectKernel = void (*)(const DetectRows& rows);

void detect_scalar(const DetectRows& rows);
void detect_avx2(const DetectRows& rows);
void detect_avx512(const DetectRows& rows);

// The two halves around a kernel, for engines whose kernel runs elsewhere: begin checks that the
// parts belong together and sizes the result; end settles repeats and writes the delta.
Result<DetectRows> begin_detect(const syn_batch& batch, const engine::Fingerprints& fingerprints,
                                const engine::TableRef& table, engine::Detected& out);
void end_detect(const DetectRows& rows, const engine::TableRef& table, engine::Detected& out);

Result<void> detect_batch(DetectKernel kernel, const syn_batch& batch,
                          const engine::Fingerprints& fingerprints, const engine::TableRef& table,
                          engine::Detected& out);

}  // namespace syncline::cpu
