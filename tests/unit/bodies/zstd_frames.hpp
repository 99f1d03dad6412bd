// Contents that look like what columns hold, frames of them by libzstd, and frames opened by the
// bodies with any number of lanes.
#pragma once

#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <zstd.h>

#include "kernels/bodies/zstd_decode.h"

namespace syncline::bodies {

struct Content {
  std::string name;
  std::string bytes;
};

inline std::string words_of(size_t size, uint64_t seed) {
  constexpr const char* kWords[] = {"Zurich", "Bern",  "invoice", "open",  "paid", "customer",
                                    "street", "Ann",   "Bob",     "order", "2024", "overdue",
                                    "the",    "north", "CHF",     "note"};
  std::mt19937_64 random(seed);
  std::string out;
  while (out.size() < size) {
    const uint64_t draw = random();
    out += kWords[(draw & 15) * (draw >> 4 & 15) / 15];
    out += draw % 7 == 0 ? ", " : " ";
    if (draw % 13 == 0) out += std::to_string(draw % 100000);
  }
  out.resize(size);
  return out;
}

inline std::string rows_of(size_t size, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string out;
  uint64_t id = random() % 1000000;
  while (out.size() < size) {
    id += 1 + random() % 3;
    const uint32_t price = static_cast<uint32_t>(random() % 500) * 100;
    out.append(reinterpret_cast<const char*>(&id), 8);
    out.append(reinterpret_cast<const char*>(&price), 4);
    out += "row-" + std::to_string(random() % 100);
  }
  out.resize(size);
  return out;
}

inline std::string noise_of(size_t size, uint64_t seed, uint32_t bits) {
  std::mt19937_64 random(seed);
  std::string out(size, '\0');
  for (char& byte : out) byte = static_cast<char>(random() & ((1u << bits) - 1));
  return out;
}

inline std::string file_of(const std::string& path, size_t size) {
  std::ifstream file(path, std::ios::binary);
  std::string out(size, '\0');
  file.read(out.data(), static_cast<std::streamsize>(size));
  out.resize(static_cast<size_t>(file.gcount()));
  return out;
}

inline std::vector<Content> contents_of(size_t size) {
  std::vector<Content> out{{"words", words_of(size, size)},
                           {"rows", rows_of(size, size + 1)},
                           {"bytes", noise_of(size, size + 2, 8)},
                           {"nibbles", noise_of(size, size + 3, 4)},
                           {"bits", noise_of(size, size + 4, 1)},
                           {"zeros", std::string(size, '\0')},
                           {"program", file_of("/proc/self/exe", size)}};
  std::string period = noise_of(300, size + 5, 8);
  std::string repeated;
  while (repeated.size() < size) repeated += period;
  repeated.resize(size);
  out.push_back({"period", repeated});
  return out;
}

inline std::string frame_of(const std::string& content, int level, bool has_checksum = false) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                     &ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, has_checksum ? 1 : 0);
  std::string out(ZSTD_compressBound(content.size()), '\0');
  const size_t size =
      ZSTD_compress2(context.get(), out.data(), out.size(), content.data(), content.size());
  out.resize(ZSTD_isError(size) != 0 ? 0 : size);
  return out;
}

inline const uint8_t* bytes_of(const std::string& text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

// A frame with some bits or bytes of it changed, and now and then cut.
inline std::string broken(std::string frame, std::mt19937_64& random) {
  for (uint64_t i = 0; i <= random() % 3; ++i) {
    const size_t at = random() % frame.size();
    // The parts that decide most lie in front.
    const size_t place = random() % 2 == 0 ? at : at % 40 % frame.size();
    frame[place] =
        static_cast<char>(random() % 4 == 0 ? random() : frame[place] ^ 1 << random() % 8);
  }
  if (random() % 8 == 0) frame.resize(random() % frame.size() + 1);
  return frame;
}

struct Opened {
  uint32_t status = SYN_ZSTD_OK;
  std::string bytes;
};

// In memory of just the frame's size, and of its content's, so that a sanitizer sees a step beyond.
// Each file's own: bodies are what a file says of lanes (kernels/bodies/group.h).
static inline Opened open_by_body(const std::string& frame, uint32_t width, size_t content_size) {
  const std::vector<uint8_t> input(frame.begin(), frame.end());
  std::vector<uint8_t> output(content_size);
  std::vector<uint8_t> scratch(SYN_ZSTD_BLOCK_SIZE_MAX);
  const auto decoder = std::make_unique<syn_zstd_decoder>();
  std::memset(decoder.get(), 0xcd, sizeof *decoder);
  const syn_zstd_input in{input.data(), static_cast<uint32_t>(input.size()),
                          static_cast<uint32_t>(content_size), output.data(), scratch.data()};
  Opened out;
  out.status = syn_zstd_decode({0, width}, decoder.get(), in);
  if (out.status == SYN_ZSTD_OK) out.bytes.assign(output.begin(), output.end());
  return out;
}

}  // namespace syncline::bodies
