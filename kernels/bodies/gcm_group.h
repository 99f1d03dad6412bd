/* AES-256-GCM of a record by one group of lanes, however many: what the 32 threads of aes_gcm.h do,
 * shared out.
 *
 * The AES table and the round keys lie in the group's memory, the table of H^32 where the key lies.
 * Threads: a group. C subset: compiles as C, C++, CUDA and OpenCL C. */
#ifndef SYN_BODIES_GCM_GROUP_H
#define SYN_BODIES_GCM_GROUP_H

#include "kernels/bodies/aes_gcm.h"

typedef struct syn_gcm_memory {
  syn_gf128 sums[SYN_GCM_THREADS];
  uint32_t table[SYN_AES_TABLE_SIZE];
  uint32_t round_keys[SYN_AES_KEY_WORDS];
} syn_gcm_memory;

/* Where a record's bytes are; tag: four words. */
typedef struct syn_gcm_view {
  SYN_GLOBAL const syn_gcm_key* key;
  SYN_GLOBAL const uint8_t* additional;
  SYN_GLOBAL const uint8_t* input;
  SYN_GLOBAL uint8_t* output;
  SYN_GLOBAL uint32_t* tag;
} syn_gcm_view;

SYN_INLINE void syn_gcm_take_key(SYN_LOCAL syn_gcm_memory* memory,
                                 SYN_GLOBAL const syn_gcm_key* key, uint32_t lane, uint32_t width) {
  for (uint32_t i = lane; i < SYN_AES_TABLE_SIZE; i += width) memory->table[i] = key->table[i];
  for (uint32_t i = lane; i < SYN_AES_KEY_WORDS; i += width) {
    memory->round_keys[i] = key->round_keys[i];
  }
}

SYN_INLINE void syn_gcm_sum(SYN_LOCAL syn_gcm_memory* memory, syn_gcm_view view,
                            const syn_gcm_record* record, uint32_t direction, uint32_t lane,
                            uint32_t width) {
  for (uint32_t thread = lane; thread < SYN_GCM_THREADS; thread += width) {
    memory->sums[thread] = syn_gcm_thread(record, syn_gcm_all_turns(record), thread, direction,
                                          view.additional, view.input, view.output,
                                          memory->round_keys, memory->table, 1, view.key->by_h32);
  }
}

SYN_INLINE void syn_gcm_join_step(SYN_LOCAL syn_gcm_memory* memory,
                                  SYN_GLOBAL const syn_gcm_key* key, uint32_t step, uint32_t lane,
                                  uint32_t width) {
  const uint32_t apart = 1u << step;
  for (uint32_t i = 2 * apart * lane; i < SYN_GCM_THREADS; i += 2 * apart * width) {
    memory->sums[i] = syn_gcm_join(memory->sums[i], memory->sums[i + apart], key->powers[step]);
  }
}

SYN_INLINE void syn_gcm_write_tag(SYN_LOCAL syn_gcm_memory* memory, syn_gcm_view view,
                                  const syn_gcm_record* record) {
  uint32_t words[4];
  syn_gcm_tag(record, memory->sums[0], view.key->powers[0], memory->round_keys, memory->table, 1,
              words);
  for (uint32_t i = 0; i < 4; ++i) view.tag[i] = words[i];
}

/* Every lane calls it. direction: SYN_GCM_SEAL or SYN_GCM_OPEN; opening, the tag is what the
 * record's must be. */
SYN_INLINE void syn_gcm_run(syn_group group, SYN_LOCAL syn_gcm_memory* memory, syn_gcm_view view,
                            const syn_gcm_record* record, uint32_t direction) {
  SYN_ALL_LANES(group, syn_gcm_take_key(memory, view.key, lane, group.width));
  SYN_ALL_LANES(group, syn_gcm_sum(memory, view, record, direction, lane, group.width));
  for (uint32_t step = 0; step < SYN_GCM_STEPS; ++step) {
    SYN_ALL_LANES(group, syn_gcm_join_step(memory, view.key, step, lane, group.width));
  }
  SYN_FIRST_LANE(group, syn_gcm_write_tag(memory, view, record));
}

#endif
