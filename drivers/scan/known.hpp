// What a system whose log is closed to us is known to hold, record by record: how a change is told
// from what was shown before, and what guards our writes where nothing logs what users do.
//
//   1. A write of ours may go over a record only if what stands there is what we wrote ourselves,
//      or was shown and is durable on our side: an edit that we overwrite would never be seen.
//   2. What we wrote is known from then on: a user who writes the old value back makes a change.
//   3. A snapshot begins while no transaction of ours is under way (hold_writes), so for each write
//      of ours it is known whether the snapshot holds it. What a snapshot shows of a record that
//      was written behind it counts for nothing.
//
//   of a record            how it gets there                     may it be written over?
//   unknown                nobody looked, or it is absent        only in a complete dataset
//   known                  seen, and shown under a position      no
//   known and safe         that position is durable; or it is    yes, while that is what stands
//                          what we wrote                         there
//
// Owner: shared by source and target of one system. Memory: about 130 bytes a record, and a key.
// Threads: any; every call locks.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "host/model/ids.hpp"

namespace syncline::scan {

// Records written and not yet shown as such, and what their rows take: a target waits where there
// is more. A look reads all of them.
inline constexpr size_t kEchoesMax = 65'536;
inline constexpr size_t kEchoBytesMax = 64u << 20;

// Of a record's native values; kNoImage for one that is not there.
using ImageHash = uint64_t;
inline constexpr ImageHash kNoImage = 0;
ImageHash image_hash(std::string_view image);  // empty: absent

// A row by its key as it is written there: rows that are one record by the dataset's key are told
// apart.
struct RecordId {
  model::DatasetId dataset = 0;
  model::KeyHash hash;
  bool operator==(const RecordId&) const = default;
};
struct RecordIdHasher {
  size_t operator()(const RecordId& id) const { return id.hash.low ^ id.dataset; }
};

struct Wanted {  // a record that is to be looked at
  RecordId id;
  std::string key;  // joined
};

class Known {
 public:
  // How many writes of ours there were when a snapshot began.
  using Mark = uint64_t;

  // Held by the target for a transaction, by the source while a snapshot begins.
  std::unique_lock<std::mutex> hold_writes() { return std::unique_lock(writing_); }
  Mark mark() const;  // REQUIRES: hold_writes

  // The source's side.
  void forget(model::DatasetId dataset);  // what follows is a first look at it
  void begin_scan(model::DatasetId dataset);
  enum class Seen : uint8_t { kKnown, kNew, kChanged };  // kNew: was surely not there before
  Seen see(const Wanted& record, ImageHash hash, Mark mark);
  // As see(), for rows that are shown apart from markers and echoes: what we wrote and is not
  // echoed yet is left for a later look.
  void see_apart(const Wanted& record, ImageHash hash);
  // What stood there when our last transaction on it ended, up to the mark.
  void see_echo(const Wanted& record, ImageHash hash, Mark mark);
  void end_echoes(Mark mark);
  // Of the dataset's records, those that the scan has not met: about `limit` of them, or fewer
  // where a look at many others comes first, until is_last.
  struct Unseen {
    std::vector<Wanted> records;
    bool is_last = false;
  };
  Unseen unseen(model::DatasetId dataset, size_t limit);
  void end_scan(model::DatasetId dataset);  // every record is known
  // What was seen since the last call was shown under this position. Or was not after all, as far
  // as it was seen since begin_look(): what was shown apart before stays seen.
  bool has_news() const;
  void begin_look();
  void keep_shown(int64_t position);
  void drop_shown();
  void acknowledge(int64_t position);
  std::vector<Wanted> take_wishes();
  // Until a write wants a look, or is done and wants its marker shown, or the time has passed.
  void wait(int64_t wait_us);
  bool is_wanted() const;

  // Of a dataset that is never complete: of more than record_max records those are forgotten that
  // are safe and echoed. To look at one again costs, and says nothing new.
  void trim(model::DatasetId dataset, size_t record_max);
  size_t count() const;  // of the records that are kept

  // The target's side.
  bool may_write(const Wanted& record, ImageHash present);  // if not, it is wanted
  void want(const Wanted& record);
  bool has_room() const;
  void wrote(const Wanted& record, std::string_view image);  // empty: it is gone
  void end_writes();                                         // the transaction is committed

 private:
  struct Record {
    std::string key;
    ImageHash known = kNoImage;
    uint64_t written_at = 0;  // 0: not by us
    uint64_t noted_at = 0;    // the newest news of it; 0: it is ours
    uint32_t scan = 0;
    bool is_safe = true;
  };
  struct News {
    uint64_t number = 0;
    RecordId id;
    ImageHash before = kNoImage;
    uint64_t noted_before = 0;
    bool was_safe = true;
  };
  struct Shown {
    int64_t position = 0;
    std::vector<News> news;
  };
  struct Dataset {
    std::unordered_map<model::KeyHash, Record, model::KeyHashHasher> records;
    uint32_t scan = 0;
    bool is_complete = false;
    size_t walked = 0;  // of the records' buckets, for unseen(); while there are as many as
    size_t bucket_count = 0;
  };

  Record* newest(const News& news);
  void note(const Wanted& record, Record& known, ImageHash now);
  bool is_echoed(const Record& record) const { return record.written_at <= echoed_count_; }

  std::mutex writing_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wanted_;
  std::unordered_map<model::DatasetId, Dataset> datasets_;
  std::vector<News> news_;
  size_t seen_before_ = 0;  // of the news, before the look at hand
  std::deque<Shown> shown_;
  std::unordered_map<RecordId, std::string, RecordIdHasher> wishes_;
  uint64_t news_count_ = 0;
  uint64_t write_count_ = 0;
  uint64_t echoed_count_ = 0;  // writes up to here were shown
  struct Written {
    uint64_t number = 0;
    size_t size_bytes = 0;
  };
  std::deque<Written> to_be_echoed_;
  size_t to_be_echoed_bytes_ = 0;
};

}  // namespace syncline::scan
