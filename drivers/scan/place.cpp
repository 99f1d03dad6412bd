#include "drivers/scan/place.hpp"

#include <algorithm>

#include "drivers/scan/findings.hpp"

namespace syncline::scan {
namespace {

constexpr size_t kNotedMax = 4096;
constexpr char kMark = 's';
constexpr size_t kFixedSize = 17;

void append_number(uint64_t value, std::string& out) {
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

uint64_t number_at(std::string_view bytes, size_t at) {
  uint64_t value = 0;
  for (size_t i = at; i < at + 8; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

}  // namespace

model::Position position_of(const Place& place) {
  model::Position position{std::string(1, kMark)};
  append_number(static_cast<uint64_t>(place.number), position.bytes);
  append_number(place.echo, position.bytes);
  ByteWriter out(position.bytes);
  out.varint(place.from.size());
  for (const auto& [dataset, from] : place.from) {
    out.u32(dataset);
    out.text(from.column);
    out.text(from.value);
  }
  return position;
}

Result<Place> place_of(const model::Position& position, const std::string& system) {
  const auto lost = [&] {
    return fail(ErrorCode::kSystemLost, "system " + system + " was read in another way before",
                "the journal holds no place of scans and polls: `capture` was changed",
                "run `syncline resync --system " + system + "`, which compares all records anew");
  };
  const std::string& bytes = position.bytes;
  if (bytes.size() <= kFixedSize || bytes[0] != kMark) return lost();
  Place place;
  place.number = static_cast<int64_t>(number_at(bytes, 1));
  place.echo = number_at(bytes, 9);
  ByteReader in(std::string_view(bytes).substr(kFixedSize));
  const uint64_t count = in.varint();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    const model::DatasetId dataset = in.u32();
    From& from = place.from[dataset];
    from.column = in.text();
    from.value = in.text();
  }
  if (!in.ok() || !in.at_end()) return lost();
  return place;
}

std::optional<int64_t> PollPlace::set_back_to(const Reached& reached, int64_t overlap_us) const {
  const int64_t margin_us = std::max(overlap_us, kOpenMarginUs);
  if (!reached.is_clock || latest_us_ - reached.now_us <= margin_us) return std::nullopt;
  return reached.now_us - (reached.steady_us - latest_steady_us_) - margin_us;
}

void PollPlace::end_round(const Reached& reached, int64_t overlap_us) {
  if (reached.now_us > latest_us_) {
    latest_us_ = reached.now_us;
    latest_steady_us_ = reached.steady_us;
  }
  if (!reached.highest.empty()) {
    noted_.push_back({reached.now_us, reached.highest});
    // The older of two that are left out is not missed: one below it is taken instead.
    if (noted_.size() > kNotedMax) noted_.erase(noted_.begin() + 1);
  }
  const int64_t oldest_us = std::min(reached.oldest_open_us, reached.now_us - overlap_us);
  while (!noted_.empty() && noted_.front().now_us <= oldest_us) {
    from_ = std::move(noted_.front().highest);
    noted_.pop_front();
  }
}

}  // namespace syncline::scan
