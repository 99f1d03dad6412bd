// The messages of pgoutput, protocols 1 and 2, as PostgreSQL's manual lays them out (chapter 55.9).
//
// What is parsed borrows from the bytes. Every length is checked against what is there: bytes from
// anywhere give a message or an error, never a read past their end. Threads: pure functions.
// Errors: kSystemLost is never made here; what is not pgoutput is kSystemOpen, so that the
// connection is made anew.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "host/base/result.hpp"

namespace syncline::postgres {

using Lsn = uint64_t;
using Oid = uint32_t;

// What a message begins with.
constexpr char kRelation = 'R';
constexpr char kInsert = 'I';
constexpr char kUpdate = 'U';

struct Begin {
  Lsn commit_lsn = 0;          // of the transaction's commit record
  int64_t commit_time_us = 0;  // since 1970
  uint32_t xid = 0;
};

struct Commit {
  Lsn commit_lsn = 0;
  Lsn end_lsn = 0;
};

struct RelationColumn {
  bool is_identity = false;  // part of what old rows are told by
  std::string_view name;
  Oid type = 0;
  int32_t modifier = -1;
};

struct Relation {
  Oid oid = 0;
  std::string_view schema;
  std::string_view name;
  char identity = 'd';  // d default, i index, f full, n nothing
  std::vector<RelationColumn> columns;
};

enum class TupleState : uint8_t { kNull, kUnchanged, kText };

struct TupleCell {
  TupleState state = TupleState::kNull;
  std::string_view text;
};

using Tuple = std::vector<TupleCell>;

enum class OldRow : uint8_t { kNone, kKey, kFull };

struct Insert {
  Oid relation = 0;
  Tuple row;
};

struct Update {
  Oid relation = 0;
  OldRow old_kind = OldRow::kNone;
  Tuple old_row;
  Tuple row;
};

struct Delete {
  Oid relation = 0;
  OldRow old_kind = OldRow::kKey;
  Tuple old_row;
};

struct Truncate {
  std::vector<Oid> relations;
};

// Of transactions in progress.
struct StreamStart {
  uint32_t xid = 0;
  bool is_first = false;  // block of this transaction
};

struct StreamStop {};

struct StreamCommit {
  uint32_t xid = 0;
  Lsn commit_lsn = 0;
  int64_t commit_time_us = 0;
};

struct StreamAbort {
  uint32_t xid = 0;
  uint32_t subxid = 0;  // the same: all of it
};

struct Ignored {  // a type, an origin, a logical message
  char kind = 0;
};

using Message = std::variant<Ignored, Begin, Commit, Relation, Insert, Update, Delete, Truncate,
                             StreamStart, StreamStop, StreamCommit, StreamAbort>;

// kSystemOpen: what came does not follow from what came before.
Error out_of_step(std::string why);

Result<Message> parse_message(std::string_view bytes);

// "0/16B3748"
std::string lsn_text(Lsn lsn);
Result<Lsn> parse_lsn(std::string_view text);

}  // namespace syncline::postgres
