// Rows of one system that are one record by the dataset's key.
#include <gmock/gmock.h>

#include "host/pipeline/ledger.hpp"
#include "tests/unit/pipeline/story.hpp"

namespace syncline::pipeline {
namespace {

using Row = std::pair<std::string, std::string>;  // key and name

class TwinStory : public PipelineStory {
 protected:
  TwinStory() {
    schema_.key_equivalence = model::KeyEquivalence::kAsciiCaseInsensitive;
    phases(SyncPhase::kLive, SyncPhase::kLive);
    insert("ann", "first");
  }

  void insert(const std::string& id, const std::string& name) {
    take(kErp, Kind::kLog, SYN_OP_INSERT, id, name, "");
  }
  void update(const std::string& id, const std::string& name) {
    take(kErp, Kind::kLog, SYN_OP_UPDATE, id, name, "");
  }
  void remove(const std::string& id) { take(kErp, Kind::kLog, SYN_OP_DELETE, id, {}, {}); }

  enum class Echo : uint8_t { kShown, kLeftOut };
  // A system's log shows all that we have written there: of this record the row, or nothing, where
  // our own writes are left out of it.
  void show_ours(model::SystemId system, Echo echo, uint8_t op, const Row& row) {
    capture::Captured captured;
    captured.kind = Kind::kLog;
    captured.system = system;
    captured.arrival_us = kTimeUs;
    for (model::LaneIndex lane = 0; lane < kLanes; ++lane) {
      const model::Sequence last = pipeline_->last_sequence(schema_.stream, lane);
      if (last == 0) continue;
      capture::CapturedMarker& marker = captured.markers.emplace_back();
      marker.ordinal = lane;
      marker.appliance = "here";
      marker.epoch = 1;
      marker.stream = schema_.stream;
      marker.lane = lane;
      marker.sequence = last;
      marker.is_quiet = echo == Echo::kLeftOut;
    }
    if (echo == Echo::kShown) {
      model::BatchBuilder builder(schema_, kLanes);
      builder.begin_transaction({{}, kTimeUs, 1});
      const std::vector<model::CellView> cells = {
          {CellState::kValue, row.first}, {CellState::kValue, row.second}, {CellState::kValue, ""}};
      if (op == SYN_OP_DELETE) {
        builder.add_key_row(op, true, kLanes, std::span(cells).first(1));
      } else {
        builder.add_row(op, true, kLanes, cells);
      }
      captured.batches.push_back(builder.finish());
    }
    ASSERT_TRUE(pipeline_->process(captured).has_value());
    commit();
  }
  // The shop, which has the record, deletes it, and so do we in the ERP.
  void delete_from_shop(const std::string& id, Echo echo) {
    show_ours(kShop, Echo::kShown, SYN_OP_INSERT, {id, "first"});
    take(kShop, Kind::kLog, SYN_OP_DELETE, id, {}, {});
    ASSERT_THAT(written_to(kErp), testing::Contains("delete " + id));
    show_ours(kErp, echo, SYN_OP_DELETE, {id, ""});
  }
  // One transaction of the ERP's: a row that was given another key.
  void rename(const std::string& from, const std::string& to, const std::string& name) {
    model::BatchBuilder builder(schema_, kLanes);
    builder.begin_transaction({{}, kTimeUs, 1});
    add(builder, {to, name});
    builder.set_old_key(joined(from));
    process(Kind::kLog, builder.finish());
  }
  // The ERP is asked, and has these rows.
  std::vector<TwinRows> look(const std::vector<Row>& rows) {
    model::BatchBuilder builder(schema_, kLanes);
    builder.begin_transaction({{}, kTimeUs, 1});
    for (const Row& row : rows) add(builder, row);
    capture::Captured read;
    read.kind = Kind::kRescan;
    read.system = kErp;
    read.arrival_us = kTimeUs;
    if (builder.row_count() > 0) read.batches.push_back(builder.finish());
    const auto describe = [](const TwinRows& twins) {
      return std::to_string(twins.keys.size()) + " rows";
    };
    auto left = pipeline_->settle_twins(pipeline_->twins_due(kErp), read, describe);
    EXPECT_TRUE(left.has_value());
    commit();
    return std::move(left).value();
  }
  std::vector<std::string> due() {
    std::vector<std::string> keys;
    for (const TwinRows& twins : pipeline_->twins_due(kErp)) {
      for (const std::string& key : twins.keys) keys.emplace_back(model::split_key(key).at(0));
    }
    return keys;
  }
  std::vector<std::string> quarantined() {
    std::vector<std::string> reasons;
    const auto visit = [&](const std::string&, std::string_view bytes) {
      reasons.push_back(decode_skip(bytes).value().reason);
      return true;
    };
    EXPECT_TRUE(shadow_->scan_items(std::string(kQuarantinePrefix), visit).has_value());
    return reasons;
  }

 private:
  static std::string joined(const std::string& id) {
    const model::CellView cell{CellState::kValue, id};
    return model::join_key(std::span(&cell, 1));
  }
  static void add(model::BatchBuilder& builder, const Row& row) {
    const std::vector<model::CellView> cells = {
        {CellState::kValue, row.first}, {CellState::kValue, row.second}, {CellState::kValue, ""}};
    builder.add_row(SYN_OP_INSERT, false, 0, cells);
  }
  void process(Kind kind, model::Batch batch) {
    capture::Captured captured;
    captured.kind = kind;
    captured.system = kErp;
    captured.arrival_us = kTimeUs;
    captured.batches.push_back(std::move(batch));
    ASSERT_TRUE(pipeline_->process(captured).has_value());
    commit();
  }
};

using Keys = std::vector<std::string>;

TEST_F(TwinStory, a_second_row_goes_nowhere_and_the_first_goes_on) {
  insert("ANN", "second");
  EXPECT_EQ(due(), (Keys{"ann", "ANN"}));
  EXPECT_EQ(look({{"ANN", "second"}, {"ann", "first"}}).at(0).keys.size(), 2u);
  EXPECT_EQ(due(), Keys{});
  EXPECT_EQ(quarantined(), Keys{"2 rows"});
  update("ANN", "second, too");
  update("ann", "anew");
  EXPECT_EQ(written_to(kShop), (Writes{"put ann first ", "set ann anew"}));
}

TEST_F(TwinStory, a_second_row_of_equal_values_is_one_too_many_all_the_same) {
  insert("ANN", "first");
  EXPECT_EQ(due(), (Keys{"ann", "ANN"}));
}

TEST_F(TwinStory, when_the_second_goes_nothing_is_deleted_elsewhere) {
  insert("ANN", "second");
  look({{"ANN", "second"}, {"ann", "first"}});
  remove("ANN");
  look({{"ann", "first"}});
  EXPECT_EQ(quarantined(), Keys{});
  EXPECT_EQ(written_to(kShop), Writes{"put ann first "});
  remove("ann");
  EXPECT_EQ(written_to(kShop).back(), "delete ann");
}

TEST_F(TwinStory, when_the_first_goes_the_second_is_the_record) {
  insert("ANN", "second");
  look({{"ANN", "second"}, {"ann", "first"}});
  remove("ann");
  EXPECT_EQ(due(), (Keys{"ann", "ANN"}));
  look({{"ANN", "second"}});
  EXPECT_EQ(written_to(kShop), (Writes{"put ann first ", "set ann second"}));
  EXPECT_EQ(written_to(kErp), Writes{"put ANN second "});  // where our own writes missed it
  take(kShop, Kind::kLog, SYN_OP_UPDATE, "ann", "from the shop", "");
  EXPECT_EQ(written_to(kErp).back().substr(0, 7), "set ANN");
  EXPECT_EQ(quarantined(), Keys{});
}

TEST_F(TwinStory, when_both_have_gone_so_has_the_record) {
  insert("ANN", "second");
  look({});
  EXPECT_EQ(written_to(kShop), (Writes{"put ann first ", "delete ann"}));
  EXPECT_EQ(due(), Keys{});
}

TEST_F(TwinStory, what_a_look_came_too_late_for_is_passed_over) {
  insert("ANN", "second");
  look({{"ann", "first"}});
  update("ANN", "second, too");  // the log is behind
  remove("ANN");
  look({{"ann", "first"}});
  EXPECT_EQ(written_to(kShop), Writes{"put ann first "});
  EXPECT_EQ(quarantined(), Keys{});
}

TEST_F(TwinStory, a_restart_knows_of_them_and_looks_again) {
  insert("ANN", "second");
  crash();
  EXPECT_EQ(due(), (Keys{"ann", "ANN"}));
  look({{"ANN", "second"}, {"ann", "first"}});
  crash();
  EXPECT_EQ(due(), (Keys{"ann", "ANN"}));
  update("ANN", "second, too");
  EXPECT_EQ(written_to(kShop), Writes{"put ann first "});
}

TEST_F(TwinStory, a_record_whose_key_is_written_otherwise_is_the_same) {
  rename("ann", "ANN", "first");
  EXPECT_EQ(due(), Keys{});
  EXPECT_EQ(written_to(kShop), Writes{"put ann first "});
  update("ANN", "anew");
  EXPECT_EQ(due(), Keys{});
  EXPECT_EQ(written_to(kShop).back(), "set ann anew");  // as the shop has it
  insert("ann", "second");
  EXPECT_EQ(due(), (Keys{"ANN", "ann"}));
}

TEST_F(TwinStory, a_second_row_that_is_given_another_spelling_stays_one_too_many) {
  insert("ANN", "second");
  look({{"ANN", "second"}, {"ann", "first"}});
  rename("ANN", "Ann", "second");
  EXPECT_EQ(due(), (Keys{"ann", "Ann"}));
  EXPECT_EQ(written_to(kShop), Writes{"put ann first "});
}

// A scan meets the second row and not the first.
TEST_F(TwinStory, a_sweep_takes_no_record_away_whose_other_row_is_there) {
  insert("ANN", "second");
  look({{"ANN", "second"}, {"ann", "first"}});
  pipeline_->begin_sweep(kErp, schema_.dataset);
  take(kErp, Kind::kRescan, SYN_OP_SNAPSHOT, "ANN", "second", "");
  ASSERT_TRUE(pipeline_->process_sweep(kErp, schema_.dataset).has_value());
  commit();
  EXPECT_EQ(written_to(kShop), Writes{"put ann first "});
  look({{"ANN", "second"}});
  EXPECT_EQ(written_to(kShop), (Writes{"put ann first ", "set ann second "}));
}

// Of equal values: the record goes on under the key that is left.
TEST_F(TwinStory, when_the_first_goes_nothing_but_the_key_may_be_another) {
  insert("ANN", "first");
  remove("ann");
  look({{"ANN", "first"}});
  EXPECT_EQ(written_to(kShop), Writes{"put ann first "});
  take(kShop, Kind::kLog, SYN_OP_UPDATE, "ann", "from the shop", "");
  EXPECT_EQ(written_to(kErp).back().substr(0, 7), "set ANN");
}

// A user's row of its own is never taken away for it: it is a record from then on.
class TwinOfADeleted : public TwinStory {
 protected:
  void expect_a_new_record(Echo echo, const std::string& name) {
    insert("ANN", name);
    look({{"ANN", name}, {"ann", "first"}});
    delete_from_shop("ann", echo);
    EXPECT_EQ(due(), (Keys{"ann", "ANN"}));
    look({{"ANN", name}});
    EXPECT_EQ(due(), Keys{});
    EXPECT_EQ(quarantined(), Keys{});
    EXPECT_EQ(written_to(kShop).back(), "put ANN " + name + " ");
    EXPECT_THAT(written_to(kErp), testing::Not(testing::Contains("delete ANN")));
  }
};

TEST_F(TwinOfADeleted, is_a_new_record) {
  expect_a_new_record(Echo::kShown, "second");
}
TEST_F(TwinOfADeleted, is_a_new_record_where_our_delete_is_not_shown) {
  expect_a_new_record(Echo::kLeftOut, "second");
}
TEST_F(TwinOfADeleted, is_a_new_record_of_equal_values) {
  expect_a_new_record(Echo::kShown, "first");
}
TEST_F(TwinOfADeleted, is_a_new_record_of_equal_values_where_our_delete_is_not_shown) {
  expect_a_new_record(Echo::kLeftOut, "first");
}

TEST_F(TwinStory, two_rows_of_a_first_reading_are_told_apart) {
  phases(SyncPhase::kReading, SyncPhase::kLive);
  read(kErp, "BOB", "first", "");
  read(kErp, "bob", "second", "");
  EXPECT_EQ(due(), (Keys{"BOB", "bob"}));
  EXPECT_EQ(written_to(kShop).back(), "put BOB first ");
}

}  // namespace
}  // namespace syncline::pipeline
