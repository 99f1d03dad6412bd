#include "drivers/systems/mariadb/detail/mysql_log.hpp"

#include <algorithm>
#include <cstring>

#include <boost/crc.hpp>
#include <zstd.h>

#include "drivers/systems/mariadb/detail/wire_reader.hpp"
#include "host/model/key.hpp"

namespace syncline::mariadb {
namespace {

enum class Type : uint8_t {  // permanent values
  kQuery = 2,
  kRotate = 4,
  kFormatDescription = 15,
  kXid = 16,
  kExecuteLoadQuery = 18,
  kTableMap = 19,
  kWriteRowsV1 = 23,
  kUpdateRowsV1 = 24,
  kDeleteRowsV1 = 25,
  kIncident = 26,
  kHeartbeat = 27,
  kWriteRows = 30,
  kUpdateRows = 31,
  kDeleteRows = 32,
  kGtid = 33,
  kAnonymousGtid = 34,
  kXaPrepare = 38,
  kPartialUpdateRows = 39,
  kTransactionPayload = 40,
  kHeartbeatV2 = 41,
  kGtidTagged = 42,
};

enum class PayloadField : uint8_t {  // permanent values
  kEnd = 0,
  kSize = 1,
  kCompression = 2,
  kUncompressedSize = 3,
};
constexpr uint64_t kZstd = 0;  // permanent values, as the next one
constexpr uint64_t kUncompressed = 255;

constexpr size_t kHeaderSize = 19;
constexpr size_t kChecksumSize = 4;
constexpr size_t kEndOffset = 13;
constexpr uint16_t kArtificial = 0x20;
constexpr size_t kRotatePlaceSize = 8;  // before the name
constexpr size_t kUuidSize = 16;
constexpr size_t kTableIdSize = 6;
constexpr size_t kLoadSize = 13;  // of a LOAD DATA, behind what a statement has
constexpr size_t kUnpackedMax = size_t{1} << 30;

auto damaged(std::string why) {
  return fail(ErrorCode::kSystemOpen, "the log is not what it should be", std::move(why),
              "nothing: the log is opened anew");
}

// kOther: of one that is read otherwise, or not.
EventKind kind_of(Type type) {
  switch (type) {
    case Type::kQuery:
    case Type::kExecuteLoadQuery:
      return EventKind::kStatement;
    case Type::kRotate:
      return EventKind::kRotate;
    case Type::kFormatDescription:
      return EventKind::kFile;
    case Type::kXid:
      return EventKind::kCommit;
    case Type::kTableMap:
      return EventKind::kTableMap;
    case Type::kWriteRowsV1:
    case Type::kUpdateRowsV1:
    case Type::kDeleteRowsV1:
    case Type::kWriteRows:
    case Type::kUpdateRows:
    case Type::kDeleteRows:
      return EventKind::kRows;
    case Type::kIncident:
      return EventKind::kIncident;
    case Type::kHeartbeat:
    case Type::kHeartbeatV2:
      return EventKind::kHeartbeat;
    case Type::kGtid:
    case Type::kAnonymousGtid:
    case Type::kGtidTagged:
      return EventKind::kGroup;
    case Type::kXaPrepare:
      return EventKind::kPrepared;
    case Type::kPartialUpdateRows:
      return EventKind::kUntold;
    case Type::kTransactionPayload:
      break;
  }
  return EventKind::kOther;
}

uint32_t crc_of(std::string_view bytes) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

bool has_its_checksum(std::string_view bytes) {
  if (bytes.size() < kHeaderSize + kChecksumSize) return false;
  const std::string_view covered = bytes.substr(0, bytes.size() - kChecksumSize);
  return WireReader(bytes.substr(covered.size())).number(kChecksumSize) == crc_of(covered);
}

std::shared_ptr<const std::string> keep(std::string_view bytes) {
  return std::make_shared<const std::string>(bytes);
}

// 1 flags | 16 uuid | 8 number | ...; of a tagged one the whole event tells it from others.
bool read_group(Type type, WireReader& in, Event& event) {
  if (type == Type::kGtidTagged) {
    const model::KeyHash hash = model::hash_key(event.body);
    event.gtid = {static_cast<uint32_t>(hash.high >> 32), static_cast<uint32_t>(hash.high),
                  hash.low | kMysqlGtid | kTaggedGtid};
    return true;
  }
  in.take(1);
  const std::string_view uuid = in.take(kUuidSize);
  const uint64_t number = in.number(8);
  if (!in.is_ok()) return false;
  event.gtid.sequence = (number & ~kTaggedGtid) | kMysqlGtid;
  if (type == Type::kAnonymousGtid) return true;
  for (size_t i = 0; i < 4; ++i) {
    event.gtid.domain = event.gtid.domain << 8 | static_cast<uint8_t>(uuid[i]);
    event.gtid.server = event.gtid.server << 8 | static_cast<uint8_t>(uuid[4 + i]);
  }
  return true;
}

// 4 session | 4 seconds | 1 size of the database's name | 2 error | 2 size of the settings
// | settings | name | 0 | statement
bool read_statement(Type type, WireReader& in, Event& event) {
  in.take(8);
  const size_t database_size = in.number(1);
  in.take(2);
  const size_t settings_size = in.number(2);
  if (type == Type::kExecuteLoadQuery) in.take(kLoadSize);
  in.take(settings_size);
  event.database = in.take(database_size);
  in.take(1);
  event.sql = in.rest();
  return in.is_ok();
}

// 6 table | 2 flags | from version 2 on: 2 size of more, with itself, and that | columns | bits of
// those that images have, of updates once more for those behind | images
bool read_rows(Type type, WireReader& in, Event& event) {
  event.table = in.number(kTableIdSize);
  event.rows.flags = static_cast<uint16_t>(in.number(2));
  if (type >= Type::kWriteRows) {
    const uint64_t more = in.number(2);
    if (more < 2) return false;
    in.take(more - 2);
  }
  event.rows.kind = type == Type::kWriteRows || type == Type::kWriteRowsV1     ? RowsKind::kWrite
                    : type == Type::kUpdateRows || type == Type::kUpdateRowsV1 ? RowsKind::kUpdate
                                                                               : RowsKind::kDelete;
  event.rows.column_count = in.count();
  if (event.rows.column_count > 8 * in.rest().size()) return false;
  const size_t bits_size = (event.rows.column_count + 7) / 8;
  event.rows.present = in.take(bits_size);
  if (event.rows.kind == RowsKind::kUpdate) event.rows.present_after = in.take(bits_size);
  event.rows.images = in.rest();
  return in.is_ok();
}

bool read_body(Type type, Event& event) {
  WireReader in(event.body);
  switch (kind_of(type)) {
    case EventKind::kRotate:
      in.take(kRotatePlaceSize);
      event.file = in.rest();
      return in.is_ok();
    case EventKind::kGroup:
      return read_group(type, in, event);
    case EventKind::kStatement:
      return read_statement(type, in, event);
    case EventKind::kTableMap:
    case EventKind::kUntold:
      event.table = in.number(kTableIdSize);
      return in.is_ok();
    case EventKind::kRows:
      return read_rows(type, in, event);
    case EventKind::kPrepared:
      event.is_one_phase = in.number(1) != 0;
      return in.is_ok();
    default:
      return true;
  }
}

struct Packed {
  uint64_t compression = kZstd;
  uint64_t size = 0;  // unpacked
  std::string_view bytes;
};

// Fields of a kind, a size and a number, up to the kind kEnd; then the events.
std::optional<Packed> read_payload(std::string_view body) {
  WireReader in(body);
  Packed packed;
  while (in.is_ok()) {
    const auto field = static_cast<PayloadField>(in.count());
    if (field == PayloadField::kEnd) break;
    WireReader value(in.take(in.count()));
    if (field == PayloadField::kCompression) packed.compression = value.count();
    if (field == PayloadField::kUncompressedSize) packed.size = value.count();
  }
  packed.bytes = in.rest();
  if (!in.is_ok()) return std::nullopt;
  return packed;
}

Result<std::shared_ptr<const std::string>> unpacked(const Packed& packed) {
  if (packed.compression == kUncompressed) return keep(packed.bytes);
  if (packed.compression != kZstd || packed.size > kUnpackedMax) {
    return damaged("a transaction is compressed in a way that is not known");
  }
  std::string bytes(packed.size, '\0');
  const size_t size =
      ZSTD_decompress(bytes.data(), bytes.size(), packed.bytes.data(), packed.bytes.size());
  if (ZSTD_isError(size) != 0 || size != packed.size) {
    return damaged("a compressed transaction cannot be unpacked");
  }
  return std::make_shared<const std::string>(std::move(bytes));
}

// What the first statement of a group says of its kind. One that makes a table and fills it is
// followed by its rows.
void set_kind(std::string_view sql, Event& group) {
  const auto take = [&](std::string_view words) {
    if (!sql.starts_with(words)) return false;
    group.xid = sql.substr(words.size());
    return true;
  };
  if (take("XA START ")) {
    group.group = GroupKind::kPrepared;
  } else if (take("XA COMMIT ") || take("XA ROLLBACK ")) {
    group.group = GroupKind::kDecided;
  } else if (sql != "BEGIN" && !sql.ends_with("START TRANSACTION")) {
    group.group = GroupKind::kAlone;
  }
}

}  // namespace

// An artificial event tells by itself: it is made for the stream, not as its file has them.
Result<void> MysqlLog::strip_checksum(const Header& header, std::string_view bytes, Event& event) {
  const auto type = static_cast<Type>(header.type);
  if (type == Type::kFormatDescription) {
    constexpr size_t kAlgorithmSize = 1;
    if (event.body.size() < kAlgorithmSize + kChecksumSize) return damaged("a file's description");
    const char algorithm = event.body[event.body.size() - kAlgorithmSize - kChecksumSize];
    checksums_ = algorithm == 1 ? Checksums::kCrc32 : Checksums::kNone;
    event.body.remove_suffix(kChecksumSize);
    return success();
  }
  const bool has_own = has_its_checksum(bytes);
  if (has_own && (event.is_artificial || checksums_ == Checksums::kCrc32)) {
    event.body.remove_suffix(kChecksumSize);
  } else if (checksums_ == Checksums::kCrc32 && !event.is_artificial) {
    return damaged("an event's checksum is another");
  }
  return success();
}

Result<Event> MysqlLog::read(std::shared_ptr<const void> owner, std::string_view bytes,
                             Header& header) {
  WireReader in(bytes);
  Event event;
  event.bytes = std::move(owner);
  event.flavour = Flavour::kMysql;
  event.time_s = static_cast<uint32_t>(in.number(4));
  header.type = static_cast<uint8_t>(in.number(1));
  event.server = static_cast<uint32_t>(in.number(4));
  event.size = static_cast<uint32_t>(in.number(4));
  event.end = in.number(4);
  header.flags = static_cast<uint16_t>(in.number(2));
  event.is_artificial = (header.flags & kArtificial) != 0;
  if (!in.is_ok() || event.size != bytes.size()) return damaged("an event has another size");
  const auto type = static_cast<Type>(header.type);
  event.type = header.type;
  event.kind = kind_of(type);
  if (event.kind == EventKind::kOther && type != Type::kTransactionPayload) {
    event.kind = kind_of_unread(header.type, header.flags);
  }
  event.body = in.rest();
  return event;
}

void MysqlLog::give(Event event, std::vector<Event>& out) {
  if (event.kind == EventKind::kGroup) {
    if (group_) out.push_back(std::move(*group_));
    group_ = std::move(event);
    group_->group = GroupKind::kTransaction;
    return;
  }
  if (group_) {
    if (event.kind == EventKind::kStatement) set_kind(event.sql, *group_);
    out.push_back(std::move(*group_));
    group_.reset();
  }
  out.push_back(std::move(event));
}

// They stand in the file as one, whose end is that of the last.
Result<void> MysqlLog::unpack(const Event& payload, std::vector<Event>& out) {
  const auto packed = read_payload(payload.body);
  if (!packed) return damaged("a compressed transaction ends too early");
  SYN_TRY(const auto bytes, unpacked(*packed));
  std::string_view rest = *bytes;
  while (!rest.empty()) {
    if (rest.size() < kHeaderSize) return damaged("a compressed transaction ends too early");
    const uint64_t size = WireReader(rest.substr(kEndOffset - 4)).number(4);
    if (size < kHeaderSize || size > rest.size()) return damaged("an event has another size");
    Header header;
    SYN_TRY(Event event, read(bytes, rest.substr(0, size), header));
    rest.remove_prefix(size);
    const auto type = static_cast<Type>(header.type);
    if (type == Type::kTransactionPayload || !read_body(type, event)) {
      return damaged("an event of a compressed transaction ends too early");
    }
    event.end = rest.empty() ? payload.end : 0;
    give(std::move(event), out);
  }
  return success();
}

Result<void> MysqlLog::take(std::string_view bytes, std::vector<Event>& out) {
  const auto kept = keep(bytes);
  Header header;
  SYN_TRY(Event event, read(kept, *kept, header));
  SYN_TRY(strip_checksum(header, *kept, event));
  const auto type = static_cast<Type>(header.type);
  if (type == Type::kTransactionPayload) return unpack(event, out);
  if (event.kind == EventKind::kHeartbeat) return success();
  if (!read_body(type, event)) {
    return damaged("an event of type " + std::to_string(header.type) + " ends too early");
  }
  give(std::move(event), out);
  return success();
}

}  // namespace syncline::mariadb
