#include "drivers/systems/mariadb/detail/covering.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace syncline::mariadb {
namespace {

constexpr int64_t kNarrowFactor = 3;  // a row's bytes to those that are read, from which it pays
constexpr const char* kSampleRows = "1000";
constexpr const char* kRowOverheadBytes = "24";
constexpr size_t kPartsMax = 32;
constexpr size_t kShortPartBytes = 767;  // of the older row formats

// Words of a row filter, outside of texts, in small letters.
std::set<std::string> words_of(std::string_view where) {
  std::set<std::string> words;
  std::string word;
  bool is_quoted = false;
  for (const char letter : std::string(where) + " ") {
    if (letter == '\'') is_quoted = !is_quoted;
    if (!is_quoted && is_of_name(letter)) {
      word += lower_of(letter);
    } else if (!word.empty()) {
      words.insert(std::exchange(word, {}));
    }
  }
  return words;
}

// A filter may look at it: its name is a word there. One of another spelling stands in backticks.
bool is_named(const std::string& column, std::string_view where,
              const std::set<std::string>& words) {
  if (!std::all_of(column.begin(), column.end(), is_of_name)) {
    return where.find('`') != std::string_view::npos;
  }
  std::string name = column;
  std::transform(name.begin(), name.end(), name.begin(), lower_of);
  return words.contains(name);
}

bool is_stored_as_bytes(Category category) {
  switch (category) {
    case Category::kChar:
    case Category::kVarchar:
    case Category::kText:
    case Category::kBinary:
    case Category::kVarbinary:
    case Category::kBlob:
    case Category::kJson:
    case Category::kGeometry:
      return true;
    default:
      return false;
  }
}

// Of all others, about.
size_t fixed_bytes(const NativeType& type) {
  switch (type.category) {
    case Category::kInteger:
      return type.size_bytes;
    case Category::kDecimal:
      return type.precision / 2U + 2;
    case Category::kUuid:
    case Category::kInet:
      return 16;
    default:
      return 8;
  }
}

// The most bytes that texts and the like have.
Result<std::map<std::string, size_t>> read_octets(Connection& connection, const Mapped& mapped) {
  SYN_TRY(Answer rows, connection.query("SELECT COLUMN_NAME, CHARACTER_OCTET_LENGTH FROM "
                                        "information_schema.COLUMNS WHERE TABLE_SCHEMA = "
                                        "DATABASE() AND CHARACTER_OCTET_LENGTH IS NOT NULL AND "
                                        "TABLE_NAME = " +
                                        literal(mapped.table.name)));
  std::map<std::string, size_t> octets;
  while (rows.next()) octets[std::string(rows.text(0))] = static_cast<size_t>(rows.integer(1));
  return octets;
}

struct IndexLimits {
  size_t entry_bytes = 3072;
  size_t part_bytes = 3072;
};

// They hang on the server's pages and on the table's row format.
Result<IndexLimits> read_limits(Connection& connection, const Mapped& mapped) {
  SYN_TRY(Answer row,
          connection.query("SELECT @@innodb_page_size, ROW_FORMAT FROM information_schema.TABLES "
                           "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = " +
                           literal(mapped.table.name)));
  IndexLimits limits;
  if (!row.next()) return limits;
  const int64_t page_bytes = row.integer(0);
  if (page_bytes == 8192) limits.entry_bytes = 1536;
  if (page_bytes == 4096) limits.entry_bytes = 768;
  const bool is_short = row.text(1) == "Compact" || row.text(1) == "Redundant";
  limits.part_bytes = std::min(limits.entry_bytes, is_short ? kShortPartBytes : size_t{3072});
  return limits;
}

bool is_cut_in_indexes(Category category) {
  return category == Category::kText || category == Category::kBlob ||
         category == Category::kJson || category == Category::kGeometry;
}

// Of a row, as what is added to a sum.
std::string bytes_sql(const Column& column) {
  if (!is_stored_as_bytes(column.type.category)) {
    return " + " + std::to_string(fixed_bytes(column.type));
  }
  return " + coalesce(octet_length(" + quoted_name(column.name) + "), 0) + 1";
}

}  // namespace

bool is_of_name(char letter) {
  return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_' || letter == '$';
}

char lower_of(char letter) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
}

Columns all_that_is_read(const Mapped& mapped, Columns first) {
  const auto add = [&](const std::string& name) {
    if (std::find(first.begin(), first.end(), name) == first.end()) first.push_back(name);
  };
  for (const Column& column : mapped.columns) add(column.name);
  const std::string& where = mapped.mapping->where;
  const auto words = words_of(where);
  for (const Column& column : mapped.table.columns) {
    if (is_named(column.name, where, words)) add(column.name);
  }
  return first;
}

Result<bool> is_small_part(Connection& connection, const Mapped& mapped, const Columns& columns) {
  std::string read = "0";
  std::string whole = "0";
  std::string names;
  bool has_large = false;
  for (const Column& column : mapped.table.columns) {
    const bool is_read = std::find(columns.begin(), columns.end(), column.name) != columns.end();
    const bool is_large = is_cut_in_indexes(column.type.category);
    has_large = has_large || is_large;
    // What may lie beside the row is not fetched for its length.
    if (is_large && !is_read) continue;
    names += (names.empty() ? "" : ", ") + quoted_name(column.name);
    const std::string bytes = bytes_sql(column);
    whole += bytes;
    if (is_read) read += bytes;
  }
  if (has_large) {
    whole = "greatest(" + whole + ", (SELECT cast(AVG_ROW_LENGTH AS INT) - " + kRowOverheadBytes +
            " FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = " +
            literal(mapped.table.name) + "))";
  }
  SYN_TRY(Answer row, connection.query("SELECT " + std::to_string(kNarrowFactor) + " * sum(" +
                                       read + ") <= sum(" + whole + ") FROM (SELECT " + names +
                                       " FROM " + quoted_name(mapped.table.name) + " LIMIT " +
                                       kSampleRows + ") AS sample"));
  return row.next() && row.integer(0) == 1;
}

Result<std::string> why_none_holds(Connection& connection, const Mapped& mapped,
                                   const Columns& columns) {
  if (columns.size() > kPartsMax) {
    return std::to_string(columns.size()) + " columns are read, and an index has at most " +
           std::to_string(kPartsMax);
  }
  SYN_TRY(const IndexLimits limits, read_limits(connection, mapped));
  SYN_TRY(const auto octets, read_octets(connection, mapped));
  size_t total = 0;
  for (const std::string& name : columns) {
    const Column& column = *mapped.table.find(name);
    const auto most = octets.find(name);
    const bool is_text = is_stored_as_bytes(column.type.category) && most != octets.end();
    const size_t bytes = is_text ? most->second : fixed_bytes(column.type);
    if (is_cut_in_indexes(column.type.category) || bytes > limits.part_bytes) {
      return "of column " + name + " (" + column.type.name + ") one holds but the beginning";
    }
    total += bytes + (is_text ? 2 : 0) + (column.is_nullable ? 1 : 0);
  }
  if (total <= limits.entry_bytes) return std::string();
  return "they may take " + std::to_string(total) + " bytes, and an entry has at most " +
         std::to_string(limits.entry_bytes);
}

}  // namespace syncline::mariadb
