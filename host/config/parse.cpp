#include <algorithm>
#include <filesystem>
#include <map>

#include "host/config/config.hpp"
#include "host/config/detail/sections.hpp"
#include "host/config/init.hpp"

namespace syncline::config {
namespace detail {
namespace {

constexpr size_t kNameMax = 63;
constexpr size_t kLanesMax = 4096;
constexpr size_t kThreadsMax = 1024;
constexpr uint64_t kMemoryLeast = 16ULL << 20;
constexpr uint64_t kSegmentLeast = 1ULL << 20;
constexpr uint64_t kLogLeast = 1ULL << 20;
constexpr uint64_t kSegmentsLeast = 4;  // that the journal's limit must hold

constexpr std::array kLogLimitActions = {
    Choice<LogLimitAction>{"drop", LogLimitAction::kDrop},
    Choice<LogLimitAction>{"pause", LogLimitAction::kPause},
};

constexpr std::string_view kNameLetters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
// Words that stand where names may stand.
constexpr std::array<std::string_view, 7> kSystemWords = {"newest", "oldest", "stop",      "local",
                                                          "all",    "auto",   "everywhere"};
constexpr std::array<std::string_view, 1> kDatasetWords = {"all"};

std::string_view name_text(NameOf kind) {
  switch (kind) {
    case NameOf::kAppliance:
      return "appliance";
    case NameOf::kSystem:
      return "system";
    case NameOf::kDataset:
      return "dataset";
    case NameOf::kGroup:
      return "atomic group";
  }
  return "thing";
}

bool is_reserved(NameOf kind, std::string_view name) {
  if (kind == NameOf::kSystem) return is_reserved_system(name);
  if (name.starts_with("syncline")) return true;
  if (kind == NameOf::kAppliance) return false;
  return std::ranges::find(kDatasetWords, name) != kDatasetWords.end();
}

std::string in_folder_of(std::string_view file, const std::string& path) {
  const std::filesystem::path named(path);
  if (named.is_absolute()) return path;
  return (std::filesystem::path(file).parent_path() / named).lexically_normal().string();
}

void read_appliance(TableReader& top, const Offer& offer, Config& config) {
  const Member* member = top.find("appliance", NodeKind::kTable, Need::kMandatory);
  if (member == nullptr) return;
  TableReader reader(member->value, "appliance", top.problems());
  Appliance& appliance = config.appliance;
  reader.text("name", appliance.name, Need::kMandatory);
  if (const Member* name = reader.find("name", Need::kOptional); !appliance.name.empty()) {
    check_name(NameOf::kAppliance, appliance.name, name->value.place, top.problems());
  }
  reader.text("data", appliance.data, Need::kMandatory);
  appliance.data = in_folder_of(config.file, appliance.data);
  reader.text("key_file", appliance.key_file);
  appliance.key_file = appliance.key_file.empty()
                           ? (std::filesystem::path(appliance.data) / "key").string()
                           : in_folder_of(config.file, appliance.key_file);
  reader.text("engine", appliance.engine);
  std::vector<std::string> engines = {"auto"};
  engines.insert(engines.end(), offer.engines.begin(), offer.engines.end());
  if (std::ranges::find(engines, appliance.engine) == engines.end()) {
    top.problems().add_unknown(reader.find("engine", Need::kOptional)->value.place,
                               "unknown engine", appliance.engine, engines);
  }
  reader.count("lanes", appliance.lane_count, 1, kLanesMax);
  if ((appliance.lane_count & (appliance.lane_count - 1)) != 0) {
    top.problems().add(reader.find("lanes", Need::kOptional)->value.place, ErrorCode::kConfigValue,
                       "\"appliance.lanes\" is " + std::to_string(appliance.lane_count),
                       "a key's lane is the top bits of its hash",
                       "use a power of two, such as 64");
  }
  reader.count("threads", appliance.thread_count, 0, kThreadsMax);
  reader.size("memory", appliance.memory_bytes, kMemoryLeast);
  reader.finish();
}

void read_journal(TableReader& top, Config& config) {
  const Member* member = top.find("journal", NodeKind::kTable, Need::kOptional);
  if (member == nullptr) return;
  TableReader reader(member->value, "journal", top.problems());
  reader.duration("retain", config.journal.retain_us);
  reader.size("segment", config.journal.segment_size_bytes, kSegmentLeast);
  reader.size("limit", config.journal.limit_bytes, kSegmentLeast * kSegmentsLeast);
  reader.finish();
  if (config.journal.limit_bytes / kSegmentsLeast >= config.journal.segment_size_bytes) return;
  top.problems().add(member->place, ErrorCode::kConfigValue,
                     "\"journal.limit\" is less than " + std::to_string(kSegmentsLeast) +
                         " times \"journal.segment\"",
                     "the journal gives room back by whole segments",
                     "raise the limit or make segments smaller");
}

Secret read_password(TableReader& parent) {
  constexpr std::array kSources = {
      Choice<SecretSource>{"env", SecretSource::kEnvironment},
      Choice<SecretSource>{"file", SecretSource::kFile},
      Choice<SecretSource>{"command", SecretSource::kCommand},
  };
  Secret secret;
  const Member* member = parent.find("password", Need::kOptional);
  if (member == nullptr) return secret;
  const std::string fix = "write { env = \"NAME\" }, { file = \"PATH\" } or { command = \"...\" }";
  if (member->value.kind != NodeKind::kTable || member->value.members.size() != 1) {
    parent.problems().add(member->value.place, ErrorCode::kConfigValue,
                          "\"" + parent.path() + ".password\" must name one source",
                          "secrets do not stand in the config", fix);
    return secret;
  }
  TableReader reader(member->value, parent.path() + ".password", parent.problems());
  for (const Choice<SecretSource>& source : kSources) {
    std::string name;
    reader.text(source.name, name);
    if (!name.empty()) secret = {source.value, name};
  }
  reader.finish();
  return secret;
}

// "scheme://user:secret@host", or "?password=secret" behind it.
bool holds_password(std::string_view url) {
  const size_t start = url.find("://");
  if (start == std::string_view::npos) return false;
  const size_t query = url.find('?');
  for (const std::string_view name : {"?password=", "&password="}) {
    if (query != std::string_view::npos && url.find(name, query) != std::string_view::npos) {
      return true;
    }
  }
  const std::string_view authority =
      url.substr(start + 3, url.find_first_of("/?", start + 3) - (start + 3));
  const size_t at = authority.rfind('@');
  return at != std::string_view::npos &&
         authority.substr(0, at).find(':') != std::string_view::npos;
}

// Secrets do not stand in the config.
void read_url(TableReader& reader, const char* name, Need need, std::string& url) {
  reader.text(name, url, need);
  if (!holds_password(url)) return;
  reader.problems().add(reader.find(name, Need::kOptional)->value.place, ErrorCode::kConfigValue,
                        "\"" + reader.path() + "." + name + "\" holds a password",
                        "secrets do not stand in the config",
                        "take it out of the url and name its source in \"password\"");
}

// Where a system keeps its log until we have read it.
void read_log_limits(TableReader& reader, SystemSettings& system) {
  reader.size("log_alarm", system.log_alarm_bytes, kLogLeast);
  reader.size("log_limit", system.log_limit_bytes, kLogLeast);
  reader.choice("log_limit_action", kLogLimitActions, system.log_limit_action);
  const Member* action = reader.find("log_limit_action", Need::kOptional);
  if (action == nullptr || reader.find("log_limit", Need::kOptional) != nullptr) return;
  reader.problems().add(action->value.place, ErrorCode::kConfigValue,
                        "\"" + reader.path() + ".log_limit_action\" stands without a \"log_limit\"",
                        "nothing says when it is to come", "add log_limit = \"64GiB\"");
}

// What not every kind of system has.
void read_of_kind(TableReader& reader, const Offer& offer, SystemSettings& system) {
  const auto kind = std::ranges::find(offer.kinds, system.kind, &SystemKind::name);
  if (kind == offer.kinds.end()) return;
  if (kind->has_replica) read_url(reader, "replica", Need::kOptional, system.replica);
  if (kind->keeps_log) read_log_limits(reader, system);
  if (kind->write_connections_max > 1) {
    reader.count("write_connections", system.write_connections, 1, kind->write_connections_max);
  }
}

void read_system(const Member& member, const Offer& offer, Problems& problems, Config& config) {
  SystemSettings system;
  system.name = member.name;
  system.id = model::stable_id(member.name);
  system.place = member.place;
  check_name(NameOf::kSystem, member.name, member.place, problems);
  TableReader reader(member.value, "systems." + member.name, problems);
  reader.text("kind", system.kind, Need::kMandatory);
  std::vector<std::string> kinds;
  kinds.reserve(offer.kinds.size());
  for (const SystemKind& kind : offer.kinds) kinds.push_back(kind.name);
  if (!system.kind.empty() && std::ranges::find(kinds, system.kind) == kinds.end()) {
    problems.add_unknown(reader.find("kind", Need::kOptional)->value.place,
                         "this version knows no system of kind", system.kind, kinds);
  }
  read_url(reader, "url", Need::kMandatory, system.url);
  system.password = read_password(reader);
  if (system.password.source == SecretSource::kFile) {
    system.password.name = in_folder_of(config.file, system.password.name);
  }
  read_of_kind(reader, offer, system);
  reader.finish();
  config.systems.push_back(std::move(system));
}

}  // namespace

void check_name(NameOf kind, const std::string& name, const Place& place, Problems& problems) {
  const std::string thing(name_text(kind));
  if (name.empty() || name.size() > kNameMax ||
      name.find_first_not_of(kNameLetters) != std::string::npos) {
    problems.add(place, ErrorCode::kConfigValue, "\"" + name + "\" is no name for the " + thing,
                 "names have 1 to 63 letters, digits, - and _", "choose another name");
  } else if (is_reserved(kind, name)) {
    problems.add(place, ErrorCode::kConfigValue, "\"" + name + "\" is no name for the " + thing,
                 "the word has a meaning of its own", "choose another name");
  }
}

std::vector<std::string> names_of(const std::vector<SystemSettings>& systems) {
  std::vector<std::string> names;
  names.reserve(systems.size());
  for (const SystemSettings& system : systems) names.push_back(system.name);
  return names;
}

std::vector<std::string> names_of(const std::vector<Mapping>& mappings) {
  std::vector<std::string> names;
  names.reserve(mappings.size());
  for (const Mapping& mapping : mappings) names.push_back(mapping.system);
  return names;
}

void check_whole(const Config& config, Problems& problems) {
  std::map<uint32_t, std::string> ids;
  const auto claim = [&](uint32_t id, const std::string& name, const Place& place) {
    const auto [held, is_new] = ids.emplace(id, name);
    if (is_new || held->second == name) return;
    problems.add(place, ErrorCode::kConfigValue,
                 "\"" + name + "\" and \"" + held->second + "\" get the same number",
                 "ids are hashes of names, and these two meet", "rename one of them");
  };
  for (const SystemSettings& system : config.systems) claim(system.id, system.name, system.place);
  ids.clear();
  for (const Dataset& dataset : config.datasets) claim(dataset.id, dataset.name, dataset.place);
  for (const Dataset& dataset : config.datasets) {
    if (dataset.atomic.empty()) continue;
    claim(dataset.stream, dataset.atomic, dataset.place);
    if (config.find_dataset(dataset.atomic) == nullptr) continue;
    problems.add(dataset.place, ErrorCode::kConfigValue,
                 "\"" + dataset.atomic + "\" is both a dataset and an atomic group",
                 "both would number their changes as one stream", "rename the group");
  }
  std::map<std::pair<std::string, std::string>, std::string> tables;
  for (const Dataset& dataset : config.datasets) {
    for (const Mapping& mapping : dataset.mappings) {
      const auto [held, is_new] =
          tables.emplace(std::pair(mapping.system, mapping.table), dataset.name);
      if (is_new || mapping.table.empty()) continue;
      problems.add(mapping.place, ErrorCode::kConfigValue,
                   "table \"" + mapping.table + "\" of \"" + mapping.system +
                       "\" belongs to dataset \"" + held->second + "\" already",
                   "a table's changes go to one dataset", "remove one of the two");
    }
  }
}

}  // namespace detail

bool is_reserved_system(std::string_view name) {
  return name.starts_with("syncline") ||
         std::ranges::find(detail::kSystemWords, name) != detail::kSystemWords.end();
}

Parsed parse_config(std::string_view text, std::string_view file, const Offer& offer) {
  Parsed parsed;
  parsed.config.file = file;
  auto document = detail::parse_toml(text, file);
  if (!document.has_value()) {
    parsed.errors.push_back(document.error());
    return parsed;
  }
  detail::Problems problems(file);
  detail::TableReader top(document.value(), "", problems);
  Config& config = parsed.config;
  detail::read_appliance(top, offer, config);
  detail::read_journal(top, config);
  top.each_table("systems", detail::Need::kMandatory, [&](const detail::Member& member) {
    detail::read_system(member, offer, problems, config);
  });
  top.each_table("datasets", detail::Need::kMandatory, [&](const detail::Member& member) {
    config.datasets.push_back(detail::read_dataset(member, config, offer, problems));
  });
  top.finish();
  detail::check_whole(config, problems);
  parsed.errors = problems.sorted();
  return parsed;
}

}  // namespace syncline::config
