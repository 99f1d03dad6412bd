// Engine: a device that runs the four stages of the contract over views, and says what they cost.
//
// Every engine gives the same fingerprints, verdicts and deltas bit for bit, and opens what any
// other sealed (tests/conformance/engine_suite). A stage that an engine lacks returns kUnsupported,
// and the dispatcher uses the CPU. One that cannot take this batch yet (its copy of the table is
// under way, or the device has no room for it) returns kEngineNotReady: no fault.
// Owner: the caller owns all inputs and outputs. Threads: one Engine may be called from several
// threads at once. Errors: kEngine (the device failed), kUnsupported, kEngineNotReady, kDamaged
// (open), never exceptions.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.hpp"
#include "kernels/contract/batch.h"
#include "kernels/engine/table_ref.hpp"

namespace syncline::engine {

enum class Stage : uint8_t { kFingerprint, kDetect, kSeal, kOpen };
inline constexpr size_t kStageCount = 4;
std::string_view stage_name(Stage stage);

struct Description {
  std::string name;      // "cpu"
  std::string device;    // what the machine calls it
  std::string variants;  // "fingerprint avx512, detect avx2, aes vaes", as chosen at run time
  bool has_stage[kStageCount] = {};
  bool is_only_forced = false;  // it computes on cores that the CPU's engine has: not a choice
};

// XXH3's 192-byte secret, derived from the appliance's master key.
inline constexpr size_t kSecretSizeBytes = 192;
using Secret = std::array<uint8_t, kSecretSizeBytes>;

// Sized to the batch. cells: row-major, value fields only: row * value_count + (field - key_count).
struct Fingerprints {
  std::vector<syn_hash128> keys;  // XXH3-128 with secret of the folded joined key
  std::vector<uint64_t> cells;  // XXH3-64 with secret; see kernels/contract/fingerprint.h for NULL
  uint64_t stamp = 0;  // of a device that still holds these; 0: none. Who changes them sets it to 0
};

// Permanent values.
enum class Verdict : uint8_t { kNew = 1, kChanged = 2, kSame = 3, kGone = 4 };

struct Detected {
  std::vector<Verdict> verdicts;  // per row; kGone: a delete of a known key (of an unknown: kSame)
  size_t bitmap_words = 0;        // 64-bit words a row
  std::vector<uint64_t> changed;  // row * bitmap_words: bit v = value field v changed
  TableDeltaSet delta;            // per lane, in batch order; the table itself is untouched

  // The engine's own, kept with its memory from batch to batch.
  struct Scratch {
    std::vector<uint32_t> row_of_key;
    std::vector<uint32_t> repeats;
    std::vector<uint32_t> state_of_row;
    std::vector<uint64_t> states;
  } scratch;
};

// One column of a block, before sealing or after opening.
struct ColumnView {
  uint16_t id = 0;
  uint8_t type = 0;  // model::ColumnType
  std::string_view bytes;
};
struct ColumnBytes {
  uint16_t id = 0;
  uint8_t type = 0;
  std::string bytes;
};

// AES-256-GCM key and the nonce of the block's first chunk; chunk i uses nonce counter + i. The
// caller guarantees that no counter is ever used twice under one key.
struct SealKey {
  std::array<uint8_t, 32> key{};
  uint32_t nonce_prefix = 0;
  uint64_t nonce_counter = 0;
};

// A sealed block: self-describing chunks (docs/formats/block.md), each with its tag.
struct Sealed {
  std::string bytes;
  uint32_t chunk_count = 0;  // nonces used
  std::array<uint8_t, 32>
      tags_digest{};  // SHA-256 over all chunk tags in order: the chain covers it
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual Description describe() const = 0;

  virtual Result<void> fingerprint(const syn_batch& batch, const Secret& secret,
                                   Fingerprints& out) = 0;
  // Compares with what the system last showed. Rows of one key in one batch see each other in
  // order.
  virtual Result<void> detect(const syn_batch& batch, const Fingerprints& fingerprints,
                              const TableRef& table, Detected& out) = 0;
  // associated_data is authenticated with every chunk (the block's header).
  virtual Result<Sealed> seal(std::span<const ColumnView> columns, const SealKey& key,
                              std::string_view associated_data) = 0;
  // Errors: kDamaged; nothing of a damaged block is returned.
  virtual Result<std::vector<ColumnBytes>> open(std::string_view sealed, const SealKey& key,
                                                std::string_view associated_data,
                                                std::array<uint8_t, 32>& tags_digest) = 0;
};

}  // namespace syncline::engine
