// Typed encodings of one column: from a column's bytes to a framed part (zstd takes it) and a
// stored part (already dense), and back. docs/formats/block.md describes each encoding.
//
// Owner: the caller owns all buffers; parts are appended. Threads: any. Errors: decode_column says
// false for parts that no encoder wrote, and never reads or writes outside what it was given.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

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

// Chooses an encoding and appends the column to parts. REQUIRES: a type of the contract, a size
// within SYN_COLUMN_SIZE_MAX.
void encode_column(const engine::ColumnView& column, ColumnEntry& entry, Parts& parts);

// REQUIRES: framed and stored hold exactly the entry's sizes.
bool decode_column(const ColumnEntry& entry, std::string_view framed, std::string_view stored,
                   std::string& out);

}  // namespace syncline::cpu
