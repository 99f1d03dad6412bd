#include "host/config/init.hpp"

#include <algorithm>

#include "host/config/detail/match.hpp"

namespace syncline::config {
namespace {

using detail::OtherTable;

constexpr size_t kNameMax = 63;
constexpr std::string_view kHeader =
    R"(# Which records Syncline keeps in step, and where they live.
# `syncline check` says what is wrong with this file, `syncline plan` what the first sync would do.

)";

std::string quoted(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') {
      out += '\\';
      out += letter;
    } else if (static_cast<uint8_t>(letter) < 0x20 || letter == 0x7f) {
      out += "\\u00";
      out += kHex[static_cast<uint8_t>(letter) >> 4];
      out += kHex[static_cast<uint8_t>(letter) & 15];
    } else {
      out += letter;
    }
  }
  return out + "\"";
}

bool is_name_letter(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
         (letter >= '0' && letter <= '9') || letter == '_' || letter == '-';
}

// As a TOML key: bare where it can be.
std::string as_key(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, is_name_letter) ? std::string(name)
                                                                    : quoted(name);
}

std::string list(const std::vector<std::string>& names) {
  std::string out = "[";
  for (const std::string& name : names) out += (out.size() > 1 ? ", " : "") + quoted(name);
  return out + "]";
}

std::string pairs(const std::map<std::string, std::string>& fields) {
  std::string out = "{ ";
  for (const auto& [logical, physical] : fields) {
    out += (out.size() > 2 ? ", " : "") + as_key(logical) + " = " + quoted(physical);
  }
  return out + " }";
}

struct Party {  // a table that takes part in a dataset
  const InitSystem* system = nullptr;
  const TableShape* table = nullptr;
  bool is_numbering = false;  // gives new records' keys itself
};

bool is_numbered(const TableShape& table, const std::string& column) {
  const auto found = std::ranges::find(table.columns, column, &ColumnShape::name);
  return found != table.columns.end() && found->is_numbered;
}

// key: as the first party has it.
void find_numbering(const std::vector<std::string>& key, const std::vector<OtherTable>& others,
                    std::vector<Party>& parties) {
  for (const std::string& column : key) {
    parties[0].is_numbering = parties[0].is_numbering || is_numbered(*parties[0].table, column);
    for (size_t i = 0; i < others.size(); ++i) {
      Party& party = parties[i + 1];
      party.is_numbering =
          party.is_numbering || is_numbered(*party.table, others[i].columns.sure.at(column));
    }
  }
}

size_t count_numbering(const std::vector<Party>& parties) {
  return static_cast<size_t>(std::ranges::count_if(parties, &Party::is_numbering));
}

class Sample {
 public:
  Sample(const InitSettings& settings, std::span<const InitSystem> systems)
      : settings_(settings), systems_(systems) {}

  std::string write() {
    out_ = kHeader;
    write_head();
    for (const InitSystem& system : systems_) pass_over_unread(system);
    for (const InitSystem& system : systems_) {
      for (const TableShape& table : system.tables) write_dataset_from(system, table);
    }
    write_unmatched();
    return std::move(out_);
  }

 private:
  void write_head();
  void pass_over_unread(const InitSystem& system);
  void write_dataset_from(const InitSystem& system, const TableShape& table);
  void write_dataset(const std::vector<Party>& parties, const std::vector<OtherTable>& others,
                     const std::vector<std::vector<std::string>>& keys,
                     const std::set<std::string>& unfitting);
  void write_key(const std::vector<Party>& parties,
                 const std::vector<std::vector<std::string>>& keys);
  void write_other(const std::string& dataset, const Party& party, const OtherTable& other);
  void write_numbers(const std::vector<Party>& parties, const Party& party);
  void write_unmatched();
  std::string dataset_name(std::string_view table);

  // One comment line, whatever the text holds.
  void comment(std::string text) {
    for (char& letter : text) {
      if (static_cast<uint8_t>(letter) < 0x20 || letter == 0x7f) letter = '?';
    }
    out_ += "# " + text + "\n";
  }

  const InitSettings& settings_;
  std::span<const InitSystem> systems_;
  std::string out_;
  std::set<const TableShape*> used_;
  std::set<std::string> names_;
  std::vector<std::string> unmatched_;
};

void Sample::write_head() {
  out_ += "[appliance]\n";
  out_ += "name   = " + quoted(settings_.appliance) + "\n";
  out_ += "data   = " + quoted(settings_.data) + "  # the data folder: journal, state and key\n";
  out_ += "engine = \"auto\"\n\n[journal]\n";
  out_ += "retain = \"7d\"     # how long accepted changes stay, as audit trail and for replay\n";
  out_ += "limit  = \"16GiB\"  # beyond it the slowest system loses its place\n\n";
  for (const InitSystem& system : systems_) {
    out_ += "[systems." + as_key(system.name) + "]\nkind = " + quoted(system.kind) +
            "\nurl  = " + quoted(system.url) + "\n";
    if (!system.password_environment.empty()) {
      out_ += "password = { env = " + quoted(system.password_environment) +
              " }  # or { file = \"PATH\" }, { command = \"...\" }\n";
    }
    out_ += "\n";
  }
  out_ += "[datasets]\n\n";
}

// A name that the config accepts and that is not taken.
std::string Sample::dataset_name(std::string_view table) {
  const size_t point = table.rfind('.');
  if (point != std::string_view::npos) table.remove_prefix(point + 1);
  std::string name(table.substr(0, kNameMax - 8));
  std::ranges::replace_if(name, [](char letter) { return !is_name_letter(letter); }, '_');
  if (name.empty() || name == "all" || name.starts_with("syncline")) name = "table_" + name;
  std::string free = name;
  for (int i = 2; !names_.insert(free).second; ++i) free = name + "_" + std::to_string(i);
  return free;
}

void Sample::pass_over_unread(const InitSystem& system) {
  for (const TableShape& table : system.tables) {
    if (table.unread.empty()) continue;
    used_.insert(&table);
    unmatched_.push_back(system.name + "." + table.name + ": " + table.unread + " (" +
                         table.unread_fix + ")");
  }
}

void Sample::write_dataset_from(const InitSystem& system, const TableShape& table) {
  if (used_.contains(&table) || table.name.starts_with("syncline_")) return;
  std::vector<Party> parties = {{&system, &table}};
  std::vector<OtherTable> others;
  for (const InitSystem& other : systems_) {
    if (&other == &system) continue;
    const TableShape* match = detail::match_table(table, other.tables, used_);
    if (match == nullptr) continue;
    parties.push_back({&other, match});
    others.push_back({match, detail::match_columns(table, *match)});
  }
  used_.insert(&table);
  if (others.empty()) {
    unmatched_.push_back(system.name + "." + table.name + ": no other system has a table like it");
    return;
  }
  for (const OtherTable& other : others) used_.insert(other.table);
  std::set<std::string> unfitting;
  detail::keep_common(table, others, unfitting);
  const auto keys = detail::common_keys(table, others);
  if (!keys.empty()) {
    find_numbering(keys.front(), others, parties);
    write_dataset(parties, others, keys, unfitting);
    return;
  }
  std::string tables;
  for (const Party& party : parties) {
    tables += (tables.empty() ? "" : " and ") + party.system->name + "." + party.table->name;
  }
  unmatched_.push_back(tables + ": they have no key in common");
}

void Sample::write_key(const std::vector<Party>& parties,
                       const std::vector<std::vector<std::string>>& keys) {
  out_ += "key   = " + list(keys.front()) + "\n";
  for (size_t i = 1; i < keys.size(); ++i) comment("or: key = " + list(keys[i]));
  const size_t count = count_numbering(parties);
  if (count == 0) return;
  std::string names;
  size_t told = 0;
  for (const Party& party : parties) {
    if (!party.is_numbering) continue;
    names += (told == 0 ? "" : told + 1 == count ? " and " : ", ") + party.system->name;
    ++told;
  }
  comment(names + (count > 1 ? " number this key themselves" : " numbers this key itself") +
          ": where others make records too, two would share a number.");
  comment("`syncline plan` prints what keeps the numbers apart; or a line of the sections below.");
}

// What says that there is nothing to keep apart. The first one's records are wanted.
void Sample::write_numbers(const std::vector<Party>& parties, const Party& party) {
  if (count_numbering(parties) == 0) return;
  if (&party != &parties.front()) {
    out_ += "# direction = \"to\"  # if no records are made in this system\n";
  }
  if (party.is_numbering) {
    out_ += "# numbers = \"apart\"  # if its numbers never meet another system's\n";
  }
}

void Sample::write_other(const std::string& dataset, const Party& party, const OtherTable& other) {
  out_ += "\n[datasets." + as_key(dataset) + ".on." + as_key(party.system->name) + "]\n";
  out_ += "table = " + quoted(party.table->name) + "\n";
  std::map<std::string, std::string> renamed;
  for (const auto& [logical, physical] : other.columns.sure) {
    if (logical != physical) renamed.emplace(logical, physical);
  }
  if (!renamed.empty()) out_ += "fields = " + pairs(renamed) + "\n";
  if (!other.columns.perhaps.empty()) {
    comment("Unsure, so these do not travel yet. In \"fields\": " + pairs(other.columns.perhaps));
  }
}

void Sample::write_dataset(const std::vector<Party>& parties, const std::vector<OtherTable>& others,
                           const std::vector<std::vector<std::string>>& keys,
                           const std::set<std::string>& unfitting) {
  const Party& first = parties.front();
  const std::string name = dataset_name(first.table->name);
  out_ += "[datasets." + as_key(name) + "]\n";
  write_key(parties, keys);
  out_ += "first = " + quoted(first.system->name) + "  # whose record wins where several hold it\n";
  if (!unfitting.empty()) {
    comment("Unsure: same names, but types that do not fit. [datasets." + name +
            ".types] can say which is meant.");
    out_ += "exclude = " + list({unfitting.begin(), unfitting.end()}) + "\n";
  }
  out_ += "\n[datasets." + as_key(name) + ".on." + as_key(first.system->name) + "]\n";
  out_ += "table = " + quoted(first.table->name) + "\n";
  write_numbers(parties, first);
  for (size_t i = 0; i < others.size(); ++i) {
    write_other(name, parties[i + 1], others[i]);
    write_numbers(parties, parties[i + 1]);
  }
  out_ += "\n[datasets." + as_key(name) + ".conflict]\n";
  out_ += "default = \"newest\"       # newest | oldest | a system | a list of systems\n";
  out_ += "delete  = \"delete_wins\"  # delete_wins | update_wins\n";
  out_ +=
      "# insert_exists = \"quarantine\"  # merge | quarantine: new records of one key; quarantine "
      "where two number their own\n\n";
}

void Sample::write_unmatched() {
  if (unmatched_.empty()) return;
  out_ += "# Tables that are not kept in step:\n";
  for (const std::string& line : unmatched_) comment("  " + line);
}

}  // namespace

std::string make_sample(const InitSettings& settings, std::span<const InitSystem> systems) {
  return Sample(settings, systems).write();
}

}  // namespace syncline::config
