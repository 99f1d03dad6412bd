// Eight rows at a time, field by field: the cells of one field mostly are of one length or two, and
// eight of up to 16 bytes are one in each 64-bit lane. Any other eight are hashed one by one.
//
// Where they all fall into one case of XXH3, only that is computed; else the cases are computed
// side by side, share their multiplications, and a mask chooses. The 16 bytes at each cell's place
// are loaded whatever its length; shifts find its last 8.
#define XXH_INLINE_ALL
#include <immintrin.h>

#include "kernels/cpu/fingerprint.hpp"
#include "kernels/cpu/fingerprint_cell_internal.hpp"

namespace syncline::cpu {
namespace {

using Words = __m512i;
constexpr uint32_t kLanes = 8;
constexpr uint32_t kLoadSizeBytes = 16;

inline Words all(uint64_t value) {
  return _mm512_set1_epi64(static_cast<int64_t>(value));
}

// The same field of eight rows.
struct Block {
  const uint8_t* arena;
  const uint32_t* offset;  // of the first row; the next row's is stride further
  const uint32_t* length;
  uint64_t stride;
};

struct Pair {
  Words low;   // the first 8 bytes at each place
  Words high;  // the next 8
};

// By plain loads: gathers take some 60 cycles where the processor is guarded against reading them
// by side channels.
inline Pair load_pairs(const Block& block) {
  const auto load = [&](uint32_t lane) {
    const uint8_t* bytes = block.arena + block.offset[lane * block.stride];
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
  };
  __m512i even = _mm512_castsi128_si512(load(0));
  even = _mm512_mask_broadcast_i32x4(even, 0x00f0, load(2));
  even = _mm512_mask_broadcast_i32x4(even, 0x0f00, load(4));
  even = _mm512_mask_broadcast_i32x4(even, 0xf000, load(6));
  __m512i odd = _mm512_castsi128_si512(load(1));
  odd = _mm512_mask_broadcast_i32x4(odd, 0x00f0, load(3));
  odd = _mm512_mask_broadcast_i32x4(odd, 0x0f00, load(5));
  odd = _mm512_mask_broadcast_i32x4(odd, 0xf000, load(7));
  return {_mm512_unpacklo_epi64(even, odd), _mm512_unpackhi_epi64(even, odd)};
}

inline Words load_lengths(const Block& block) {
  const auto at = [&](uint32_t lane) {
    return static_cast<int>(block.length[lane * block.stride]);
  };
  return _mm512_cvtepu32_epi64(
      _mm256_set_epi32(at(7), at(6), at(5), at(4), at(3), at(2), at(1), at(0)));
}

// The halves of the 128-bit products, folded, from products of 32-bit halves; no sum overflows.
inline Words multiply_fold(Words a, Words b) {
  const Words low_mask = all(0xffffffff);
  const Words a_high = _mm512_srli_epi64(a, 32);
  const Words b_high = _mm512_srli_epi64(b, 32);
  const Words low = _mm512_mul_epu32(a, b);
  const Words cross = _mm512_add_epi64(_mm512_mul_epu32(a_high, b), _mm512_srli_epi64(low, 32));
  const Words middle =
      _mm512_add_epi64(_mm512_mul_epu32(a, b_high), _mm512_and_si512(cross, low_mask));
  const Words high = _mm512_add_epi64(
      _mm512_mul_epu32(a_high, b_high),
      _mm512_add_epi64(_mm512_srli_epi64(cross, 32), _mm512_srli_epi64(middle, 32)));
  // Odd 32-bit lanes from the middle product's low half, even ones from the low product.
  const Words product_low = _mm512_mask_blend_epi32(0xaaaa, low, _mm512_slli_epi64(middle, 32));
  return _mm512_xor_si512(product_low, high);
}

// What stands before the first multiplication of lengths 1 to 3.
inline Words prepare_1to3(Words bytes, Words length, const ShortSecret& secret) {
  const Words byte = all(0xff);
  const Words half = _mm512_slli_epi64(_mm512_srli_epi64(length, 1), 3);
  const Words last = _mm512_slli_epi64(_mm512_sub_epi64(length, all(1)), 3);
  const Words first_byte = _mm512_slli_epi64(_mm512_and_si512(bytes, byte), 16);
  const Words middle_byte =
      _mm512_slli_epi64(_mm512_and_si512(_mm512_srlv_epi64(bytes, half), byte), 24);
  const Words last_byte = _mm512_and_si512(_mm512_srlv_epi64(bytes, last), byte);
  const Words ends = _mm512_or_si512(_mm512_or_si512(first_byte, middle_byte), last_byte);
  const Words input = _mm512_or_si512(ends, _mm512_slli_epi64(length, 8));
  const Words keyed = _mm512_xor_si512(input, all(secret.of_1to3));
  return _mm512_xor_si512(keyed, _mm512_srli_epi64(keyed, 33));
}

inline Words prepare_4to8(Words bytes, Words length, const ShortSecret& secret) {
  const Words last = _mm512_slli_epi64(_mm512_sub_epi64(length, all(4)), 3);
  const Words input =
      _mm512_mask_blend_epi32(0xaaaa, _mm512_srlv_epi64(bytes, last), _mm512_slli_epi64(bytes, 32));
  const Words keyed = _mm512_xor_si512(input, all(secret.of_4to8));
  return _mm512_ternarylogic_epi64(keyed, _mm512_rol_epi64(keyed, 49), _mm512_rol_epi64(keyed, 24),
                                   0x96);
}

inline Words prepare_9to16(Pair bytes, Words length, const ShortSecret& secret) {
  const Words after = _mm512_slli_epi64(_mm512_sub_epi64(length, all(8)), 3);
  const Words last =
      _mm512_or_si512(_mm512_srlv_epi64(bytes.low, after),
                      _mm512_sllv_epi64(bytes.high, _mm512_sub_epi64(all(64), after)));
  const Words order = _mm512_set4_epi32(0x08090a0b, 0x0c0d0e0f, 0x00010203, 0x04050607);
  const Words low = _mm512_xor_si512(bytes.low, all(secret.low_of_9to16));
  const Words high = _mm512_xor_si512(last, all(secret.high_of_9to16));
  const Words swapped = _mm512_shuffle_epi8(low, order);
  return _mm512_add_epi64(_mm512_add_epi64(length, swapped),
                          _mm512_add_epi64(high, multiply_fold(low, high)));
}

// Lengths 1 to 16: the first of two multiplications for the shorter ones, the second for all.
inline Words hash_1to16(Pair bytes, Words length, const ShortSecret& secret) {
  const __mmask8 is_9to16 = _mm512_cmpgt_epu64_mask(length, all(8));
  const __mmask8 is_4to16 = _mm512_cmpgt_epu64_mask(length, all(3));
  Words hash = prepare_1to3(bytes.low, length, secret);
  hash = _mm512_mask_mov_epi64(hash, is_4to16, prepare_4to8(bytes.low, length, secret));
  const Words factor =
      _mm512_mask_mov_epi64(all(0xC2B2AE3D27D4EB4Full), is_4to16, all(0x9FB21C651E98DF25ull));
  hash = _mm512_mullo_epi64(hash, factor);
  // 1 to 3: xor hash >> 29; 4 to 8: xor (hash >> 35) + length; 9 to 16: xor hash >> 37.
  hash = _mm512_mask_mov_epi64(hash, is_9to16, prepare_9to16(bytes, length, secret));
  Words shift = _mm512_mask_mov_epi64(all(29), is_4to16, all(35));
  shift = _mm512_mask_mov_epi64(shift, is_9to16, all(37));
  Words shifted = _mm512_srlv_epi64(hash, shift);
  const __mmask8 is_4to8 = is_4to16 & static_cast<__mmask8>(~is_9to16);
  shifted = _mm512_mask_add_epi64(shifted, is_4to8, shifted, length);
  Words second =
      _mm512_mask_mov_epi64(all(0x165667B19E3779F9ull), is_4to8, all(0x9FB21C651E98DF25ull));
  second = _mm512_mask_mov_epi64(second, is_9to16, all(0x165667919E3779F9ull));
  hash = _mm512_mullo_epi64(_mm512_xor_si512(hash, shifted), second);
  const Words end_shift = _mm512_mask_mov_epi64(all(32), is_4to8, all(28));
  return _mm512_xor_si512(hash, _mm512_srlv_epi64(hash, end_shift));
}

inline Words hash_4to8(Pair bytes, Words length, const ShortSecret& secret) {
  const Words factor = all(0x9FB21C651E98DF25ull);
  Words hash = _mm512_mullo_epi64(prepare_4to8(bytes.low, length, secret), factor);
  const Words added = _mm512_add_epi64(_mm512_srli_epi64(hash, 35), length);
  hash = _mm512_mullo_epi64(_mm512_xor_si512(hash, added), factor);
  return _mm512_xor_si512(hash, _mm512_srli_epi64(hash, 28));
}

inline Words hash_9to16(Pair bytes, Words length, const ShortSecret& secret) {
  Words hash = prepare_9to16(bytes, length, secret);
  hash = _mm512_xor_si512(hash, _mm512_srli_epi64(hash, 37));
  hash = _mm512_mullo_epi64(hash, all(0x165667919E3779F9ull));
  return _mm512_xor_si512(hash, _mm512_srli_epi64(hash, 32));
}

inline bool are_between(Words length, uint64_t least, uint64_t most) {
  const Words above = _mm512_sub_epi64(length, all(least));
  return _mm512_cmple_epu64_mask(above, all(most - least)) == 0xff;
}

// False, and nothing written, unless all eight cells are values of 1 to 16 bytes.
inline bool hash_block(const Block& block, const ShortSecret& secret, uint64_t* hashes) {
  const Words length = load_lengths(block);
  if (!are_between(length, 1, 16)) return false;
  const Pair bytes = load_pairs(block);
  Words hash;
  if (are_between(length, 4, 8)) {
    hash = hash_4to8(bytes, length, secret);
  } else if (are_between(length, 9, 16)) {
    hash = hash_9to16(bytes, length, secret);
  } else {
    hash = hash_1to16(bytes, length, secret);
  }
  // Never one of the reserved results.
  const Words reserved = all(SYN_FINGERPRINT_RESERVED_COUNT);
  const __mmask8 is_reserved = _mm512_cmplt_epu64_mask(hash, reserved);
  _mm512_store_si512(hashes, _mm512_mask_add_epi64(hash, is_reserved, hash, reserved));
  return true;
}

// Whether 16 bytes can be read at the place of every cell of these rows.
bool are_loadable(const syn_batch& batch, uint32_t row) {
  if (batch.arena_size < kLoadSizeBytes) return false;
  const uint32_t* offsets = batch.cell_offset + static_cast<uint64_t>(row) * batch.field_count;
  const __m512i most = _mm512_set1_epi32(static_cast<int>(batch.arena_size - kLoadSizeBytes));
  __mmask16 are_beyond = 0;
  for (uint64_t i = 0; i < uint64_t{kLanes} * batch.field_count; i += 8) {
    const __m256i eight = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(offsets + i));
    are_beyond |= _mm512_mask_cmpgt_epu32_mask(0xff, _mm512_castsi256_si512(eight), most);
  }
  return are_beyond == 0;
}

void fingerprint_eight_rows(const syn_batch& batch, uint32_t row, const uint8_t* secret,
                            const ShortSecret& words, uint64_t* cells) {
  const uint32_t value_count = batch.field_count - batch.key_count;
  const uint64_t first = static_cast<uint64_t>(row) * batch.field_count + batch.key_count;
  cells += static_cast<uint64_t>(row) * value_count;
  alignas(64) uint64_t hashes[kLanes];
  for (uint32_t i = 0; i < value_count; ++i) {
    const uint64_t index = first + i;
    const Block block{batch.arena, batch.cell_offset + index, batch.cell_length + index,
                      batch.field_count};
    if (hash_block(block, words, hashes)) {
      for (uint32_t k = 0; k < kLanes; ++k) cells[uint64_t{k} * value_count + i] = hashes[k];
      continue;
    }
    for (uint32_t k = 0; k < kLanes; ++k) {
      cells[uint64_t{k} * value_count + i] =
          fingerprint_cell(batch, index + uint64_t{k} * batch.field_count, secret, words);
    }
  }
}

}  // namespace

void fingerprint_avx512(const syn_batch& batch, const uint8_t* secret, syn_hash128* keys,
                        uint64_t* cells) {
  const ShortSecret words(secret);
  fingerprint_keys(batch, secret, keys);
  uint32_t row = 0;
  for (; row + kLanes <= batch.row_count; row += kLanes) {
    if (are_loadable(batch, row)) {
      fingerprint_eight_rows(batch, row, secret, words, cells);
    } else {
      fingerprint_rows(batch, row, row + kLanes, secret, words, cells);
    }
  }
  fingerprint_rows(batch, row, batch.row_count, secret, words, cells);
}

}  // namespace syncline::cpu
