#include "tests/simulation/sim_device.hpp"

#include <utility>

#include "kernels/cpu/cpu_engine.hpp"
#include "kernels/device/device_engine.hpp"
#include "tests/simulation/dice.hpp"
#include "tests/unit/device/host_device.hpp"

namespace syncline::simulation {
namespace {

using engine::Stage;

// A device that hangs is given up at once: no time passes in a call.
constexpr int64_t kWaitLimitUs = 1;
constexpr size_t kTroubleCallsMax = 4;

enum class Trouble : uint8_t { kNone, kLoses, kHangs, kBroken, kStageBroken, kFull, kNotReady };

class SimDevice final : public engine::Engine {
 public:
  SimDevice(uint64_t seed, const Weather& weather) : dice_(seed), weather_(weather) {}
  ~SimDevice() override { mend(); }
  SimDevice(const SimDevice&) = delete;
  SimDevice& operator=(const SimDevice&) = delete;

  engine::Description describe() const override { return rows_->describe(); }

  Result<void> fingerprint(const syn_batch& batch, const engine::Secret& secret,
                           engine::Fingerprints& out) override {
    SYN_TRY(begin(Stage::kFingerprint));
    return rows_->fingerprint(batch, secret, out);
  }
  Result<void> detect(const syn_batch& batch, const engine::Fingerprints& fingerprints,
                      const engine::TableRef& table, engine::Detected& out) override {
    SYN_TRY(begin(Stage::kDetect));
    return rows_->detect(batch, fingerprints, table, out);
  }
  Result<engine::Sealed> seal(std::span<const engine::ColumnView> columns,
                              const engine::SealKey& key,
                              std::string_view associated_data) override {
    SYN_TRY(begin(Stage::kSeal));
    return returned(blocks_->seal(columns, key, associated_data));
  }
  Result<std::vector<engine::ColumnBytes>> open(std::string_view sealed, const engine::SealKey& key,
                                                std::string_view associated_data,
                                                std::array<uint8_t, 32>& tags_digest) override {
    SYN_TRY(begin(Stage::kOpen));
    return returned(blocks_->open(sealed, key, associated_data, tags_digest));
  }

 private:
  // The weather of this call.
  Result<void> begin(Stage stage) {
    if (trouble_ != Trouble::kNone && calls_left_-- == 0) mend();
    if (trouble_ == Trouble::kNone && dice_.chance(weather_.faults.device)) break_down();
    // On its way in, out, or between the two, if a stage has as many.
    if (trouble_ == Trouble::kLoses) played_.waits_until_loss = static_cast<int>(dice_.below(3));
    const bool is_of_blocks = stage == Stage::kSeal || stage == Stage::kOpen;
    if (trouble_ == Trouble::kBroken ||
        (trouble_ == Trouble::kStageBroken && stage == ill_stage_) ||
        (trouble_ == Trouble::kHangs && is_of_blocks)) {
      return fail(ErrorCode::kEngine, "the device broke");
    }
    if (trouble_ == Trouble::kNotReady) {
      return fail(ErrorCode::kEngineNotReady, "the device is not ready");
    }
    return success();
  }

  // The played device has no blocks: they are lost here.
  template <class T>
  Result<T> returned(Result<T> result) const {
    if (trouble_ != Trouble::kLoses) return result;
    return fail(ErrorCode::kEngine, "the device lost a block");
  }

  void break_down() {
    trouble_ = static_cast<Trouble>(1 + dice_.below(6));
    calls_left_ = dice_.below(kTroubleCallsMax);
    ill_stage_ = static_cast<Stage>(dice_.below(engine::kStageCount));
    played_.is_hanging = trouble_ == Trouble::kHangs;
    if (trouble_ == Trouble::kFull) taken_memory_ = played_.memory_left.exchange(0);
  }

  void mend() {
    trouble_ = Trouble::kNone;
    played_.is_hanging = false;
    played_.waits_until_loss = -1;
    played_.memory_left += std::exchange(taken_memory_, 0);
  }

  Dice dice_;
  const Weather& weather_;
  device::Behaviour played_;
  Trouble trouble_ = Trouble::kNone;
  size_t calls_left_ = 0;
  Stage ill_stage_{};
  size_t taken_memory_ = 0;
  std::unique_ptr<engine::Engine> rows_ =
      device::make_device_engine(std::make_unique<device::HostDevice>(played_), kWaitLimitUs);
  std::unique_ptr<engine::Engine> blocks_ = cpu::make_cpu_engine({cpu::CpuVariant::kScalar});
};

}  // namespace

std::unique_ptr<engine::Engine> make_sim_device(uint64_t seed, const Weather& weather) {
  return std::make_unique<SimDevice>(seed, weather);
}

}  // namespace syncline::simulation
