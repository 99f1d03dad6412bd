#include "host/model/key.hpp"

#include "host/base/assert.hpp"
#include "host/base/bytes.hpp"

namespace syncline::model {
namespace {

bool is_folded(const LogicalType& type) {
  return type.kind == TypeKind::kText || type.kind == TypeKind::kChar;
}

std::string fold_text(std::string_view text, KeyEquivalence equivalence) {
  std::string folded(text.substr(0, text.find_last_not_of(' ') + 1));
  if (equivalence == KeyEquivalence::kAsciiCaseInsensitive) {
    for (char& letter : folded) {
      if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    }
  }
  return folded;
}

}  // namespace

std::string join_key(std::span<const CellView> key_cells) {
  std::string joined;
  ByteWriter out(joined);
  for (const CellView& cell : key_cells) out.text(cell.bytes);
  return joined;
}

std::vector<std::string_view> split_key(std::string_view joined) {
  std::vector<std::string_view> cells;
  ByteReader in(joined);
  while (!in.at_end()) cells.push_back(in.text());
  SYN_ASSERT(in.ok());
  return cells;
}

std::string fold_key(std::string_view joined, const Schema& schema) {
  if (schema.key_equivalence == KeyEquivalence::kBytes) return std::string(joined);
  const std::vector<std::string_view> cells = split_key(joined);
  SYN_ASSERT(cells.size() == schema.key_count);
  std::string folded;
  ByteWriter out(folded);
  for (size_t i = 0; i < cells.size(); ++i) {
    if (is_folded(schema.fields[i].type)) {
      out.text(fold_text(cells[i], schema.key_equivalence));
    } else {
      out.text(cells[i]);
    }
  }
  return folded;
}

KeyHash record_hash(std::string_view joined, const Schema& schema) {
  if (schema.key_equivalence == KeyEquivalence::kBytes) return hash_key(joined);
  return hash_key(fold_key(joined, schema));
}

bool is_same_text(std::string_view one, std::string_view other, KeyEquivalence equivalence) {
  if (equivalence == KeyEquivalence::kBytes || one == other) return one == other;
  return fold_text(one, equivalence) == fold_text(other, equivalence);
}

std::string describe_key(std::string_view joined, const Schema& schema) {
  const std::vector<std::string_view> cells = split_key(joined);
  SYN_ASSERT(cells.size() == schema.key_count);
  std::string text;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) text += ", ";
    text += schema.fields[i].name + "=" + text_from_canonical(cells[i], schema.fields[i].type);
  }
  return text;
}

}  // namespace syncline::model
