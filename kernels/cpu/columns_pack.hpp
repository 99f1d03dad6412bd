// Packed numbers: the low bits of each, bit by bit, in the stored part; what lies above them as
// byte planes, the highest first, in the framed part, where zstd finds what they have in common.
//
// Threads: pure functions. Errors: unpack says false for parts that pack did not write.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "host/base/bytes.hpp"
#include "kernels/cpu/columns.hpp"

namespace syncline::cpu {

struct Split {
  uint8_t low_bits = 0;     // at most SYN_PACKED_BITS_MAX
  uint8_t plane_count = 0;  // each 8 bits
};

// REQUIRES: no value has more bits than the split.
void pack(std::span<const uint64_t> values, Split split, Parts& parts);

// Reads what pack wrote for out.size() values: stored from the reader, planes from the front of
// framed.
bool unpack(ByteReader& stored, std::string_view& framed, std::span<uint64_t> out);

// A column's bytes as numbers: u8, u32, u64 little endian; kBytes as 8 bytes big endian.
size_t number_size(uint8_t type);
void load_numbers(std::string_view bytes, uint8_t type, std::span<uint64_t> out);
// REQUIRES: out has the size of all values. False for a value that the type cannot hold.
bool store_numbers(std::span<const uint64_t> values, uint8_t type, std::string& out);

}  // namespace syncline::cpu
