#include <cstring>

#include "kernels/cpu/detect_loop_internal.hpp"

namespace syncline::cpu {
namespace {

struct ScalarOps {
  static uint32_t match(const uint64_t* line, uint64_t key_bits) {
    uint32_t found = 0;
    for (uint32_t slot = 0; slot < SYN_SLOTS_PER_LINE; ++slot) {
      found |= static_cast<uint32_t>(line[slot] == key_bits) << slot;
      found |= static_cast<uint32_t>(line[slot] == SYN_KEY_EMPTY) << (slot + 8);
    }
    return found;
  }

  static uint64_t load_cell(const uint8_t* cells, uint32_t index) {
    uint64_t bits;
    std::memcpy(&bits, cells + uint64_t{index} * SYN_CELL_SIZE, sizeof bits);
    return bits & SYN_CELL_MASK;
  }

  static bool compare(const DetectRows& rows, uint32_t row, const uint8_t* cells,
                      uint64_t* changed) {
    const uint64_t* fingerprints = rows.cells + uint64_t{row} * rows.value_count;
    for (uint32_t word = 0; word < rows.bitmap_words; ++word) changed[word] = 0;
    uint64_t any = 0;
    for (uint32_t i = 0; i < rows.value_count; ++i) {
      const uint64_t cell = syn_cell_of_fingerprint(fingerprints[i]);
      const uint64_t is_known = cell != SYN_CELL_UNKNOWN;
      const uint64_t differs = is_known & static_cast<uint64_t>(cell != load_cell(cells, i));
      changed[i / 64] |= differs << (i % 64);
      any |= differs;
    }
    return any != 0;
  }
};

}  // namespace

void detect_scalar(const DetectRows& rows) {
  DetectLoop<ScalarOps>::run(rows);
}

}  // namespace syncline::cpu
