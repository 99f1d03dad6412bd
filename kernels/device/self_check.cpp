#include "kernels/device/self_check.hpp"

#include <string>

#include "kernels/cpu/seal.hpp"
#include "kernels/device/rounds.hpp"
#include "kernels/device/seal.hpp"

namespace syncline::device {
namespace {

using Columns = std::vector<engine::ColumnView>;

constexpr size_t kPartSize = size_t{SYN_GCM_PART_TURNS} * SYN_GCM_THREADS * SYN_AES_BLOCK_SIZE;

uint64_t next(uint64_t& state) {
  return state = state * 6364136223846793005 + 1442695040888963407;
}

std::string make_words(size_t size, uint64_t state) {
  std::string out;
  while (out.size() < size) out += "order " + std::to_string(next(state) >> 50) + " is paid; ";
  return out;
}

std::string make_noise(size_t size, int bits, uint64_t state) {
  std::string out;
  while (out.size() < size) out += static_cast<char>(next(state) >> (64 - bits));
  return out;
}

// Words, numbers that repeat, and noise: matches far and near, trees, and what does not shrink.
// Together one chunk that is encrypted in one part.
std::vector<std::string> make_small() {
  return {make_words(SYN_ZSTD_PIECE_SIZE + 1000, 1), make_noise(5000, 4, 2), make_noise(5000, 8, 3),
          std::string(3000, 'x')};
}

// Chunks of several parts, of one, and of several again.
std::vector<std::string> make_large() {
  return {make_noise(3 * kPartSize, 8, 4), make_words(SYN_CHUNK_SIZE_TARGET, 5),
          std::string(SYN_CHUNK_SIZE_TARGET, 'x'), make_noise(SYN_CHUNK_SIZE_TARGET, 8, 6)};
}

bool is_same(const Result<std::vector<engine::ColumnBytes>>& opened, const Columns& columns) {
  if (!opened.has_value() || opened.value().size() != columns.size()) return false;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (opened.value()[i].bytes != columns[i].bytes) return false;
  }
  return true;
}

auto wrong(const char* what) {
  return fail(ErrorCode::kInternal, what, "a sample came out otherwise than on the CPU",
              "The CPU does it instead; another driver may help. Please report the device.");
}

Result<void> check_block(Slot& slot, uint8_t engine, const std::vector<std::string>& contents) {
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
  SYN_TRY(const engine::Sealed by_cpu, on_host(cpu::seal_block(columns, key, "check")));
  const auto opened = open_block(slot, by_cpu.bytes, key, "check", digest);
  if (!opened.has_value() && opened.error().code != ErrorCode::kDamaged) return opened.error();
  if (!is_same(opened, columns)) return wrong("the device does not open as it should");
  return success();
}

}  // namespace

Result<void> check_blocks(Slot& slot, uint8_t engine) {
  SYN_TRY(check_block(slot, engine, make_small()));
  return check_block(slot, engine, make_large());
}

}  // namespace syncline::device
