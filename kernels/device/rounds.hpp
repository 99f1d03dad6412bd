// What seal and open share: how much goes in one round, and a round's input being laid out.
#pragma once

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "kernels/cpu/aes_gcm.hpp"
#include "kernels/device/device.hpp"

namespace syncline::device {

// A round ends with the chunk that takes it beyond this: it bounds memory and one wait.
inline constexpr size_t kRoundSizeMax = 32u << 20;

inline void put(uint8_t* to, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
}

// What the host's own libraries fail at is not the device's failure.
template <class T>
Result<T> on_host(Result<T> result) {
  if (result.has_value() || result.error().code != ErrorCode::kEngine) return result;
  Error error = result.error();
  error.code = ErrorCode::kInternal;
  return error;
}

// Where a chunk's additional data and bytes go, and its nonce.
inline syn_gcm_record make_record(const engine::SealKey& key, size_t index, size_t additional_at,
                                  size_t additional_size) {
  syn_gcm_record record{};
  const cpu::Nonce nonce = cpu::make_nonce(key.nonce_prefix, key.nonce_counter + index);
  static_assert(sizeof nonce == sizeof record.nonce);
  std::memcpy(record.nonce, nonce.data(), nonce.size());
  record.additional_at = additional_at;
  record.additional_size = static_cast<uint32_t>(additional_size);
  return record;
}

// To be encrypted.
inline GcmShape shape_of(const std::vector<syn_gcm_record>& records, size_t records_at) {
  uint32_t part_count = 0;
  for (const syn_gcm_record& record : records) part_count += syn_gcm_part_count(&record);
  return {static_cast<uint32_t>(records.size()), part_count, records_at, false};
}

// Room in the host's area and the input for what goes in, and in the host's for what comes out.
inline Result<void> reserve_round(Slot& slot, size_t in_size, size_t out_size) {
  SYN_TRY(slot.reserve(Area::kHost, std::max(in_size, out_size)));
  return slot.reserve(Area::kInput, in_size + kSlackSize);
}

}  // namespace syncline::device
