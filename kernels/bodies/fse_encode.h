/* FSE tables for a zstd frame: bits written, counts fitted and described, states moved (RFC 8878,
 * 4.1).
 *
 * Threads: any; a table is one lane's work. C subset: compiles as C, C++, CUDA and OpenCL C. */
#ifndef SYN_BODIES_FSE_ENCODE_H
#define SYN_BODIES_FSE_ENCODE_H

#include "kernels/bodies/zstd.h"

/* Beyond the limit nothing is written, but counted: at says what there would be. */
typedef struct syn_bits_out {
  SYN_GLOBAL uint8_t* bytes;
  uint32_t at;
  uint32_t limit;
  uint64_t window;
  uint32_t held; /* bits in the window */
} syn_bits_out;

SYN_INLINE syn_bits_out syn_bits_out_at(SYN_GLOBAL uint8_t* bytes, uint32_t at, uint32_t limit) {
  syn_bits_out out;
  out.bytes = bytes;
  out.at = at;
  out.limit = limit;
  out.window = 0;
  out.held = 0;
  return out;
}

SYN_INLINE void syn_bits_put_byte(syn_bits_out* out) {
  if (out->at < out->limit) out->bytes[out->at] = (uint8_t)out->window;
  ++out->at;
  out->window >>= 8;
  out->held -= 8;
}

/* REQUIRES: value has no more bits than count, which is at most 32. */
SYN_INLINE void syn_bits_write(syn_bits_out* out, uint32_t value, uint32_t count) {
  out->window |= (uint64_t)value << out->held;
  out->held += count;
  if (out->held < 32) return;
  if (out->at + 4 > out->limit) {
    while (out->held >= 8) syn_bits_put_byte(out);
    return;
  }
  syn_write32(out->bytes + out->at, (uint32_t)out->window);
  out->at += 4;
  out->window >>= 32;
  out->held -= 32;
}

/* Nothing is left in the window then. */
SYN_INLINE void syn_bits_finish(syn_bits_out* out) {
  out->held = (out->held + 7) / 8 * 8;
  while (out->held > 0) syn_bits_put_byte(out);
}

/* A stream that is read from its end has its end marked. */
SYN_INLINE void syn_bits_close(syn_bits_out* out) {
  syn_bits_write(out, 1, 1);
  syn_bits_finish(out);
}

typedef struct syn_fse_move {
  uint32_t bits_from; /* state + this, its high mask: how many bits go out */
  int32_t place;
} syn_fse_move;

typedef struct syn_fse_coder {
  uint32_t log;
  uint32_t symbol_count; /* up to the last that is there */
  int16_t counts[SYN_ZSTD_SYMBOLS_MAX];
  uint16_t next[SYN_ZSTD_SYMBOLS_MAX];
  syn_fse_move moves[SYN_ZSTD_SYMBOLS_MAX];
  uint16_t states[SYN_ZSTD_TABLE_SIZE];
} syn_fse_coder;

SYN_INLINE uint32_t syn_fse_most(SYN_LOCAL const int16_t* counts, uint32_t symbol_count) {
  uint32_t most = 0;
  for (uint32_t i = 1; i < symbol_count; ++i) {
    if (counts[i] > counts[most]) most = i;
  }
  return most;
}

/* How many places each symbol gets. REQUIRES: two symbols or more, at most as many as places. */
SYN_INLINE void syn_fse_fit(SYN_LOCAL syn_fse_coder* coder, SYN_LOCAL const uint32_t* histogram,
                            uint32_t total) {
  const int32_t size = 1 << coder->log;
  int32_t sum = 0;
  for (uint32_t i = 0; i < coder->symbol_count; ++i) {
    const uint32_t share = (histogram[i] * (uint32_t)size + total / 2) / total;
    coder->counts[i] = (int16_t)(histogram[i] != 0 && share == 0 ? 1 : share);
    sum += coder->counts[i];
  }
  for (; sum > size; --sum) --coder->counts[syn_fse_most(coder->counts, coder->symbol_count)];
  coder->counts[syn_fse_most(coder->counts, coder->symbol_count)] += (int16_t)(size - sum);
}

/* As syn_fse_describe reads it. */
SYN_INLINE void syn_fse_write_counts(SYN_LOCAL const syn_fse_coder* coder, syn_bits_out* out) {
  uint32_t left = 1u << coder->log;
  syn_bits_write(out, coder->log - 5, 4);
  for (uint32_t symbol = 0; left > 0; ++symbol) {
    const uint32_t width = syn_high_bit(left + 1) + 1;
    const uint32_t short_count = (1u << width) - 2 - left;
    const uint32_t mask = (1u << (width - 1)) - 1;
    const uint32_t value = (uint32_t)(coder->counts[symbol] + 1);
    if (value < short_count) {
      syn_bits_write(out, value, width - 1);
    } else {
      syn_bits_write(out, value > mask ? value + short_count : value, width);
    }
    left -= value == 0 ? 1 : value - 1;
    if (value != 1) continue;
    uint32_t run = 0;
    while (coder->counts[symbol + 1 + run] == 0) ++run;
    symbol += run;
    for (; run >= 3; run -= 3) syn_bits_write(out, 3, 2);
    syn_bits_write(out, run, 2);
  }
  syn_bits_finish(out);
}

/* The states and moves that belong to the counts. table: room for them. */
SYN_INLINE void syn_fse_encode_table(SYN_LOCAL syn_fse_coder* coder,
                                     SYN_LOCAL syn_fse_entry* table) {
  const uint32_t size = 1u << coder->log;
  syn_fse_spread(table, coder->log, coder->counts, coder->symbol_count, coder->next);
  uint32_t begin = 0;
  for (uint32_t symbol = 0; symbol < coder->symbol_count; ++symbol) {
    const uint32_t count = coder->next[symbol];
    coder->next[symbol] = (uint16_t)begin;
    if (count == 0) continue;
    const uint32_t bits = count == 1 ? coder->log : coder->log - syn_high_bit(count - 1);
    coder->moves[symbol].bits_from = (bits << 16) - (count << bits);
    coder->moves[symbol].place = (int32_t)begin - (int32_t)count;
    begin += count;
  }
  for (uint32_t place = 0; place < size; ++place) {
    const uint32_t symbol = table[place].symbol;
    coder->states[coder->next[symbol]++] = (uint16_t)(size + place);
  }
}

/* The state that a decoder ends with, for the symbol that comes last. */
SYN_INLINE uint32_t syn_fse_last_state(SYN_LOCAL const syn_fse_coder* coder, uint32_t symbol) {
  const syn_fse_move move = coder->moves[symbol];
  const uint32_t bits = (move.bits_from + (1u << 15)) >> 16;
  const uint32_t value = (bits << 16) - move.bits_from;
  return coder->states[(int32_t)(value >> bits) + move.place];
}

SYN_INLINE uint32_t syn_fse_put(SYN_LOCAL const syn_fse_coder* coder, uint32_t state,
                                uint32_t symbol, syn_bits_out* out) {
  const syn_fse_move move = coder->moves[symbol];
  const uint32_t bits = (state + move.bits_from) >> 16;
  syn_bits_write(out, state & ((1u << bits) - 1), bits);
  return coder->states[(int32_t)(state >> bits) + move.place];
}

#endif
