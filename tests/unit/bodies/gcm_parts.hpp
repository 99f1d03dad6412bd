// A record by its parts, as a card's warps share it out: the sums of all parts, then one of those.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/bodies/aes_gcm.h"

namespace syncline::bodies {

// The sums of 32 threads, joined.
template <class Sum>
syn_gf128 joined(const syn_gf128* powers, const Sum& sum) {
  syn_gf128 sums[SYN_GCM_THREADS];
  for (uint32_t thread = 0; thread < SYN_GCM_THREADS; ++thread) sums[thread] = sum(thread);
  for (uint32_t step = 0; step < SYN_GCM_STEPS; ++step) {
    for (uint32_t i = 0; i < SYN_GCM_THREADS; i += 2u << step) {
      sums[i] = syn_gcm_join(sums[i], sums[i + (1u << step)], powers[step]);
    }
  }
  return sums[0];
}

// tag: four words.
inline void run_by_parts(const syn_gcm_key& key, const syn_gcm_record& record, uint32_t direction,
                         const uint8_t* additional, const uint8_t* input, uint8_t* output,
                         uint32_t* tag) {
  std::vector<syn_gf128> sums;
  for (uint32_t part = 0; part < syn_gcm_part_count(&record); ++part) {
    const syn_gcm_turns turns = syn_gcm_part_turns(&record, part);
    sums.push_back(joined(key.powers, [&](uint32_t thread) {
      return syn_gcm_thread(&record, turns, thread, direction, additional, input, output,
                            key.round_keys, key.table, 1, key.by_h32);
    }));
  }
  const syn_gf128 sum = joined(key.part_powers, [&](uint32_t thread) {
    return syn_gcm_parts_thread(sums.data(), static_cast<uint32_t>(sums.size()), thread,
                                key.part_powers[SYN_GCM_STEPS]);
  });
  syn_gcm_tag(&record, sum, key.powers[0], key.round_keys, key.table, 1, tag);
}

}  // namespace syncline::bodies
