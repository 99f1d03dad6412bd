// The shadow's place on disk: RocksDB, one column family, WAL off (docs/formats/shadow.md).
//
// A write carries one lane's frame number with the effects of the frames up to it, so what a crash
// leaves is, per lane, exactly the frames up to some number. Records are written as operands that
// a merge operator lays over each other: no write reads.
// Threads: any; write and flush from one at a time. Errors: kStorageOpen, kStorageLocked,
// kStorageFull, kDamaged, kFormat.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

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

  struct Write {
    RecordId id;
    bool replaces = false;  // the bytes are all there is to know of the record
    std::string bytes;
  };
  // Fastest where the writes come in the order of their ids.
  Result<void> write(model::LaneIndex lane, uint64_t frame_number, std::span<const Write> writes);
  Result<uint64_t> frame_number(model::LaneIndex lane) const;
  Result<void> flush();

  // visit returns false to stop.
  using VisitRecord = std::function<bool(const RecordId& id, std::string_view bytes)>;
  Result<void> scan_all(const VisitRecord& visit) const;
  Result<void> scan(model::DatasetId dataset, const HashRange& range,
                    const VisitRecord& visit) const;

  Result<std::string> get_item(const std::string& name) const;
  Result<void> put_item(const std::string& name, std::string_view bytes);
  Result<void> scan_items(const std::string& prefix, const Shadow::VisitItem& visit) const;

 private:
  struct Database;
  explicit ShadowStore(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

}  // namespace syncline::state
