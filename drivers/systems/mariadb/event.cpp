#include "drivers/systems/mariadb/detail/event.hpp"

#include <cinttypes>
#include <cstdio>

#include "drivers/systems/mariadb/detail/wire_reader.hpp"

namespace syncline::mariadb {
namespace {

constexpr size_t kHeaderSize = 19;
constexpr size_t kTypeOffset = 4;

std::string_view view(const MARIADB_STRING& text) {
  return {text.str, text.length};
}

std::string_view body_of(const MARIADB_RPL_EVENT& read, size_t checksum_size) {
  const size_t start = read.raw_data_ofs + kHeaderSize;
  if (read.raw_data_size < start + checksum_size) return {};
  return {reinterpret_cast<const char*>(read.raw_data) + start,
          read.raw_data_size - start - checksum_size};
}

// The library calls those that it does not know 0.
uint8_t type_of(const MARIADB_RPL_EVENT& read) {
  const size_t at = read.raw_data_ofs + kTypeOffset;
  return at < read.raw_data_size ? read.raw_data[at] : 0;
}

EventKind kind_of(uint8_t type, uint16_t flags) {
  switch (type) {
    case HEARTBEAT_LOG_EVENT:
      return EventKind::kHeartbeat;
    case ROTATE_EVENT:
      return EventKind::kRotate;
    case FORMAT_DESCRIPTION_EVENT:
      return EventKind::kFile;
    case GTID_EVENT:
      return EventKind::kGroup;
    case INCIDENT_EVENT:
      return EventKind::kIncident;
    case QUERY_EVENT:
    case QUERY_COMPRESSED_EVENT:
    case EXECUTE_LOAD_QUERY_EVENT:
      return EventKind::kStatement;
    case TABLE_MAP_EVENT:
      return EventKind::kTableMap;
    case WRITE_ROWS_EVENT_V1:
    case UPDATE_ROWS_EVENT_V1:
    case DELETE_ROWS_EVENT_V1:
    case WRITE_ROWS_EVENT:
    case UPDATE_ROWS_EVENT:
    case DELETE_ROWS_EVENT:
    case WRITE_ROWS_COMPRESSED_EVENT_V1:
    case UPDATE_ROWS_COMPRESSED_EVENT_V1:
    case DELETE_ROWS_COMPRESSED_EVENT_V1:
    case WRITE_ROWS_COMPRESSED_EVENT:
    case UPDATE_ROWS_COMPRESSED_EVENT:
    case DELETE_ROWS_COMPRESSED_EVENT:
      return EventKind::kRows;
    case XID_EVENT:
      return EventKind::kCommit;
    case XA_PREPARE_LOG_EVENT:
      return EventKind::kPrepared;
    default:
      return kind_of_unread(type, flags);
  }
}

void set_group(const st_mariadb_rpl_gtid_event& gtid, Event& event) {
  event.gtid = {gtid.domain_id, event.server, gtid.sequence_nr};
  event.group = (gtid.flags & FL_PREPARED_XA) != 0    ? GroupKind::kPrepared
                : (gtid.flags & FL_COMPLETED_XA) != 0 ? GroupKind::kDecided
                : (gtid.flags & FL_STANDALONE) != 0   ? GroupKind::kAlone
                                                      : GroupKind::kTransaction;
  if (event.group == GroupKind::kPrepared || event.group == GroupKind::kDecided) {
    event.xid = std::to_string(gtid.format_id) + "/" + std::to_string(gtid.gtrid_len) + "/" +
                std::string(view(gtid.xid));
  }
}

void set_rows(const st_mariadb_rpl_rows_event& rows, Event& event) {
  const size_t bits_size = (rows.column_count + 7) / 8;
  event.table = rows.table_id;
  event.rows.flags = rows.flags;
  event.rows.kind = rows.type == WRITE_ROWS    ? RowsKind::kWrite
                    : rows.type == UPDATE_ROWS ? RowsKind::kUpdate
                                               : RowsKind::kDelete;
  event.rows.column_count = rows.column_count;
  event.rows.present = {reinterpret_cast<const char*>(rows.column_bitmap), bits_size};
  if (rows.type == UPDATE_ROWS) {
    event.rows.present_after = {reinterpret_cast<const char*>(rows.column_update_bitmap),
                                bits_size};
  }
  event.rows.images = {static_cast<const char*>(rows.row_data), rows.row_data_size};
}

}  // namespace

// What a statement is told beside its text, files that one loads, what is told of rows or of the
// log itself. Both servers' numbers.
EventKind kind_of_unread(uint8_t type, uint16_t flags) {
  switch (type) {
    case STOP_EVENT:
    case INTVAR_EVENT:
    case RAND_EVENT:
    case USER_VAR_EVENT:
    case BEGIN_LOAD_QUERY_EVENT:
    case APPEND_BLOCK_EVENT:
    case DELETE_FILE_EVENT:
    case IGNORABLE_LOG_EVENT:
    case ROWS_QUERY_LOG_EVENT:
    case PREVIOUS_GTIDS_LOG_EVENT:
    case TRANSACTION_CONTEXT_EVENT:
    case VIEW_CHANGE_EVENT:
    case ANNOTATE_ROWS_EVENT:
    case BINLOG_CHECKPOINT_EVENT:
    case GTID_LIST_EVENT:
    case START_ENCRYPTION_EVENT:
      return EventKind::kOther;
    default:
      return (flags & LOG_EVENT_IGNORABLE_F) != 0 ? EventKind::kOther : EventKind::kStrange;
  }
}

Event make_refused_event(std::string_view header) {
  WireReader in(header);
  Event event;
  event.time_s = static_cast<uint32_t>(in.number(4));
  event.type = static_cast<uint8_t>(in.number(1));
  event.server = static_cast<uint32_t>(in.number(4));
  event.size = static_cast<uint32_t>(in.number(4));
  event.end = in.number(4);
  const auto flags = static_cast<uint16_t>(in.number(2));
  event.is_artificial = (flags & LOG_EVENT_ARTIFICIAL_F) != 0;
  event.kind = kind_of(event.type, flags);
  const bool is_enough = event.kind == EventKind::kOther || event.kind == EventKind::kStrange ||
                         event.kind == EventKind::kIncident;
  if (is_enough && in.is_ok()) event.bytes = std::make_shared<const std::string>();
  return event;
}

Event make_event(MARIADB_RPL_EVENT* read, size_t checksum_size) {
  Event event;
  event.bytes = std::shared_ptr<MARIADB_RPL_EVENT>(read, mariadb_free_rpl_event);
  event.type = type_of(*read);
  event.kind = kind_of(event.type, read->flags);
  event.is_artificial = (read->flags & LOG_EVENT_ARTIFICIAL_F) != 0;
  event.time_s = read->timestamp;
  event.server = read->server_id;
  event.size = read->event_length;
  event.end = read->next_event_pos;
  event.body = body_of(*read, checksum_size);
  switch (event.kind) {
    case EventKind::kRotate:
      event.file = view(read->event.rotate.filename);
      break;
    case EventKind::kGroup:
      set_group(read->event.gtid, event);
      break;
    case EventKind::kStatement: {
      const bool is_load = read->event_type == EXECUTE_LOAD_QUERY_EVENT;
      event.sql =
          view(is_load ? read->event.execute_load_query.statement : read->event.query.statement);
      event.database =
          view(is_load ? read->event.execute_load_query.schema : read->event.query.database);
      break;
    }
    case EventKind::kTableMap:
      event.table = read->event.table_map.table_id;
      break;
    case EventKind::kRows:
      set_rows(read->event.rows, event);
      break;
    default:
      break;
  }
  return event;
}

std::string gtid_text(Flavour flavour, const Gtid& gtid) {
  if (flavour == Flavour::kMariadb) return to_string(gtid);
  if ((gtid.sequence & kTaggedGtid) != 0) return "of a tagged GTID";
  char text[48];
  std::snprintf(text, sizeof text, "%08" PRIx32 "-%04" PRIx32 "-%04" PRIx32 "-...:%" PRIu64,
                gtid.domain, gtid.server >> 16, gtid.server & 0xffff, gtid.sequence & ~kMysqlGtid);
  return text;
}

}  // namespace syncline::mariadb
