// A chunk's clear part, the header and the directory: written by seal, parsed by open.
//
// Threads: values. Errors: parse_chunk says what is wrong with bytes that no seal wrote; it checks
// every declared size against the limits of block.h and never reads outside the bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/cpu/columns.hpp"

namespace syncline::cpu {

struct ChunkHeader {
  uint8_t engine = SYN_ENGINE_CPU;
  uint16_t index = 0;
  uint16_t count = 0;
  uint16_t column_count = 0;
  uint32_t directory_size = 0;
  uint32_t frames_size = 0;
  uint32_t stored_size = 0;
};

void write_header(const ChunkHeader& header, char* out);  // SYN_CHUNK_HEADER_SIZE bytes
void write_directory(std::span<const ColumnEntry> entries, std::string& out);

struct Chunk {
  ChunkHeader header;
  std::vector<ColumnEntry> entries;
  std::string_view clear;   // header and directory
  std::string_view sealed;  // frames and stored bytes, encrypted
  std::string_view tag;
};

// Parses the chunk at the front of bytes. Returns what is wrong, or null.
const char* parse_chunk(std::string_view bytes, Chunk& out);

}  // namespace syncline::cpu
