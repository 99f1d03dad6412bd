#include "host/pipeline/twins.hpp"

#include <algorithm>

#include "host/base/bytes.hpp"

namespace syncline::pipeline {
namespace {

bool has(const std::vector<std::string>& sorted, std::string_view key) {
  return std::binary_search(sorted.begin(), sorted.end(), key);
}

void add_other(Twin& twin, std::string_view key) {
  const auto at = std::lower_bound(twin.others.begin(), twin.others.end(), key);
  if (at == twin.others.end() || *at != key) twin.others.emplace(at, key);
}

void drop_other(Twin& twin, std::string_view key) {
  std::erase_if(twin.others, [key](const std::string& known) { return known == key; });
}

}  // namespace

std::string encode_twin(const Twin& twin) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u8(twin.is_due ? 1 : 0);
  out.text(twin.own);
  out.varint(twin.others.size());
  for (const std::string& key : twin.others) out.text(key);
  return bytes;
}

Result<Twin> decode_twin(std::string_view bytes) {
  ByteReader in(bytes);
  Twin twin;
  twin.is_due = in.u8() != 0;
  twin.own = in.text();
  for (uint64_t count = in.varint(); count > 0 && in.ok(); --count) {
    twin.others.emplace_back(in.text());
  }
  if (in.ok() && in.at_end()) return twin;
  return fail(ErrorCode::kDamaged, "what is stored of two rows that are one record cannot be read",
              "its bytes are not what was written", "restore the data folder, or plan anew");
}

TwinRow sort_out(const model::Batch& batch, size_t row, Twin& twin) {
  const std::string_view key = batch.key(row);
  const std::string_view old_key = batch.old_key(row);
  const bool is_delete = batch.op(row) == SYN_OP_DELETE;
  if (key == twin.own) {
    if (!is_delete || twin.others.empty()) return TwinRow::kOwn;
    twin.is_due = true;
    // Where the record has ended elsewhere and we took its row away, another is a record of its
    // own; where a user did, it is to be this one.
    return batch.is_ours(row) ? TwinRow::kOwn : TwinRow::kOther;
  }
  if (!old_key.empty() && old_key == twin.own && !has(twin.others, key)) {
    twin.own = key;
    return TwinRow::kOwn;
  }
  if (!old_key.empty()) drop_other(twin, old_key);
  const bool is_known = has(twin.others, key);
  if (!is_known) add_other(twin, key);
  // Its own life is nobody's business here; that it ends is.
  twin.is_due = twin.is_due || !is_known || is_delete || !old_key.empty();
  return TwinRow::kOther;
}

Found settle(Twin& twin, const std::vector<std::string>& present) {
  twin.is_due = false;
  twin.others = present;
  if (present.empty()) return Found::kNone;
  const Found found = has(present, twin.own) ? Found::kAsBefore : Found::kOtherRow;
  if (found == Found::kOtherRow) twin.own = present.front();
  drop_other(twin, twin.own);
  return found;
}

}  // namespace syncline::pipeline
