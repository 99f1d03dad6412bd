// What a scanned file is known to hold, record by record: how a change is told from what was shown
// before, and what guards our writes where no trigger logs what users do.
//
//   1. A write of ours may go over a record only if what stands there is what we wrote ourselves,
//      or was shown and is durable on our side; an edit in between would never be seen.
//   2. What we wrote is known from then on, and echoed behind its marker: a user who writes the old
//      value back makes a change.
//
// Owner: shared by source and target of one system. Memory: about 150 bytes a record, and at most
// kEchoesMax echoes. Threads: any; every call locks.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "drivers/systems/sqlite/detail/table.hpp"
#include "drivers/systems/sqlite/detail/value.hpp"
#include "host/model/ids.hpp"

namespace syncline::sqlite {

inline constexpr size_t kEchoesMax = 65'536;

// Of a record's native values; kAbsent for one that is not there.
using ImageHash = uint64_t;
inline constexpr ImageHash kAbsent = 0;
ImageHash image_hash(const std::vector<NativeValue>& values);

struct ScannedRecord {
  model::DatasetId dataset = 0;
  std::string name;        // payload.hpp, record_name
  std::string native_key;  // encoded
};

ScannedRecord scanned_record(const Mapped& mapped, std::string_view joined_key,
                             const std::vector<NativeValue>& native_key);

struct Echo {
  ScannedRecord record;
  std::string image;  // payload.hpp, image_payload
};

class ScanState {
 public:
  // The source's side. A scan of a dataset sees every record, then asks which were not seen.
  void begin_scan(model::DatasetId dataset);
  enum class Seen : uint8_t { kKnown, kNew, kChanged };
  Seen see(const ScannedRecord& record, ImageHash hash);
  std::vector<ScannedRecord> unseen(model::DatasetId dataset);
  void see_gone(const ScannedRecord& record);
  void end_scan(model::DatasetId dataset);
  bool has_scanned(model::DatasetId dataset);  // to its end, once
  std::vector<Echo> take_echoes();
  // What was seen since the last call was shown under this position; or was not, after all.
  void keep_shown(int64_t position);
  void drop_shown(std::vector<Echo>&& echoes);
  void acknowledge(int64_t position);
  bool take_wish();  // a write waits for a scan

  // The target's side.
  bool may_overwrite(const ScannedRecord& record, ImageHash present);
  bool has_room_for_echoes();
  void wrote(Echo&& echo, ImageHash hash);

 private:
  struct Record {
    model::DatasetId dataset = 0;
    uint32_t scan = 0;
    ImageHash known = kAbsent;
    bool is_safe = true;  // ours, or acknowledged
    std::string native_key;
  };
  struct News {
    std::string name;
    ImageHash before = kAbsent;
    bool was_safe = true;
    ImageHash now = kAbsent;
  };
  struct Shown {
    int64_t position = 0;
    std::vector<News> news;
  };
  struct Progress {
    uint32_t scan = 0;
    bool is_complete = false;
  };

  Record& touch(const ScannedRecord& record);
  void note(const std::string& name, Record& record, ImageHash now);

  std::mutex mutex_;
  std::unordered_map<std::string, Record> records_;
  std::unordered_map<model::DatasetId, Progress> progress_;
  std::vector<News> news_;
  std::deque<Shown> shown_;
  std::vector<Echo> echoes_;
  bool is_wished_ = false;
};

}  // namespace syncline::sqlite
