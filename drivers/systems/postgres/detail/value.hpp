// PostgreSQL's types and values, as text under our sessions' fixed settings, and the canonical
// bytes of logical types.
//
// Arrays are JSON arrays, or sets; composites JSON objects where the dataset has JSON. Types
// without a logical one (ranges, composites else, money, xml, tsvector, ...) are their text. What
// cannot be held exactly is kValue. Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.hpp"
#include "host/model/cell.hpp"
#include "host/model/types.hpp"

namespace syncline::postgres {

enum class Category : uint8_t {
  kBool,
  kInteger,
  kDecimal,
  kFloat32,
  kFloat64,
  kText,
  kName,  // an identifier of 63 bytes
  kByte,  // "char", which is one
  kVarchar,
  kChar,
  kBytea,
  kBit,
  kVarbit,
  kDate,
  kDatetime,
  kTimestamp,
  kTime,
  kTimetz,
  kInterval,
  kUuid,
  kInet,
  kMacaddr,
  kMacaddr8,
  kJson,
  kEnum,
  kComposite,
  kOther,
};

struct Attribute {  // of a composite; what it is made of itself is its text
  std::string name;
  Category category = Category::kOther;
  int32_t modifier = -1;
  bool is_array = false;  // of elements of the category
  bool operator==(const Attribute&) const = default;
};

struct NativeType {
  Category category = Category::kOther;
  int32_t modifier = -1;              // as pg_attribute.atttypmod has it
  bool is_array = false;              // of elements of the category
  std::string name;                   // as SQL casts to it, without modifiers
  std::vector<Attribute> attributes;  // of a composite, where its category is that
  bool operator==(const NativeType&) const = default;
};

// By the names of pg_type (of the domain's base type): "int4", 'b' base type, 'c' composite, 'e'
// enum.
Category category_of(std::string_view type_name, char type_kind);
// What to cast a text to. Without a length, `character` and `bit` would mean one of them.
std::string cast_name(std::string_view type_name, std::string_view formatted);
// Its name, with the digits that its logical type does not say: interval(0), numeric(5,-2).
std::string shown_name(const NativeType& type);
model::LogicalType logical_type_of(const NativeType& type);
// What a dataset may take it for instead: an array of texts is a set of labels.
std::optional<model::LogicalType> other_type_of(const NativeType& type);
// Whether its text means nothing to systems of another kind: money, xml, tsvector.
bool is_understood_here_only(const NativeType& type);
bool is_date(const NativeType& type);  // a date or a moment, none of an array
// Whether it is a date before the year 1, or none at all ("infinity").
bool is_beyond_dates(std::string_view text, const NativeType& type);
constexpr uint16_t kTimeDigitsMax = 6;
uint16_t time_digits(int32_t modifier);   // of a second; of intervals, too
int32_t decimal_scale(int32_t modifier);  // below zero: how many digits before the point are 0

// What a column would take away of the text's value without a word, as a reason; empty: nothing,
// or the server itself refuses it.
std::string loss_of(std::string_view text, Category category, int32_t modifier);
std::string loss_of(std::string_view text, const NativeType& native);
std::string loss_in_array(std::string_view text, Category element, int32_t modifier);
std::string loss_in_composite(std::string_view text, const std::vector<Attribute>& attributes);
// Whether the type has values of which a column of this kind keeps less: else there is no need to
// look at them.
bool may_hold_less(const NativeType& native, const model::LogicalType& type);
// Whether a column of this type stores the text's value unchanged. No, where that is not sure:
// where the dataset has texts, a uuid or a number comes back in the server's spelling.
bool is_stored_exactly(std::string_view text, const model::LogicalType& logical,
                       const NativeType& type);

Result<std::string> canonical_from_native(std::string_view text, const NativeType& native,
                                          const model::LogicalType& type);
// The text that an input of the native type reads. Errors: kValue (loss_of).
Result<std::string> native_from_canonical(std::string_view bytes, const model::LogicalType& type,
                                          const NativeType& native);

// '{1,NULL,"a b"}' -> [1,null,"a b"], and back. Errors: kValue (other lower bounds than 1; what the
// array would give back as something else: [1] in text[], ["1"] in int[], [[]], [1.25] in
// numeric(9,1)[]).
Result<std::string> json_from_array(std::string_view text, Category element);
Result<std::string> array_from_json(std::string_view json, Category element, int32_t modifier = -1);
// A value without its quoting as JSON: a number, a bool or a string, by its category.
void append_json(std::string_view text, Category category, std::string& out);

// '(1,"a b",)' -> {"x":1,"y":"a b","z":null}, and back. Errors: kValue (what the composite would
// give back as something else: members that are no attributes of it, [1] for a text).
Result<std::string> json_from_composite(std::string_view text,
                                        const std::vector<Attribute>& attributes);
Result<std::string> composite_from_json(std::string_view json,
                                        const std::vector<Attribute>& attributes);

// '{b,a}' -> "b,a", as sets are written, and back. Errors: kValue (what is no set: NULL, a label
// twice, none or with a comma, arrays within arrays).
Result<std::string> labels_from_array(std::string_view text);
std::string array_from_labels(std::string_view labels);

}  // namespace syncline::postgres
