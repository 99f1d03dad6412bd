// The contract of Shadow, for the one on disk and the one in memory.
#include "host/state/shadow.hpp"

#include <algorithm>
#include <array>
#include <map>

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "tests/unit/state/shadow_fixture.hpp"

namespace syncline::state {
namespace {

enum class Kind { kRocksdb, kRocksdbWithLittleMemory, kMemory };

// One shadow that can be closed and opened again.
class Box {
 public:
  explicit Box(Kind kind) : kind_(kind) { reopen(); }

  void reopen() {
    if (kind_ == Kind::kMemory) {
      if (shadow_ == nullptr) shadow_ = make_memory_shadow(kTestLanes);
      shadow_->flush().value();
      dynamic_cast<MemoryShadow&>(*shadow_).crash(
          [](model::LaneIndex, uint64_t, uint64_t applied) { return applied; });
      return;
    }
    shadow_.reset();
    ShadowOptions options;
    options.lane_count = kTestLanes;
    options.waiting_images_max = 12;
    if (kind_ == Kind::kRocksdbWithLittleMemory)
      options.memory_limit_bytes = 40'000;  // a record or two a shard
    shadow_ = open_rocksdb_shadow(folder_.path(), options).value();
  }

  Shadow& operator*() { return *shadow_; }
  Shadow* operator->() { return shadow_.get(); }

 private:
  Kind kind_;
  TemporaryFolder folder_;
  std::unique_ptr<Shadow> shadow_;
};

class ShadowTest : public testing::TestWithParam<Kind> {
 protected:
  ShadowRecord load(const std::string& name, Load what = Load::kStateAndValues) {
    return shadow_->load(kCustomers, model::hash_key(key_of(name)), kTestValues, what).value();
  }
  std::vector<std::string> values(const std::string& name) {
    std::vector<std::string> texts;
    for (const model::Cell& value : load(name).values) {
      texts.push_back(value.state == model::CellState::kUnchanged ? "?" : value.bytes);
    }
    return texts;
  }
  void stage(const model::FramePointer& frame) { shadow_->stage(frame); }
  void apply(const model::FramePointer& frame) { shadow_->apply(frame).value(); }

  Box shadow_{GetParam()};
  std::array<uint64_t, kTestLanes> numbers_{};  // of each lane's last frame
  std::map<size_t, std::string> states_;
};

using Values = std::vector<std::string>;

TEST_P(ShadowTest, KnowsNothingAtFirst) {
  EXPECT_EQ(load("ann").state, "");
  EXPECT_EQ(values("ann"), (Values{"?", "?", "?"}));
  EXPECT_TRUE(load("ann", Load::kState).values.empty());
  EXPECT_EQ(shadow_->applied(0).value(), 0u);
}

// Staged, applied, pushed out of memory, never heard of: wherever it stands, it is found.
TEST_P(ShadowTest, ManyStatesAreThoseOfEach) {
  std::vector<RecordId> ids;
  for (int i = 0; i < 200; ++i) {
    const std::string name = "record " + std::to_string(i);
    const model::KeyHash hash = model::hash_key(key_of(name));
    ids.push_back({kCustomers, hash});
    if (i % 4 == 3) continue;
    const model::LaneIndex lane = model::lane_of(hash, kTestLanes);
    const auto made =
        frame(lane, ++numbers_[lane],
              {image(kCustomers, name, "s" + std::to_string(i), {cell(1, "a")}, false)});
    i < 150 ? apply(made) : stage(made);
  }
  std::sort(ids.begin(), ids.end());
  size_t visited = 0;
  const auto loaded = shadow_->load_states(ids, [&](size_t index, std::string_view state) {
    states_.emplace(index, state);
    ++visited;
  });
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(visited, ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(states_[i],
              shadow_->load(kCustomers, ids[i].key_hash, 0, Load::kState).value().state);
  }
}

TEST_P(ShadowTest, StagedEffectsAreSeenAtOnce) {
  stage(frame(0, 1, {image(kCustomers, "ann", "s1", {cell(1, "a"), cell(2, "b")}, false)}));
  EXPECT_EQ(load("ann", Load::kState).state, "s1");
  EXPECT_EQ(values("ann"), (Values{"a", "b", "?"}));
  EXPECT_EQ(shadow_->applied(0).value(), 0u);
}

TEST_P(ShadowTest, LaterCellsLieOverEarlierOnesAcrossARestart) {
  apply(frame(0, 1, {image(kCustomers, "ann", "s1", {cell(1, "a"), cell(2, "b")}, false)}));
  shadow_.reopen();
  apply(frame(0, 2, {image(kCustomers, "ann", "s2", {cell(2, "B")}, false)}));
  EXPECT_EQ(values("ann"), (Values{"a", "B", "?"}));
  shadow_.reopen();
  stage(frame(0, 3, {image(kCustomers, "ann", "s3", {cell(3, "c")}, false)}));
  EXPECT_EQ(load("ann").state, "s3");
  EXPECT_EQ(values("ann"), (Values{"a", "B", "c"}));
  EXPECT_EQ(shadow_->applied(0).value(), 2u);
}

// What memory holds only to be fast may differ from what the store is given.
TEST(RocksdbShadow, AStateGoesDownAsShortAsItMayBe) {
  Box shadow(Kind::kRocksdb);
  shadow->set_shorten([](model::DatasetId, model::LaneIndex lane, std::string_view state) {
    return lane == 0 && state == "long" ? std::string("s") : std::string();
  });
  const model::KeyHash ann = model::hash_key(key_of("ann"));
  const auto state = [&](const model::KeyHash& key) {
    return shadow->load(kCustomers, key, kTestValues, Load::kState).value().state;
  };
  shadow->apply(frame(0, 1, {image(kCustomers, "ann", "long", {cell(1, "a")}, true)})).value();
  EXPECT_EQ(state(ann), "long");
  shadow->flush().value();
  EXPECT_EQ(state(ann), "s");
  shadow.reopen();
  EXPECT_EQ(state(ann), "s");
  EXPECT_EQ(
      shadow->load(kCustomers, ann, kTestValues, Load::kStateAndValues).value().values[0].bytes,
      "a");
}

TEST_P(ShadowTest, AFullImageLeavesNothingOlder) {
  apply(frame(0, 1, {image(kCustomers, "ann", "s1", {cell(1, "a"), cell(2, "b")}, false)}));
  apply(frame(0, 2, {image(kCustomers, "ann", "s2", {cell(3, "c")}, true)}));
  EXPECT_EQ(values("ann"), (Values{"?", "?", "c"}));
  shadow_.reopen();
  EXPECT_EQ(values("ann"), (Values{"?", "?", "c"}));
}

TEST_P(ShadowTest, NullIsNotUnknown) {
  model::EntryCell null = cell(1, "");
  null.state = model::CellState::kNull;
  apply(frame(0, 1, {image(kCustomers, "ann", "s", {null}, false)}));
  shadow_.reopen();
  EXPECT_EQ(load("ann").values[0], model::Cell::null());
  EXPECT_EQ(load("ann").values[1], model::Cell());
}

TEST_P(ShadowTest, OfAFieldNamedTwiceTheLastCellCounts) {
  apply(frame(0, 1,
              {image(kCustomers, "ann", "s", {cell(2, "x"), cell(1, "a"), cell(2, "y")}, true)}));
  shadow_.reopen();
  EXPECT_EQ(values("ann"), (Values{"a", "y", "?"}));
}

TEST_P(ShadowTest, AStateWithoutCellsKeepsKeyAndValues) {
  apply(frame(0, 1, {image(kCustomers, "ann", "s1", {cell(1, "a")}, true)}));
  model::RecordImage confirmed = image(kCustomers, "ann", "s2", {}, false);
  confirmed.key.clear();
  apply(frame(0, 2, {confirmed}));
  shadow_.reopen();
  EXPECT_EQ(load("ann").state, "s2");
  EXPECT_EQ(values("ann"), (Values{"a", "?", "?"}));
}

TEST_P(ShadowTest, DatasetsDoNotMeet) {
  apply(frame(
      0, 1,
      {image(kCustomers, "1", "customer", {}, true), image(kOrders, "1", "order", {}, true)}));
  shadow_.reopen();
  const model::KeyHash hash = model::hash_key(key_of("1"));
  EXPECT_EQ(shadow_->load(kCustomers, hash, 0, Load::kState).value().state, "customer");
  EXPECT_EQ(shadow_->load(kOrders, hash, 0, Load::kState).value().state, "order");
}

TEST_P(ShadowTest, ReplayedFramesArePassedOver) {
  const auto first = frame(0, 1, {image(kCustomers, "ann", "s1", {}, true)});
  const auto second = frame(0, 2, {image(kCustomers, "ann", "s2", {}, true)});
  apply(first);
  apply(second);
  shadow_.reopen();
  stage(first);
  apply(first);
  EXPECT_EQ(load("ann").state, "s2");
  EXPECT_EQ(shadow_->applied(0).value(), 2u);
}

TEST_P(ShadowTest, AScanGoesInHashOrderAndStopsWhenTold) {
  std::vector<model::RecordImage> images;
  for (int i = 0; i < 40; ++i) images.push_back(image(kOrders, std::to_string(i), "s", {}, true));
  apply(frame(0, 1, {images.begin(), images.begin() + 20}));
  stage(frame(0, 2, {images.begin() + 20, images.end()}));
  std::vector<model::KeyHash> seen;
  const auto visit = [&](const model::KeyHash& hash, std::string_view, const ShadowRecord&) {
    seen.push_back(hash);
    return seen.size() < 30;
  };
  shadow_->scan(kOrders, 0, 1, kTestValues, visit).value();
  EXPECT_EQ(seen.size(), 30u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

TEST_P(ShadowTest, ItemsAreKeptByName) {
  shadow_->put_item("quarantine/2", "b").value();
  shadow_->put_item("quarantine/1", "a").value();
  shadow_->put_item("quarantine/3", "c").value();
  shadow_->put_item("quarantine/3", "").value();
  shadow_->put_item("quarantinf", "z").value();
  shadow_->flush().value();
  shadow_.reopen();
  shadow_->put_item("quarantine/0", "0").value();  // these wait when they are asked for
  shadow_->put_item("quarantine/2", "B").value();
  std::string seen;
  const auto visit = [&](const std::string& name, std::string_view bytes) {
    seen += name + "=" + std::string(bytes) + " ";
    return true;
  };
  shadow_->scan_items("quarantine/", visit).value();
  EXPECT_EQ(seen, "quarantine/0=0 quarantine/1=a quarantine/2=B ");
  EXPECT_EQ(shadow_->get_item("quarantine/3").value(), "");
  EXPECT_EQ(shadow_->get_item("quarantinf").value(), "z");
}

// Random stages, applies, flushes and restarts, beside a map.
class Walk {
 public:
  Walk(Kind kind, uint32_t seed) : seed_(seed), shadow_(kind) {}

  void stage(model::LaneIndex lane) {
    const auto made = seeded_frame(seed_, lane, ++staged_[lane]);
    shadow_->stage(made);
    waiting_[lane].push_back(made);
    model_.take_over(*made);
  }
  void apply() {
    std::vector<model::FramePointer> frames;
    for (auto& waiting : waiting_) {
      frames.insert(frames.end(), waiting.begin(), waiting.end());
      waiting.clear();
    }
    shadow_->apply(frames).value();
  }
  void flush() { shadow_->flush().value(); }
  void put_item() {
    const std::string name = "item/" + std::to_string(++item_count_ % 5);
    items_[name] = item_count_ % 3 == 0 ? "" : std::to_string(item_count_);
    shadow_->put_item(name, items_[name]).value();
    if (items_[name].empty()) items_.erase(name);
  }
  void restart() {
    apply();
    shadow_.reopen();
  }
  void compare() {
    RC_ASSERT(everything(*shadow_) == model_.records());
    std::map<std::string, std::string> items;
    const auto visit = [&](const std::string& name, std::string_view bytes) {
      return items.emplace(name, bytes).second;
    };
    shadow_->scan_items("item/", visit).value();
    RC_ASSERT(items == items_);
    for (const auto& [id, record] : model_.records()) {
      const auto found =
          shadow_->load(id.first, id.second, kTestValues, Load::kStateAndValues).value();
      RC_ASSERT(as_model(record.key, found) == record);
      RC_ASSERT(shadow_->load(id.first, id.second, 0, Load::kState).value().state == record.state);
    }
  }

 private:
  uint32_t seed_;
  Box shadow_;
  ShadowModel model_;
  std::map<std::string, std::string> items_;
  size_t item_count_ = 0;
  std::array<uint64_t, kTestLanes> staged_{};
  std::array<std::vector<model::FramePointer>, kTestLanes> waiting_;
};

TEST_P(ShadowTest, AnyWalkEndsAsThePlainMap) {
  const bool holds = rc::check("a walk ends as the plain map", [] {
    Walk walk(GetParam(), *rc::gen::arbitrary<uint32_t>());
    const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 24));
    for (const int step : steps) {
      if (step < 16) {
        walk.stage(static_cast<model::LaneIndex>(step % kTestLanes));
      } else if (step < 20) {
        walk.apply();
      } else if (step == 20) {
        walk.flush();
      } else if (step == 21) {
        walk.restart();
      } else if (step == 22) {
        walk.put_item();
      } else {
        walk.compare();
      }
    }
    walk.compare();
    walk.restart();
    walk.compare();
  });
  EXPECT_TRUE(holds);
}

TEST(MemoryShadow, ACrashKeepsTheOrderOfFramesAndItems) {
  const auto shadow = make_memory_shadow(kTestLanes);
  shadow->apply(frame(0, 1, {image(kCustomers, "ann", "s1", {}, true)})).value();
  shadow->put_item("first", "1").value();
  shadow->apply(frame(1, 1, {image(kCustomers, "bob", "s1", {}, true)})).value();
  shadow->put_item("second", "2").value();
  shadow->apply(frame(0, 2, {image(kCustomers, "ann", "s2", {}, true)})).value();
  // Lane 1 loses its frame, so the second item goes, and what lane 0 did behind it.
  shadow->crash([](model::LaneIndex lane, uint64_t flushed, uint64_t applied) {
    return lane == 1 ? flushed : applied;
  });
  EXPECT_EQ(shadow->get_item("first").value(), "1");
  EXPECT_EQ(shadow->get_item("second").value(), "");
  EXPECT_EQ(shadow->applied(0).value(), 1u);
  EXPECT_EQ(shadow->applied(1).value(), 0u);
  EXPECT_EQ(everything(*shadow).size(), 1u);
}

TEST(MemoryShadow, ACrashTakesNothingThatWasFlushed) {
  const auto shadow = make_memory_shadow(kTestLanes);
  shadow->apply(frame(0, 1, {image(kCustomers, "ann", "s1", {}, true)})).value();
  shadow->put_item("item", "1").value();
  shadow->flush().value();
  shadow->stage(frame(0, 2, {image(kCustomers, "ann", "s2", {}, true)}));
  shadow->crash([](model::LaneIndex, uint64_t flushed, uint64_t) { return flushed; });
  EXPECT_EQ(shadow->get_item("item").value(), "1");
  EXPECT_EQ(everything(*shadow).begin()->second.state, "s1");
}

std::string name_of(const testing::TestParamInfo<Kind>& info) {
  if (info.param == Kind::kMemory) return "Memory";
  return info.param == Kind::kRocksdb ? "Rocksdb" : "RocksdbWithLittleMemory";
}

INSTANTIATE_TEST_SUITE_P(Every, ShadowTest,
                         testing::Values(Kind::kRocksdb, Kind::kRocksdbWithLittleMemory,
                                         Kind::kMemory),
                         name_of);

}  // namespace
}  // namespace syncline::state
