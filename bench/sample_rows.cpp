#include "bench/sample_rows.hpp"

#include <random>
#include <vector>

namespace syncline::bench {
namespace {

using model::TypeKind;

struct FieldShape {
  const char* name;
  TypeKind kind;
  uint32_t length_min;
  uint32_t length_max;
};

// Means add up to 132 bytes.
constexpr FieldShape kShapes[kSampleFieldCount] = {
    {"id", TypeKind::kInt64, 8, 8},
    {"name", TypeKind::kText, 8, 20},
    {"email", TypeKind::kText, 14, 30},
    {"city", TypeKind::kText, 5, 13},
    {"is_active", TypeKind::kBool, 1, 1},
    {"balance", TypeKind::kDecimal, 3, 7},
    {"created_at", TypeKind::kTimestamp, 8, 8},
    {"visits", TypeKind::kInt64, 8, 8},
    {"score", TypeKind::kFloat64, 8, 8},
    {"updated_at", TypeKind::kTimestamp, 8, 8},
    {"notes", TypeKind::kText, 10, 50},
    {"phone", TypeKind::kText, 10, 12},
};

bool changes_with_version(size_t field) {
  return field == 3 || field == 9;
}

std::string random_cell(const FieldShape& shape, uint64_t seed) {
  std::minstd_rand random(static_cast<uint32_t>(seed * 0x9e3779b97f4a7c15ull >> 33));
  random.discard(2);
  const uint32_t length = shape.length_min + random() % (shape.length_max - shape.length_min + 1);
  std::string bytes(length, '\0');
  const bool is_text = shape.kind == TypeKind::kText;
  for (char& byte : bytes) {
    const auto drawn = random() >> 8;
    byte = static_cast<char>(is_text ? "etaoin shrdlucmfwypvbgkjqxz"[drawn % 27] : drawn);
  }
  return bytes;
}

}  // namespace

model::Schema sample_schema() {
  model::Schema schema;
  schema.dataset = 1;
  schema.stream = 1;
  schema.name = "people";
  schema.key_count = 1;
  for (const FieldShape& shape : kShapes) {
    schema.fields.push_back({shape.name, {shape.kind}, true});
  }
  schema.fields[0].is_nullable = false;
  return schema;
}

SampleRow sample_row(uint64_t key, uint64_t version) {
  SampleRow row;
  row.cells[0] = model::canonical_int64(static_cast<int64_t>(key));
  for (size_t field = 1; field < kSampleFieldCount; ++field) {
    const uint64_t changed = changes_with_version(field) ? version : 0;
    row.cells[field] = random_cell(kShapes[field], (key * 16 + field) * 1009 + changed);
  }
  return row;
}

model::Batch sample_batch(const model::Schema& schema, size_t lane_count, size_t row_count,
                          uint64_t first_key) {
  model::BatchBuilder builder(schema, lane_count);
  builder.begin_transaction({});
  std::vector<model::CellView> views(kSampleFieldCount);
  for (size_t i = 0; i < row_count; ++i) {
    const SampleRow row = sample_row(first_key + i, 0);
    for (size_t field = 0; field < kSampleFieldCount; ++field) {
      views[field] = {model::CellState::kValue, row.cells[field]};
    }
    builder.add_row(SYN_OP_INSERT, false, static_cast<uint32_t>(i), views);
  }
  return builder.finish();
}

}  // namespace syncline::bench
