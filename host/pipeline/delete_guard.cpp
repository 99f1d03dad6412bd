#include "host/pipeline/delete_guard.hpp"

#include <algorithm>

#include "host/base/bytes.hpp"

namespace syncline::pipeline {

DeleteGuard::Loss DeleteGuard::look(const Id& id, uint64_t record_count, int64_t lost,
                                    int64_t now_us) {
  const auto [at, is_new] = peaks_.try_emplace(id, Peak{now_us, record_count, record_count});
  Peak& peak = at->second;
  if (now_us - peak.since_us >= kWindowUs) {
    peak.before = now_us - peak.since_us >= 2 * kWindowUs ? record_count : peak.now;
    peak.now = record_count;
    peak.since_us = now_us;
  }
  peak.now = std::max(peak.now, record_count);
  const uint64_t highest = std::max(peak.now, peak.before);
  const int64_t total = static_cast<int64_t>(highest - record_count) + lost;
  return {static_cast<uint64_t>(std::max<int64_t>(0, total)), highest};
}

void DeleteGuard::forgive(const Id& id, uint64_t count) {
  const auto found = peaks_.find(id);
  if (found == peaks_.end()) return;
  found->second.now -= std::min(found->second.now, count);
  found->second.before -= std::min(found->second.before, count);
}

std::string DeleteGuard::snapshot() const {
  std::string bytes;
  ByteWriter out(bytes);
  out.varint(peaks_.size());
  for (const auto& [id, peak] : peaks_) {
    out.u32(id.first);
    out.u32(id.second);
    out.signed_varint(peak.since_us);
    out.varint(peak.now);
    out.varint(peak.before);
  }
  out.varint(begins_.size());
  for (const auto& [id, group] : begins_) {
    out.u32(id.first);
    out.u32(id.second);
    out.varint(group);
  }
  return bytes;
}

void DeleteGuard::restore(std::string_view bytes) {
  ByteReader in(bytes);
  for (uint64_t count = in.varint(); count > 0 && in.ok(); --count) {
    const model::SystemId system = in.u32();
    const model::DatasetId dataset = in.u32();
    Peak peak;
    peak.since_us = in.signed_varint();
    peak.now = in.varint();
    peak.before = in.varint();
    if (in.ok()) peaks_[{system, dataset}] = peak;
  }
  for (uint64_t count = in.varint(); count > 0 && in.ok(); --count) {
    const model::SystemId system = in.u32();
    const model::DatasetId dataset = in.u32();
    const journal::GroupNumber group = in.varint();
    if (in.ok()) begins_[{system, dataset}] = group;
  }
}

}  // namespace syncline::pipeline
