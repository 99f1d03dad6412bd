// Eight cells at a time, one in each 64-bit lane: lengths of 0 to 16 bytes in the order they lie
// in, whatever their mix; lengths of 17 to 64 from a list made on the way; the rest one by one.
//
// Row data mixes lengths from cell to cell. Here a mix costs no branch: the cases of XXH3 are
// computed side by side, share their multiplications, and a mask chooses. The 16 bytes at each
// cell's place are loaded whatever its length; shifts find its last 8.
#define XXH_INLINE_ALL
#include <immintrin.h>
#include <xxhash.h>

#include "kernels/cpu/fingerprint.hpp"
#include "kernels/cpu/xxh3_short_internal.hpp"

namespace syncline::cpu {
namespace {

using Words = __m512i;
constexpr uint32_t kLanes = 8;
constexpr uint32_t kTileCellCount = 512;

struct Tile {
  uint32_t cell_count;
  uint32_t long_count;
  alignas(64) uint32_t length[kTileCellCount + 16];
  alignas(64) uint32_t offset[kTileCellCount + 16];
  alignas(64) uint32_t safe_offset[kTileCellCount + 16];  // at most where 16 bytes are left
  // Cells that are not short: their places in the tile, lengths and offsets.
  alignas(64) uint32_t long_place[kTileCellCount + 16];
  alignas(64) uint32_t long_length[kTileCellCount + 16];
  alignas(64) uint32_t long_offset[kTileCellCount + 16];
};

inline Words all(uint64_t value) {
  return _mm512_set1_epi64(static_cast<int64_t>(value));
}

struct Pair {
  Words low;   // the first 8 bytes at each place
  Words high;  // the next 8
};

// 16 bytes at each of eight places. By plain loads: gathers take some 60 cycles where the processor
// is guarded against reading them by side channels.
inline Pair load_pairs(const uint8_t* arena, const uint32_t* offsets) {
  const auto load = [&](uint32_t lane) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(arena + offsets[lane]));
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

inline Words avalanche(Words hash) {
  hash = _mm512_xor_si512(hash, _mm512_srli_epi64(hash, 37));
  hash = _mm512_mullo_epi64(hash, all(0x165667919E3779F9ull));
  return _mm512_xor_si512(hash, _mm512_srli_epi64(hash, 32));
}

// Never one of the reserved results.
inline Words of_value(Words hash) {
  const __mmask8 is_reserved = _mm512_cmplt_epu64_mask(hash, all(SYN_FINGERPRINT_RESERVED_COUNT));
  return _mm512_mask_add_epi64(hash, is_reserved, hash, all(SYN_FINGERPRINT_RESERVED_COUNT));
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

inline Words prepare_9to16(Words first, Words last, Words length, const ShortSecret& secret) {
  const Words order = _mm512_set4_epi32(0x08090a0b, 0x0c0d0e0f, 0x00010203, 0x04050607);
  const Words low = _mm512_xor_si512(first, all(secret.low_of_9to16));
  const Words high = _mm512_xor_si512(last, all(secret.high_of_9to16));
  const Words swapped = _mm512_shuffle_epi8(low, order);
  return _mm512_add_epi64(_mm512_add_epi64(length, swapped),
                          _mm512_add_epi64(high, multiply_fold(low, high)));
}

// Lengths 1 to 16: the first of two multiplications for the shorter ones, the second for all.
inline Words hash_short(Pair bytes, Words length, __mmask8 is_short, const ShortSecret& secret) {
  const __mmask8 is_9to16 = _mm512_mask_cmpgt_epu64_mask(is_short, length, all(8));
  const __mmask8 is_4to16 = _mm512_mask_cmpgt_epu64_mask(is_short, length, all(3));
  const Words first = bytes.low;
  const Words after = _mm512_slli_epi64(_mm512_sub_epi64(length, all(8)), 3);
  const Words last =
      _mm512_or_si512(_mm512_srlv_epi64(bytes.low, after),
                      _mm512_sllv_epi64(bytes.high, _mm512_sub_epi64(all(64), after)));
  Words hash = prepare_1to3(first, length, secret);
  hash = _mm512_mask_mov_epi64(hash, is_4to16, prepare_4to8(first, length, secret));
  const Words factor =
      _mm512_mask_mov_epi64(all(0xC2B2AE3D27D4EB4Full), is_4to16, all(0x9FB21C651E98DF25ull));
  hash = _mm512_mullo_epi64(hash, factor);
  // 1 to 3: xor hash >> 29; 4 to 8: xor (hash >> 35) + length; 9 to 16: xor hash >> 37.
  hash = _mm512_mask_mov_epi64(hash, is_9to16, prepare_9to16(first, last, length, secret));
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

inline void store_narrow(uint32_t* out, Words values) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_cvtepi64_epi32(values));
}

// REQUIRES: every offset has 16 bytes behind it, also of the lanes that are not wanted.
inline Words mix16(const uint8_t* arena, Words offset, const uint64_t* secret) {
  alignas(32) uint32_t offsets[kLanes];
  store_narrow(offsets, offset);
  const Pair bytes = load_pairs(arena, offsets);
  return multiply_fold(_mm512_xor_si512(bytes.low, all(secret[0])),
                       _mm512_xor_si512(bytes.high, all(secret[1])));
}

inline Words hash_17to64(__mmask8 lanes, const uint8_t* arena, Words offset, Words length,
                         const ShortSecret& secret) {
  const Words start = _mm512_maskz_mov_epi64(lanes, offset);
  const Words end = _mm512_maskz_add_epi64(lanes, offset, length);
  Words hash = _mm512_mullo_epi64(length, all(0x9E3779B185EBCA87ull));
  const __mmask8 is_over_32 = _mm512_mask_cmpgt_epu64_mask(lanes, length, all(32));
  if (is_over_32 != 0) {
    const Words inner = _mm512_maskz_add_epi64(is_over_32, start, all(16));
    const Words near_end = _mm512_maskz_sub_epi64(is_over_32, end, all(32));
    const Words mixed = _mm512_add_epi64(mix16(arena, inner, secret.words + 4),
                                         mix16(arena, near_end, secret.words + 6));
    hash = _mm512_mask_add_epi64(hash, is_over_32, hash, mixed);
  }
  hash = _mm512_add_epi64(hash, mix16(arena, start, secret.words));
  const Words last = _mm512_maskz_sub_epi64(lanes, end, all(16));
  hash = _mm512_add_epi64(hash, mix16(arena, last, secret.words + 2));
  return avalanche(hash);
}

inline Words load_wide(const uint32_t* values) {
  return _mm512_cvtepu32_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(values)));
}

inline void append(uint32_t* list, __mmask8 lanes, Words values) {
  store_narrow(list, _mm512_maskz_compress_epi64(lanes, values));
}

class TileHasher {
 public:
  TileHasher(const syn_batch& batch, const uint8_t* secret)
      : batch_(batch),
        secret_(secret),
        words_(secret),
        empty_(all(XXH3_64bits_withSecret(batch.arena, 0, secret, SYN_SECRET_SIZE))),
        offset_max_(batch.arena_size - 16) {}

  // Copies the value fields of the rows from row on; returns how many fit.
  uint32_t stage(uint32_t row) {
    const uint32_t value_count = batch_.field_count - batch_.key_count;
    const uint32_t left = batch_.row_count - row;
    const uint32_t fit = kTileCellCount / value_count;
    const uint32_t row_count = left < fit ? left : fit;
    uint64_t from = static_cast<uint64_t>(row) * batch_.field_count + batch_.key_count;
    uint32_t to = 0;
    for (uint32_t i = 0; i < row_count; ++i, from += batch_.field_count, to += value_count) {
      copy_fields(from, to, value_count);
    }
    tile_.cell_count = to;
    tile_.long_count = 0;
    return row_count;
  }

  uint32_t cell_count() const { return tile_.cell_count; }

  void hash(uint64_t* cells) {
    for (uint32_t place = 0; place < tile_.cell_count; place += kLanes) {
      hash_eight(place, cells);
    }
    for (uint32_t i = 0; i < tile_.long_count; i += kLanes) hash_eight_long(i, cells);
  }

 private:
  static __mmask8 valid_lanes(uint32_t left) {
    return static_cast<__mmask8>(left < kLanes ? (1u << left) - 1 : 0xff);
  }

  void copy_fields(uint64_t from, uint32_t to, uint32_t count) {
    const __m512i most = _mm512_set1_epi32(static_cast<int>(offset_max_));
    for (uint32_t i = 0; i < count; i += 16) {
      const uint32_t left = count - i;
      const auto lanes = static_cast<__mmask16>(left < 16 ? (1u << left) - 1 : 0xffff);
      const __m512i length = _mm512_maskz_loadu_epi32(lanes, batch_.cell_length + from + i);
      const __m512i offset = _mm512_maskz_loadu_epi32(lanes, batch_.cell_offset + from + i);
      _mm512_storeu_si512(tile_.length + to + i, length);
      _mm512_storeu_si512(tile_.offset + to + i, offset);
      _mm512_storeu_si512(tile_.safe_offset + to + i, _mm512_min_epu32(offset, most));
    }
  }

  void hash_eight(uint32_t place, uint64_t* cells) {
    const __mmask8 valid = valid_lanes(tile_.cell_count - place);
    const Words length = load_wide(tile_.length + place);
    const Words offset = load_wide(tile_.offset + place);
    const __mmask8 is_value =
        _mm512_mask_cmplt_epu64_mask(valid, length, all(SYN_LENGTH_UNCHANGED));
    const __mmask8 is_empty = _mm512_mask_cmpeq_epu64_mask(valid, length, all(0));
    const __mmask8 is_null = _mm512_mask_cmpeq_epu64_mask(valid, length, all(SYN_LENGTH_NULL));
    const __mmask8 has_bytes = is_value & static_cast<__mmask8>(~is_empty);
    const __mmask8 is_small = _mm512_mask_cmple_epu64_mask(has_bytes, length, all(16));
    const __mmask8 is_short = _mm512_mask_cmple_epu64_mask(is_small, offset, all(offset_max_));
    const Pair bytes = load_pairs(batch_.arena, tile_.safe_offset + place);
    Words hash = hash_short(bytes, length, is_short, words_);
    hash = of_value(_mm512_mask_mov_epi64(hash, is_empty, empty_));
    hash = _mm512_maskz_mov_epi64(is_value, hash);  // unchanged is 0
    hash = _mm512_mask_mov_epi64(hash, is_null, all(SYN_FINGERPRINT_NULL));
    _mm512_mask_storeu_epi64(cells + place, valid, hash);
    const __mmask8 is_long = has_bytes & static_cast<__mmask8>(~is_short);
    if (is_long != 0) list_long(place, is_long, length, offset);
  }

  void list_long(uint32_t place, __mmask8 is_long, Words length, Words offset) {
    const Words places = _mm512_add_epi64(all(place), _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0));
    append(tile_.long_place + tile_.long_count, is_long, places);
    append(tile_.long_length + tile_.long_count, is_long, length);
    append(tile_.long_offset + tile_.long_count, is_long, offset);
    tile_.long_count += static_cast<uint32_t>(__builtin_popcount(is_long));
  }

  void hash_eight_long(uint32_t i, uint64_t* cells) {
    const __mmask8 valid = valid_lanes(tile_.long_count - i);
    const Words length = load_wide(tile_.long_length + i);
    const __mmask8 is_over_16 = _mm512_mask_cmpgt_epu64_mask(valid, length, all(16));
    const __mmask8 is_17to64 = _mm512_mask_cmple_epu64_mask(is_over_16, length, all(64));
    const Words offset = load_wide(tile_.long_offset + i);
    const Words hash = hash_17to64(is_17to64, batch_.arena, offset, length, words_);
    alignas(64) uint64_t hashes[kLanes];
    _mm512_store_si512(hashes, of_value(hash));
    for (uint32_t done = is_17to64; done != 0; done &= done - 1) {
      const auto lane = static_cast<uint32_t>(__builtin_ctz(done));
      cells[tile_.long_place[i + lane]] = hashes[lane];
    }
    uint32_t rest = valid & ~uint32_t{is_17to64};
    for (; rest != 0; rest &= rest - 1) {
      const uint32_t k = i + static_cast<uint32_t>(__builtin_ctz(rest));
      cells[tile_.long_place[k]] = syn_fingerprint_of_value(XXH3_64bits_withSecret(
          batch_.arena + tile_.long_offset[k], tile_.long_length[k], secret_, SYN_SECRET_SIZE));
    }
  }

  const syn_batch& batch_;
  const uint8_t* secret_;
  const ShortSecret words_;
  const Words empty_;
  const uint32_t offset_max_;
  Tile tile_;
};

}  // namespace

void fingerprint_avx512(const syn_batch& batch, const uint8_t* secret, syn_hash128* keys,
                        uint64_t* cells) {
  if (batch.arena_size < 16) return fingerprint_scalar(batch, secret, keys, cells);
  for (uint32_t row = 0; row < batch.row_count; ++row) {
    const XXH128_hash_t key = XXH3_128bits_withSecret(
        batch.arena + batch.key_offset[row], batch.key_length[row], secret, SYN_SECRET_SIZE);
    keys[row] = {key.low64, key.high64};
  }
  if (batch.field_count == batch.key_count) return;
  TileHasher tiles(batch, secret);
  for (uint32_t row = 0; row < batch.row_count;) {
    row += tiles.stage(row);
    tiles.hash(cells);
    cells += tiles.cell_count();
  }
}

}  // namespace syncline::cpu
