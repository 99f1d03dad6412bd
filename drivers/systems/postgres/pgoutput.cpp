#include "drivers/systems/postgres/detail/pgoutput.hpp"

#include <cstdio>
#include <utility>

namespace syncline::postgres {
namespace {

constexpr int64_t kEpochUs = 946'684'800'000'000;  // 2000-01-01, where PostgreSQL's times begin
constexpr size_t kColumnsMax = 1664;               // of a tuple; PostgreSQL's own limit

// Big endian; after the first read past the end everything is zero and ok() false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return is_ok_; }
  bool at_end() const { return rest_.empty(); }
  void fail() {
    is_ok_ = false;
    rest_ = {};
  }

  uint64_t number(size_t size) {
    uint64_t value = 0;
    for (const char byte : raw(size)) value = value << 8 | static_cast<uint8_t>(byte);
    return value;
  }
  char letter() { return static_cast<char>(number(1)); }
  uint32_t u32() { return static_cast<uint32_t>(number(4)); }
  uint16_t u16() { return static_cast<uint16_t>(number(2)); }
  int64_t time_us() { return static_cast<int64_t>(number(8) + static_cast<uint64_t>(kEpochUs)); }

  std::string_view raw(size_t size) {
    if (size > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }
  std::string_view zero_ended() {
    const size_t end = rest_.find('\0');
    if (end == std::string_view::npos) {
      fail();
      return {};
    }
    const std::string_view text = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return text;
  }

 private:
  std::string_view rest_;
  bool is_ok_ = true;
};

Tuple read_tuple(Reader& in) {
  const size_t count = in.u16();
  Tuple tuple;
  if (count > kColumnsMax) in.fail();
  for (size_t i = 0; i < count && in.ok(); ++i) {
    switch (in.letter()) {
      case 'n':
        tuple.push_back({TupleState::kNull, {}});
        break;
      case 'u':
        tuple.push_back({TupleState::kUnchanged, {}});
        break;
      case 't':
        tuple.push_back({TupleState::kText, in.raw(in.u32())});
        break;
      default:
        in.fail();
    }
  }
  return tuple;
}

Relation read_relation(Reader& in) {
  Relation relation;
  relation.oid = in.u32();
  relation.schema = in.zero_ended();
  if (relation.schema.empty()) relation.schema = "pg_catalog";
  relation.name = in.zero_ended();
  relation.identity = in.letter();
  const size_t count = in.u16();
  if (count > kColumnsMax) in.fail();
  for (size_t i = 0; i < count && in.ok(); ++i) {
    RelationColumn column;
    column.is_identity = (in.number(1) & 1) != 0;
    column.name = in.zero_ended();
    column.type = in.u32();
    column.modifier = static_cast<int32_t>(in.u32());
    relation.columns.push_back(column);
  }
  return relation;
}

OldRow old_row_of(char letter) {
  return letter == 'K' ? OldRow::kKey : letter == 'O' ? OldRow::kFull : OldRow::kNone;
}

Insert read_insert(Reader& in) {
  Insert insert{in.u32(), {}};
  if (in.letter() != 'N') in.fail();
  insert.row = read_tuple(in);
  return insert;
}

Update read_update(Reader& in) {
  Update update;
  update.relation = in.u32();
  char letter = in.letter();
  update.old_kind = old_row_of(letter);
  if (update.old_kind != OldRow::kNone) {
    update.old_row = read_tuple(in);
    letter = in.letter();
  }
  if (letter != 'N') in.fail();
  update.row = read_tuple(in);
  return update;
}

Delete read_delete(Reader& in) {
  Delete gone;
  gone.relation = in.u32();
  gone.old_kind = old_row_of(in.letter());
  if (gone.old_kind == OldRow::kNone) in.fail();
  gone.old_row = read_tuple(in);
  return gone;
}

Truncate read_truncate(Reader& in) {
  Truncate truncate;
  const size_t count = in.u32();
  in.number(1);  // CASCADE, RESTART IDENTITY
  for (size_t i = 0; i < count && in.ok(); ++i) truncate.relations.push_back(in.u32());
  return truncate;
}

Commit read_commit(Reader& in) {
  Commit commit;
  in.number(1);
  commit.commit_lsn = in.number(8);
  commit.end_lsn = in.number(8);
  in.number(8);
  return commit;
}

StreamCommit read_stream_commit(Reader& in) {
  StreamCommit commit;
  commit.xid = in.u32();
  in.number(1);
  commit.commit_lsn = in.number(8);
  in.number(8);
  commit.commit_time_us = in.time_us();
  return commit;
}

Message read_message(char kind, Reader& in) {
  switch (kind) {
    case 'S': {
      StreamStart start;
      start.xid = in.u32();
      start.is_first = in.number(1) == 1;
      return start;
    }
    case 'E':
      return StreamStop{};
    case 'c':
      return read_stream_commit(in);
    case 'A': {
      StreamAbort abort;
      abort.xid = in.u32();
      abort.subxid = in.u32();
      return abort;
    }
    case 'B': {
      Begin begin;
      begin.commit_lsn = in.number(8);
      begin.commit_time_us = in.time_us();
      begin.xid = in.u32();
      return begin;
    }
    case 'C':
      return read_commit(in);
    case 'R':
      return read_relation(in);
    case 'I':
      return read_insert(in);
    case 'U':
      return read_update(in);
    case 'D':
      return read_delete(in);
    case 'T':
      return read_truncate(in);
    case 'O':
    case 'Y':
    case 'M':
      in.raw(0);
      return Ignored{kind};
    default:
      in.fail();
      return Ignored{kind};
  }
}

bool is_read_whole(const Message& message, const Reader& in) {
  return in.ok() && (in.at_end() || std::holds_alternative<Ignored>(message));
}

}  // namespace

Error out_of_step(std::string why) {
  return {ErrorCode::kSystemOpen, "the replication stream is out of step", std::move(why),
          "nothing: the stream is opened anew"};
}

Result<Message> parse_message(std::string_view bytes) {
  Reader in(bytes);
  const char kind = in.letter();
  Message message = read_message(kind, in);
  if (is_read_whole(message, in)) return message;
  return fail(ErrorCode::kSystemOpen, "the replication stream is not pgoutput",
              "a message of kind " + std::to_string(static_cast<uint8_t>(kind)) + " and " +
                  std::to_string(bytes.size()) + " bytes cannot be read",
              "nothing: the stream is opened anew; if it stays, report it with the server's "
              "version");
}

std::string lsn_text(Lsn lsn) {
  char text[24];
  std::snprintf(text, sizeof text, "%X/%X", static_cast<unsigned>(lsn >> 32),
                static_cast<unsigned>(lsn & 0xffffffff));
  return text;
}

Result<Lsn> parse_lsn(std::string_view text) {
  unsigned high = 0;
  unsigned low = 0;
  if (std::sscanf(std::string(text).c_str(), "%X/%X", &high, &low) == 2) {
    return Lsn{high} << 32 | low;
  }
  return fail(ErrorCode::kSystemOpen, "the server gave no log position",
              "it said '" + std::string(text.substr(0, 40)) + "'", "report it");
}

}  // namespace syncline::postgres
