#include "host/model/version.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <tuple>
#include <utility>

namespace syncline::model {
namespace {

// The head of an encoded version: policy number, then these flags. Permanent values.
constexpr uint64_t kHasPath = 1;
constexpr uint64_t kHasCorrection = 2;
constexpr int kFlagBits = 2;

std::string describe_time(int64_t time_us) {
  using namespace std::chrono;
  const sys_time<microseconds> time{microseconds{time_us}};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss<microseconds> clock{time - day};
  char text[64];
  std::snprintf(
      text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

}  // namespace

void RankPath::assign(std::vector<RankStep> steps) {
  steps_ = nullptr;
  if (steps.empty()) return;
  boost::intrusive_ptr<Steps> made(new Steps);
  made->steps = std::move(steps);
  steps_ = std::move(made);
}

void RankPath::push_back(const RankStep& step) {
  std::vector<RankStep> steps(begin(), end());
  steps.push_back(step);
  assign(std::move(steps));
}

std::strong_ordering RankPath::operator<=>(const RankPath& other) const {
  if (steps_ == other.steps_) return std::strong_ordering::equal;
  return std::lexicographical_compare_three_way(begin(), end(), other.begin(), other.end());
}

std::strong_ordering Version::compare_write(const Version& other) const {
  if (const auto order = policy_number <=> other.policy_number; order != 0) return order;
  if (const auto order = path <=> other.path; order != 0) return order;
  return std::tie(time_us, origin) <=> std::tie(other.time_us, other.origin);
}

void encode(const Version& version, ByteWriter& out) {
  const bool has_correction = version.correction_round != 0 || version.corrector != 0;
  const uint64_t flags =
      (version.path.empty() ? 0 : kHasPath) | (has_correction ? kHasCorrection : 0);
  out.varint(static_cast<uint64_t>(version.policy_number) << kFlagBits | flags);
  if (!version.path.empty()) {
    out.u8(static_cast<uint8_t>(version.path.size()));
    for (const RankStep& step : version.path) {
      out.signed_varint(step.rank);
      out.varint(step.count);
    }
  }
  out.signed_varint(version.time_us);
  out.u32(version.origin);
  if (has_correction) {
    out.varint(version.correction_round);
    out.u32(version.corrector);
  }
}

Version decode_version(ByteReader& in) {
  Version version;
  const auto bounded = [&in](uint64_t value) {
    if (value > std::numeric_limits<uint32_t>::max()) in.fail();
    return static_cast<uint32_t>(value);
  };
  const uint64_t head = in.varint();
  version.policy_number = bounded(head >> kFlagBits);
  if ((head & kHasPath) != 0) {
    const size_t count = in.u8();
    if (count == 0 || count > kRankStepsMax) in.fail();
    std::vector<RankStep> steps;
    for (size_t i = 0; i < count && in.ok(); ++i) {
      const int64_t rank = in.signed_varint();
      steps.push_back({rank, bounded(in.varint())});
    }
    version.path.assign(std::move(steps));
  }
  version.time_us = in.signed_varint();
  version.origin = in.u32();
  if ((head & kHasCorrection) != 0) {
    version.correction_round = bounded(in.varint());
    version.corrector = in.u32();
  }
  return version;
}

std::string describe(const Version& version, const std::string& origin_name) {
  if (version.is_none()) return "none";
  std::string text = (version.policy_number == 0 ? "first sync," : describe_time(version.time_us)) +
                     " " + origin_name;
  if (version.correction_round != 0) {
    text += ", correction " + std::to_string(version.correction_round);
  }
  return text;
}

}  // namespace syncline::model
