// Keys that are one by the dataset's key, and written otherwise from system to system; and rows
// whose key changes.
#include "host/model/key.hpp"
#include "tests/unit/core/lane_fixture.hpp"

namespace syncline::core {
namespace {

class KeyStory : public LaneStory {
 protected:
  KeyStory() {
    schema_.key_equivalence = model::KeyEquivalence::kAsciiCaseInsensitive;
    schema_.fields[0].type.kind = model::TypeKind::kText;
  }

  Row at(const std::string& key, RowOp op, const Cells& cells, int64_t time_us) {
    const model::CellView cell{model::CellState::kValue, key};
    Row made = row(op, cells, time_us, model::join_key(std::span(&cell, 1)));
    made.key_hash = model::record_hash(made.key, schema_);
    return made;
  }
  static std::string key_of(const model::Entry& entry) {
    return std::string(model::split_key(entry.key).at(0));
  }
};

TEST_F(KeyStory, each_system_is_written_to_under_the_key_that_its_row_has) {
  role(kCrm);
  const auto& made = step(kErp, {at("Ann", RowOp::kInsert, {{kName, "a"}}, 1)});
  ASSERT_EQ(made.entries.size(), 1u);
  EXPECT_EQ(key_of(made.entries[0]), "Ann");
  confirm_all();
  step(kShop, {at("ANN", RowOp::kUpdate, {}, 2)});
  const auto& changed = step(kCrm, {at("Ann", RowOp::kUpdate, {{kName, "b"}}, 3)});
  ASSERT_EQ(changed.entries.size(), 2u);
  EXPECT_EQ(key_of(changed.entries[0]), "ANN");
  EXPECT_EQ(changed.entries[0].targets, Systems{kShop});
  EXPECT_EQ(key_of(changed.entries[1]), "Ann");
  EXPECT_EQ(changed.entries[1].targets, Systems{kErp});
}

// What is on its way meets no row: the record follows it, whole.
TEST_F(KeyStory, a_row_that_gets_another_key_before_our_write_is_written_to_again) {
  step(kErp, {at("ann", RowOp::kInsert, {{kName, "a"}}, 1)});
  confirm_all();
  step(kErp, {at("ann", RowOp::kUpdate, {{kName, "b"}}, 2)});
  const auto& renamed = step(kShop, {at("ANN", RowOp::kUpdate, {}, 3)});
  ASSERT_EQ(renamed.entries.size(), 1u);
  EXPECT_EQ(key_of(renamed.entries[0]), "ANN");
  EXPECT_EQ(renamed.entries[0].kind, model::EntryKind::kPut);
  EXPECT_EQ(renamed.entries[0].targets, Systems{kShop});
}

TEST_F(KeyStory, a_record_that_is_made_anew_gets_its_new_key) {
  step(kErp, {at("ann", RowOp::kInsert, {{kName, "a"}}, 1)});
  confirm_all();
  const auto& deleted = step(kErp, {at("ann", RowOp::kDelete, {}, 2)});
  EXPECT_EQ(key_of(deleted.entries.at(0)), "ann");
  // While our delete is on its way, the row it is about has the old one.
  const auto& under_way = step(kErp, {at("ANN", RowOp::kInsert, {{kName, "b"}}, 3)});
  EXPECT_EQ(key_of(under_way.entries.at(0)), "ann");
  confirm_all();
  step(kErp, {at("ANN", RowOp::kDelete, {}, 4)});
  confirm_all();
  const auto& made = step(kErp, {at("Ann", RowOp::kInsert, {{kName, "c"}}, 5)});
  EXPECT_EQ(key_of(made.entries.at(0)), "Ann");
}

TEST_F(KeyStory, folded_keys_take_no_room) {
  step(kErp, {at("ann", RowOp::kInsert, {{kName, "a"}}, 1)});
  confirm_all();
  const RecordId id{kCustomer, model::record_hash(at("ann", RowOp::kUpdate, {}, 1).key, schema_)};
  EXPECT_TRUE(decode_record(states_.at(id)).value().keys.empty());
  step(kShop, {at("ANN", RowOp::kUpdate, {}, 2)});
  EXPECT_EQ(decode_record(states_.at(id)).value().keys.size(), 1u);
  step(kShop, {at("ann", RowOp::kUpdate, {}, 3)});
  EXPECT_TRUE(decode_record(states_.at(id)).value().keys.empty());
}

TEST_F(LaneStory, a_row_under_another_key_tells_whose_it_was) {
  const Cells ann = {{kName, "Ann"}, {kPhone, "1"}, {kCity, "Bern"}};
  settle_on(ann, 10);
  Row moved = row(RowOp::kInsert, ann, 20, "c2");
  moved.moved_with = hash_of("c1");
  Row gone = removal(20);
  gone.moved_with = hash_of("c2");
  const model::Frame& frame = step(kErp, {gone, moved});
  ASSERT_EQ(frame.entries.size(), 2u);
  EXPECT_EQ(frame.entries[0].kind, model::EntryKind::kDelete);
  EXPECT_EQ(frame.entries[0].moved_with, hash_of("c2"));
  EXPECT_EQ(frame.entries[1].kind, model::EntryKind::kPut);
  EXPECT_EQ(frame.entries[1].moved_with, hash_of("c1"));
  confirm_all();
  // What is there already only gets these values.
  Row met = row(RowOp::kInsert, {{kName, "Bob"}}, 30, "c2");
  met.moved_with = hash_of("c3");
  const model::Frame& other = step(kShop, {met});
  ASSERT_EQ(other.entries.size(), 1u);
  EXPECT_TRUE(other.entries[0].moved_with.is_none());
}

// Its row goes to another record, and another's comes, in one transaction.
TEST_F(LaneStory, a_record_whose_row_moves_on_begins_anew_with_the_next) {
  const Cells ann = {{kName, "Ann"}, {kPhone, "1"}, {kCity, "Bern"}};
  settle_on(ann, 10);
  Row gone = removal(20);
  gone.moved_with = hash_of("c2");
  Row come = row(RowOp::kInsert, {{kName, "Bob"}, {kPhone, "1"}, {kCity, "Rom"}}, 20);
  come.moved_with = hash_of("c0");
  const model::Frame& frame = step(kErp, {gone, come});
  ASSERT_EQ(frame.entries.size(), 2u);
  EXPECT_EQ(frame.entries[0].kind, model::EntryKind::kDelete);
  EXPECT_EQ(frame.entries[0].moved_with, hash_of("c2"));
  EXPECT_EQ(frame.entries[1].kind, model::EntryKind::kPut);
  EXPECT_EQ(frame.entries[1].moved_with, hash_of("c0"));
  confirm_all();
  const model::Frame& next = step(kShop, {row(RowOp::kUpdate, {{kPhone, "2"}}, 30)});
  ASSERT_EQ(next.entries.size(), 1u);
  EXPECT_EQ(next.entries[0].kind, model::EntryKind::kSet);
}

}  // namespace
}  // namespace syncline::core
