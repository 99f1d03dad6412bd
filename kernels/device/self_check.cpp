#include "kernels/device/self_check.hpp"

#include <string>

#include "kernels/cpu/seal.hpp"
#include "kernels/device/seal.hpp"

namespace syncline::device {
namespace {

using Columns = std::vector<engine::ColumnView>;

constexpr size_t kNoiseSize = size_t{3} * SYN_GCM_PART_TURNS * SYN_GCM_THREADS * SYN_AES_BLOCK_SIZE;

// Words, numbers that repeat, and noise: matches far and near, trees, and what does not shrink; of
// that so much that the chunk is encrypted in several parts.
std::vector<std::string> make_contents() {
  std::vector<std::string> out(4);
  uint64_t state = 0x2545f4914f6cdd1d;
  const auto next = [&state] { return state = state * 6364136223846793005 + 1442695040888963407; };
  while (out[0].size() < SYN_ZSTD_PIECE_SIZE + 1000) {
    out[0] += "order " + std::to_string(next() >> 50) + " is paid; ";
  }
  for (int i = 0; i < 5000; ++i) out[1] += static_cast<char>(next() >> 60);
  while (out[2].size() < kNoiseSize) out[2] += static_cast<char>(next() >> 56);
  out[3].assign(3000, 'x');
  return out;
}

bool is_same(const Result<std::vector<engine::ColumnBytes>>& opened, const Columns& columns) {
  if (!opened.has_value() || opened.value().size() != columns.size()) return false;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (opened.value()[i].bytes != columns[i].bytes) return false;
  }
  return true;
}

auto wrong(const char* what) {
  return fail(ErrorCode::kEngine, what, "a sample came out otherwise than on the CPU",
              "The CPU does it instead; another driver may help. Please report the device.");
}

}  // namespace

Result<void> check_blocks(Slot& slot, uint8_t engine) {
  const std::vector<std::string> contents = make_contents();
  Columns columns;
  for (const std::string& bytes : contents) {
    columns.push_back({static_cast<uint16_t>(columns.size()), SYN_COLUMN_BYTES, bytes});
  }
  // The key is nobody's.
  const engine::SealKey key;
  std::array<uint8_t, 32> digest{};
  SYN_TRY(const engine::Sealed sealed, seal_block(slot, engine, columns, key, "check"));
  if (!is_same(cpu::open_block(sealed.bytes, key, "check", digest), columns)) {
    return wrong("the device does not seal as it should");
  }
  SYN_TRY(const engine::Sealed by_cpu, cpu::seal_block(columns, key, "check"));
  const auto opened = open_block(slot, by_cpu.bytes, key, "check", digest);
  if (!opened.has_value() && opened.error().code == ErrorCode::kEngine) return opened.error();
  if (!is_same(opened, columns)) return wrong("the device does not open as it should");
  return success();
}

}  // namespace syncline::device
