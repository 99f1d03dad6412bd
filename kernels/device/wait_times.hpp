// How long waits for a device took, by kind and size: what tells a hung command from a large one.
//
// A wait may take many times what it took before, and never less than a hiccup of a driver or of a
// busy machine; one of a kind that was never seen may take the longest limit. Threads: any.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace syncline::device {

// What is waited for: waits of one kind and size take about the same time.
enum class Work : uint8_t {
  kFingerprint,
  kDetect,
  kApply,  // of a table's deltas
  kFill,   // of lanes, from the host
  kMove,   // of lanes, on the device
  kCompress,
  kEncrypt,
  kDecrypt,
  kDecompress,
};
inline constexpr size_t kWorkCount = 9;

class WaitTimes {
 public:
  static constexpr int64_t kTimes = 20;
  static constexpr int64_t kLimitMinUs = 1'000'000;

  explicit WaitTimes(int64_t limit_max_us) : limit_max_us_(limit_max_us) {}
  int64_t limit_us(Work work, size_t size) const;
  // A wait that came to its end.
  void note(Work work, size_t size, int64_t took_us);

 private:
  static constexpr size_t kSizeClasses = 65;  // by powers of two
  using Kind = std::array<std::atomic<int64_t>, kSizeClasses>;

  static int64_t expected_us(const Kind& kind, size_t size_class);

  int64_t limit_max_us_;
  std::array<Kind, kWorkCount> usual_us_{};  // 0: not known
};

}  // namespace syncline::device
