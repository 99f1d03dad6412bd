// The CPU engine: all four stages on the machine's own cores, each in the fastest variant the
// processor has, chosen once when the engine is made.
//
// Threads: any number at a time; the engine holds no mutable state. Errors: those of the stages.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "kernels/engine/engine.hpp"

namespace syncline::cpu {

enum class CpuVariant : uint8_t { kAuto, kScalar, kAvx2, kAvx512 };

// The variants this processor runs, the fastest first; kScalar is always the last.
std::vector<CpuVariant> cpu_variants();
// "avx512"; of kAuto: of the one it stands for; "absent" where the processor lacks it.
std::string_view variant_name(CpuVariant variant);

struct CpuOptions {
  CpuVariant variant = CpuVariant::kAuto;  // kAuto: the fastest
};

// Null where the processor lacks the forced variant.
std::unique_ptr<engine::Engine> make_cpu_engine(const CpuOptions& options = {});

}  // namespace syncline::cpu
