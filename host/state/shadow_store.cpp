#include <array>
#include <deque>
#include <filesystem>
#include <optional>

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/options.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include "host/base/bytes.hpp"
#include "host/state/shadow_store_internal.hpp"

namespace syncline::state {

namespace {

using rocksdb::Slice;

// The first byte of every key. Permanent values.
constexpr char kFormatTag = 0;
constexpr char kLaneTag = 1;
constexpr char kItemTag = 2;
constexpr char kRecordTag = 3;

constexpr uint32_t kFormatNumber = 1;
constexpr size_t kRecordKeyBytes = 21;
constexpr size_t kWriteBufferBytes = 32u << 20;
constexpr uint64_t kFlushRoomBytes = 1u << 20;  // beside what is in memory
constexpr size_t kBlockCacheBytes = 32u << 20;
constexpr size_t kHintPrefixBytes = 6;  // tag, dataset and what numbers up to 256 lanes

std::string_view view(const Slice& slice) {
  return {slice.data(), slice.size()};
}
Slice slice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}

// Big endian, so that the store's order is that of the numbers.
template <class T>
void put_big_endian(char* out, T value) {
  for (int shift = static_cast<int>(sizeof value) * 8 - 8; shift >= 0; shift -= 8) {
    *out++ = static_cast<char>(value >> shift);
  }
}

template <class T>
T big_endian_at(std::string_view bytes, size_t offset) {
  T value = 0;
  for (size_t i = 0; i < sizeof value; ++i) {
    value = static_cast<T>(value << 8 | static_cast<uint8_t>(bytes[offset + i]));
  }
  return value;
}

using RecordKey = std::array<char, kRecordKeyBytes>;

RecordKey record_key(const RecordId& id) {
  RecordKey key;
  key[0] = kRecordTag;
  put_big_endian(&key[1], id.dataset);
  put_big_endian(&key[5], id.key_hash.high);
  put_big_endian(&key[13], id.key_hash.low);
  return key;
}

Slice slice(const RecordKey& key) {
  return {key.data(), key.size()};
}
std::string text(const RecordKey& key) {
  return {key.data(), key.size()};
}

std::optional<RecordId> record_id(std::string_view key) {
  if (key.size() != kRecordKeyBytes) return std::nullopt;
  return RecordId{big_endian_at<uint32_t>(key, 1),
                  {big_endian_at<uint64_t>(key, 5), big_endian_at<uint64_t>(key, 13)}};
}

std::string lane_key(model::LaneIndex lane) {
  std::string key(1 + sizeof lane, kLaneTag);
  put_big_endian(&key[1], lane);
  return key;
}

std::string item_key(std::string_view name) {
  return std::string(1, kItemTag).append(name);
}
std::string format_key() {
  return {1, kFormatTag};
}

Error error_of(const rocksdb::Status& status, const std::string& folder) {
  Error error{ErrorCode::kStorageOpen, "the shadow in " + folder + " cannot be used",
              status.ToString(), "check the folder's rights and the disk"};
  if (status.IsNoSpace()) {
    error.code = ErrorCode::kStorageFull;
    error.what = "the shadow in " + folder + " has no room left";
    error.fix = "free some disk space and start again; nothing accepted is lost";
  } else if (status.IsCorruption()) {
    error.code = ErrorCode::kDamaged;
    error.what = "the shadow in " + folder + " is damaged";
    error.fix = "restore the data folder from a copy, or run syncline resync";
  } else if (status.IsIOError() && status.ToString().find("/LOCK") != std::string::npos) {
    error.code = ErrorCode::kStorageLocked;
    error.fix = "stop the other process that uses this data folder";
  }
  return error;
}

Error damaged(const std::string& folder, const std::string& why) {
  return error_of(rocksdb::Status::Corruption(why), folder);
}

// Lays operands over each other. Every result is again an operand, so partial merges are whole
// ones.
class RecordMerge : public rocksdb::MergeOperator {
 public:
  bool FullMergeV2(const MergeOperationInput& in, MergeOperationOutput* out) const override {
    RecordParts parts;
    bool is_first = true;
    if (in.existing_value != nullptr && !lay_on(parts, *in.existing_value, is_first)) return false;
    for (const Slice& operand : in.operand_list) {
      if (!lay_on(parts, operand, is_first)) return false;
    }
    out->new_value = encode(parts);
    return true;
  }

  bool PartialMergeMulti(const Slice&, const std::deque<Slice>& operands, std::string* new_value,
                         rocksdb::Logger*) const override {
    RecordParts parts;
    bool is_first = true;
    for (const Slice& operand : operands) {
      if (!lay_on(parts, operand, is_first)) return false;
    }
    *new_value = encode(parts);
    return true;
  }

  const char* Name() const override { return "syncline.record.1"; }

 private:
  static bool lay_on(RecordParts& parts, const Slice& bytes, bool& is_first) {
    if (std::exchange(is_first, false)) return decode(view(bytes), parts);
    RecordParts newer;
    if (!decode(view(bytes), newer)) return false;
    overlay(parts, std::move(newer));
    return true;
  }
};

rocksdb::Options options_for_small_machines() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.merge_operator = std::make_shared<RecordMerge>();
  options.write_buffer_size = kWriteBufferBytes;
  options.max_write_buffer_number = 3;
  options.max_background_jobs = 2;
  options.level_compaction_dynamic_level_bytes = true;
  // Fewer, larger merges: most records are written again before they reach the last level.
  options.level0_file_num_compaction_trigger = 8;
  options.max_bytes_for_level_base = 1u << 30;
  options.compression_per_level = {rocksdb::kNoCompression, rocksdb::kLZ4Compression};
  options.memtable_prefix_bloom_size_ratio = 0.02;
  options.memtable_whole_key_filtering = true;
  // A lane's records come in the order of their keys: each is looked for from where the last went.
  options.memtable_insert_with_hint_prefix_extractor.reset(
      rocksdb::NewFixedPrefixTransform(kHintPrefixBytes));
  options.bytes_per_sync = 1u << 20;
  // An idle appliance writes nothing.
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.ttl = 0;
  options.periodic_compaction_seconds = 0;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.keep_log_file_num = 2;

  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.block_cache = rocksdb::NewLRUCache(kBlockCacheBytes);
  table.block_size = 4u << 10;  // single records are read at random
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  table.format_version = 5;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

rocksdb::WriteOptions without_wal() {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return options;
}

// A folder keeps its number of lanes: the frames' numbers count per lane.
Result<void> check_format(rocksdb::DB& database, const std::string& folder, size_t lane_count) {
  std::string wanted;
  ByteWriter out(wanted);
  out.u32(kFormatNumber);
  out.u32(static_cast<uint32_t>(lane_count));
  std::string found;
  rocksdb::Status status = database.Get({}, format_key(), &found);
  if (status.IsNotFound()) {
    status = database.Put(without_wal(), format_key(), wanted);
    if (status.ok()) return success();
  }
  if (!status.ok()) return error_of(status, folder);
  if (found == wanted) return success();
  ByteReader in(found);
  const uint32_t format = in.u32();
  const uint32_t lanes = in.u32();
  return fail(ErrorCode::kFormat,
              "the shadow in " + folder + " has format " + std::to_string(format) + " and " +
                  std::to_string(lanes) + " lanes",
              "this version reads format " + std::to_string(kFormatNumber) + " and was told " +
                  std::to_string(lane_count) + " lanes",
              "start the version that made the folder, with its number of lanes");
}

// Visits the keys from `first` that begin with `prefix`, up to `end` where that is not empty.
Result<void> iterate(rocksdb::DB& database, const std::string& folder, const std::string& first,
                     const std::string& end,
                     const std::function<bool(std::string_view, std::string_view)>& visit) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.readahead_size = 2u << 20;
  const Slice upper = slice(end);
  options.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> at(database.NewIterator(options));
  for (at->Seek(first); at->Valid(); at->Next()) {
    if (!visit(view(at->key()), view(at->value()))) return success();
  }
  if (!at->status().ok()) return error_of(at->status(), folder);
  return success();
}

// The first key behind all that begin with the prefix. REQUIRES: the prefix has a byte below 255.
std::string end_of(std::string prefix) {
  while (prefix.back() == '\xff') prefix.pop_back();
  prefix.back() = static_cast<char>(static_cast<uint8_t>(prefix.back()) + 1);
  return prefix;
}

}  // namespace

struct ShadowStore::Database {
  std::string folder;
  std::unique_ptr<rocksdb::DB> rocksdb;

  Result<void> result(const rocksdb::Status& status) const {
    if (status.ok()) return success();
    return error_of(status, folder);
  }
  Result<void> iterate_records(const std::string& first, const std::string& end,
                               const VisitRecord& visit) const {
    std::optional<Error> error;
    SYN_TRY(
        iterate(*rocksdb, folder, first, end, [&](std::string_view key, std::string_view bytes) {
          const std::optional<RecordId> id = record_id(key);
          if (!id)
            error = damaged(folder, "a record's key has " + std::to_string(key.size()) + " bytes");
          return id && visit(*id, bytes);
        }));
    if (error) return *error;
    return success();
  }
};

ShadowStore::ShadowStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}
ShadowStore::~ShadowStore() = default;

Result<std::unique_ptr<ShadowStore>> ShadowStore::open(const std::string& folder,
                                                       size_t lane_count) {
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options_for_small_machines(), folder, &opened);
  if (!status.ok()) return error_of(status, folder);
  auto database = std::make_unique<Database>(folder, std::unique_ptr<rocksdb::DB>(opened));
  SYN_TRY(check_format(*database->rocksdb, folder, lane_count));
  return std::unique_ptr<ShadowStore>(new ShadowStore(std::move(database)));
}

Result<bool> ShadowStore::get(const RecordId& id, std::string& bytes) const {
  const rocksdb::Status status = database_->rocksdb->Get({}, slice(record_key(id)), &bytes);
  if (status.IsNotFound()) return false;
  if (!status.ok()) return error_of(status, database_->folder);
  return true;
}

void ShadowStore::Batch::add(const RecordId& id, const RecordParts& parts) {
  const size_t offset = bytes.size();
  encode_onto(bytes, parts);
  records.push_back({id, parts.is_full && !parts.key.empty(), offset, bytes.size() - offset});
}

Result<void> ShadowStore::write(const Batch& batch) {
  rocksdb::WriteBatch out(64 + batch.records.size() * (kRecordKeyBytes + 8) + batch.bytes.size());
  rocksdb::Status status;
  const auto add = [&status](const rocksdb::Status& added) {
    if (status.ok()) status = added;
  };
  for (const auto& [name, bytes] : batch.items) {
    const std::string key = item_key(name);
    add(bytes.empty() ? out.Delete(key) : out.Put(key, bytes));
  }
  for (const Record& record : batch.records) {
    const RecordKey key = record_key(record.id);
    const Slice bytes(batch.bytes.data() + record.offset, record.size);
    add(record.replaces ? out.Put(slice(key), bytes) : out.Merge(slice(key), bytes));
  }
  for (const auto& [lane, frame_number] : batch.lanes) {
    std::string number;
    ByteWriter(number).u64(frame_number);
    add(out.Put(lane_key(lane), number));
  }
  add(status.ok() ? database_->rocksdb->Write(without_wal(), &out) : rocksdb::Status());
  return database_->result(status);
}

Result<uint64_t> ShadowStore::frame_number(model::LaneIndex lane) const {
  std::string bytes;
  const rocksdb::Status status = database_->rocksdb->Get({}, lane_key(lane), &bytes);
  if (status.IsNotFound()) return uint64_t{0};
  if (!status.ok()) return error_of(status, database_->folder);
  ByteReader in(bytes);
  const uint64_t number = in.u64();
  if (!in.ok()) return damaged(database_->folder, "a lane's frame number is cut short");
  return number;
}

// A file that RocksDB could not write to its end may end the process at the next try: none is begun
// without room for all that is in memory.
Result<void> ShadowStore::flush() {
  uint64_t memory_bytes = 0;
  database_->rocksdb->GetIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &memory_bytes);
  std::error_code unknown;
  const auto space = std::filesystem::space(database_->folder, unknown);
  if (!unknown && space.available < memory_bytes + kFlushRoomBytes) {
    return error_of(rocksdb::Status::NoSpace("less is left than a flush may take"),
                    database_->folder);
  }
  return database_->result(database_->rocksdb->Flush(rocksdb::FlushOptions()));
}

Result<void> ShadowStore::scan_all(const VisitRecord& visit) const {
  const std::string prefix(1, kRecordTag);
  return database_->iterate_records(prefix, end_of(prefix), visit);
}

Result<void> ShadowStore::scan(model::DatasetId dataset, const HashRange& range,
                               const VisitRecord& visit) const {
  const std::string end = end_of(text(record_key({dataset, range.last})));
  return database_->iterate_records(text(record_key({dataset, range.first})), end, visit);
}

Result<std::string> ShadowStore::get_item(const std::string& name) const {
  std::string bytes;
  const rocksdb::Status status = database_->rocksdb->Get({}, item_key(name), &bytes);
  if (status.IsNotFound()) return std::string();
  if (!status.ok()) return error_of(status, database_->folder);
  return bytes;
}

Result<void> ShadowStore::scan_items(const std::string& prefix,
                                     const Shadow::VisitItem& visit) const {
  const std::string first = item_key(prefix);
  return iterate(*database_->rocksdb, database_->folder, first, end_of(first),
                 [&](std::string_view key, std::string_view bytes) {
                   return visit(std::string(key.substr(1)), bytes);
                 });
}

}  // namespace syncline::state
