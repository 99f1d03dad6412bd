#include "kernels/cpu/fingerprint.hpp"

namespace syncline::cpu {

Result<void> fingerprint_batch(FingerprintKernel kernel, const syn_batch& batch,
                               const engine::Secret& secret, engine::Fingerprints& out) {
  if (batch.key_count > batch.field_count ||
      batch.field_count - batch.key_count > SYN_FIELD_COUNT_MAX) {
    return fail(ErrorCode::kInvalidArgument, "a batch's field counts contradict each other");
  }
  const size_t row_count = batch.row_count;
  out.keys.resize(row_count);
  out.cells.resize(row_count * (batch.field_count - batch.key_count));
  out.stamp = 0;
  kernel(batch, secret.data(), out.keys.data(), out.cells.data());
  return success();
}

}  // namespace syncline::cpu
