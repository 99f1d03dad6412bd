#include <immintrin.h>

#include "kernels/cpu/detect_loop_internal.hpp"

namespace syncline::cpu {
namespace {

struct Avx512Ops {
  static uint32_t match(const uint64_t* line, uint64_t key_bits) {
    const __m512i slots = _mm512_load_si512(line);
    const __m512i wanted = _mm512_set1_epi64(static_cast<int64_t>(key_bits));
    const __mmask8 is_found = _mm512_cmpeq_epi64_mask(slots, wanted);
    const __mmask8 is_empty = _mm512_testn_epi64_mask(slots, slots);
    return static_cast<uint32_t>(is_found) | static_cast<uint32_t>(is_empty) << 8;
  }

  // Eight cells, 48 bytes, spread to 64-bit lanes: words of 16 bits by threes.
  static __m512i spread(__m512i packed) {
    const __m512i words =
        _mm512_set_epi16(31, 23, 22, 21, 31, 20, 19, 18, 31, 17, 16, 15, 31, 14, 13, 12, 31, 11, 10,
                         9, 31, 8, 7, 6, 31, 5, 4, 3, 31, 2, 1, 0);
    return _mm512_maskz_permutexvar_epi16(0x77777777, words, packed);
  }

  // The 48 bits of fingerprints: syn_cell_of_fingerprint, eight at a time.
  static __m512i cells_of(__m512i fingerprints) {
    const __m512i mask = _mm512_set1_epi64(static_cast<int64_t>(SYN_CELL_MASK));
    const __m512i two = _mm512_set1_epi64(SYN_FINGERPRINT_RESERVED_COUNT);
    const __m512i low = _mm512_and_si512(fingerprints, mask);
    const __mmask8 is_value = _mm512_cmpge_epu64_mask(fingerprints, two);
    const __mmask8 is_moved = _mm512_mask_cmplt_epu64_mask(is_value, low, two);
    return _mm512_mask_add_epi64(low, is_moved, low, two);
  }

  static bool compare(const DetectRows& rows, uint32_t row, const uint8_t* cells,
                      uint64_t* changed) {
    const uint64_t* fingerprints = rows.cells + uint64_t{row} * rows.value_count;
    for (uint32_t word = 0; word < rows.bitmap_words; ++word) changed[word] = 0;
    uint32_t any = 0;
    for (uint32_t i = 0; i < rows.value_count; i += 8) {
      const uint32_t left = rows.value_count - i;
      const auto lanes = static_cast<__mmask8>(left < 8 ? (1u << left) - 1 : 0xff);
      // 48 bytes; behind the table's last cell there is slack.
      const __m512i packed = _mm512_maskz_loadu_epi16(0xffffff, cells + i * SYN_CELL_SIZE);
      const __m512i now = _mm512_maskz_loadu_epi64(lanes, fingerprints + i);
      const __mmask8 is_known = _mm512_mask_test_epi64_mask(lanes, now, now);
      const uint32_t differs =
          _mm512_mask_cmpneq_epi64_mask(is_known, cells_of(now), spread(packed));
      changed[i / 64] |= static_cast<uint64_t>(differs) << (i % 64);
      any |= differs;
    }
    return any != 0;
  }
};

}  // namespace

void detect_avx512(const DetectRows& rows) {
  DetectLoop<Avx512Ops>::run(rows);
}

}  // namespace syncline::cpu
