#include "host/model/batch.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "host/model/key.hpp"

namespace syncline::model {
namespace {

Schema people() {
  Schema schema;
  schema.dataset = 7;
  schema.name = "people";
  schema.fields = {{"email", {TypeKind::kText}, false},
                   {"site", {TypeKind::kText}, false},
                   {"name", {TypeKind::kText}, true},
                   {"phone", {TypeKind::kText}, true}};
  schema.key_count = 2;
  return schema;
}

CellView value(std::string_view bytes) {
  return {CellState::kValue, bytes};
}
const CellView kNullCell{CellState::kNull, {}};
const CellView kUnchangedCell{};

BatchTransaction transaction(std::string position) {
  return {Position{std::move(position)}, 1000, 1};
}

TEST(Batch, GivesBackEveryCellAsItWasPutIn) {
  const Schema schema = people();
  BatchBuilder builder(schema, 64);
  builder.begin_transaction(transaction("p1"));
  const std::vector<CellView> first{value("ann@x"), value("zh"), kNullCell, value("")};
  const std::vector<CellView> second{value(""), value("bern"), value("Bo"), kUnchangedCell};
  builder.add_row(SYN_OP_INSERT, false, 4, first);
  builder.begin_transaction(transaction("p2"));
  builder.add_row(SYN_OP_UPDATE, true, 9, second);
  const Batch batch = builder.finish();

  ASSERT_EQ(batch.row_count(), 2u);
  for (FieldIndex field = 0; field < 4; ++field) {
    EXPECT_EQ(batch.cell(0, field), first[field]) << field;
    EXPECT_EQ(batch.cell(1, field), second[field]) << field;
  }
  EXPECT_EQ(batch.op(0), SYN_OP_INSERT);
  EXPECT_FALSE(batch.is_ours(0));
  EXPECT_TRUE(batch.is_ours(1));
  EXPECT_EQ(batch.ordinal(0), 4u);
  EXPECT_EQ(batch.ordinal(1), 9u);
  EXPECT_EQ(batch.transaction(0).position.bytes, "p1");
  EXPECT_EQ(batch.transaction(1).position.bytes, "p2");
  EXPECT_EQ(batch.key(0), join_key(std::span(first).first(2)));
  EXPECT_EQ(batch.dataset(), 7u);
}

TEST(Batch, AKeyRowKnowsNothingButItsKey) {
  const Schema schema = people();
  BatchBuilder builder(schema, 64);
  builder.begin_transaction(transaction("p"));
  const std::vector<CellView> key{value("ann@x"), value("zh")};
  builder.add_key_row(SYN_OP_DELETE, false, 0, key);
  const Batch batch = builder.finish();
  EXPECT_EQ(batch.cell(0, 0), key[0]);
  EXPECT_EQ(batch.cell(0, 2), kUnchangedCell);
  EXPECT_EQ(batch.cell(0, 3), kUnchangedCell);
}

TEST(Batch, TheFoldedKeyDecidesHashAndLane) {
  Schema schema = people();
  schema.key_equivalence = KeyEquivalence::kAsciiCaseInsensitive;
  BatchBuilder builder(schema, 64);
  builder.begin_transaction(transaction("p"));
  const std::vector<CellView> shouted{value("ANN@x "), value("ZH")};
  const std::vector<CellView> plain{value("ann@x"), value("zh")};
  builder.add_key_row(SYN_OP_DELETE, false, 0, shouted);
  builder.add_key_row(SYN_OP_DELETE, false, 1, plain);
  const Batch batch = builder.finish();
  EXPECT_EQ(batch.key_hash(0), batch.key_hash(1));
  EXPECT_EQ(batch.key_hash(0), record_hash(batch.key(0), schema));
  EXPECT_EQ(batch.lane(0), lane_of(batch.key_hash(0), 64));
  EXPECT_NE(batch.key(0), batch.key(1)) << "the key as the system wrote it stays";
  EXPECT_EQ(batch.cell(0, 0), shouted[0]);

  const syn_batch view = batch.view();
  const auto folded = [&](size_t row) {
    return std::string_view(reinterpret_cast<const char*>(view.arena) + view.key_offset[row],
                            view.key_length[row]);
  };
  EXPECT_EQ(folded(0), folded(1));
}

TEST(Batch, AnUnfoldedKeyIsInTheArenaOnce) {
  const Schema schema = people();
  BatchBuilder builder(schema, 64);
  builder.begin_transaction(transaction("p"));
  const std::vector<CellView> key{value("abcdefgh"), value("zh")};
  builder.add_key_row(SYN_OP_DELETE, false, 0, key);
  EXPECT_EQ(builder.size_bytes(), 8u + 2u + 2u);
}

TEST(Batch, TheViewIsTheContractsLayout) {
  const Schema schema = people();
  BatchBuilder builder(schema, 64);
  builder.begin_transaction(transaction("p"));
  builder.add_row(SYN_OP_INSERT, false, 0,
                  std::vector<CellView>{value("a"), value("b"), kNullCell, kUnchangedCell});
  const Batch batch = builder.finish();
  const syn_batch view = batch.view();
  EXPECT_EQ(view.row_count, 1u);
  EXPECT_EQ(view.field_count, 4u);
  EXPECT_EQ(view.key_count, 2u);
  EXPECT_EQ(view.arena_size, batch.size_bytes());
  EXPECT_EQ(view.op[0], SYN_OP_INSERT);
  EXPECT_EQ(view.arena[view.cell_offset[1]], 'b');
  EXPECT_EQ(view.cell_length[2], SYN_LENGTH_NULL);
  EXPECT_EQ(view.cell_length[3], SYN_LENGTH_UNCHANGED);
}

TEST(Batch, ARecycledBatchLendsItsMemoryToTheNext) {
  const Schema schema = people();
  BatchBuilder builder(schema, 64);
  const std::vector<CellView> row{value("ann@x"), value("zh"), value("Ann"), kNullCell};
  const auto fill = [&](std::string_view position) {
    builder.begin_transaction(transaction(std::string(position)));
    for (uint32_t i = 0; i < 1000; ++i) builder.add_row(SYN_OP_INSERT, false, i, row);
    return builder.finish();
  };
  Batch first = fill("first");
  const uint8_t* arena = first.view().arena;
  builder.recycle(std::move(first));
  const Batch second = fill("second");
  const Batch third = fill("third");
  EXPECT_EQ(third.view().arena, arena);
  EXPECT_EQ(third.transaction(999).position.bytes, "third");
  EXPECT_EQ(third.row_count(), 1000u);
}

}  // namespace
}  // namespace syncline::model
