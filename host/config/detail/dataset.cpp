#include <algorithm>
#include <charconv>
#include <set>

#include "host/config/detail/sections.hpp"
#include "host/config/nearest.hpp"

namespace syncline::config::detail {
namespace {

using model::KeyEquivalence;

constexpr std::array kTiers = {
    Choice<Tier>{"critical", Tier::kCritical},
    Choice<Tier>{"standard", Tier::kStandard},
    Choice<Tier>{"bulk", Tier::kBulk},
};
constexpr std::array kModes = {
    Choice<Mode>{"realtime", Mode::kRealtime},
    Choice<Mode>{"linger", Mode::kLinger, false},
    Choice<Mode>{"schedule", Mode::kSchedule, false},
    Choice<Mode>{"manual", Mode::kManual, false},
};
constexpr std::array kFirstRules = {
    Choice<FirstRule>{"stop", FirstRule::kStop, false},
    Choice<FirstRule>{"newest_by", FirstRule::kNewestBy, false},
};
constexpr std::array kEquivalences = {
    Choice<KeyEquivalence>{"bytes", KeyEquivalence::kBytes},
    Choice<KeyEquivalence>{"ascii_case_insensitive", KeyEquivalence::kAsciiCaseInsensitive},
    Choice<KeyEquivalence>{"trailing_spaces", KeyEquivalence::kTrailingSpaces},
};
constexpr std::array kDirections = {
    Choice<Direction>{"both", Direction::kBoth},
    Choice<Direction>{"from", Direction::kFrom},
    Choice<Direction>{"to", Direction::kTo},
};
constexpr std::array kCaptures = {
    Choice<Capture>{"log", Capture::kLog},
    Choice<Capture>{"poll", Capture::kPoll},
    Choice<Capture>{"scan", Capture::kScan},
};
constexpr std::array kTriggers = {
    Choice<Triggers>{"suppress", Triggers::kSuppress},
    Choice<Triggers>{"fire", Triggers::kFire},
    Choice<Triggers>{"guarded", Triggers::kGuarded},
};
constexpr std::array kCascades = {
    Choice<Cascade>{"refuse", Cascade::kRefuse},
    Choice<Cascade>{"derive", Cascade::kDerive},
};
constexpr std::array kNumbers = {
    Choice<Numbers>{"checked", Numbers::kChecked},
    Choice<Numbers>{"apart", Numbers::kApart},
};
constexpr std::array kZeroDates = {
    Choice<ZeroDates>{"reject", ZeroDates::kReject},
    Choice<ZeroDates>{"null", ZeroDates::kNull},
};
constexpr std::array kDeletes = {
    Choice<DeletePolicy>{"delete_wins", DeletePolicy::kDeleteWins},
    Choice<DeletePolicy>{"update_wins", DeletePolicy::kUpdateWins},
};
constexpr std::array kInsertExists = {
    Choice<InsertExists>{"merge", InsertExists::kMerge},
    Choice<InsertExists>{"quarantine", InsertExists::kQuarantine},
};
constexpr std::string_view kOwnTables = "syncline_";

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

// A choice of which this kind of system offers only some.
template <class T, size_t N>
void read_offered(const std::string& name, const std::array<Choice<T>, N>& choices,
                  const SystemKind* kind, const std::vector<std::string> SystemKind::* offered,
                  TableReader& reader, T& out) {
  if (kind != nullptr && !(kind->*offered).empty()) {
    const auto first = std::ranges::find(choices, (kind->*offered).front(), &Choice<T>::name);
    if (first != choices.end()) out = first->value;
  }
  reader.choice(name, choices, out);
  const Member* member = reader.find(name, Need::kOptional);
  if (member == nullptr || kind == nullptr) return;
  const bool is_word =
      std::ranges::find(choices, member->value.text, &Choice<T>::name) != choices.end();
  if (!is_word || contains(kind->*offered, member->value.text)) return;
  reader.problems().add(member->value.place, ErrorCode::kUnsupported,
                        "\"" + reader.path() + "." + name + "\" is " + member->value.text,
                        "this is not built into this version for systems of kind " + kind->name,
                        suggest("", kind->*offered));
}

const SystemKind* find_kind(const Offer& offer, std::string_view name) {
  const auto kind = std::ranges::find(offer.kinds, name, &SystemKind::name);
  return kind == offer.kinds.end() ? nullptr : &*kind;
}

// Settings that mean something for one way of reading only.
void check_capture(const Mapping& mapping, const SystemKind* kind, TableReader& reader) {
  const auto chosen = std::ranges::find(kCaptures, mapping.capture, &Choice<Capture>::value);
  if (kind != nullptr && !contains(kind->captures, std::string(chosen->name))) return;
  const auto refuse = [&](std::string_view name, const std::string& why, const std::string& fix) {
    reader.problems().add(mapping.place, ErrorCode::kConfigValue,
                          "\"" + std::string(name) + "\" in " + reader.path(), why, fix);
  };
  const bool is_poll = mapping.capture == Capture::kPoll;
  if (is_poll && mapping.poll_by.empty()) {
    refuse("poll_by", "it is missing: capture = \"poll\" reads the rows whose column has risen",
           "name that column: poll_by = \"changed_at\"");
  }
  if (!is_poll && !mapping.poll_by.empty()) {
    refuse("poll_by", "it says by which column a table is polled", "set capture = \"poll\"");
  }
  if (!is_poll && mapping.overlap_us > 0) {
    refuse("overlap", "it says how far a poll reaches back", "set capture = \"poll\"");
  }
  if (mapping.capture == Capture::kLog && mapping.every_us > 0) {
    refuse("every", "a log is read as it is written",
           "remove it, or set capture to \"scan\" or \"poll\"");
  }
}

Mapping read_mapping(const Member& member, const std::string& path, const Config& config,
                     const Offer& offer, Problems& problems) {
  Mapping mapping;
  mapping.system = member.name;
  mapping.id = model::stable_id(member.name);
  mapping.place = member.place;
  const SystemSettings* system = config.find_system(member.name);
  if (system == nullptr) {
    problems.add_unknown(member.place, "unknown system", member.name, names_of(config.systems));
  }
  const SystemKind* kind = system == nullptr ? nullptr : find_kind(offer, system->kind);
  TableReader reader(member.value, path + ".on." + member.name, problems);
  reader.text("table", mapping.table, Need::kMandatory);
  reader.text_map("fields", mapping.fields);
  reader.text("where", mapping.where);
  reader.choice("direction", kDirections, mapping.direction);
  read_offered("capture", kCaptures, kind, &SystemKind::captures, reader, mapping.capture);
  reader.text("poll_by", mapping.poll_by);
  reader.duration("every", mapping.every_us);
  reader.duration("overlap", mapping.overlap_us);
  read_offered("triggers", kTriggers, kind, &SystemKind::triggers, reader, mapping.triggers);
  read_offered("cascade", kCascades, kind, &SystemKind::cascades, reader, mapping.cascade);
  reader.choice("numbers", kNumbers, mapping.numbers);
  check_capture(mapping, kind, reader);
  reader.finish();
  if (mapping.table.starts_with(kOwnTables)) {
    problems.add(mapping.place, ErrorCode::kConfigValue,
                 "table \"" + mapping.table + "\" is Syncline's own", "its tables cannot be synced",
                 "name a table of yours");
  }
  if (!mapping.where.empty() && mapping.direction == Direction::kTo) {
    problems.add(mapping.place, ErrorCode::kConfigValue,
                 "\"where\" has no meaning with direction = \"to\" in " + reader.path(),
                 "it filters the rows that are read, and none are read here",
                 "remove \"where\", or use direction \"both\"");
  }
  std::set<std::string> physical;
  for (const auto& [logical, column] : mapping.fields) {
    if (physical.insert(column).second) continue;
    problems.add(mapping.place, ErrorCode::kConfigValue,
                 "column \"" + column + "\" is mapped twice in " + reader.path(),
                 "a column holds one field", "map it once");
  }
  return mapping;
}

void read_first(TableReader& reader, Dataset& dataset) {
  const Member* member = reader.find("first", Need::kMandatory);
  if (member == nullptr) return;
  const Node& value = member->value;
  const bool is_field = value.kind == NodeKind::kTable && value.members.size() == 1;
  if (value.kind != NodeKind::kString && !is_field) {
    reader.problems().add(value.place, ErrorCode::kConfigValue,
                          "\"" + reader.path() + ".first\" names nobody",
                          "it is " + std::string(kind_text(value.kind)),
                          "name the system whose records win where several already hold one");
    return;
  }
  const std::string& word = is_field ? value.members[0].name : value.text;
  for (const Choice<FirstRule>& row : kFirstRules) {
    if (row.name != word || is_field != (row.value == FirstRule::kNewestBy)) continue;
    if (!row.is_built) reader.refuse_unbuilt(value, "first", "\"" + word + "\"");
    dataset.first = {row.value, is_field ? value.members[0].value.text : ""};
    return;
  }
  const std::vector<std::string> systems = names_of(dataset.mappings);
  if (is_field || !contains(systems, word)) {
    reader.problems().add_unknown(value.place, "\"first\" is no system of this dataset:", word,
                                  systems);
    return;
  }
  dataset.first = {FirstRule::kSystem, word};
  for (const Mapping& mapping : dataset.mappings) {
    if (mapping.system != word || mapping.direction != Direction::kTo) continue;
    reader.problems().add(value.place, ErrorCode::kConfigValue,
                          "\"first\" names \"" + word + "\", which is only written to",
                          "its records are never read, so they cannot win",
                          "name a system with direction \"both\" or \"from\"");
  }
}

// "10%", a number of records, or "off".
std::optional<DeleteLimit> parse_limit(const Node& value) {
  DeleteLimit limit;
  if (value.kind == NodeKind::kInteger && value.integer > 0) {
    limit.records = static_cast<uint64_t>(value.integer);
    return limit;
  }
  if (value.kind != NodeKind::kString) return std::nullopt;
  limit.is_off = value.text == "off";
  if (limit.is_off) return limit;
  const char* end = value.text.data() + value.text.size();
  const auto [rest, code] = std::from_chars(value.text.data(), end, limit.percent);
  const bool is_percent = code == std::errc() && std::string_view(rest, end) == "%";
  if (!is_percent || limit.percent == 0 || limit.percent > 100) return std::nullopt;
  return limit;
}

void read_delete_limit(TableReader& parent, Dataset& dataset) {
  const Member* member = parent.find("deletes", NodeKind::kTable, Need::kOptional);
  if (member == nullptr) return;
  TableReader reader(member->value, parent.path() + ".deletes", parent.problems());
  if (const Member* limit = reader.find("limit", Need::kMandatory)) {
    if (const auto parsed = parse_limit(limit->value)) {
      dataset.delete_limit = *parsed;
    } else {
      reader.problems().add(limit->value.place, ErrorCode::kConfigValue,
                            "\"" + reader.path() + ".limit\" is no limit",
                            "it says how many records a system may lose within minutes before its "
                            "deletes are held",
                            "write \"10%\" (and at least 1,000), a number of records, or \"off\"");
    }
  }
  reader.finish();
}

void read_types(TableReader& reader, Dataset& dataset) {
  const Member* member = reader.find("types", NodeKind::kTable, Need::kOptional);
  if (member == nullptr) return;
  for (const Member& entry : member->value.members) {
    auto type = entry.value.kind == NodeKind::kString
                    ? model::parse_type(entry.value.text)
                    : Result<model::LogicalType>(fail(
                          ErrorCode::kConfigValue, "the type of " + entry.name + " is not a string",
                          "types are written like \"decimal(10,2)\"", "put it in quotes"));
    if (type.has_value()) {
      dataset.types[entry.name] = type.value();
      continue;
    }
    const Error& error = type.error();
    reader.problems().add(entry.value.place, error.code, error.what, error.why, error.fix);
  }
}

void read_conflict(TableReader& parent, Dataset& dataset) {
  const Member* member = parent.find("conflict", NodeKind::kTable, Need::kOptional);
  if (member == nullptr) return;
  const std::vector<std::string> systems = names_of(dataset.mappings);
  TableReader reader(member->value, parent.path() + ".conflict", parent.problems());
  if (const Member* policy = reader.find("default", Need::kOptional)) {
    dataset.conflict.default_policy = read_policy(*policy, PolicyUse::kDefault, systems, reader);
  }
  reader.choice("delete", kDeletes, dataset.conflict.deletes);
  reader.choice("insert_exists", kInsertExists, dataset.conflict.insert_exists);
  if (const Member* home = reader.find("home", Need::kOptional)) {
    reader.refuse_unbuilt(home->value, "home", "set");
  }
  if (const Member* fields = reader.find("fields", NodeKind::kTable, Need::kOptional)) {
    for (const Member& field : fields->value.members) {
      dataset.conflict.fields[field.name] = read_policy(field, PolicyUse::kField, systems, reader);
      if (!contains(dataset.key, field.name)) continue;
      reader.problems().add(
          field.place, ErrorCode::kConfigValue, "\"" + field.name + "\" is part of the key",
          "a key has no conflict policy: it says which record is meant", "remove the line");
    }
  }
  reader.finish();
}

void check_dataset(const Dataset& dataset, const std::string& path, Problems& problems) {
  if (dataset.mappings.size() < 2) {
    problems.add(dataset.place, ErrorCode::kConfigValue,
                 "dataset \"" + dataset.name + "\" has fewer than two systems",
                 "there is nothing to keep in step",
                 "add [" + path + ".on.<system>] for each system that holds it");
    return;
  }
  const auto flows = [&](const Mapping& from) {
    return from.direction != Direction::kTo &&
           std::ranges::any_of(dataset.mappings, [&](const Mapping& to) {
             return &to != &from && to.direction != Direction::kFrom;
           });
  };
  if (std::ranges::none_of(dataset.mappings, flows)) {
    problems.add(dataset.place, ErrorCode::kConfigValue,
                 "nothing can flow in dataset \"" + dataset.name + "\"",
                 "no system is read while another is written to",
                 "correct \"direction\" in its systems");
  }
  for (const std::string& field : dataset.exclude) {
    if (!contains(dataset.key, field)) continue;
    problems.add(dataset.place, ErrorCode::kConfigValue,
                 "dataset \"" + dataset.name + "\" excludes \"" + field + "\", a part of its key",
                 "the key always travels", "take it off the list");
  }
  for (const Mapping& mapping : dataset.mappings) {
    for (const std::string& field : dataset.exclude) {
      if (!mapping.fields.contains(field)) continue;
      problems.add(mapping.place, ErrorCode::kConfigValue,
                   "\"" + field + "\" is both mapped and excluded in \"" + dataset.name + "\"",
                   "a field travels or it does not", "remove one of the two");
    }
  }
}

}  // namespace

Dataset read_dataset(const Member& member, const Config& config, const Offer& offer,
                     Problems& problems) {
  Dataset dataset;
  dataset.name = member.name;
  dataset.place = member.place;
  dataset.id = model::stable_id(member.name);
  check_name(NameOf::kDataset, member.name, member.place, problems);
  TableReader reader(member.value, "datasets." + member.name, problems);
  reader.each_table("on", Need::kMandatory, [&](const Member& system) {
    dataset.mappings.push_back(read_mapping(system, reader.path(), config, offer, problems));
  });
  reader.texts("key", dataset.key, Need::kMandatory);
  if (reader.find("key_equivalence", Need::kOptional) != nullptr) {
    KeyEquivalence equivalence = KeyEquivalence::kBytes;
    reader.choice("key_equivalence", kEquivalences, equivalence);
    dataset.key_equivalence = equivalence;
  }
  reader.choice("tier", kTiers, dataset.tier);
  reader.choice("mode", kModes, dataset.mode);
  read_first(reader, dataset);
  read_delete_limit(reader, dataset);
  reader.text("atomic", dataset.atomic);
  if (!dataset.atomic.empty()) {
    check_name(NameOf::kGroup, dataset.atomic, reader.find("atomic", Need::kOptional)->value.place,
               problems);
  }
  dataset.stream = dataset.atomic.empty() ? dataset.id : model::stable_id(dataset.atomic);
  reader.choice("zero_dates", kZeroDates, dataset.zero_dates);
  reader.texts("exclude", dataset.exclude);
  read_types(reader, dataset);
  read_conflict(reader, dataset);
  reader.finish();
  check_dataset(dataset, reader.path(), problems);
  return dataset;
}

}  // namespace syncline::config::detail
