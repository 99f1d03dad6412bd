#include "drivers/systems/mariadb/detail/indexes.hpp"

#include <algorithm>
#include <cctype>
#include <optional>

#include "drivers/scan/findings.hpp"
#include "drivers/systems/mariadb/detail/covering.hpp"
#include "drivers/systems/mariadb/detail/reads.hpp"

namespace syncline::mariadb {
namespace {

constexpr uint64_t kLargeRows = 10'000;  // below, no index is worth a word
constexpr const char* kSampleRows = "10000";
constexpr uint32_t kIndexedTextMax = 190;          // characters of a column in an index of several
constexpr int64_t kFilterFactor = 4;               // rows to those that a filter lets through
constexpr unsigned long kIgnoredIndexes = 100600;  // NOLINT(google-runtime-int): the library's type

constexpr const char* kNothing = "nothing";

bool contains(const Columns& columns, const std::string& name) {
  return std::find(columns.begin(), columns.end(), name) != columns.end();
}

struct Index {
  Columns columns;  // whole ones, up to the first that is not
  bool is_cut = false;
  bool is_primary = false;
};

// Those that the optimizer takes, each with the primary key that InnoDB puts behind it.
Result<std::vector<Index>> read_indexes(Connection& connection, const Mapped& mapped) {
  const bool may_ignore = mysql_get_server_version(connection.handle()) >= kIgnoredIndexes;
  SYN_TRY(Answer rows,
          connection.query("SELECT INDEX_NAME, COLUMN_NAME, SUB_PART IS NOT NULL FROM "
                           "information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND "
                           "INDEX_TYPE = 'BTREE' AND TABLE_NAME = " +
                           literal(mapped.table.name) + (may_ignore ? " AND IGNORED = 'NO'" : "") +
                           " ORDER BY INDEX_NAME, SEQ_IN_INDEX"));
  std::vector<Index> indexes;
  std::string name;
  while (rows.next()) {
    if (indexes.empty() || name != rows.text(0)) indexes.emplace_back();
    name = rows.text(0);
    Index& index = indexes.back();
    index.is_primary = name == "PRIMARY";
    index.is_cut = index.is_cut || rows.integer(2) != 0;
    if (!index.is_cut) index.columns.emplace_back(rows.text(1));
  }
  const auto& uniques = mapped.table.uniques;
  if (uniques.empty() || !uniques[0].is_primary) return indexes;
  for (Index& index : indexes) {
    if (index.is_cut) continue;
    for (const std::string& column : uniques[0].columns) {
      if (!contains(index.columns, column)) index.columns.push_back(column);
    }
  }
  return indexes;
}

enum class Held : uint8_t { kMayLead, kMustLead };

// Whether it has `order` at its beginning, or behind columns that are held to one value.
bool serves(const Index& index, const Columns& held, const Columns& order, Held lead) {
  size_t at = 0;
  while (at < index.columns.size() && contains(held, index.columns[at]) &&
         index.columns[at] != order[0]) {
    ++at;
  }
  if (lead == Held::kMustLead && at == 0) return false;
  if (index.columns.size() - at < order.size()) return false;
  return std::equal(order.begin(), order.end(),
                    index.columns.begin() + static_cast<std::ptrdiff_t>(at));
}

bool is_any(const std::vector<Index>& indexes, const Columns& held, const Columns& order,
            Held lead) {
  return std::any_of(indexes.begin(), indexes.end(),
                     [&](const Index& index) { return serves(index, held, order, lead); });
}

Columns key_order(const Mapped& mapped) {
  Columns order;
  for (size_t i = 0; i < mapped.key_count(); ++i) order.push_back(mapped.columns[i].name);
  return order;
}

// Labels are ordered by their text, which no index is.
bool has_label_key(const Mapped& mapped) {
  return std::any_of(
      mapped.columns.begin(),
      mapped.columns.begin() + static_cast<std::ptrdiff_t>(mapped.key_count()),
      [](const Column& column) { return order_term(column) != quoted_name(column.name); });
}

std::string add_index_sql(const Mapped& mapped, const Columns& columns) {
  return "ALTER TABLE " + quoted_name(mapped.table.name) + " ADD INDEX (" + column_list(columns) +
         ");";
}

// Those that an index can hold, without the ones of the order itself: texts that are compared with
// a number are turned into numbers first.
Columns held_before(const Mapped& mapped, const Columns& order) {
  Columns held;
  for (const HeldColumn& term : held_columns(mapped.mapping->where)) {
    const Column* column = mapped.table.find(term.name);
    if (column == nullptr || contains(order, term.name)) continue;
    const Category category = column->type.category;
    const bool is_number = category == Category::kInteger || category == Category::kDecimal;
    const bool is_short_text = (category == Category::kChar || category == Category::kVarchar) &&
                               column->type.length <= kIndexedTextMax;
    const bool is_other = !holds_characters(column->type) && category != Category::kBlob &&
                          category != Category::kGeometry && category != Category::kJson &&
                          category != Category::kBinary && category != Category::kVarbinary;
    if (is_number || (!term.is_number && (is_short_text || is_other))) held.push_back(term.name);
  }
  return held;
}

bool holds(const Index& index, const Columns& columns) {
  return std::all_of(columns.begin(), columns.end(),
                     [&](const std::string& name) { return contains(index.columns, name); });
}

// Whether some index has the order and all that is read.
bool is_covered(const std::vector<Index>& indexes, const Columns& held, const Columns& order,
                const Columns& all) {
  return std::any_of(indexes.begin(), indexes.end(), [&](const Index& index) {
    return !index.is_primary && serves(index, held, order, Held::kMayLead) && holds(index, all);
  });
}

// The optimizer reads a table by its primary key rather than by an index of the same order.
bool is_by_primary_key(const Mapped& mapped, const Columns& order) {
  const auto& uniques = mapped.table.uniques;
  return !uniques.empty() && uniques[0].is_primary && uniques[0].columns.size() >= order.size() &&
         std::equal(order.begin(), order.end(), uniques[0].columns.begin());
}

// Of a sample, how many of how many rows the filter lets through.
Result<bool> is_selective(Connection& connection, const Mapped& mapped) {
  const std::string table = quoted_name(mapped.table.name);
  SYN_TRY(Answer row, connection.query(
                          "SELECT count(*), count(CASE WHEN sample.is_let_through THEN 1 END) FROM "
                          "(SELECT (" +
                          mapped.mapping->where + ") AS is_let_through FROM " + table + " LIMIT " +
                          kSampleRows + ") AS sample"));
  if (!row.next()) return false;
  return kFilterFactor * row.integer(1) <= row.integer(0);
}

Columns joined(Columns columns, const Columns& more) {
  columns.insert(columns.end(), more.begin(), more.end());
  return columns;
}

Columns poll_order(const Mapped& mapped) {
  Columns order = {mapped.mapping->poll_by};
  for (std::string& name : key_order(mapped)) {
    if (name != mapped.mapping->poll_by) order.push_back(std::move(name));
  }
  return order;
}

// A way in which a table is looked at again and again.
struct Look {
  std::string what;  // "each poll of customer"
  Columns held;
  Columns order;
  Columns lead;  // the part of it that an index must have to serve
};

// Where rows are fetched whole for a small part of them.
Result<void> find_uncovered(Connection& connection, const Mapped& mapped,
                            const std::vector<Index>& indexes, const Look& look,
                            std::vector<ports::Finding>& out) {
  const Columns all = all_that_is_read(mapped, joined(look.held, look.order));
  if (is_covered(indexes, look.held, look.lead, all)) return success();
  SYN_TRY(const bool is_part, is_small_part(connection, mapped, all));
  if (!is_part) return success();
  SYN_TRY(const std::string why_none, why_none_holds(connection, mapped, all));
  const std::string what =
      look.what + " fetches each whole row for the few columns that are synced";
  const std::string& name = mapped.schema->name;
  if (!why_none.empty()) {
    out.push_back({ports::Severity::kNote, name,
                   what + ", and no index can hold them all: " + why_none, kNothing});
    return success();
  }
  out.push_back({ports::Severity::kNote, name,
                 what + ": an index that holds them all is read alone (it costs your updates of "
                        "them a write; MariaDB has no INCLUDE)",
                 add_index_sql(mapped, all)});
  return success();
}

// One index for both reasons: the filter's columns at its beginning, the rest that is read behind.
Result<void> find_spared_scan(Connection& connection, const Mapped& mapped,
                              const std::vector<Index>& indexes, std::vector<ports::Finding>& out) {
  const Columns order = key_order(mapped);
  Columns held = held_before(mapped, order);
  std::string what = "each scan of " + mapped.table.name;
  const bool has_lead = !held.empty() && is_any(indexes, held, order, Held::kMustLead);
  if (!held.empty() && !has_lead) {
    SYN_TRY(const bool is_worth_it, is_selective(connection, mapped));
    if (!is_worth_it) held.clear();
  }
  const bool wants_lead = !held.empty() && !has_lead;
  if (wants_lead) {
    what +=
        " passes over all rows that `where` leaves out: in an index that begins with what it "
        "asks for, they stand apart (MariaDB has no partial indexes)";
  }
  const size_t found_before = out.size();
  if (!held.empty() || !is_by_primary_key(mapped, order)) {
    const std::string look = wants_lead ? what + "; and it" : what;
    SYN_TRY(find_uncovered(connection, mapped, indexes, {look, held, order, order}, out));
  }
  const bool is_said = out.size() > found_before && out.back().fix != kNothing;
  if (!wants_lead || is_said) return success();
  out.push_back({ports::Severity::kNote, mapped.schema->name, what,
                 add_index_sql(mapped, joined(held, order))});
  return success();
}

// One term of a row filter, "region = 'CH'".
std::optional<HeldColumn> held_column(std::string_view term) {
  const auto trim = [](std::string_view text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) {
      text.remove_prefix(1);
    }
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
      text.remove_suffix(1);
    }
    return text;
  };
  const size_t equals = term.find('=');
  if (equals == std::string_view::npos) return {};
  std::string_view name = trim(term.substr(0, equals));
  const std::string_view value = trim(term.substr(equals + 1));
  if (name.size() > 2 && name.front() == '`' && name.back() == '`') {
    name = name.substr(1, name.size() - 2);
  }
  if (name.empty() || !std::all_of(name.begin(), name.end(), is_of_name)) return {};
  const bool is_text = value.size() >= 2 && value.front() == '\'' &&
                       value.find('\'', 1) == value.size() - 1 &&
                       value.find('\\') == std::string_view::npos;
  const bool is_number =
      !value.empty() && value.find_first_not_of("0123456789.-") == std::string_view::npos;
  if (!is_text && !is_number) return {};
  return HeldColumn{std::string(name), is_number};
}

// The terms between ANDs; nothing where one cannot tell them apart.
std::optional<std::vector<std::string>> split_terms(std::string_view where) {
  std::vector<std::string> terms(1);
  std::string word;
  bool is_quoted = false;
  for (const char letter : std::string(where) + " ") {
    if (letter == '\'') is_quoted = !is_quoted;
    const bool is_of_word = std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_';
    if (is_quoted || is_of_word) {
      terms.back() += letter;
      if (!is_quoted) word += lower_of(letter);
      continue;
    }
    if (letter == '(' || letter == ')' || letter == '\\' || letter == '#') return {};
    if (word == "or" || word == "xor" || word == "between" || word == "not") return {};
    if (word == "and") {
      terms.back().resize(terms.back().size() - word.size());
      terms.emplace_back();
    }
    word.clear();
    terms.back() += letter;
  }
  return terms;
}

}  // namespace

std::vector<HeldColumn> held_columns(std::string_view where) {
  std::vector<HeldColumn> columns;
  const auto terms = split_terms(where);
  if (!terms) return columns;
  for (const std::string& term : *terms) {
    if (auto column = held_column(term)) columns.push_back(std::move(*column));
  }
  return columns;
}

Result<std::string> poll_index_sql(Connection& connection, const Mapped& mapped) {
  const Columns order = poll_order(mapped);
  const Columns plain = joined(held_before(mapped, order), order);
  Columns all = all_that_is_read(mapped, plain);
  SYN_TRY(const bool is_part, is_small_part(connection, mapped, all));
  SYN_TRY(const std::string why_none, why_none_holds(connection, mapped, all));
  return add_index_sql(mapped, is_part && why_none.empty() ? all : plain);
}

Result<bool> is_poll_indexed(Connection& connection, const Mapped& mapped) {
  SYN_TRY(const auto indexes, read_indexes(connection, mapped));
  const Columns order = {mapped.mapping->poll_by};
  return is_any(indexes, held_before(mapped, order), order, Held::kMayLead);
}

Result<void> check_filter(Connection& connection, const Mapped& mapped) {
  const std::string& where = mapped.mapping->where;
  if (where.empty()) return success();
  const auto asked = connection.query("SELECT 1 FROM " + quoted_name(mapped.table.name) +
                                      " WHERE FALSE AND (" + where + ")");
  if (!asked) return scan::filter_error(*mapped.mapping, asked.error());
  return success();
}

Result<void> find_indexes(Connection& connection, const Mapped& mapped,
                          std::vector<ports::Finding>& out) {
  const ports::DatasetMapping& mapping = *mapped.mapping;
  if (has_label_key(mapped)) return success();
  SYN_TRY(const auto indexes, read_indexes(connection, mapped));
  const Columns order = key_order(mapped);
  const bool is_ordered = is_any(indexes, held_before(mapped, order), order, Held::kMayLead);
  if (!is_ordered) {
    out.push_back({ports::Severity::kWarning, mapping.schema->name,
                   "no index has the order of the dataset's key in " + mapped.table.name +
                       ": each chunk that a scan, a first sync or `verify` reads sorts all of it",
                   add_index_sql(mapped, order)});
  }
  if (mapping.direction == ports::Direction::kTo) return success();
  if (mapped.table.row_estimate < kLargeRows) return success();
  if (mapping.capture == ports::Capture::kScan && is_ordered) {
    return find_spared_scan(connection, mapped, indexes, out);
  }
  const bool is_polled =
      mapping.capture == ports::Capture::kPoll && mapped.table.find(mapping.poll_by) != nullptr;
  if (!is_polled) return success();
  const Columns by = {mapping.poll_by};
  const Columns held = held_before(mapped, by);
  if (!is_any(indexes, held, by, Held::kMayLead)) return success();
  return find_uncovered(connection, mapped, indexes,
                        {"each poll of " + mapped.table.name, held, poll_order(mapped), by}, out);
}

}  // namespace syncline::mariadb
