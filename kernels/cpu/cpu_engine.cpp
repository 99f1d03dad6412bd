#include "kernels/cpu/cpu_engine.hpp"

#include <array>
#include <cstring>
#include <string>

#include <cpuid.h>

#include "kernels/cpu/detect.hpp"
#include "kernels/cpu/fingerprint.hpp"
#include "kernels/cpu/seal.hpp"

namespace syncline::cpu {
namespace {

struct VariantRow {
  CpuVariant variant;
  std::string_view name;
  bool (*is_supported)();
  FingerprintKernel fingerprint;
  DetectKernel detect;
};

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("bmi2");
}
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
}
bool has_scalar() {
  return true;
}

// The fastest first. The one place where a stage's variant is chosen.
constexpr std::array kVariants{
    VariantRow{CpuVariant::kAvx512, "avx512", has_avx512, fingerprint_avx512, detect_avx512},
    VariantRow{CpuVariant::kAvx2, "avx2", has_avx2, fingerprint_avx2, detect_avx2},
    VariantRow{CpuVariant::kScalar, "scalar", has_scalar, fingerprint_scalar, detect_scalar},
};

const VariantRow* find_variant(CpuVariant wanted) {
  for (const VariantRow& row : kVariants) {
    const bool is_wanted = wanted == CpuVariant::kAuto || wanted == row.variant;
    if (is_wanted && row.is_supported()) return &row;
  }
  return nullptr;
}

std::string device_name() {
  return "cpu";
}

class CpuEngine final : public engine::Engine {
 public:
  explicit CpuEngine(const VariantRow& variant) : variant_(variant) {}

  engine::Description describe() const override {
    const std::string name(variant_.name);
    engine::Description description;
    description.name = "cpu";
    description.device = device_name();
    description.variants =
        "fingerprint " + name + ", detect " + name + ", aes " + std::string(aes_variant());
    for (bool& has_stage : description.has_stage) has_stage = true;
    return description;
  }

  Result<void> fingerprint(const syn_batch& batch, const engine::Secret& secret,
                           engine::Fingerprints& out) override {
    return fingerprint_batch(variant_.fingerprint, batch, secret, out);
  }
  Result<void> detect(const syn_batch& batch, const engine::Fingerprints& fingerprints,
                      const engine::TableRef& table, engine::Detected& out) override {
    return detect_batch(variant_.detect, batch, fingerprints, table, out);
  }
  Result<engine::Sealed> seal(std::span<const engine::ColumnView> columns,
                              const engine::SealKey& key,
                              std::string_view associated_data) override {
    return seal_block(columns, key, associated_data);
  }
  Result<std::vector<engine::ColumnBytes>> open(std::string_view sealed, const engine::SealKey& key,
                                                std::string_view associated_data,
                                                std::array<uint8_t, 32>& tags_digest) override {
    return open_block(sealed, key, associated_data, tags_digest);
  }

 private:
  const VariantRow& variant_;
};

}  // namespace

std::vector<CpuVariant> cpu_variants() {
  std::vector<CpuVariant> variants;
  for (const VariantRow& row : kVariants) {
    if (row.is_supported()) variants.push_back(row.variant);
  }
  return variants;
}

std::string_view variant_name(CpuVariant variant) {
  const VariantRow* row = find_variant(variant);
  return row == nullptr ? "absent" : row->name;
}

std::unique_ptr<engine::Engine> make_cpu_engine(const CpuOptions& options) {
  const VariantRow* row = find_variant(options.variant);
  if (row == nullptr) return nullptr;
  return std::make_unique<CpuEngine>(*row);
}

}  // namespace syncline::cpu
