#include "kernels/cpu/columns_pack.hpp"

#include <algorithm>
#include <cstring>

namespace syncline::cpu {
namespace {

size_t packed_size(size_t count, unsigned bits) {
  return (count * bits + 7) / 8;
}

void pack_bits(std::span<const uint64_t> values, unsigned bits, char* out) {
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  uint64_t pending = 0;
  unsigned pending_bits = 0;
  for (const uint64_t value : values) {
    const uint64_t low = value & mask;
    pending |= low << pending_bits;
    pending_bits += bits;
    if (pending_bits >= 64) {
      std::memcpy(out, &pending, 8);
      out += 8;
      pending_bits -= 64;
      // Not shifted out by 64: bits is at most 56, so at least 8 bits were pending before.
      pending = pending_bits == 0 ? 0 : low >> (bits - pending_bits);
    }
  }
  std::memcpy(out, &pending, (pending_bits + 7) / 8);
}

uint64_t load_up_to_8(const char* at, size_t readable) {
  uint64_t word = 0;
  std::memcpy(&word, at, readable < 8 ? readable : 8);
  return word;
}

void unpack_bits(std::string_view packed, unsigned bits, std::span<uint64_t> out) {
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  size_t i = 0;
  for (; i < out.size() && i * bits / 8 + 8 <= packed.size(); ++i) {
    uint64_t word;
    std::memcpy(&word, packed.data() + i * bits / 8, 8);
    out[i] = word >> (i * bits % 8) & mask;
  }
  for (; i < out.size(); ++i) {
    const size_t at = i * bits / 8;
    out[i] = load_up_to_8(packed.data() + at, packed.size() - at) >> (i * bits % 8) & mask;
  }
}

template <class T>
void load_as(std::string_view bytes, std::span<uint64_t> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
    out[i] = value;
  }
}

template <class T>
bool store_as(std::span<const uint64_t> values, std::string& out) {
  uint64_t all = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const T value = static_cast<T>(values[i]);
    all |= values[i];
    std::memcpy(out.data() + i * sizeof value, &value, sizeof value);
  }
  return all <= static_cast<T>(-1);
}

}  // namespace

void pack(std::span<const uint64_t> values, Split split, Parts& parts) {
  ByteWriter writer(parts.stored);
  writer.u8(split.low_bits);
  writer.u8(split.plane_count);
  if (split.low_bits != 0) {
    const size_t at = parts.stored.size();
    parts.stored.resize(at + packed_size(values.size(), split.low_bits));
    pack_bits(values, split.low_bits, parts.stored.data() + at);
  }
  const size_t at = parts.framed.size();
  parts.framed.resize(at + values.size() * split.plane_count);
  for (unsigned plane = 0; plane < split.plane_count; ++plane) {
    const unsigned shift = split.low_bits + 8u * (split.plane_count - 1u - plane);
    char* out = parts.framed.data() + at + plane * values.size();
    for (size_t i = 0; i < values.size(); ++i) out[i] = static_cast<char>(values[i] >> shift);
  }
}

bool unpack(ByteReader& stored, std::string_view& framed, std::span<uint64_t> out) {
  const unsigned low_bits = stored.u8();
  const unsigned plane_count = stored.u8();
  if (low_bits > SYN_PACKED_BITS_MAX || low_bits + 8 * plane_count > 64) return false;
  const std::string_view packed = stored.raw(packed_size(out.size(), low_bits));
  if (!stored.ok() || framed.size() < out.size() * plane_count) return false;
  if (low_bits == 0) {
    std::fill(out.begin(), out.end(), 0);
  } else {
    unpack_bits(packed, low_bits, out);
  }
  for (unsigned plane = 0; plane < plane_count; ++plane) {
    const unsigned shift = low_bits + 8 * (plane_count - 1 - plane);
    const char* in = framed.data() + plane * out.size();
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] |= uint64_t{static_cast<uint8_t>(in[i])} << shift;
    }
  }
  framed.remove_prefix(out.size() * plane_count);
  return true;
}

size_t number_size(uint8_t type) {
  if (type == SYN_COLUMN_U8) return 1;
  return type == SYN_COLUMN_U32 ? 4 : 8;
}

void load_numbers(std::string_view bytes, uint8_t type, std::span<uint64_t> out) {
  if (type == SYN_COLUMN_U8) return load_as<uint8_t>(bytes, out);
  if (type == SYN_COLUMN_U32) return load_as<uint32_t>(bytes, out);
  load_as<uint64_t>(bytes, out);
  if (type != SYN_COLUMN_BYTES) return;
  for (uint64_t& value : out) value = __builtin_bswap64(value);
}

bool store_numbers(std::span<const uint64_t> values, uint8_t type, std::string& out) {
  if (type == SYN_COLUMN_U8) return store_as<uint8_t>(values, out);
  if (type == SYN_COLUMN_U32) return store_as<uint32_t>(values, out);
  store_as<uint64_t>(values, out);
  if (type != SYN_COLUMN_BYTES) return true;
  for (size_t i = 0; i < values.size(); ++i) {
    const uint64_t value = __builtin_bswap64(values[i]);
    std::memcpy(out.data() + i * sizeof value, &value, sizeof value);
  }
  return true;
}

}  // namespace syncline::cpu
