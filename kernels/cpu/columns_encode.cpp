#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

#include <zstd.h>

#include "host/base/bytes.hpp"
#include "kernels/cpu/columns_encode_internal.hpp"

namespace syncline::cpu {
namespace {

constexpr size_t kCountMin = 2;
// Below this many values nothing is weighed: the smaller of offsets and deltas, bit by bit.
constexpr size_t kWeighedCountMin = 16;
constexpr size_t kRunLengthMin = 8;  // on average
constexpr size_t kRunLengthOfBytesMin = 32;
constexpr double kRepeatedShareMin = 0.1;  // from here zstd would find whole values again
constexpr size_t kDistinctMax = 4096;
constexpr size_t kUsesMin = 4;  // of a distinct value, on average
// What is not at least this much smaller is not worth decoding.
constexpr double kWorthwhile = 0.97;
// Many planes are a few large numbers among small ones, where zstd's matches beat their entropy.
constexpr unsigned kClearPlanesMax = 2;
// Texts of 8 bytes are taken for numbers only where they shrink to this; else zstd is asked as
// well.
constexpr double kClearlyNumbers = 0.5;

uint64_t zigzag(int64_t value) {
  return static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63);
}

// Divides all by a common divisor, if it divides all. An exact division is a shift and a product
// with the inverse of the odd part, modulo 2^64; the quotient is small exactly if it was exact.
bool divide_exactly(std::vector<uint64_t>& values, uint64_t divisor) {
  const int shift = std::countr_zero(divisor);
  const uint64_t odd = divisor >> shift;
  uint64_t inverse = odd;  // right for 3 bits; each step doubles them
  for (int step = 0; step < 5; ++step) inverse *= 2 - odd * inverse;
  const uint64_t quotient_max = UINT64_MAX / odd;
  const uint64_t low_mask = (uint64_t{1} << shift) - 1;
  uint64_t wrong = 0;
  for (const uint64_t value : values) {
    wrong |= (value & low_mask) | uint64_t{(value >> shift) * inverse > quotient_max};
  }
  if (wrong != 0) return false;
  for (uint64_t& value : values) value = (value >> shift) * inverse;
  return true;
}

// Divides all by what they have in common (milliseconds written as microseconds); returns it.
uint64_t divide_by_common(std::vector<uint64_t>& values) {
  constexpr size_t kProbe = 32;
  uint64_t common = 0;
  for (size_t i = 0; i < values.size() && i < kProbe && common != 1; ++i) {
    common = std::gcd(common, values[i]);
  }
  return common > 1 && divide_exactly(values, common) ? common : 1;
}

unsigned width_of(std::span<const uint64_t> values) {
  uint64_t all = 0;
  for (const uint64_t value : values) all |= value;
  return bit_width(all);
}

// For tables only. REQUIRES nothing of the length; most texts are short.
uint64_t hash_of(std::string_view text) {
  uint64_t first = text.size();
  uint64_t last = 0;
  if (text.size() >= 8) {
    std::memcpy(&first, text.data(), 8);
    std::memcpy(&last, text.data() + text.size() - 8, 8);
    for (size_t at = 8; at + 8 < text.size(); at += 8) {
      uint64_t word;
      std::memcpy(&word, text.data() + at, 8);
      first = (first ^ word) * 0x9e3779b97f4a7c15ull;
    }
  } else if (text.size() >= 4) {
    uint32_t halves[2];
    std::memcpy(&halves[0], text.data(), 4);
    std::memcpy(&halves[1], text.data() + text.size() - 4, 4);
    last = uint64_t{halves[0]} << 32 | halves[1];
  } else {
    for (const char byte : text) last = last << 8 | static_cast<uint8_t>(byte);
  }
  first = (first ^ std::rotl(last, 29) ^ text.size()) * 0x9e3779b97f4a7c15ull;
  return first ^ first >> 32;
}

bool is_constant(std::string_view bytes, size_t width) {
  return std::memcmp(bytes.data(), bytes.data() + width, bytes.size() - width) == 0;
}

Split all_bits(unsigned width) {
  Split split;
  split.plane_count = width > SYN_PACKED_BITS_MAX ? 1 : 0;
  split.low_bits = static_cast<uint8_t>(width - 8u * split.plane_count);
  return split;
}

Split all_planes(unsigned width) {
  return {0, static_cast<uint8_t>((width + 7) / 8)};
}

}  // namespace

ColumnEncoder::ColumnEncoder() : zstd_(ZSTD_createCCtx()) {}
ColumnEncoder::~ColumnEncoder() = default;

void ColumnEncoder::FreeZstd::operator()(ZSTD_CCtx_s* context) const {
  ZSTD_freeCCtx(context);
}

bool ColumnEncoder::encode_numbers(std::string_view bytes, ColumnEntry& entry, Parts& parts) {
  const size_t count = bytes.size() / number_size(entry.type);
  if (count < kCountMin || bytes.size() % number_size(entry.type) != 0) return false;
  values_.resize(count);
  if (is_constant(bytes, number_size(entry.type))) {
    write_constant(bytes, entry, parts);
    return true;
  }
  load_numbers(bytes, entry.type, values_);
  const Ranges ranges = ranges_of(values_);
  const Plan chosen = plan(bytes, entry.type, ranges);
  entry.encoding = chosen.encoding;
  if (chosen.encoding == SYN_ENCODING_FRAMED) return false;
  if (chosen.encoding == SYN_ENCODING_STORED) {
    parts.stored += bytes;
  } else {
    write(chosen, ranges, parts);
  }
  return true;
}

ColumnEncoder::Plan ColumnEncoder::plan(std::string_view bytes, uint8_t type,
                                        const Ranges& ranges) {
  const unsigned width = bit_width(ranges.max - ranges.min);
  if (ranges.delta_min == ranges.delta_max && values_.size() > kCountMin) {
    take_deltas(ranges);
    return {SYN_ENCODING_DELTA, {}, 0};
  }
  if (values_.size() < kWeighedCountMin) return plan_small(bytes, ranges);
  const size_t run_length_min = type == SYN_COLUMN_U8 ? kRunLengthOfBytesMin : kRunLengthMin;
  if (ranges.run_count * run_length_min <= values_.size()) return {SYN_ENCODING_RUNS, {}, 0};
  if (type == SYN_COLUMN_U8) return {};  // zstd's own alphabet
  if (width <= 8) return plan_symbols(bytes, ranges, width);
  return plan_wide(bytes, type, ranges, width);
}

// Numbers of one byte: a plane for zstd, or packed when zstd has nothing to find.
ColumnEncoder::Plan ColumnEncoder::plan_symbols(std::string_view bytes, const Ranges& ranges,
                                                unsigned width) {
  take_offsets(ranges);
  if (examiner_.is_patterned(offsets_, size_t{1} << width)) {
    return smaller_of({SYN_ENCODING_OFFSET, all_planes(width), 0}, bytes, ranges);
  }
  Plan best = plan_offsets();
  consider_deltas(ranges, best);
  return best;
}

ColumnEncoder::Plan ColumnEncoder::plan_wide(std::string_view bytes, uint8_t type,
                                             const Ranges& ranges, unsigned width) {
  const bool is_repeated = examiner_.repeated_share(values_) > kRepeatedShareMin;
  const size_t limit = std::min(kDistinctMax, values_.size() / kUsesMin);
  bool is_doubtful = is_repeated;
  Plan best;
  best.estimate = static_cast<double>(bytes.size()) * kWorthwhile;
  best.encoding = SYN_ENCODING_STORED;
  if (is_repeated && examiner_.find_symbols(values_, limit, symbols_)) {
    const size_t symbol_count = symbols_.distinct.size();
    const unsigned bits = bit_width(symbol_count - 1);
    if (examiner_.is_patterned(symbols_.indexes, symbol_count)) {
      return smaller_of({SYN_ENCODING_DICTIONARY, all_planes(bits), 0}, bytes, ranges);
    }
    best.encoding = SYN_ENCODING_DICTIONARY;
    best.split = examiner_.choose_split(symbols_.indexes, bits, best.estimate);
    best.estimate += static_cast<double>(symbol_count * width) / 8;
    is_doubtful = bits > 8;
  }
  take_offsets(ranges);
  const Plan offsets = plan_offsets();
  if (offsets.estimate < best.estimate) best = offsets;
  consider_deltas(ranges, best);
  is_doubtful |= best.split.plane_count > kClearPlanesMax;
  is_doubtful |= type == SYN_COLUMN_BYTES &&
                 best.estimate > static_cast<double>(bytes.size()) * kClearlyNumbers;
  return is_doubtful ? smaller_of(best, bytes, ranges) : best;
}

ColumnEncoder::Plan ColumnEncoder::plan_small(std::string_view bytes, const Ranges& ranges) {
  constexpr size_t kHeader = 14;
  const unsigned offset_width = bit_width(ranges.max - ranges.min);
  const unsigned delta_width =
      bit_width(static_cast<uint64_t>(ranges.delta_max) - static_cast<uint64_t>(ranges.delta_min));
  const unsigned width = std::min(offset_width, delta_width);
  if (kHeader + values_.size() * width / 8 >= bytes.size()) return {};
  take_offsets(ranges);
  take_deltas(ranges);
  return {width == offset_width ? uint8_t{SYN_ENCODING_OFFSET} : uint8_t{SYN_ENCODING_DELTA},
          all_bits(width), 0};
}

// Where an estimate cannot be trusted, because zstd may find sequences in the column's bytes that
// it does not find in the encoding: compresses both.
ColumnEncoder::Plan ColumnEncoder::smaller_of(Plan encoded, std::string_view bytes,
                                              const Ranges& ranges) {
  const size_t plain_size = compressed_size(bytes);
  if (encoded.encoding == SYN_ENCODING_STORED) return plain_size < bytes.size() ? Plan{} : encoded;
  Parts parts;
  write(encoded, ranges, parts);
  const size_t size = parts.stored.size() + compressed_size(parts.framed);
  return plain_size < size ? Plan{} : encoded;
}

void ColumnEncoder::take_offsets(const Ranges& ranges) {
  offsets_.resize(values_.size());
  for (size_t i = 0; i < values_.size(); ++i) offsets_[i] = values_[i] - ranges.min;
  offsets_scale_ = divide_by_common(offsets_);
}

// REQUIRES: take_offsets.
ColumnEncoder::Plan ColumnEncoder::plan_offsets() {
  Plan out{SYN_ENCODING_OFFSET, {}, 0};
  out.split = examiner_.choose_split(offsets_, width_of(offsets_), out.estimate);
  return out;
}

// Whether neighbours are closer to each other than all are to the smallest, by a sample.
bool ColumnEncoder::has_small_deltas(const Ranges& ranges) const {
  constexpr size_t kSample = 64;
  constexpr unsigned kBitsSaved = 1;
  const size_t step = std::max<size_t>(1, values_.size() / kSample);
  unsigned offset_bits = 0;
  unsigned delta_bits = 0;
  unsigned count = 0;
  for (size_t i = step; i < values_.size(); i += step) {
    const auto delta = static_cast<int64_t>(values_[i] - values_[i - 1]);
    offset_bits += bit_width(values_[i] - ranges.min);
    delta_bits += bit_width(zigzag(delta));
    ++count;
  }
  return delta_bits + kBitsSaved * count < offset_bits;
}

void ColumnEncoder::take_deltas(const Ranges& ranges) {
  deltas_.resize(values_.size() - 1);
  const auto base = static_cast<uint64_t>(ranges.delta_min);
  for (size_t i = 0; i < deltas_.size(); ++i) deltas_[i] = values_[i + 1] - values_[i] - base;
  deltas_scale_ = divide_by_common(deltas_);
}

void ColumnEncoder::consider_deltas(const Ranges& ranges, Plan& best) {
  if (!has_small_deltas(ranges)) return;
  take_deltas(ranges);
  Plan deltas{SYN_ENCODING_DELTA, {}, 0};
  deltas.split = examiner_.choose_split(deltas_, width_of(deltas_), deltas.estimate);
  if (deltas.estimate < best.estimate) best = deltas;
}

void ColumnEncoder::write(const Plan& plan, const Ranges& ranges, Parts& parts) {
  switch (plan.encoding) {
    case SYN_ENCODING_OFFSET:
      return write_offsets(plan.split, ranges, parts);
    case SYN_ENCODING_DELTA:
      return write_deltas(plan.split, ranges, parts);
    case SYN_ENCODING_DICTIONARY:
      return write_dictionary(plan.split, ranges, parts);
    default:
      return write_runs(ranges, parts);
  }
}

void ColumnEncoder::write_offsets(Split split, const Ranges& ranges, Parts& parts) {
  ByteWriter writer(parts.stored);
  writer.varint(ranges.min);
  writer.varint(offsets_scale_);
  pack(offsets_, split, parts);
}

void ColumnEncoder::write_constant(std::string_view bytes, ColumnEntry& entry, Parts& parts) {
  uint64_t value = 0;
  load_numbers(bytes, entry.type, {&value, 1});
  ByteWriter writer(parts.stored);
  writer.varint(value);
  writer.varint(1);
  pack({}, {}, parts);
  entry.encoding = SYN_ENCODING_OFFSET;
}

void ColumnEncoder::write_deltas(Split split, const Ranges& ranges, Parts& parts) {
  ByteWriter writer(parts.stored);
  writer.varint(values_[0]);
  writer.signed_varint(ranges.delta_min);
  writer.varint(deltas_scale_);
  pack(deltas_, split, parts);
}

void ColumnEncoder::write_dictionary(Split split, const Ranges& ranges, Parts& parts) {
  ByteWriter writer(parts.stored);
  writer.varint(symbols_.distinct.size());
  writer.varint(ranges.min);
  derived_.resize(symbols_.distinct.size());
  for (size_t i = 0; i < derived_.size(); ++i) derived_[i] = symbols_.distinct[i] - ranges.min;
  write_freely(derived_, parts);
  pack(symbols_.indexes, split, parts);
}

void ColumnEncoder::write_runs(const Ranges& ranges, Parts& parts) {
  std::vector<uint64_t> starts;
  std::vector<uint64_t> lengths;
  starts.reserve(ranges.run_count);
  lengths.reserve(ranges.run_count);
  for (size_t i = 0; i < values_.size(); ++i) {
    if (i == 0 || values_[i] != values_[i - 1]) {
      starts.push_back(values_[i] - ranges.min);
      lengths.push_back(0);
    } else {
      ++lengths.back();
    }
  }
  ByteWriter writer(parts.stored);
  writer.varint(starts.size());
  writer.varint(ranges.min);
  write_freely(starts, parts);
  write_freely(lengths, parts);
}

// Numbers that are part of an encoding: all of their bytes go to zstd when there are many of them.
void ColumnEncoder::write_freely(std::span<const uint64_t> values, Parts& parts) {
  constexpr size_t kPlanesCountMin = 64;
  const unsigned width = width_of(values);
  pack(values, values.size() < kPlanesCountMin ? all_bits(width) : all_planes(width), parts);
}

size_t ColumnEncoder::compressed_size(std::string_view bytes) {
  constexpr int kLevel = 1;
  trial_.resize(std::max(trial_.size(), ZSTD_compressBound(bytes.size())));
  const size_t size = ZSTD_compressCCtx(zstd_.get(), trial_.data(), trial_.size(), bytes.data(),
                                        bytes.size(), kLevel);
  return ZSTD_isError(size) != 0 ? bytes.size() : std::min(size, bytes.size());
}

bool ColumnEncoder::find_texts(std::span<const uint64_t> lengths, std::string_view bytes,
                               size_t limit) {
  const size_t slot_count = size_t{1} << bit_width(2 * limit + 1);
  const size_t mask = slot_count - 1;
  slots_.assign(slot_count, 0);
  texts_.clear();
  symbols_.indexes.resize(lengths.size());
  for (size_t i = 0; i < lengths.size(); ++i) {
    const std::string_view text = bytes.substr(0, lengths[i]);
    bytes.remove_prefix(lengths[i]);
    size_t slot = hash_of(text) & mask;
    while (slots_[slot] != 0 && texts_[slots_[slot] - 1] != text) slot = (slot + 1) & mask;
    if (slots_[slot] == 0) {
      // Not worth going on when nearly all of the first ones are distinct.
      if (texts_.size() == limit || (i == 63 && texts_.size() > 48)) return false;
      texts_.push_back(text);
      slots_[slot] = static_cast<uint32_t>(texts_.size());
    }
    symbols_.indexes[i] = slots_[slot] - 1;
  }
  return true;
}

bool ColumnEncoder::encode_texts(std::string_view lengths, std::string_view bytes,
                                 ColumnEntry& entry, Parts& parts) {
  const size_t count = lengths.size() / sizeof(uint32_t);
  if (count < kWeighedCountMin) return false;
  values_.resize(count);
  load_numbers(lengths, SYN_COLUMN_U32, values_);
  const size_t limit = std::min(kDistinctMax, count / kUsesMin);
  if (!find_texts(values_, bytes, limit)) return false;
  if (examiner_.is_patterned(symbols_.indexes, texts_.size())) return false;
  double estimate = 0;
  const Split split =
      examiner_.choose_split(symbols_.indexes, bit_width(texts_.size() - 1), estimate);
  ByteWriter writer(parts.stored);
  writer.varint(count);
  writer.varint(texts_.size());
  derived_.clear();
  for (const std::string_view text : texts_) derived_.push_back(text.size());
  write_freely(derived_, parts);
  pack(symbols_.indexes, split, parts);
  for (const std::string_view text : texts_) parts.framed += text;
  entry.encoding = SYN_ENCODING_TEXTS;
  return true;
}

}  // namespace syncline::cpu
