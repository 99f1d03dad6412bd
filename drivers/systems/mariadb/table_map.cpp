#include <algorithm>

#include "drivers/systems/mariadb/detail/wire.hpp"

namespace syncline::mariadb {
namespace {

enum class MetadataField : uint8_t {  // permanent values
  kSigns = 1,
  kDefaultCollation = 2,
  kCollations = 3,
  kNames = 4,
  kSetLabels = 5,
  kEnumLabels = 6,
};

constexpr size_t kIdSize = 6;
constexpr size_t kFlagsSize = 2;

// A reader that never goes past its end: is_ok() is false after it would have.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  bool is_ok() const { return is_ok_; }
  bool is_at_end() const { return rest_.empty(); }
  std::string_view take(size_t size) {
    if (size > rest_.size()) {
      is_ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return part;
  }
  uint64_t number(size_t size) {
    const std::string_view bytes = take(size);
    uint64_t value = 0;
    for (size_t i = bytes.size(); i > 0; --i)
      value = value << 8 | static_cast<uint8_t>(bytes[i - 1]);
    return value;
  }
  uint64_t count() {  // the protocol's length-encoded integer
    const uint64_t first = number(1);
    if (first < 251) return first;
    return number(first == 252 ? 2 : first == 253 ? 3 : 8);
  }
  std::string text() { return std::string(take(count())); }

 private:
  std::string_view rest_;
  bool is_ok_ = true;
};

uint16_t take_metadata(WireType type, Reader& in) {
  switch (type) {
    case WireType::kFloat:
    case WireType::kDouble:
    case WireType::kBlob:
    case WireType::kBlobCompressed:
    case WireType::kGeometry:
    case WireType::kTimestamp:
    case WireType::kDatetime:
    case WireType::kTime:
      return static_cast<uint16_t>(in.number(1));
    case WireType::kVarchar:
    case WireType::kVarcharCompressed:
    case WireType::kBit:
      return static_cast<uint16_t>(in.number(2));
    case WireType::kDecimal:
    case WireType::kString:
    case WireType::kEnum:
    case WireType::kSet: {
      const uint64_t high = in.number(1);
      return static_cast<uint16_t>(high << 8 | in.number(1));
    }
    default:
      return 0;
  }
}

// A column of fixed length says in its metadata what it is; lengths beyond 255 hide in its type.
void resolve_string(WireColumn& column) {
  if (column.type != WireType::kString) return;
  const auto type = static_cast<uint8_t>(column.metadata >> 8);
  const uint16_t length = column.metadata & 0xff;
  if ((type & 0x30) != 0x30) {
    column.metadata = static_cast<uint16_t>(length | ((type & 0x30) ^ 0x30) << 4);
    return;
  }
  column.type = static_cast<WireType>(type);
  column.metadata = length;
}

bool is_number(WireType type) {
  switch (type) {
    case WireType::kTiny:
    case WireType::kShort:
    case WireType::kInt24:
    case WireType::kLong:
    case WireType::kLongLong:
    case WireType::kFloat:
    case WireType::kDouble:
    case WireType::kDecimal:
    case WireType::kYear:
      return true;
    default:
      return false;
  }
}

bool has_collation(WireType type) {
  switch (type) {
    case WireType::kVarchar:
    case WireType::kVarcharCompressed:
    case WireType::kString:
    case WireType::kBlob:
    case WireType::kBlobCompressed:
    case WireType::kGeometry:
      return true;
    default:
      return false;
  }
}

template <class IsMeant, class Use>
void for_each_column(TableMap& map, IsMeant is_meant, Use use) {
  for (WireColumn& column : map.columns) {
    if (is_meant(column.type)) use(column);
  }
}

void take_signs(std::string_view bits, TableMap& map) {
  size_t at = 0;
  for_each_column(map, is_number, [&](WireColumn& column) {
    column.is_unsigned =
        at / 8 < bits.size() && (static_cast<uint8_t>(bits[at / 8]) >> (7 - at % 8) & 1) != 0;
    ++at;
  });
}

// The collation of most columns, then those that have another: their place among texts, and it.
void take_default_collations(Reader in, TableMap& map) {
  const auto most = static_cast<uint32_t>(in.count());
  std::vector<WireColumn*> texts;
  for_each_column(map, has_collation, [&](WireColumn& column) {
    column.collation_id = most;
    texts.push_back(&column);
  });
  while (in.is_ok() && !in.is_at_end()) {
    const uint64_t place = in.count();
    const auto other = static_cast<uint32_t>(in.count());
    if (place < texts.size()) texts[place]->collation_id = other;
  }
}

void take_collations(Reader in, TableMap& map) {
  for_each_column(map, has_collation, [&](WireColumn& column) {
    column.collation_id = static_cast<uint32_t>(in.count());
  });
}

void take_labels(Reader in, WireType type, TableMap& map) {
  for_each_column(
      map, [type](WireType known) { return known == type; },
      [&](WireColumn& column) {
        const uint64_t count = in.count();
        for (uint64_t i = 0; i < count && in.is_ok(); ++i) column.labels.push_back(in.text());
      });
}

void take_field(MetadataField field, std::string_view value, TableMap& map) {
  Reader in(value);
  switch (field) {
    case MetadataField::kSigns:
      return take_signs(value, map);
    case MetadataField::kDefaultCollation:
      return take_default_collations(in, map);
    case MetadataField::kCollations:
      return take_collations(in, map);
    case MetadataField::kNames:
      map.has_metadata = true;
      for (WireColumn& column : map.columns) column.name = in.text();
      return;
    case MetadataField::kSetLabels:
      return take_labels(in, WireType::kSet, map);
    case MetadataField::kEnumLabels:
      return take_labels(in, WireType::kEnum, map);
  }
}

}  // namespace

Result<TableMap> parse_table_map(std::string_view body) {
  Reader in(body);
  TableMap map;
  map.id = in.number(kIdSize);
  in.take(kFlagsSize);
  map.database = in.take(in.number(1));
  in.take(1);
  map.table = in.take(in.number(1));
  in.take(1);
  const uint64_t column_count = in.count();
  for (const char type : in.take(column_count)) {
    map.columns.emplace_back().type = static_cast<WireType>(static_cast<uint8_t>(type));
  }
  Reader metadata(in.take(in.count()));
  for (WireColumn& column : map.columns) {
    column.metadata = take_metadata(column.type, metadata);
    resolve_string(column);
  }
  in.take((column_count + 7) / 8);
  while (in.is_ok() && !in.is_at_end()) {
    const auto field = static_cast<MetadataField>(in.number(1));
    const std::string_view value = in.take(in.count());
    if (in.is_ok()) take_field(field, value, map);
  }
  if (in.is_ok() && metadata.is_ok()) return map;
  return fail(ErrorCode::kSystemOpen, "the log is not what it should be",
              "a table's description ends too early", "nothing: the log is opened anew");
}

}  // namespace syncline::mariadb
