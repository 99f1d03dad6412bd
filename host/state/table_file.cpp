#define XXH_INLINE_ALL
#include <cstring>

#include <xxhash.h>

#include "host/base/bytes.hpp"
#include "host/state/table_file_internal.hpp"

namespace syncline::state {
namespace {

constexpr uint64_t kMagic = 0x3154464c434e5953;  // "SYNCLFT1"
constexpr size_t kHeadSizeBytes = 8 + 2 + 2 + 8 + 8;
constexpr size_t kCheckSizeBytes = 16;

void append_check(std::string& bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  ByteWriter out(bytes);
  out.u64(hash.low64);
  out.u64(hash.high64);
}

bool is_check_right(std::string_view bytes) {
  const std::string_view body = bytes.substr(0, bytes.size() - kCheckSizeBytes);
  const XXH128_hash_t hash = XXH3_128bits(body.data(), body.size());
  ByteReader in(bytes.substr(body.size()));
  const uint64_t low = in.u64();
  const uint64_t high = in.u64();
  return low == hash.low64 && high == hash.high64;
}

auto damaged(const std::string& path, std::string why) {
  return fail(ErrorCode::kDamaged, path + ": this saved fingerprint table cannot be used",
              std::move(why), "the dataset is scanned and the table built anew");
}

}  // namespace

std::string encode_table_lane(const TableLane& table, model::LaneIndex lane,
                              uint64_t frame_number) {
  const size_t record_size = sizeof(uint64_t) + table.record_size();
  std::string bytes;
  bytes.reserve(kHeadSizeBytes + table.record_count() * record_size + kCheckSizeBytes);
  ByteWriter out(bytes);
  out.u64(kMagic);
  out.u16(lane);
  out.u16(static_cast<uint16_t>(table.record_size() / SYN_CELL_SIZE));
  out.u64(frame_number);
  out.u64(table.record_count());
  for (uint64_t slot = 0; slot < table.slot_count(); ++slot) {
    if (table.key_bits(slot) == SYN_KEY_EMPTY) continue;
    out.u64(table.key_bits(slot));
    out.raw(as_text({table.cells(slot), table.record_size()}));
  }
  append_check(bytes);
  return bytes;
}

Result<uint64_t> decode_table_lane(std::string_view bytes, const std::string& path,
                                   model::LaneIndex lane, TableLane& table) {
  if (bytes.size() < kHeadSizeBytes + kCheckSizeBytes) return damaged(path, "it is cut off");
  if (!is_check_right(bytes)) return damaged(path, "its checksum is wrong");
  ByteReader in(bytes.substr(0, bytes.size() - kCheckSizeBytes));
  if (in.u64() != kMagic) return damaged(path, "it is of another format");
  if (in.u16() != lane) return damaged(path, "it is of another lane");
  if (in.u16() != table.record_size() / SYN_CELL_SIZE) {
    return damaged(path, "it was saved for another number of fields");
  }
  const uint64_t frame_number = in.u64();
  const uint64_t record_count = in.u64();
  const size_t record_size = sizeof(uint64_t) + table.record_size();
  if (in.remaining() % record_size != 0 || in.remaining() / record_size != record_count) {
    return damaged(path, "its length contradicts its head");
  }
  table.reserve(record_count);
  while (!in.at_end()) {
    const uint64_t key_bits = in.u64();
    const std::string_view cells = in.raw(table.record_size());
    if (key_bits == SYN_KEY_EMPTY) return damaged(path, "it holds an impossible key");
    const uint64_t slot = table.put(key_bits);
    std::memcpy(table.cells(slot), cells.data(), cells.size());
  }
  return frame_number;
}

}  // namespace syncline::state
