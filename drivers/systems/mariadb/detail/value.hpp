// MariaDB's types and values, as SELECT gives them to our sessions, and the canonical bytes of
// logical types.
//
// What cannot be held exactly is kValue. Threads: pure functions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.hpp"
#include "host/model/quote.hpp"
#include "host/model/schema.hpp"
#include "host/model/types.hpp"

namespace syncline::mariadb {

class Charset;

enum class Category : uint8_t {
  kInteger,
  kDecimal,
  kFloat,
  kDouble,
  kBit,
  kChar,
  kVarchar,
  kText,
  kBinary,
  kVarbinary,
  kBlob,
  kJson,
  kEnum,
  kSet,
  kDate,
  kTime,
  kDatetime,
  kTimestamp,
  kYear,
  kUuid,
  kInet,
  kGeometry,
  kOther,
};

struct NativeType {
  Category category = Category::kOther;
  bool is_unsigned = false;
  bool is_fixed = false;   // FLOAT(8,2): its numbers have no more digits than scale says
  uint8_t size_bytes = 0;  // of integers: 1, 2, 3, 4 or 8
  uint16_t precision = 0;  // of decimals; digits of a time's fraction
  uint16_t scale = 0;      // of decimals, and where it is fixed
  uint32_t length = 0;     // characters, bytes or bits
  std::string charset;     // of texts: "latin1"
  std::string collation;   // likewise: "latin1_swedish_ci"
  uint32_t collation_id = 0;
  std::vector<std::string> labels;  // of enum and set, in UTF-8
  std::string name;                 // as the table declares it: "varchar(40)"
  // Where the set has its own: of a column of texts whose rows are read.
  std::shared_ptr<const Charset> letters;
  bool operator==(const NativeType&) const = default;
};

// What information_schema.COLUMNS says of a column.
struct Declaration {
  std::string_view data_type;    // "varchar"
  std::string_view column_type;  // "varchar(40)", "enum('a','b')"
  std::string_view charset;
  std::string_view collation;
  uint32_t collation_id = 0;
  uint32_t length = 0;
  uint16_t precision = 0;  // numeric or of a time
  uint16_t scale = 0;
  bool is_json = false;  // it has the check that JSON stands for
};
NativeType native_type_of(const Declaration& declared);
model::LogicalType logical_type_of(const NativeType& type);
model::KeyEquivalence equivalence_of(const NativeType& type);
bool holds_characters(const NativeType& type);
inline bool is_date(const NativeType& type) {  // or a moment
  return type.category == Category::kDate || type.category == Category::kDatetime ||
         type.category == Category::kTimestamp;
}

// Texts are read as their column has them: whether such bytes are UTF-8, and what they are as
// UTF-8.
bool is_utf8_here(std::string_view bytes, const NativeType& native);
Result<std::string> utf8_from(std::string_view bytes, const NativeType& native);
// From tables too: SELECT would show '?' for what is no letter in the set.
bool is_read_as_bytes(const NativeType& native);
// What a cell of SELECT is as UTF-8.
Result<std::string> text_of_cell(const NativeType& native, std::string_view cell);

// text: the cell in a row of SELECT; a text of characters as UTF-8.
Result<std::string> canonical_from_native(std::string_view text, const NativeType& native,
                                          const model::LogicalType& type);

// A value bound to a statement.
enum class ParameterKind : uint8_t {
  kInteger,
  kUnsigned,
  kFloat,
  kDouble,
  kDecimal,
  kText,
  kBytes
};
struct Parameter {
  bool is_null = false;
  int64_t integer = 0;  // kUnsigned: its bits
  double real = 0;
  std::string text;
};
ParameterKind parameter_kind_of(const NativeType& native);
// Errors: kValue, also where the server would round or cut the value without a word.
Result<Parameter> parameter_from_canonical(std::string_view bytes, const model::LogicalType& type,
                                           const NativeType& native);

// The labels of "enum('a','it''s')".
std::vector<std::string> labels_of(std::string_view column_type);
bool has_label(const NativeType& native, std::string_view label);
inline auto refuse(std::string_view text, const std::string& held_as, std::string why) {
  return fail(ErrorCode::kValue, "'" + model::quote(text) + "' cannot be held as " + held_as,
              std::move(why), "correct the value in its row, or map the column to another type");
}

}  // namespace syncline::mariadb
