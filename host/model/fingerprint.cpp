#define XXH_INLINE_ALL
#include "host/model/fingerprint.hpp"

#include <xxhash.h>

namespace syncline::model {

uint64_t fingerprint(const CellView& cell, const Secret& secret) {
  switch (cell.state) {
    case CellState::kUnchanged:
      return SYN_FINGERPRINT_UNCHANGED;
    case CellState::kNull:
      return SYN_FINGERPRINT_NULL;
    case CellState::kValue:
      break;
  }
  return syn_fingerprint_of_value(
      XXH3_64bits_withSecret(cell.bytes.data(), cell.bytes.size(), secret.data(), secret.size()));
}

}  // namespace syncline::model
