// The shadow's place on disk: RocksDB, one column family, WAL off (docs/formats/shadow.md).
//
// A batch carries the lanes' frame numbers with the effects of the frames up to them, and batches
// reach the disk in order, so what a crash leaves is, per lane, exactly the frames up to some
// number. Records are written as operands that a merge operator lays over each other: no write
// reads. Threads: any; write and flush from one at a time. Errors: kStorageOpen, kStorageLocked,
// kStorageFull, kDamaged, kFormat.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/base/result.hpp"
#include "host/state/shadow_record_internal.hpp"

namespace syncline::state {

class ShadowStore {
 public:
  static Result<std::unique_ptr<ShadowStore>> open(const std::string& folder, size_t lane_count);
  ~ShadowStore();
  ShadowStore(const ShadowStore&) = delete;
  ShadowStore& operator=(const ShadowStore&) = delete;

  // Returns false if there is no such record.
  Result<bool> get(const RecordId& id, std::string& bytes) const;

  struct Record {
    RecordId id;
    bool replaces = false;  // the bytes are all there is to know of the record
    size_t offset = 0;      // of them, in the batch's
    size_t size = 0;
  };
  struct Batch {
    std::vector<std::pair<model::LaneIndex, uint64_t>> lanes;  // and the numbers they now stand at
    std::vector<Record> records;                               // fastest in the order of their ids
    std::string bytes;                                         // of all records
    std::vector<std::pair<std::string, std::string>> items;    // empty bytes remove

    void add(const RecordId& id, const RecordParts& parts);
  };
  // All of it or nothing, whatever happens.
  Result<void> write(const Batch& batch);
  Result<uint64_t> frame_number(model::LaneIndex lane) const;
  Result<void> flush();

  // visit returns false to stop.
  using VisitRecord = std::function<bool(const RecordId& id, std::string_view bytes)>;
  Result<void> scan_all(const VisitRecord& visit) const;
  Result<void> scan(model::DatasetId dataset, const HashRange& range,
                    const VisitRecord& visit) const;

  Result<std::string> get_item(const std::string& name) const;
  Result<void> scan_items(const std::string& prefix, const Shadow::VisitItem& visit) const;

 private:
  struct Database;
  explicit ShadowStore(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

}  // namespace syncline::state
