// What the tests of both shadows share: frames made from a seed, a plain model of what they come
// to, and a temporary folder.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <stdlib.h>

#include "host/base/result.hpp"
#include "host/model/key.hpp"
#include "host/state/shadow.hpp"

namespace syncline::state {

inline constexpr size_t kTestLanes = 4;
inline constexpr size_t kTestValues = 3;
inline constexpr model::DatasetId kCustomers = 7;
inline constexpr model::DatasetId kOrders = 8;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "shadow-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::string key_of(const std::string& name) {
  const model::CellView cell{model::CellState::kValue, name};
  return model::join_key({&cell, 1});
}

inline model::EntryCell cell(model::FieldIndex field, const std::string& bytes) {
  model::EntryCell made;
  made.field = field;
  made.state = model::CellState::kValue;
  made.bytes = bytes;
  return made;
}

inline model::RecordImage image(model::DatasetId dataset, const std::string& name,
                                const std::string& state, std::vector<model::EntryCell> cells,
                                bool is_full) {
  const std::string key = key_of(name);
  return {dataset, model::hash_key(key), key, state, std::move(cells), is_full};
}

inline model::FramePointer frame(model::LaneIndex lane, uint64_t number,
                                 std::vector<model::RecordImage> records) {
  auto made = std::make_shared<model::Frame>();
  made->lane = lane;
  made->number = number;
  made->records = std::move(records);
  return made;
}

// The frame of this lane and number that this seed gives: about three of the lane's 40 records,
// some whole, some in part, some only in their state.
inline model::FramePointer seeded_frame(uint32_t seed, model::LaneIndex lane, uint64_t number) {
  std::seed_seq sequence{seed, static_cast<uint32_t>(lane), static_cast<uint32_t>(number)};
  std::mt19937 random(sequence);
  std::vector<model::RecordImage> records;
  for (size_t count = random() % 4; count > 0; --count) {
    const model::DatasetId dataset = random() % 3 == 0 ? kOrders : kCustomers;
    const std::string mark = std::to_string(number) + std::string(random() % 90, '.');
    std::string name;
    do {
      name = "r" + std::to_string(random() % 160);
    } while (model::lane_of(model::hash_key(key_of(name)), kTestLanes) != lane);
    switch (random() % 3) {
      case 0:
        records.push_back(image(dataset, name, "full " + mark,
                                {cell(1, "a" + mark), cell(2, "b" + mark), cell(3, "c" + mark)},
                                true));
        break;
      case 1:
        records.push_back(image(dataset, name, "part " + mark,
                                {cell(static_cast<model::FieldIndex>(1 + random() % 3), mark)},
                                false));
        break;
      default:
        records.push_back(image(dataset, name, "state " + mark, {}, false));
        records.back().key.clear();  // as a confirmation leaves it
    }
  }
  return frame(lane, number, std::move(records));
}

// What frames come to, said as plainly as possible.
class ShadowModel {
 public:
  using Id = std::pair<model::DatasetId, model::KeyHash>;
  struct Record {
    std::string key;
    std::string state;
    std::map<size_t, std::string> values;
    bool operator==(const Record&) const = default;
  };

  void take_over(const model::Frame& frame) {
    for (const model::RecordImage& image : frame.records) {
      Record& record = records_[{image.dataset, image.key_hash}];
      record.state = image.state;
      if (!image.key.empty()) record.key = image.key;
      if (image.is_full) record.values.clear();
      for (const model::EntryCell& cell : image.cells) record.values[cell.field - 1] = cell.bytes;
    }
  }

  const std::map<Id, Record>& records() const { return records_; }

 private:
  std::map<Id, Record> records_;
};

inline ShadowModel::Record as_model(std::string_view key, const ShadowRecord& record) {
  ShadowModel::Record made{std::string(key), record.state, {}};
  for (size_t i = 0; i < record.values.size(); ++i) {
    if (record.values[i].state == model::CellState::kValue) made.values[i] = record.values[i].bytes;
  }
  return made;
}

// Everything the shadow shows by scans, for comparison with the model.
inline std::map<ShadowModel::Id, ShadowModel::Record> everything(Shadow& shadow) {
  std::map<ShadowModel::Id, ShadowModel::Record> all;
  for (const model::DatasetId dataset : {kCustomers, kOrders}) {
    for (size_t lane = 0; lane < kTestLanes; ++lane) {
      const auto visit = [&](const model::KeyHash& hash, std::string_view key,
                             const ShadowRecord& record) {
        return all.emplace(ShadowModel::Id{dataset, hash}, as_model(key, record)).second;
      };
      shadow.scan(dataset, static_cast<model::LaneIndex>(lane), kTestLanes, kTestValues, visit)
          .value();
    }
  }
  return all;
}

}  // namespace syncline::state
