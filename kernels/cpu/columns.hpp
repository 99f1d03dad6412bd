// Typed encodings: from columns to framed parts (zstd takes them) and stored parts (already dense),
// and back. docs/formats/block.md describes each encoding.
//
// Owner: the caller owns all buffers; parts are appended. Threads: any; the encoder keeps its
// tables per thread. Errors: decode_column says false for parts that no encoder wrote, and never
// reads or writes outside what it was given.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/contract/block.h"
#include "kernels/engine/engine.hpp"

namespace syncline::cpu {

// One column within a chunk: what its directory entry says.
struct ColumnEntry {
  uint16_t id = 0;
  uint16_t ordinal = 0;  // its place in the block
  uint8_t type = 0;
  uint8_t encoding = SYN_ENCODING_STORED;
  uint32_t size = 0;         // decoded
  uint32_t framed_size = 0;  // its part of what the frames hold
  uint32_t stored_size = 0;  // its part of the stored bytes
};

struct Parts {
  std::string framed;
  std::string stored;
};

// An entry, and where its parts begin in Parts.
struct PlacedColumn {
  ColumnEntry entry;
  size_t framed_at = 0;
  size_t stored_at = 0;
};

// Chooses an encoding for each column and appends entries and parts. A kU32 column that holds the
// lengths of the texts in the next column is encoded together with it. REQUIRES: types of the
// contract, sizes within its limits.
void encode_columns(std::span<const engine::ColumnView> columns, size_t first_ordinal,
                    std::vector<PlacedColumn>& out, Parts& parts);

// REQUIRES: framed and stored hold exactly the entry's sizes. lengths: for SYN_ENCODING_TEXTS, the
// bytes of the column before this one; untouched otherwise.
bool decode_column(const ColumnEntry& entry, std::string_view framed, std::string_view stored,
                   std::string& out, std::string& lengths);

}  // namespace syncline::cpu
