// The kernels that fingerprint touch nothing outside a batch's arrays, to the byte: keys and cells
// of every length, cells without a value whose offset is anything, empty batches, in memory that
// borders on closed pages; and they give what the reference gives. Kernels bent by a byte or a row
// must be noticed.
#include <random>

#include <gtest/gtest.h>

#include "kernels/contract/reference.hpp"
#include "tests/conformance/random_batch.hpp"
#include "tests/unit/opencl/bounds_fixture.hpp"

namespace syncline::opencl {
namespace {

using conformance::BatchShape;
using conformance::RawBatch;

constexpr size_t kLengthMax = 1100;

template <class T>
std::string_view bytes_of(const T* from, size_t count) {
  return {reinterpret_cast<const char*>(from), count * sizeof(T)};
}

class FingerprintBounds : public BoundsTest {
 protected:
  void SetUp() override {
    BoundsTest::SetUp();
    if (IsSkipped()) return;
    plain_secret_ = conformance::bytes_of(3, SYN_SECRET_SIZE);
    secret_ = std::make_unique<Guarded>(context_.get(), SYN_SECRET_SIZE, 0);
    std::memcpy(secret_->front(), plain_secret_.data(), SYN_SECRET_SIZE);
  }

  // A batch's arrays and its results, each between closed pages.
  struct Memory {
    Memory(cl_context context, const syn_batch& batch, Edge edge)
        : rows(batch.row_count),
          cells(rows * batch.field_count),
          values(rows * (batch.field_count - batch.key_count)),
          input(context, 0, rows * sizeof(uint32_t), rows * sizeof(uint32_t),
                cells * sizeof(uint32_t), cells * sizeof(uint32_t), batch.arena_size),
          results(context, rows * sizeof(syn_hash128), values * sizeof(uint64_t)) {
      key_offset = input.put(edge, bytes_of(batch.key_offset, rows), 0);
      key_length = input.put(edge, bytes_of(batch.key_length, rows), 1);
      cell_offset = input.put(edge, bytes_of(batch.cell_offset, cells), 2);
      cell_length = input.put(edge, bytes_of(batch.cell_length, cells), 3);
      arena = input.put(edge, bytes_of(batch.arena, batch.arena_size), 4);
      cells_at = results.place(edge, values * sizeof(uint64_t));
      // Nobody looks where a cell without a value would lie.
      auto* offsets = reinterpret_cast<uint32_t*>(input.at(edge, cells * sizeof(uint32_t), 2));
      for (size_t i = 0; i < cells; ++i) {
        if (batch.cell_length[i] >= SYN_LENGTH_UNCHANGED) offsets[i] = 0xfffffff0u;
      }
    }
    size_t rows;
    size_t cells;
    size_t values;
    Guarded input;
    Guarded results;
    cl_ulong key_offset, key_length, cell_offset, cell_length, arena, cells_at;
  };

  void run_cells(const char* kernel, size_t count, const syn_batch& batch, Memory& on) {
    run_items(count, kernel, static_cast<cl_uint>(count), batch.field_count, batch.key_count,
              on.input.memory(), on.cell_offset, on.cell_length, on.arena, secret_->memory(),
              on.results.memory(), on.cells_at);
  }
  void run_keys(const syn_batch& batch, Memory& on) {
    run_items(on.rows, "fingerprint_keys", batch.row_count, on.input.memory(), on.key_offset,
              on.key_length, on.arena, secret_->memory(), on.results.memory());
  }

  void expect_as_reference(const syn_batch& batch) {
    const auto right = contract::reference_fingerprint(
        batch, reinterpret_cast<const uint8_t*>(plain_secret_.data()));
    for (const Edge edge : kEdges) {
      Memory on(context_.get(), batch, edge);
      run_keys(batch, on);
      const std::string keys(reinterpret_cast<char*>(on.results.front()),
                             on.rows * sizeof(syn_hash128));
      ASSERT_TRUE(keys == bytes_of(right.keys.data(), on.rows));
      for (const char* kernel : {"fingerprint_rows", "fingerprint_cells"}) {
        // By cells there is no kernel where there are none.
        const bool is_by_cells = kernel == std::string("fingerprint_cells");
        if (is_by_cells && on.values == 0) continue;
        const size_t size = on.values * sizeof(uint64_t);
        if (size > 0) std::memset(on.results.at(edge, size), 0xee, size);
        run_cells(kernel, is_by_cells ? on.values : on.rows, batch, on);
        ASSERT_TRUE(on.results.take(edge, size) == bytes_of(right.cells.data(), on.values));
      }
      ASSERT_EQ(Guards::take_touches(), 0);
    }
  }

  int touches_of(const syn_batch& batch) {
    int count = 0;
    for (const Edge edge : kEdges) {
      Memory on(context_.get(), batch, edge);
      run_keys(batch, on);
      count += Guards::take_touches();
      if (on.values == 0) continue;
      run_cells("fingerprint_rows", on.rows, batch, on);
      run_cells("fingerprint_cells", on.values, batch, on);
      count += Guards::take_touches();
    }
    return count;
  }

  // The last bytes of the arena are a key's, or a cell's before an empty one.
  static RawBatch ending_with_key(size_t length) {
    RawBatch batch(2);
    batch.add_row(SYN_OP_INSERT, 0, conformance::bytes_of(length, length),
                  {{SYN_LENGTH_NULL, {}}, {SYN_LENGTH_UNCHANGED, {}}});
    return batch;
  }
  static RawBatch ending_with_cell(size_t length) {
    RawBatch batch(2);
    batch.add_row(SYN_OP_UPDATE, 0, "", {{0, conformance::bytes_of(length, length)}, {0, ""}});
    return batch;
  }

  std::string plain_secret_;
  std::unique_ptr<Guarded> secret_;
};

TEST_P(FingerprintBounds, KeysAndCellsOfEveryLength) {
  build();
  for (size_t length = 0; length <= kLengthMax; ++length) {
    SCOPED_TRACE(length);
    expect_as_reference(ending_with_key(length).view());
    expect_as_reference(ending_with_cell(length).view());
    if (HasFatalFailure()) return;
  }
}

TEST_P(FingerprintBounds, BatchesOfAnyShape) {
  build();
  std::mt19937_64 random(11);
  for (const uint32_t value_count : {0u, 1u, 12u, SYN_FIELD_COUNT_MAX}) {
    for (const uint32_t row_count : {0u, 1u, 31u, 32u, 33u, 100u}) {
      SCOPED_TRACE(std::to_string(value_count) + " cells, rows " + std::to_string(row_count));
      const BatchShape shape{
          .row_count = row_count, .value_count = value_count, .key_space = 20, .length_max = 60};
      expect_as_reference(conformance::random_batch(shape, random).view());
      if (HasFatalFailure()) return;
    }
  }
}

class BentFingerprints : public FingerprintBounds {};

TEST_P(BentFingerprints, AreNoticed) {
  const Bend bends[] = {
      {"a value of three bytes is read to its fourth", "| bytes[length - 1] |",
       "| bytes[length] |"},
      {"a value of four to eight bytes",
       "(uint64_t)syn_read32(bytes) << 32 | syn_read32(bytes + length - 4);",
       "(uint64_t)syn_read32(bytes) << 32 | syn_read32(bytes + length - 3);"},
      {"a value of nine to sixteen bytes",
       "syn_read64(bytes + length - 8) ^ syn_read64(secret + 40)",
       "syn_read64(bytes + length - 7) ^ syn_read64(secret + 40)"},
      {"a value of up to 128 bytes", "hash += syn_xxh3_mix16(bytes + length - 16 * (i + 1), ",
       "hash += syn_xxh3_mix16(bytes + length - 16 * (i + 1) + 1, "},
      {"a value of up to 240 bytes", "hash += syn_xxh3_mix16(bytes + length - 16, secret",
       "hash += syn_xxh3_mix16(bytes + length - 15, secret"},
      {"a long value", "bytes + length - SYN_XXH3_STRIPE_SIZE,",
       "bytes + length - SYN_XXH3_STRIPE_SIZE + 1,"},
      {"a long value's secret", "#define SYN_XXH3_SCRAMBLE_AT (SYN_SECRET_SIZE - ",
       "#define SYN_XXH3_SCRAMBLE_AT (1 + SYN_SECRET_SIZE - "},
      {"a key of four to eight bytes", "syn_read32(bytes + length - 4) << 32 | syn_read32(bytes);",
       "syn_read32(bytes + length - 3) << 32 | syn_read32(bytes);"},
      {"a key of up to 240 bytes", "bytes + length - 16, bytes + length - 32, secret",
       "bytes + length - 15, bytes + length - 32, secret"},
      {"a cell too many", "if (at >= cell_count) return;", "if (at > cell_count) return;"},
      {"a row too many, of cells", "if (row >= row_count) return;\n  const ulong first",
       "if (row > row_count) return;\n  const ulong first"},
      {"a row too many, of keys", "if (row >= row_count) return;\n  const uint offset",
       "if (row > row_count) return;\n  const uint offset"},
      {"a key's place is the next row's",
       "((__global syn_hash128*)results)[row] =", "((__global syn_hash128*)results)[row + 1] ="}};
  for (const Bend& bend : bends) {
    build_bent(bend, {"fingerprint_keys", "fingerprint_rows", "fingerprint_cells"});
    if (HasFatalFailure()) return;
    int touches = 0;
    for (const size_t length : {3u, 6u, 12u, 100u, 200u, 1050u}) {
      touches += touches_of(ending_with_key(length).view());
      touches += touches_of(ending_with_cell(length).view());
    }
    EXPECT_GT(touches, 0) << bend.what;
  }
}

INSTANTIATE_TEST_SUITE_P(Groups, FingerprintBounds, testing::Values(32u), width_name);
INSTANTIATE_TEST_SUITE_P(Groups, BentFingerprints, testing::Values(32u), width_name);

}  // namespace
}  // namespace syncline::opencl
