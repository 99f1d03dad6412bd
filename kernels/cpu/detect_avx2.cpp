#include <cstring>

#include <immintrin.h>

#include "kernels/cpu/detect_loop_internal.hpp"

namespace syncline::cpu {
namespace {

struct Avx2Ops {
  static uint32_t equal_slots(__m256i low, __m256i high, __m256i wanted) {
    const auto bits = [wanted](__m256i slots) {
      const __m256i is_equal = _mm256_cmpeq_epi64(slots, wanted);
      return static_cast<uint32_t>(_mm256_movemask_pd(_mm256_castsi256_pd(is_equal)));
    };
    return bits(low) | bits(high) << 4;
  }

  static uint32_t match(const uint64_t* line, uint64_t key_bits) {
    const __m256i low = _mm256_load_si256(reinterpret_cast<const __m256i*>(line));
    const __m256i high = _mm256_load_si256(reinterpret_cast<const __m256i*>(line + 4));
    const __m256i wanted = _mm256_set1_epi64x(static_cast<int64_t>(key_bits));
    return equal_slots(low, high, wanted) | equal_slots(low, high, _mm256_setzero_si256()) << 8;
  }

  // Four cells, 24 bytes, spread to 64-bit lanes.
  static __m256i spread(const uint8_t* cells) {
    const __m256i halves =
        _mm256_set_m128i(_mm_loadu_si128(reinterpret_cast<const __m128i*>(cells + 12)),
                         _mm_loadu_si128(reinterpret_cast<const __m128i*>(cells)));
    const __m256i order = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, -1, -1, 6, 7, 8, 9, 10, 11, -1, -1, 0,
                                           1, 2, 3, 4, 5, -1, -1, 6, 7, 8, 9, 10, 11, -1, -1);
    return _mm256_shuffle_epi8(halves, order);
  }

  // The 48 bits of fingerprints: syn_cell_of_fingerprint, four at a time. Signed comparisons do:
  // what is below 2 of 48 bits has no sign, and 0 and 1 themselves are told apart by equality.
  static __m256i cells_of(__m256i fingerprints) {
    const __m256i two = _mm256_set1_epi64x(SYN_FINGERPRINT_RESERVED_COUNT);
    const __m256i mask = _mm256_set1_epi64x(static_cast<int64_t>(SYN_CELL_MASK));
    const __m256i low = _mm256_and_si256(fingerprints, mask);
    const __m256i is_low_reserved = _mm256_cmpgt_epi64(two, low);
    const __m256i is_itself = _mm256_cmpeq_epi64(low, fingerprints);
    const __m256i is_moved = _mm256_andnot_si256(is_itself, is_low_reserved);
    return _mm256_add_epi64(low, _mm256_and_si256(is_moved, two));
  }

  static bool compare(const DetectRows& rows, uint32_t row, const uint8_t* cells,
                      uint64_t* changed) {
    const uint64_t* fingerprints = rows.cells + uint64_t{row} * rows.value_count;
    for (uint32_t word = 0; word < rows.bitmap_words; ++word) changed[word] = 0;
    uint32_t any = 0;
    for (uint32_t i = 0; i < rows.value_count; i += 4) {
      const uint32_t left = rows.value_count - i;
      alignas(32) uint64_t last[4] = {};
      const uint64_t* from = fingerprints + i;
      if (left < 4) {
        std::memcpy(last, from, left * sizeof last[0]);  // the others are "unchanged"
        from = last;
      }
      const __m256i now = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
      const __m256i is_unknown = _mm256_cmpeq_epi64(now, _mm256_setzero_si256());
      const __m256i is_equal = _mm256_cmpeq_epi64(cells_of(now), spread(cells + i * SYN_CELL_SIZE));
      const __m256i is_same = _mm256_or_si256(is_unknown, is_equal);
      const auto same = static_cast<uint32_t>(_mm256_movemask_pd(_mm256_castsi256_pd(is_same)));
      const uint32_t differs = ~same & 0xf;
      changed[i / 64] |= static_cast<uint64_t>(differs) << (i % 64);
      any |= differs;
    }
    return any != 0;
  }
};

}  // namespace

void detect_avx2(const DetectRows& rows) {
  DetectLoop<Avx2Ops>::run(rows);
}

}  // namespace syncline::cpu
