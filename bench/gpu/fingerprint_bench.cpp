// G1: fingerprint of 200-byte rows that lie on the card, beside a thread a row and beside what the
// card's memory copies.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "bench/gpu/benches.hpp"
#include "bench/gpu/rivals.hpp"
#include "bench/gpu/rows.hpp"
#include "kernels/bodies/xxh3.h"

namespace syncline::bench {
namespace {

// Rows on the card with room for their fingerprints.
class CardRows {
 public:
  explicit CardRows(const HostRows& rows)
      : batch_(rows.view()),
        cell_count_(size_t{batch_.row_count} * batch_.field_count),
        memory_(size_all() + SYN_READ_SLACK_SIZE) {
    work.row_count = batch_.row_count;
    work.field_count = batch_.field_count;
    work.key_count = batch_.key_count;
    work.keys = take<syn_hash128>(batch_.row_count);
    work.cells = take<uint64_t>(size_t{batch_.row_count} * kRowValues);
    work.key_offset = copy(batch_.key_offset, batch_.row_count);
    work.key_length = copy(batch_.key_length, batch_.row_count);
    work.cell_offset = copy(batch_.cell_offset, cell_count_);
    work.cell_length = copy(batch_.cell_length, cell_count_);
    work.arena = copy(batch_.arena, batch_.arena_size);
  }

  // Read once and written once: what no version can do without.
  double moved_bytes() const {
    return static_cast<double>(batch_.arena_size) + static_cast<double>(batch_.row_count) * 8 +
           static_cast<double>(batch_.row_count) * (kRowValues * 16 + 16);
  }

  cuda::FingerprintWork work{};

 private:
  size_t size_all() const {
    return batch_.arena_size + cell_count_ * 8 +
           size_t{batch_.row_count} * (8 + 16 + kRowValues * 8) + 256;
  }
  template <class T>
  T* take(size_t count) {
    T* place = memory_.as<T>(used_);
    used_ += (count * sizeof(T) + 15) / 16 * 16;
    return place;
  }
  template <class T>
  T* copy(const T* from, size_t count) {
    T* place = take<T>(count);
    require(cudaMemcpy(place, from, count * sizeof(T), cudaMemcpyHostToDevice),
            "rows cannot be copied");
    return place;
  }

  syn_batch batch_;
  size_t cell_count_;
  CardMemory memory_;
  size_t used_ = 0;
};

void expect_right(const CardRows& card, const syn_batch& batch, const uint8_t* secret) {
  std::vector<uint64_t> cells(size_t{batch.row_count} * kRowValues);
  require(cudaMemcpy(cells.data(), card.work.cells, cells.size() * 8, cudaMemcpyDeviceToHost),
          "fingerprints cannot be copied");
  for (size_t i = 0; i < cells.size(); ++i) {
    const size_t cell = i + i / kRowValues + 1;
    const uint64_t wanted = syn_fingerprint_of_value(
        syn_xxh3_64(batch.arena + batch.cell_offset[cell], batch.cell_length[cell], secret));
    if (cells[i] == wanted) continue;
    std::fprintf(stderr, "bench: cell %zu is wrong\n", i);
    std::exit(1);
  }
}

}  // namespace

void bench_card_fingerprint(const Options& options) {
  const uint32_t row_count = options.is_quick ? 1u << 16 : 1u << 20;
  const HostRows rows(row_count, 7, 64, RowMemory::kPinned);
  CardRows card(rows);
  cuda::SecretArgument secret;
  std::memset(secret.words, 0x6b, sizeof secret.words);
  const auto run_ours = [&] { return cuda::launch_fingerprint(card.work, secret, nullptr); };
  require(run_ours(), "the kernel cannot be started");
  require(cudaDeviceSynchronize(), "the kernel failed");
  expect_right(card, rows.view(), reinterpret_cast<const uint8_t*>(secret.words));
  report(measure_rate(
      options, "engines.cuda.fingerprint", "rows of 200 bytes, 12 cells, on the card", "rows/s",
      repeated(20, row_count, run_ours), {"a thread a row", repeated(20, row_count, [&] {
                                            return launch_thread_per_row(card.work, secret);
                                          })}));
  report(measure_rate(options, "engines.cuda.fingerprint.memory",
                      "bytes that must be read and written, beside a copy on the card", "bytes/s",
                      repeated(20, card.moved_bytes(), run_ours),
                      {"copy on the card, read and written", card_copy()}));
}

}  // namespace syncline::bench
