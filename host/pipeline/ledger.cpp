#include "host/pipeline/ledger.hpp"

#include <cinttypes>
#include <cstdio>

#include "host/base/bytes.hpp"

namespace syncline::pipeline {
namespace {

// The newest comes first when items are read in order.
std::string conflict_name(const model::Frame& frame, size_t index) {
  char name[80];
  std::snprintf(name, sizeof name, "conflict/%016" PRIx64 "-%04x-%" PRIx64 "-%zx",
                ~static_cast<uint64_t>(frame.time_us), frame.lane, frame.number, index);
  return name;
}

std::string quarantine_name(const model::Skip& skip) {
  char name[120];
  std::snprintf(name, sizeof name,
                "quarantine/%08" PRIx32 "/%08" PRIx32 "/%016" PRIx64 "%016" PRIx64 "/%016" PRIx64,
                skip.target, skip.dataset, skip.key_hash.high, skip.key_hash.low, skip.sequence);
  return name;
}

void encode_hash(const model::KeyHash& hash, ByteWriter& out) {
  out.u64(hash.high);
  out.u64(hash.low);
}

model::KeyHash decode_hash(ByteReader& in) {
  model::KeyHash hash;
  hash.high = in.u64();
  hash.low = in.u64();
  return hash;
}

void encode_side(const model::ConflictSide& side, ByteWriter& out) {
  out.u32(side.system);
  model::encode(side.version, out);
  out.u8(static_cast<uint8_t>(side.state));
  out.text(side.bytes);
}

model::ConflictSide decode_side(ByteReader& in) {
  model::ConflictSide side;
  side.system = in.u32();
  side.version = model::decode_version(in);
  side.state = static_cast<model::CellState>(in.u8());
  side.bytes = in.text();
  return side;
}

auto damaged(const char* what) {
  return fail(ErrorCode::kDamaged, std::string("a stored ") + what + " cannot be read",
              "its bytes are not what was written", "run `syncline audit verify`");
}

}  // namespace

std::string encode_conflict(const model::Conflict& conflict) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u32(conflict.dataset);
  encode_hash(conflict.key_hash, out);
  out.text(conflict.key);
  out.u16(conflict.field);
  out.u8(static_cast<uint8_t>(conflict.type));
  out.u8(static_cast<uint8_t>(conflict.outcome));
  encode_side(conflict.winner, out);
  encode_side(conflict.loser, out);
  out.text(conflict.policy);
  out.signed_varint(conflict.time_us);
  return bytes;
}

Result<model::Conflict> decode_conflict(std::string_view bytes) {
  ByteReader in(bytes);
  model::Conflict conflict;
  conflict.dataset = in.u32();
  conflict.key_hash = decode_hash(in);
  conflict.key = in.text();
  conflict.field = in.u16();
  conflict.type = static_cast<model::ConflictType>(in.u8());
  conflict.outcome = static_cast<model::ConflictOutcome>(in.u8());
  conflict.winner = decode_side(in);
  conflict.loser = decode_side(in);
  conflict.policy = in.text();
  conflict.time_us = in.signed_varint();
  if (!in.ok() || !in.at_end()) return damaged("conflict");
  return conflict;
}

std::string encode_skip(const model::Skip& skip) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u32(skip.target);
  out.u32(skip.dataset);
  encode_hash(skip.key_hash, out);
  out.text(skip.key);
  out.u64(skip.sequence);
  out.text(skip.reason);
  return bytes;
}

Result<model::Skip> decode_skip(std::string_view bytes) {
  ByteReader in(bytes);
  model::Skip skip;
  skip.target = in.u32();
  skip.dataset = in.u32();
  skip.key_hash = decode_hash(in);
  skip.key = in.text();
  skip.sequence = in.u64();
  skip.reason = in.text();
  if (!in.ok() || !in.at_end()) return damaged("quarantined entry");
  return skip;
}

Result<void> quarantine(const model::Skip& skip, state::Shadow& shadow) {
  return shadow.put_item(quarantine_name(skip), encode_skip(skip));
}

Result<void> forget_quarantined(const model::Skip& skip, state::Shadow& shadow) {
  return shadow.put_item(quarantine_name(skip), {});
}

Result<void> record_ledger(const model::Frame& frame, state::Shadow& shadow) {
  for (size_t i = 0; i < frame.conflicts.size(); ++i) {
    SYN_TRY(shadow.put_item(conflict_name(frame, i), encode_conflict(frame.conflicts[i])));
  }
  for (const model::Skip& skip : frame.skips) {
    SYN_TRY(skip.reason.empty() ? forget_quarantined(skip, shadow) : quarantine(skip, shadow));
  }
  return success();
}

}  // namespace syncline::pipeline
