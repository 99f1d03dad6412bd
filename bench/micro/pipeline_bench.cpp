// pipeline.all_changed and pipeline.tenth_changed: fingerprint, detect and seal of whole batches,
// one core: what ships is the rows that changed, by columns. Beside a peer made of plain libraries
// that hashes every cell, looks every row up and ships all of them: libxxhash, absl::flat_hash_map,
// libzstd -1 over 64 KiB of rows, OpenSSL's AES-256-GCM. Two figures each: rows, and bytes shipped.
//
// The deltas are not applied, so every round sees the same table.
#include <array>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <xxhash.h>

#include "bench/micro/benches.hpp"
#include "bench/micro/seal_rows.hpp"
#include "bench/sample_rows.hpp"
#include "host/state/fingerprint_table.hpp"
#include "kernels/contract/block.h"
#include "kernels/cpu/cpu_engine.hpp"

namespace syncline::bench {
namespace {

constexpr size_t kValueFields = kSampleFieldCount - 1;
constexpr size_t kRowsPerBatch = 4096;
constexpr uint64_t kOtherRow = 1ull << 40;  // far from every key: another row's cells

struct KeyHasher {  // key bits are hashes already
  size_t operator()(uint64_t key_bits) const { return key_bits; }
};
using Cells = std::array<uint8_t, kValueFields * SYN_CELL_SIZE>;
using PlainMap = absl::flat_hash_map<uint64_t, Cells, KeyHasher>;

void demand(bool is_good) {
  if (!is_good) std::abort();
}

engine::Secret make_secret() {
  engine::Secret secret;
  for (size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<uint8_t>(i * 37 + 11);
  return secret;
}

// Rows of these keys; is_changed(row) says whether all its value cells are new ones.
template <class IsChanged>
model::Batch make_batch(const model::Schema& schema, const std::vector<uint64_t>& keys,
                        const IsChanged& is_changed) {
  model::BatchBuilder builder(schema, model::kLaneCountDefault);
  builder.begin_transaction({{"1"}, 1, 1});
  for (size_t row = 0; row < keys.size(); ++row) {
    SampleRow sample = sample_row(keys[row], 0);
    if (is_changed(row)) {
      SampleRow other = sample_row(keys[row] + kOtherRow, 1);
      other.cells[0] = sample.cells[0];
      sample = std::move(other);
    }
    std::array<model::CellView, kSampleFieldCount> cells;
    for (size_t field = 0; field < cells.size(); ++field) {
      cells[field] = {model::CellState::kValue, sample.cells[field]};
    }
    builder.add_row(SYN_OP_UPDATE, false, static_cast<uint32_t>(row), cells);
  }
  return builder.finish();
}

// One side's whole work on a batch. Both know the same records.
class Ours {
 public:
  explicit Ours(const engine::Secret& secret)
      : secret_(secret), table_(kValueFields, model::kLaneCountDefault) {}

  void know(const model::Batch& batch) {
    examine(batch);
    for (size_t lane = 0; lane < detected_.delta.lanes.size(); ++lane) {
      const auto applied =
          table_.apply(static_cast<model::LaneIndex>(lane), detected_.delta.lanes[lane]);
      demand(applied.has_value());
    }
  }

  // Returns the bytes that would be shipped.
  size_t ship(const model::Batch& batch) {
    examine(batch);
    for (std::string& column : columns_) column.clear();
    for (size_t row = 0; row < batch.row_count(); ++row) {
      if (detected_.verdicts[row] != engine::Verdict::kSame) gather(batch, row);
    }
    std::vector<engine::ColumnView> views;
    for (uint16_t id = 0; id < columns_.size(); ++id) {
      const uint8_t type = id % 2 == 0 ? SYN_COLUMN_U32 : SYN_COLUMN_BYTES;
      views.push_back({id, type, columns_[id]});
    }
    const auto sealed = engine_->seal(views, key_, "header");
    demand(sealed.has_value());
    key_.nonce_counter += sealed.value().chunk_count;
    return sealed.value().bytes.size();
  }
  std::string variants() const { return engine_->describe().variants; }

 private:
  void examine(const model::Batch& batch) {
    const syn_batch view = batch.view();
    demand(engine_->fingerprint(view, secret_, fingerprints_).has_value());
    demand(engine_->detect(view, fingerprints_, table_.ref(), detected_).has_value());
  }

  void gather(const model::Batch& batch, size_t row) {
    for (model::FieldIndex field = 0; field < kSampleFieldCount; ++field) {
      const std::string_view bytes = batch.cell(row, field).bytes;
      const auto length = static_cast<uint32_t>(bytes.size());
      columns_[2 * field].append(reinterpret_cast<const char*>(&length), sizeof length);
      columns_[2 * field + 1] += bytes;
    }
  }

  std::unique_ptr<engine::Engine> engine_ = cpu::make_cpu_engine();
  engine::Secret secret_;
  state::FingerprintTable table_;
  engine::Fingerprints fingerprints_;
  engine::Detected detected_;
  engine::SealKey key_;
  std::array<std::string, 2 * kSampleFieldCount> columns_;
};

class Plain {
 public:
  explicit Plain(const engine::Secret& secret) : secret_(secret) {}

  void know(const model::Batch& batch) {
    for (size_t row = 0; row < batch.row_count(); ++row)
      map_[key_bits(batch, row)] = cells(batch, row);
  }

  size_t ship(const model::Batch& batch) {
    size_t size = 0;
    for (size_t row = 0; row < batch.row_count(); ++row) {
      const auto found = map_.find(key_bits(batch, row));
      if (found == map_.end() || found->second != cells(batch, row)) ++changed_;
      for (model::FieldIndex field = 0; field < kSampleFieldCount; ++field) {
        const std::string_view bytes = batch.cell(row, field).bytes;
        rows_.push_back(static_cast<char>(bytes.size()));
        rows_ += bytes;
      }
      if (rows_.size() >= kSealBlockSize) size += flush();
    }
    return size + flush();
  }
  size_t changed() const { return changed_; }

 private:
  uint64_t key_bits(const model::Batch& batch, size_t row) const {
    const std::string_view key = batch.key(row);
    return XXH3_128bits_withSecret(key.data(), key.size(), secret_.data(), secret_.size()).low64;
  }

  Cells cells(const model::Batch& batch, size_t row) const {
    Cells cells;
    for (model::FieldIndex field = 1; field < kSampleFieldCount; ++field) {
      const std::string_view bytes = batch.cell(row, field).bytes;
      const uint64_t hash =
          XXH3_64bits_withSecret(bytes.data(), bytes.size(), secret_.data(), secret_.size());
      std::memcpy(cells.data() + (field - 1) * SYN_CELL_SIZE, &hash, SYN_CELL_SIZE);
    }
    return cells;
  }

  size_t flush() {
    if (rows_.empty()) return 0;
    const size_t size = sealer_.seal(rows_).size();
    rows_.clear();
    return size;
  }

  engine::Secret secret_;
  PlainMap map_;
  PlainSealer sealer_;
  std::string rows_;
  size_t changed_ = 0;
};

void measure(const Options& options, const std::string& id, size_t changed_every) {
  const model::Schema schema = sample_schema();
  const engine::Secret secret = make_secret();
  const size_t record_count = options.is_quick ? 100'000 : 1'000'000;
  Ours ours(secret);
  Plain plain(secret);
  std::vector<uint64_t> keys(kRowsPerBatch);
  for (size_t first = 0; first < record_count; first += kRowsPerBatch) {
    for (size_t i = 0; i < kRowsPerBatch; ++i) keys[i] = first + i;
    const model::Batch batch = make_batch(schema, keys, [](size_t) { return false; });
    ours.know(batch);
    plain.know(batch);
  }
  std::mt19937_64 random(1);
  std::vector<model::Batch> batches;
  for (size_t i = 0; i < (options.is_quick ? 8u : 32u); ++i) {
    for (uint64_t& key : keys) key = random() % record_count;
    batches.push_back(
        make_batch(schema, keys, [&](size_t row) { return row % changed_every == 0; }));
  }
  double ours_bytes = 0;
  double plain_bytes = 0;
  const auto run = [&batches](auto& side, double& bytes) {
    bytes = 0;
    for (const model::Batch& batch : batches) bytes += static_cast<double>(side.ship(batch));
    return static_cast<double>(batches.size() * kRowsPerBatch);
  };
  const std::string what = "rows of 132 bytes in 12 fields, one in " +
                           std::to_string(changed_every) + " changed, " +
                           std::to_string(record_count) + " known; " + ours.variants();
  report(measure_rate(
      options, id, what, "rows/s", [&] { return run(ours, ours_bytes); },
      {"libxxhash, flat_hash_map, zstd -1, AES; ships all",
       [&] { return run(plain, plain_bytes); }},
      Time::kThread));
  demand(plain.changed() > 0);
  const double rows = static_cast<double>(batches.size() * kRowsPerBatch);
  Figure bytes;
  bytes.id = id;
  bytes.what = "shipped";
  bytes.unit = "bytes/row";
  bytes.value = ours_bytes / rows;
  bytes.beside = "the same peer";
  bytes.beside_value = plain_bytes / rows;
  bytes.ratio = ours_bytes / plain_bytes;
  bytes.runs = 1;
  report(bytes);
}

}  // namespace

void bench_all_changed(const Options& options) {
  measure(options, "pipeline.all_changed", 1);
}

void bench_tenth_changed(const Options& options) {
  measure(options, "pipeline.tenth_changed", 10);
}

}  // namespace syncline::bench
