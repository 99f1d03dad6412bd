#include "kernels/cuda/coder_trial.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/cuda/slot.hpp"
#include "kernels/device/rounds.hpp"

namespace syncline::cuda {
namespace {

using std::chrono::steady_clock;

constexpr size_t kPieceSize = SYN_ZSTD_PIECE_SIZE;
constexpr int kRoundCount = 3;
// What comes out may be this much larger than ours, by a tenth of itself.
constexpr double kSizeShare = 0.9;

uint64_t next(uint64_t& state) {
  return state = state * 6364136223846793005 + 1442695040888963407;
}

std::string lines_of(uint64_t state) {
  constexpr std::array<const char*, 4> kWords{"Zurich", "invoice", "overdue", "paid"};
  std::string out;
  while (out.size() < kPieceSize) {
    out += std::to_string(next(state) >> 40) + ";" + kWords[next(state) >> 62] + ";" +
           kWords[next(state) >> 62] + ";" + std::to_string(next(state) >> 52) + ".00 CHF\n";
  }
  return out;
}

std::string rows_of(uint64_t state) {
  std::string out;
  uint64_t id = next(state) >> 44;
  while (out.size() < kPieceSize) {
    id += 1 + (next(state) >> 62);
    const uint64_t price = (next(state) >> 56) * 100;
    out.append(reinterpret_cast<const char*>(&id), 8);
    out.append(reinterpret_cast<const char*>(&price), 4);
  }
  return out;
}

std::string noise_of(int bits, uint64_t state) {
  std::string out;
  while (out.size() < kPieceSize) out += static_cast<char>(next(state) >> (64 - bits));
  return out;
}

// One kind after the other; noise of all bits is not asked for, as it is stored in any case.
constexpr size_t kKindCount = 3;
std::string sample(size_t index) {
  const uint64_t seed = index + 1;
  std::string out = index % kKindCount == 0   ? lines_of(seed)
                    : index % kKindCount == 1 ? rows_of(seed)
                                              : noise_of(5, seed);
  out.resize(kPieceSize);
  return out;
}

// What one coder made of all samples.
struct Trial {
  steady_clock::duration best = steady_clock::duration::max();
  bool is_right = true;
  std::array<size_t, kKindCount> sizes{};  // by kind
};

class Samples {
 public:
  Samples(CudaSlot& slot, const Nvcomp& nvcomp, size_t count)
      : slot_(slot), nvcomp_(nvcomp), count_(count) {}

  Result<bool> place();
  // nvcomp: null for ours.
  Result<void> run(const Nvcomp* nvcomp, Trial& out);

 private:
  Result<void> take(Trial& out);
  bool is_frame_right(size_t index, uint32_t size) const;

  CudaSlot& slot_;
  const Nvcomp& nvcomp_;
  size_t count_;
  std::vector<syn_piece_place> places_;
  size_t room_ = 0;
  size_t out_size_ = 0;
  std::string before_;  // the frames of the same coder's last run
};

// In the slot's input. False: nvCOMP does not even say how large frames may be.
Result<bool> Samples::place() {
  const Result<size_t> theirs = nvcomp_.frame_size_max(kPieceSize);
  if (!theirs.has_value() || theirs.value() > 2 * kPieceSize) return false;
  room_ = std::max<size_t>(theirs.value(), kPieceSize + SYN_ZSTD_OVERHEAD_MAX);
  device::Layout in;
  device::Layout out;
  in.add(count_ * sizeof(syn_piece_place));
  out.add(count_ * sizeof(uint32_t));
  for (size_t i = 0; i < count_; ++i) {
    places_.push_back({static_cast<uint32_t>(in.add(kPieceSize)), kPieceSize,
                       static_cast<uint32_t>(out.add(room_))});
  }
  out_size_ = out.size();
  SYN_TRY(device::reserve_round(slot_, in.size(), out_size_));
  SYN_TRY(slot_.reserve(device::Area::kFrames, out_size_ + device::kSlackSize));
  std::memcpy(slot_.host(), places_.data(), count_ * sizeof(syn_piece_place));
  for (size_t i = 0; i < count_; ++i) device::put(slot_.host() + places_[i].from, sample(i));
  SYN_TRY(slot_.copy_in(0, in.size()));
  SYN_TRY(slot_.wait());
  return true;
}

// Once before it is measured: what is loaded with the first use takes its time then.
Result<void> Samples::run(const Nvcomp* nvcomp, Trial& out) {
  before_.clear();
  for (int round = -1; round < kRoundCount && out.is_right; ++round) {
    const auto begin = steady_clock::now();
    const Result<void> started = slot_.compress_by(nvcomp, static_cast<uint32_t>(count_));
    SYN_TRY(slot_.wait());
    const bool is_short =
        !started.has_value() && started.error().code == ErrorCode::kEngineNotReady;
    if (!started.has_value() && (nvcomp == nullptr || is_short)) return started.error();
    out.is_right = started.has_value();
    if (!out.is_right) return success();
    if (round >= 0) out.best = std::min(out.best, steady_clock::now() - begin);
    SYN_TRY(take(out));
  }
  return success();
}

Result<void> Samples::take(Trial& out) {
  SYN_TRY(slot_.copy_out(device::Area::kFrames, out_size_));
  SYN_TRY(slot_.wait());
  out.sizes = {};
  std::string frames;
  for (size_t i = 0; i < count_; ++i) {
    uint32_t size = 0;
    std::memcpy(&size, slot_.host() + i * sizeof size, sizeof size);
    out.is_right = is_frame_right(i, size);
    if (!out.is_right) return success();
    out.sizes[i % kKindCount] += size;
    frames.append(reinterpret_cast<const char*>(slot_.host()) + places_[i].to, size);
  }
  out.is_right = before_.empty() || frames == before_;
  before_ = std::move(frames);
  return success();
}

// As readers of ours want it; that it opens is asked by the check of blocks.
bool Samples::is_frame_right(size_t index, uint32_t size) const {
  syn_zstd_frame frame{};
  return size <= room_ &&
         syn_zstd_walk(slot_.host() + places_[index].to, size, &frame) == SYN_ZSTD_OK &&
         frame.size == size && frame.content_size == kPieceSize;
}

}  // namespace

Result<bool> is_nvcomp_better(CudaSlot& slot, const Nvcomp& nvcomp, size_t sample_count) {
  Samples samples(slot, nvcomp, sample_count);
  SYN_TRY(const bool is_placed, samples.place());
  if (!is_placed) return false;
  Trial theirs;
  SYN_TRY(samples.run(&nvcomp, theirs));
  if (!theirs.is_right) return false;
  Trial ours;
  SYN_TRY(samples.run(nullptr, ours));
  if (!ours.is_right) return fail(ErrorCode::kEngine, "the card does not compress as it should");
  for (size_t kind = 0; kind < kKindCount; ++kind) {
    if (kSizeShare * static_cast<double>(theirs.sizes[kind]) >
        static_cast<double>(ours.sizes[kind])) {
      return false;
    }
  }
  return theirs.best < ours.best;
}

}  // namespace syncline::cuda
