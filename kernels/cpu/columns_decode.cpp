#include <algorithm>

#include "host/base/bytes.hpp"
#include "kernels/cpu/columns.hpp"
#include "kernels/cpu/columns_pack.hpp"

namespace syncline::cpu {
namespace {

// The encoded parts of one column, and how far they are read.
struct Input {
  ByteReader stored;
  std::string_view framed;

  bool is_used_up() const { return stored.ok() && stored.at_end() && framed.empty(); }
};

using Numbers = std::vector<uint64_t>;

bool decode_offsets(Input& in, Numbers& out) {
  const uint64_t base = in.stored.varint();
  const uint64_t scale = in.stored.varint();
  if (!in.stored.ok() || !unpack(in.stored, in.framed, out)) return false;
  for (uint64_t& value : out) value = base + scale * value;
  return true;
}

bool decode_deltas(Input& in, Numbers& out) {
  out[0] = in.stored.varint();
  const auto base = static_cast<uint64_t>(in.stored.signed_varint());
  const uint64_t scale = in.stored.varint();
  const std::span<uint64_t> deltas = std::span(out).subspan(1);
  if (!in.stored.ok() || !unpack(in.stored, in.framed, deltas)) return false;
  for (size_t i = 1; i < out.size(); ++i) out[i] = out[i - 1] + base + scale * out[i];
  return true;
}

bool decode_dictionary(Input& in, Numbers& out) {
  const uint64_t count = in.stored.varint();
  const uint64_t base = in.stored.varint();
  if (!in.stored.ok() || count == 0 || count > out.size()) return false;
  Numbers distinct(count);
  if (!unpack(in.stored, in.framed, distinct)) return false;
  if (!unpack(in.stored, in.framed, out)) return false;
  if (*std::max_element(out.begin(), out.end()) >= count) return false;
  for (uint64_t& value : out) value = base + distinct[value];
  return true;
}

bool decode_runs(Input& in, Numbers& out) {
  const uint64_t count = in.stored.varint();
  const uint64_t base = in.stored.varint();
  if (!in.stored.ok() || count == 0 || count > out.size()) return false;
  Numbers starts(count);
  Numbers lengths(count);
  if (!unpack(in.stored, in.framed, starts) || !unpack(in.stored, in.framed, lengths)) return false;
  size_t at = 0;
  for (size_t i = 0; i < count; ++i) {
    if (lengths[i] >= out.size() - at) return false;
    std::fill_n(out.begin() + static_cast<ptrdiff_t>(at), lengths[i] + 1, base + starts[i]);
    at += lengths[i] + 1;
    if (at == out.size() && i + 1 != count) return false;
  }
  return at == out.size();
}

bool decode_numbers(const ColumnEntry& entry, Input& in, std::string& out) {
  const size_t width = number_size(entry.type);
  if (entry.size == 0 || entry.size % width != 0) return false;
  thread_local Numbers values;
  values.resize(entry.size / width);
  bool is_good = false;
  if (entry.encoding == SYN_ENCODING_OFFSET) is_good = decode_offsets(in, values);
  if (entry.encoding == SYN_ENCODING_DELTA) is_good = decode_deltas(in, values);
  if (entry.encoding == SYN_ENCODING_DICTIONARY) is_good = decode_dictionary(in, values);
  if (entry.encoding == SYN_ENCODING_RUNS) is_good = decode_runs(in, values);
  out.resize(entry.size);
  return is_good && in.is_used_up() && store_numbers(values, entry.type, out);
}

// Cuts the distinct texts out of the frames' rest. False when they do not fill it exactly.
bool read_texts(std::span<const uint64_t> sizes, Input& in, std::vector<std::string_view>& out) {
  for (const uint64_t size : sizes) {
    if (size > in.framed.size()) return false;
    out.push_back(in.framed.substr(0, size));
    in.framed.remove_prefix(size);
  }
  return true;
}

bool decode_texts(const ColumnEntry& entry, Input& in, std::string& out, std::string& lengths) {
  const uint64_t count = in.stored.varint();
  const uint64_t distinct = in.stored.varint();
  if (!in.stored.ok() || distinct == 0 || distinct > count ||
      count > SYN_COLUMN_SIZE_MAX / sizeof(uint32_t)) {
    return false;
  }
  Numbers sizes(distinct);
  Numbers indexes(count);
  std::vector<std::string_view> texts;
  if (!unpack(in.stored, in.framed, sizes) || !unpack(in.stored, in.framed, indexes) ||
      !read_texts(sizes, in, texts) || !in.is_used_up()) {
    return false;
  }
  out.clear();
  out.reserve(entry.size);
  lengths.resize(count * sizeof(uint32_t));
  for (size_t i = 0; i < count; ++i) {
    if (indexes[i] >= distinct || texts[indexes[i]].size() > entry.size - out.size()) return false;
    out += texts[indexes[i]];
    const auto length = static_cast<uint32_t>(texts[indexes[i]].size());
    std::memcpy(lengths.data() + i * sizeof length, &length, sizeof length);
  }
  return out.size() == entry.size;
}

}  // namespace

bool decode_column(const ColumnEntry& entry, std::string_view framed, std::string_view stored,
                   std::string& out, std::string& lengths) {
  Input in{ByteReader(stored), framed};
  switch (entry.encoding) {
    case SYN_ENCODING_STORED:
      out.assign(stored);
      return true;
    case SYN_ENCODING_FRAMED:
      out.assign(framed);
      return true;
    case SYN_ENCODING_TEXT_LENGTHS:
      return true;
    case SYN_ENCODING_TEXTS:
      return entry.type == SYN_COLUMN_BYTES && decode_texts(entry, in, out, lengths);
    default:
      return decode_numbers(entry, in, out);
  }
}

}  // namespace syncline::cpu
