/* What runs on an OpenCL device, and how it is spread; what is computed is in kernels/bodies.
 *
 * Buffers are handed over whole with places in bytes: OpenCL 1.2 keeps no pointers between kernels.
 * A table's lanes lie in one buffer, the pool; each has, beside keys and cells, how many slots of
 * each line are taken, which only grows: a slot is taken by counting it, so 32-bit atomics do, and
 * a line is full for everyone from the moment its count says so. A removed key leaves its slot
 * taken (SYN_KEY_REMOVED) until the lane is laid out anew. OpenCL C 1.2, no extension. */
#include "kernels/bodies/frames.h"
#include "kernels/bodies/gcm_group.h"
#include "kernels/bodies/table.h"
#include "kernels/bodies/xxh3.h"
#include "kernels/opencl/pool.h"

static ulong fingerprint_cell(__global const uchar* arena, uint offset, uint length,
                              __global const uchar* secret) {
  if (length == SYN_LENGTH_NULL) return SYN_FINGERPRINT_NULL;
  if (length == SYN_LENGTH_UNCHANGED) return SYN_FINGERPRINT_UNCHANGED;
  return syn_fingerprint_of_value(syn_xxh3_64(arena + offset, length, secret));
}

/* A work item a cell: for cards, which want many. */
__kernel void fingerprint_cells(uint cell_count, uint field_count, uint key_count,
                                __global const uchar* input, ulong offsets_at, ulong lengths_at,
                                ulong arena_at, __global const uchar* secret,
                                __global uchar* results, ulong cells_at) {
  const uint at = (uint)get_global_id(0);
  if (at >= cell_count) return;
  const uint value_count = field_count - key_count;
  const ulong cell = (ulong)(at / value_count) * field_count + key_count + at % value_count;
  const uint offset = ((__global const uint*)(input + offsets_at))[cell];
  const uint length = ((__global const uint*)(input + lengths_at))[cell];
  ((__global ulong*)(results + cells_at))[at] =
      fingerprint_cell(input + arena_at, offset, length, secret);
}

/* A work item a row's cells, one after the other as they lie: for processors. Rows of 12 cells on
 * two cores: 0.55 of the CPU engine's scalar rate; an item a cell: 0.4
 * (engines.opencl.fingerprint). */
__kernel void fingerprint_rows(uint row_count, uint field_count, uint key_count,
                               __global const uchar* input, ulong offsets_at, ulong lengths_at,
                               ulong arena_at, __global const uchar* secret,
                               __global uchar* results, ulong cells_at) {
  const uint row = (uint)get_global_id(0);
  if (row >= row_count) return;
  const ulong first = (ulong)row * field_count;
  __global const uint* offsets = (__global const uint*)(input + offsets_at) + first;
  __global const uint* lengths = (__global const uint*)(input + lengths_at) + first;
  __global ulong* out =
      (__global ulong*)(results + cells_at) + (ulong)row * (field_count - key_count);
  for (uint i = key_count; i < field_count; ++i) {
    *out++ = fingerprint_cell(input + arena_at, offsets[i], lengths[i], secret);
  }
}

__kernel void fingerprint_keys(uint row_count, __global const uchar* input, ulong offsets_at,
                               ulong lengths_at, ulong arena_at, __global const uchar* secret,
                               __global uchar* results) {
  const uint row = (uint)get_global_id(0);
  if (row >= row_count) return;
  const uint offset = ((__global const uint*)(input + offsets_at))[row];
  const uint length = ((__global const uint*)(input + lengths_at))[row];
  ((__global syn_hash128*)results)[row] =
      syn_xxh3_128(input + arena_at + offset, length, secret);
}

static syn_table_lane lane_of(__global uchar* pool, syn_pool_lane lane) {
  syn_table_lane out;
  out.keys = (__global ulong*)(pool + lane.keys_at);
  out.cells = pool + lane.cells_at;
  out.line_count = lane.line_count;
  return out;
}

__kernel void detect_rows(uint row_count, uint value_count, __global const uchar* input,
                          ulong op_at, ulong lane_at, __global const uchar* fingerprints,
                          ulong cells_at, __global uchar* pool,
                          __global const syn_pool_lane* lanes, __global uchar* results,
                          ulong verdicts_at, ulong changed_at) {
  const uint row = (uint)get_global_id(0);
  if (row >= row_count) return;
  const uchar op = input[op_at + row];
  const ushort lane = ((__global const ushort*)(input + lane_at))[row];
  const ulong key_bits = syn_key_bits(((__global const syn_hash128*)fingerprints)[row]);
  __global const ulong* cells =
      (__global const ulong*)(fingerprints + cells_at) + (ulong)row * value_count;
  __global ulong* changed =
      (__global ulong*)(results + changed_at) + (ulong)row * ((value_count + 63) / 64);
  results[verdicts_at + row] =
      syn_detect_row(lane_of(pool, lanes[lane]), op, key_bits, cells, value_count, changed);
  if (key_bits == SYN_KEY_REMOVED) {
    atomic_or((volatile __global uint*)results, SYN_DETECT_RESERVED);
  }
}

/* REQUIRES: a lane that has room, and nobody else who puts this key. */
static ulong take_slot(__global uchar* pool, syn_pool_lane lane, ulong key_bits,
                       volatile __global uint* used) {
  volatile __global uint* counts = (volatile __global uint*)(pool + lane.counts_at);
  ulong line = syn_home_line(key_bits, lane.line_count);
  for (;;) {
    if (counts[line] < SYN_SLOTS_PER_LINE) {
      const uint place = atomic_inc(counts + line);
      if (place < SYN_SLOTS_PER_LINE) {
        const ulong slot = line * SYN_SLOTS_PER_LINE + place;
        ((__global ulong*)(pool + lane.keys_at))[slot] = key_bits;
        atomic_inc(used);
        return slot;
      }
    }
    line = syn_next_line(line, lane.line_count);
  }
}

__kernel void fill_slots(uint slot_count, uint value_count, __global const uchar* from,
                         ulong keys_at, ulong cells_at, __global uchar* pool,
                         __global const syn_pool_lane* lanes, uint lane_index,
                         __global uint* used) {
  const uint at = (uint)get_global_id(0);
  if (at >= slot_count) return;
  const ulong key_bits = ((__global const ulong*)(from + keys_at))[at];
  if (key_bits == SYN_KEY_EMPTY || key_bits == SYN_KEY_REMOVED) return;
  const syn_pool_lane lane = lanes[lane_index];
  const ulong to = take_slot(pool, lane, key_bits, used + lane_index);
  const ulong half_count = (ulong)value_count * SYN_CELL_SIZE / 2;
  __global const ushort* source = (__global const ushort*)(from + cells_at) + at * half_count;
  __global ushort* target = (__global ushort*)(pool + lane.cells_at) + to * half_count;
  for (ulong i = 0; i < half_count; ++i) target[i] = source[i];
}

/* Beside others who put other keys: a line that is not full now held all that was ever put beyond
 * it before it was full, and this key's own records come one after the other. */
static ulong find_now(__global uchar* pool, syn_pool_lane lane, ulong key_bits) {
  __global const ulong* keys = (__global const ulong*)(pool + lane.keys_at);
  volatile __global uint* counts = (volatile __global uint*)(pool + lane.counts_at);
  ulong line = syn_home_line(key_bits, lane.line_count);
  for (;;) {
    const uint count = min(atomic_or(counts + line, 0u), SYN_SLOTS_PER_LINE);
    for (uint place = 0; place < count; ++place) {
      const ulong slot = line * SYN_SLOTS_PER_LINE + place;
      if (keys[slot] == key_bits) return slot;
    }
    if (count < SYN_SLOTS_PER_LINE) return SYN_SLOT_ABSENT;
    line = syn_next_line(line, lane.line_count);
  }
}

static void apply_record(__global uchar* pool, syn_pool_lane lane, __global const uchar* record,
                         ulong key_bits, uint value_count, __global uint* used) {
  const uchar kind = record[0];
  ulong slot = find_now(pool, lane, key_bits);
  if (kind == SYN_DELTA_REMOVE) {
    if (slot != SYN_SLOT_ABSENT) {
      ((__global ulong*)(pool + lane.keys_at))[slot] = SYN_KEY_REMOVED;
    }
    return;
  }
  const uint is_fresh = slot == SYN_SLOT_ABSENT;
  if (is_fresh) slot = take_slot(pool, lane, key_bits, used);
  syn_apply_cells(kind, record + SYN_DELTA_HEAD_SIZE, is_fresh,
                  pool + lane.cells_at + slot * value_count * SYN_CELL_SIZE, value_count);
}

/* A lane's records are shared by so many work items, a key's all by one, in their order. */
__kernel void apply_deltas(uint lane_count, uint worker_count, uint value_count,
                           __global const uchar* input, ulong offsets_at, ulong bytes_at,
                           __global uchar* pool, __global const syn_pool_lane* lanes,
                           __global uint* used) {
  const uint lane_index = (uint)get_global_id(0) / worker_count;
  const uint worker = (uint)get_global_id(0) % worker_count;
  if (lane_index >= lane_count) return;
  const syn_lane_delta delta = ((__global const syn_lane_delta*)input)[lane_index];
  if (delta.count == 0) return;
  const syn_pool_lane lane = lanes[lane_index];
  __global const uint* offsets = (__global const uint*)(input + offsets_at) + delta.offsets_at;
  for (uint i = 0; i < delta.count; ++i) {
    __global const uchar* record = input + bytes_at + delta.bytes_at + offsets[i];
    const ulong key_bits = syn_read_number(record + 1, sizeof(ulong));
    /* SYN_KEY_REMOVED is never in a copy. */
    if (key_bits == SYN_KEY_REMOVED || key_bits % worker_count != worker) continue;
    apply_record(pool, lane, record, key_bits, value_count, used + lane_index);
  }
}

#define IN_GROUPS __attribute__((reqd_work_group_size(SYN_GROUP_WIDTH, 1, 1)))

static syn_group this_group(void) {
  syn_group group;
  group.lane = (uint)get_local_id(0);
  group.width = SYN_GROUP_WIDTH;
  return group;
}

/* Below, a work group takes entry after entry of a list, as many groups as there are beside it
 * apart; scratch has a part for each group. */
__kernel IN_GROUPS void compress_pieces(uint count, __global const uchar* input,
                                        __global uchar* frames, __global uchar* scratch) {
  __local syn_zstd_encoder encoder;
  const syn_group group = this_group();
  __global const syn_piece_place* places = (__global const syn_piece_place*)input;
  __global uint* sizes = (__global uint*)frames;
  __global uchar* mine = scratch + (ulong)get_group_id(0) * SYN_CODER_SCRATCH_SIZE;
  for (uint i = (uint)get_group_id(0); i < count; i += (uint)get_num_groups(0)) {
    const uint size = syn_run_piece(group, &encoder, places[i], input, frames, mine);
    if (group.lane == 0) sizes[i] = size;
  }
}

__kernel IN_GROUPS void decompress_frames(uint count, __global const uchar* input,
                                          __global const uchar* sealed,
                                          __global uchar* contents, __global uchar* scratch) {
  __local syn_zstd_decoder decoder;
  const syn_group group = this_group();
  __global const syn_frame_place* places = (__global const syn_frame_place*)input;
  __global uint* statuses = (__global uint*)contents;
  __global uchar* mine = scratch + (ulong)get_group_id(0) * SYN_DECODER_SCRATCH_SIZE;
  for (uint i = (uint)get_group_id(0); i < count; i += (uint)get_num_groups(0)) {
    const uint status = syn_run_frame(group, &decoder, places[i], sealed, contents, mine);
    if (group.lane == 0) statuses[i] = status;
  }
}

__kernel IN_GROUPS void gather_bytes(uint count, __global const uchar* input, ulong moves_at,
                                     __global const uchar* frames, __global uchar* sealed) {
  __global const syn_move* moves = (__global const syn_move*)(input + moves_at);
  for (uint i = (uint)get_group_id(0); i < count; i += (uint)get_num_groups(0)) {
    syn_run_move(moves[i], frames, input, sealed, (uint)get_local_id(0), SYN_GROUP_WIDTH);
  }
}

/* Additional data is in the input; the tags begin the results. */
__kernel IN_GROUPS void run_records(uint count, uint direction, __global const syn_gcm_key* key,
                                    __global const uchar* input, ulong records_at,
                                    __global const uchar* from, __global uchar* sealed) {
  __local syn_gcm_memory memory;
  const syn_group group = this_group();
  __global const syn_gcm_record* records = (__global const syn_gcm_record*)(input + records_at);
  for (uint i = (uint)get_group_id(0); i < count; i += (uint)get_num_groups(0)) {
    const syn_gcm_record record = records[i];
    syn_gcm_view view;
    view.key = key;
    view.additional = input + record.additional_at;
    view.input = from + record.input_at;
    view.output = sealed + record.output_at;
    view.tag = (__global uint*)sealed + i * 4;
    syn_gcm_run(group, &memory, view, &record, direction);
  }
}
