#include <algorithm>

#include "drivers/systems/mariadb/detail/wire.hpp"
#include "drivers/systems/mariadb/detail/wire_reader.hpp"

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

uint16_t take_metadata(WireType type, WireReader& in) {
  switch (type) {
    case WireType::kFloat:
    case WireType::kDouble:
    case WireType::kBlob:
    case WireType::kBlobCompressed:
    case WireType::kGeometry:
    case WireType::kJson:
    case WireType::kVector:
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

// Which columns MariaDB tells the sign of, and which the collation; MySQL the same, but years and
// geometries.
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

bool is_mysql_number(WireType type) {
  return type != WireType::kYear && is_number(type);
}

bool has_mysql_collation(WireType type) {
  return type != WireType::kGeometry && has_collation(type);
}

using IsMeant = bool (*)(WireType);
IsMeant numbers_of(Flavour flavour) {
  return flavour == Flavour::kMysql ? is_mysql_number : is_number;
}
IsMeant texts_of(Flavour flavour) {
  return flavour == Flavour::kMysql ? has_mysql_collation : has_collation;
}

template <class Which, class Use>
void for_each_column(TableMap& map, Which is_meant, Use use) {
  for (WireColumn& column : map.columns) {
    if (is_meant(column.type)) use(column);
  }
}

void take_signs(std::string_view bits, Flavour flavour, TableMap& map) {
  size_t at = 0;
  for_each_column(map, numbers_of(flavour), [&](WireColumn& column) {
    column.is_unsigned =
        at / 8 < bits.size() && (static_cast<uint8_t>(bits[at / 8]) >> (7 - at % 8) & 1) != 0;
    ++at;
  });
}

// The collation of most columns, then those that have another: their place among texts, and it.
void take_default_collations(WireReader in, Flavour flavour, TableMap& map) {
  const auto most = static_cast<uint32_t>(in.count());
  std::vector<WireColumn*> texts;
  for_each_column(map, texts_of(flavour), [&](WireColumn& column) {
    column.collation_id = most;
    texts.push_back(&column);
  });
  while (in.is_ok() && !in.is_at_end()) {
    const uint64_t place = in.count();
    const auto other = static_cast<uint32_t>(in.count());
    if (place < texts.size()) texts[place]->collation_id = other;
  }
}

void take_collations(WireReader in, Flavour flavour, TableMap& map) {
  for_each_column(map, texts_of(flavour), [&](WireColumn& column) {
    column.collation_id = static_cast<uint32_t>(in.count());
  });
}

void take_labels(WireReader in, WireType type, TableMap& map) {
  for_each_column(
      map, [type](WireType known) { return known == type; },
      [&](WireColumn& column) {
        const uint64_t count = in.count();
        for (uint64_t i = 0; i < count && in.is_ok(); ++i) column.labels.push_back(in.text());
      });
}

// Fields that are not known here tell nothing that is needed.
void take_field(MetadataField field, std::string_view value, Flavour flavour, TableMap& map) {
  WireReader in(value);
  switch (field) {
    case MetadataField::kSigns:
      return take_signs(value, flavour, map);
    case MetadataField::kDefaultCollation:
      return take_default_collations(in, flavour, map);
    case MetadataField::kCollations:
      return take_collations(in, flavour, map);
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

Result<TableMap> parse_table_map(std::string_view body, Flavour flavour) {
  WireReader in(body);
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
  WireReader metadata(in.take(in.count()));
  for (WireColumn& column : map.columns) {
    column.metadata = take_metadata(column.type, metadata);
    resolve_string(column);
  }
  in.take((column_count + 7) / 8);
  while (in.is_ok() && !in.is_at_end()) {
    const auto field = static_cast<MetadataField>(in.number(1));
    const std::string_view value = in.take(in.count());
    if (in.is_ok()) take_field(field, value, flavour, map);
  }
  if (in.is_ok() && metadata.is_ok()) return map;
  return fail(ErrorCode::kSystemOpen, "the log is not what it should be",
              "a table's description ends too early", "nothing: the log is opened anew");
}

}  // namespace syncline::mariadb
