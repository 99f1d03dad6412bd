// What rows of syncline_changes carry as payload: a marked transaction's moves with all that it
// writes (kMarker), and a record's native values right before a write of ours (kImage).
//
// The writes are there because the log shows states, not steps: where a user has written over ours
// before the log is read, they say what the record held in between.
// Threads: pure functions. Layout: host/base/bytes.hpp, fields in the order of the code.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "drivers/systems/sqlite/detail/table.hpp"
#include "drivers/systems/sqlite/detail/value.hpp"
#include "host/model/entry.hpp"
#include "host/model/schema.hpp"
#include "host/ports/target.hpp"

namespace syncline::sqlite {

std::string marker_payload(const std::string& appliance, const ports::WriteBatch& batch);

struct WrittenCell {
  model::FieldIndex field = 0;
  model::CellView cell;
};

struct Written {
  model::EntryKind kind = model::EntryKind::kSet;
  std::vector<WrittenCell> cells;
};

// Views borrow from the payload.
struct MarkerPayload {
  std::string_view appliance;
  uint32_t epoch = 0;
  std::vector<ports::MarkerMove> moves;
  std::string_view writes;  // the rest, for find_written
};

// Errors: kSystemLost for bytes that are no payload.
Result<MarkerPayload> read_marker_payload(std::string_view payload);

// The writes of a marked transaction, to be found by key. The payload outlives it.
class WrittenRecords {
 public:
  explicit WrittenRecords(const MarkerPayload& payload) : writes_(payload.writes) {}
  // By the folded key: the database may hold the key in another case than we wrote it.
  std::optional<Written> find(const model::Schema& schema, std::string_view key);

 private:
  using ByKey = std::unordered_map<std::string, std::string_view>;
  ByKey& of_dataset(const model::Schema& schema);

  std::string_view writes_;
  std::unordered_map<model::DatasetId, ByKey> by_dataset_;
};

// nullopt: the record was not there.
std::string image_payload(const std::vector<NativeValue>& values);
std::string absent_image_payload();
Result<std::optional<std::vector<NativeValue>>> read_image_payload(std::string_view payload);

// A row as one string, for maps: its dataset and its key as the table's own collations fold it.
std::string record_name(const Mapped& mapped, std::string_view joined_key);

}  // namespace syncline::sqlite
