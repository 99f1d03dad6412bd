#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <utility>

#include "kernels/device/device.hpp"

namespace syncline::device {
namespace {

using std::chrono::microseconds;
using std::chrono::steady_clock;

constexpr size_t kPieceSize = 1 << 20;
// Short batches are asked for without a pause; then a pause is at most an eighth of the wait so
// far.
constexpr microseconds kEagerTime(50);
constexpr microseconds kPauseMax(500);

void pause_after(steady_clock::duration waited) {
  if (waited < kEagerTime) {
    std::this_thread::yield();
    return;
  }
  std::this_thread::sleep_for(std::min<steady_clock::duration>(waited / 8, kPauseMax));
}

}  // namespace

Result<void> Slot::upload(const void* from, size_t size, size_t padded_size, size_t at) {
  const auto* bytes = static_cast<const uint8_t*>(from);
  size_t rest = padded_size;
  SYN_TRY(const bool is_direct, copy_direct(from, size, at));
  if (is_direct) {
    rest -= size;
    at += size;
    size = 0;
  }
  while (rest > 0) {
    const size_t piece = std::min(rest, kPieceSize);
    const size_t real = std::min(size, piece);
    if (real > 0) std::memcpy(host() + at, bytes, real);
    std::memset(host() + at + real, 0, piece - real);
    SYN_TRY(copy_in(at, piece));
    bytes += real;
    size -= real;
    at += piece;
    rest -= piece;
  }
  return success();
}

Result<void> Slot::fingerprint_trip(const FingerprintShape& shape, const engine::Secret& secret) {
  SYN_TRY(copy_in(0, shape.in.size));
  SYN_TRY(run_fingerprint(shape, secret));
  return copy_out(Area::kFingerprints, shape.out.size);
}

Result<void> Slot::detect_trip(const DetectShape& shape, TableMemory& table) {
  SYN_TRY(copy_in(0, shape.layout.in_size));
  SYN_TRY(run_detect(shape, table));
  return copy_out(Area::kDetected, shape.layout.out_size);
}

// Tables are made of a key, which changes with the journal's segment only.
Result<void> Slot::use_key(const std::array<uint8_t, 32>& key) {
  if (has_key_ && key == key_) return success();
  has_key_ = false;
  if (prepared_ == nullptr) prepared_ = std::make_unique<syn_gcm_key>();
  syn_gcm_prepare(key.data(), prepared_.get());
  SYN_TRY(set_key(*prepared_));
  key_ = key;
  has_key_ = true;
  return success();
}

Result<void> Slot::wait(Work work, size_t size) {
  if (times == nullptr) return wait();
  const auto start = steady_clock::now();
  Result<void> done = wait_until_done(times->limit_us(work, size));
  const auto took = std::chrono::duration_cast<microseconds>(steady_clock::now() - start);
  if (done.has_value()) times->note(work, size, took.count());
  return done;
}

Result<void> Slot::wait() {
  return wait_until_done(wait_limit_us);
}

void Slot::bury(std::shared_ptr<void> memory) {
  if (graveyard != nullptr) graveyard->bury(std::move(memory));
}

Error Slot::no_room(std::string why) {
  use.is_short = true;
  return {ErrorCode::kEngineNotReady, "the device has no memory for a batch", std::move(why),
          "The other engines go on; tables' copies make room where there are any."};
}

Result<void> Slot::wait_until_done(int64_t limit_us) {
  Result<void> done = poll_until_done(limit_us);
  // What was on its way may not have arrived, a key neither.
  if (!done.has_value()) has_key_ = false;
  return done;
}

Result<void> Slot::poll_until_done(int64_t limit_us) {
  SYN_TRY(mark());
  const auto start = steady_clock::now();
  for (;;) {
    auto done = is_done();
    if (!done) return done.error();
    if (done.value()) return success();
    const auto waited = steady_clock::now() - start;
    if (waited >= microseconds(limit_us)) break;
    pause_after(waited);
  }
  use.is_lost = true;
  use.stamp = 0;
  return fail(ErrorCode::kEngine, "the device has not finished a batch in time",
              "it was given " + std::to_string(limit_us / 1000) + " ms",
              "The other engines go on, and the device is tried again; see the driver's log.");
}

}  // namespace syncline::device
