#include "kernels/cpu/columns_stats.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace syncline::cpu {
namespace {

// zstd -1 looks back 512 KiB at the most: 65,536 numbers of 8 bytes.
constexpr size_t kWindowCount = 65536;
// A plane goes to zstd when that saves at least this share of it and this many bytes.
constexpr double kPlaneSavingMin = 0.06;
constexpr double kPlaneSavingBytesMin = 24;
// Entropy is taken from this many values; more would hardly change it.
constexpr size_t kSampleCount = 1024;
constexpr size_t kWindow = 64;
// Below this many values entropy says nothing.
constexpr size_t kPlaneCountMin = 64;

uint64_t hash_of(uint64_t value) {
  value ^= value >> 32;
  return value * 0x9e3779b97f4a7c15ull;
}

// count * log2(count) of all counts that a sample can have.
const std::vector<double>& weighted_logs() {
  static const std::vector<double> table = [] {
    std::vector<double> made(2 * (kSampleCount + kWindow), 0.0);
    for (size_t i = 2; i < made.size(); ++i) {
      made[i] = static_cast<double>(i) * std::log2(static_cast<double>(i));
    }
    return made;
  }();
  return table;
}

}  // namespace

unsigned bit_width(uint64_t value) {
  return static_cast<unsigned>(std::bit_width(value));
}

Ranges ranges_of(std::span<const uint64_t> values) {
  Ranges out;
  out.min = out.max = values[0];
  out.run_count = 1;
  if (values.size() > 1)
    out.delta_min = out.delta_max = static_cast<int64_t>(values[1] - values[0]);
  for (size_t i = 1; i < values.size(); ++i) {
    const auto delta = static_cast<int64_t>(values[i] - values[i - 1]);
    out.min = std::min(out.min, values[i]);
    out.max = std::max(out.max, values[i]);
    out.delta_min = std::min(out.delta_min, delta);
    out.delta_max = std::max(out.delta_max, delta);
    out.run_count += delta != 0;
  }
  return out;
}

double Examiner::repeated_share(std::span<const uint64_t> values) {
  const size_t window = std::min(values.size(), kWindowCount);
  const size_t bits = std::bit_ceil(std::max<size_t>(16 * window, 64));
  const size_t words = bits / 64;
  const int shift = 64 - std::countr_zero(bits);
  filter_.assign(2 * words, 0);  // of this window, and of the one before it
  uint64_t* current = filter_.data();
  uint64_t* previous = filter_.data() + words;
  size_t repeated = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (i != 0 && i % kWindowCount == 0) {
      std::swap(current, previous);
      std::fill_n(current, words, 0);
    }
    const uint64_t bit = hash_of(values[i]) >> shift;
    const uint64_t mask = uint64_t{1} << (bit % 64);
    repeated += ((current[bit / 64] | previous[bit / 64]) & mask) != 0;
    current[bit / 64] |= mask;
  }
  return static_cast<double>(repeated) / static_cast<double>(values.size());
}

bool Examiner::find_symbols(std::span<const uint64_t> values, size_t limit, Symbols& out) {
  const size_t slot_count = std::bit_ceil(2 * limit + 2);
  const int shift = 64 - std::countr_zero(slot_count);
  slots_.assign(slot_count, 0);  // index + 1; 0 is free
  out.distinct.clear();
  out.indexes.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    size_t slot = hash_of(values[i]) >> shift;
    while (slots_[slot] != 0 && out.distinct[slots_[slot] - 1] != values[i]) {
      slot = (slot + 1) & (slot_count - 1);
    }
    if (slots_[slot] == 0) {
      if (out.distinct.size() == limit) return false;
      out.distinct.push_back(values[i]);
      slots_[slot] = static_cast<uint32_t>(out.distinct.size());
    }
    out.indexes[i] = slots_[slot] - 1;
  }
  return true;
}

bool Examiner::is_patterned(std::span<const uint64_t> indexes, size_t symbol_count) {
  const size_t context_count = std::bit_ceil(std::clamp<size_t>(indexes.size(), 256, 4096));
  const int shift = 64 - std::countr_zero(context_count);
  successors_.assign(symbol_count + context_count, UINT32_MAX);
  counts_.assign(symbol_count, 0);
  uint32_t* const after_four = successors_.data() + symbol_count;
  size_t hits_after_one = 0;
  size_t hits_after_four = 0;
  uint64_t last_four = 0;
  for (size_t i = 0; i + 1 < indexes.size(); ++i) {
    last_four = last_four << 16 | indexes[i];
    const auto next = static_cast<uint32_t>(indexes[i + 1]);
    uint32_t& by_one = successors_[indexes[i]];
    uint32_t& by_four = after_four[hash_of(last_four) >> shift];
    hits_after_one += by_one == next;
    hits_after_four += by_four == next;
    by_one = by_four = next;
    ++counts_[next];
  }
  // Where nothing can be told, the guess is right as often as two draws agree.
  const auto total = static_cast<double>(indexes.size());
  double chance = 0;
  for (const uint32_t count : counts_) chance += (count / total) * (count / total);
  const auto hits = static_cast<double>(std::max(hits_after_one, hits_after_four));
  return hits / total > chance + 0.08 + 1.5 / std::sqrt(total);
}

double Examiner::plane_entropy(std::span<const uint64_t> values, unsigned shift, unsigned bits) {
  // Two tables, because neighbours are often equal and would wait for each other's count.
  uint32_t counts[2][256] = {};
  // Whole windows: single values at a fixed distance would miss what alternates.
  const size_t step = std::max(kWindow, values.size() * kWindow / kSampleCount);
  size_t sampled = 0;
  for (size_t window = 0; window + 2 <= values.size(); window += step) {
    const size_t end = std::min(window + kWindow, values.size() & ~size_t{1});
    for (size_t i = window; i < end; i += 2) {
      ++counts[0][values[i] >> shift & 0xff];
      ++counts[1][values[i + 1] >> shift & 0xff];
    }
    sampled += end - window;
  }
  const std::vector<double>& logs = weighted_logs();
  double sum = 0;
  size_t used = 0;
  for (size_t i = 0; i < size_t{1} << bits; ++i) {
    const uint32_t count = counts[0][i] + counts[1][i];
    sum += logs[count];
    used += count != 0;
  }
  const auto total = static_cast<double>(sampled);
  // Miller and Madow's correction: few values make any plane look more regular than it is.
  const double bias = static_cast<double>(used - 1) / (2 * total * 0.6931);
  return std::min(8.0, std::log2(total) - sum / total + bias);
}

Split Examiner::choose_split(std::span<const uint64_t> values, unsigned width, double& estimate) {
  const auto total = static_cast<double>(values.size());
  unsigned planes = 0;
  estimate = 0;
  while (values.size() >= kPlaneCountMin && 8 * planes < width) {
    const unsigned above = 8 * planes;
    const unsigned left = std::min(8u, width - above);
    const unsigned shift = width - above < 8 ? 0 : width - above - 8;
    const double entropy = plane_entropy(values, shift, std::min(8u, width));
    const double saving = total * (left - entropy) / 8;
    if (saving < kPlaneSavingBytesMin || saving < kPlaneSavingMin * total * left / 8) break;
    estimate += total * entropy / 8;
    ++planes;
  }
  for (; width > 8 * planes + SYN_PACKED_BITS_MAX; ++planes) estimate += total;
  Split split;
  split.plane_count = static_cast<uint8_t>(planes);
  split.low_bits = static_cast<uint8_t>(width > 8 * planes ? width - 8 * planes : 0);
  estimate += total * split.low_bits / 8;
  return split;
}

}  // namespace syncline::cpu
