#include "kernels/engine/engine.hpp"

namespace syncline::engine {

std::string_view stage_name(Stage stage) {
  switch (stage) {
    case Stage::kFingerprint:
      return "fingerprint";
    case Stage::kDetect:
      return "detect";
    case Stage::kSeal:
      return "seal";
    case Stage::kOpen:
      return "open";
  }
  return "unknown";
}

}  // namespace syncline::engine
