#include "host/config/detail/reader.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "host/config/nearest.hpp"

namespace syncline::config::detail {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

constexpr uint64_t kSecondUs = 1'000'000;
constexpr std::array kDurations = {
    Unit{"ms", 1'000},
    Unit{"s", kSecondUs},
    Unit{"m", 60 * kSecondUs},
    Unit{"h", 3'600 * kSecondUs},
    Unit{"d", 24 * 3'600 * kSecondUs},
};
constexpr std::array kSizes = {
    Unit{"KiB", 1ULL << 10},   Unit{"MiB", 1ULL << 20},
    Unit{"GiB", 1ULL << 30},   Unit{"TiB", 1ULL << 40},
    Unit{"KB", 1'000},         Unit{"MB", 1'000'000},
    Unit{"GB", 1'000'000'000}, Unit{"TB", 1'000'000'000'000},
};

// "7d" -> 7 times the unit's factor; nothing where it is malformed or beyond 63 bits.
std::optional<uint64_t> parse_measure(std::string_view text, std::span<const Unit> units) {
  uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec != std::errc()) return std::nullopt;
  std::string_view name = text.substr(static_cast<size_t>(parsed.ptr - text.data()));
  name.remove_prefix(std::min(name.find_first_not_of(' '), name.size()));
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / unit.factor) break;
    return number * unit.factor;
  }
  return std::nullopt;
}

}  // namespace

std::optional<uint64_t> parse_size(std::string_view text) {
  return parse_measure(text, kSizes);
}

void Problems::add(const Place& place, ErrorCode code, std::string what, std::string why,
                   std::string fix) {
  std::string prefix =
      file_ + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) + ": ";
  errors_.push_back({place, Error{code, prefix + std::move(what), std::move(why), std::move(fix)}});
}

void Problems::add_unknown(const Place& place, const std::string& what, std::string_view word,
                           std::span<const std::string> known) {
  add(place, ErrorCode::kConfigUnknown, what + " \"" + std::string(word) + "\"",
      "nothing has this name here", suggest(word, known));
}

std::vector<Error> Problems::sorted() const {
  std::vector<std::pair<Place, Error>> ordered = errors_;
  std::ranges::stable_sort(ordered, {}, &std::pair<Place, Error>::first);
  std::vector<Error> errors;
  errors.reserve(ordered.size());
  for (auto& [place, error] : ordered) errors.push_back(std::move(error));
  return errors;
}

std::string TableReader::named(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const Member* TableReader::find(std::string_view name, Need need) {
  known_.emplace_back(name);
  for (const Member& member : table_.members) {
    if (member.name == name) return &member;
  }
  if (need == Need::kMandatory) {
    problems_.add(table_.place, ErrorCode::kConfigValue, "\"" + named(name) + "\" is missing",
                  "it has no default", "add it");
  }
  return nullptr;
}

const Member* TableReader::find(std::string_view name, NodeKind kind, Need need) {
  const Member* member = find(name, need);
  if (member == nullptr || member->value.kind == kind) return member;
  problems_.add(member->value.place, ErrorCode::kConfigValue,
                "\"" + named(name) + "\" must be " + std::string(kind_text(kind)),
                "it is " + std::string(kind_text(member->value.kind)), "correct it");
  return nullptr;
}

void TableReader::text(std::string_view name, std::string& out, Need need) {
  const Member* member = find(name, NodeKind::kString, need);
  if (member == nullptr) return;
  if (member->value.text.empty()) {
    problems_.add(member->value.place, ErrorCode::kConfigValue, "\"" + named(name) + "\" is empty",
                  "an empty string says nothing", "fill it or leave the key out");
    return;
  }
  out = member->value.text;
}

void TableReader::count(std::string_view name, size_t& out, size_t least, size_t most) {
  const Member* member = find(name, NodeKind::kInteger, Need::kOptional);
  if (member == nullptr) return;
  const int64_t value = member->value.integer;
  if (value < 0 || static_cast<uint64_t>(value) < least || static_cast<uint64_t>(value) > most) {
    problems_.add(member->value.place, ErrorCode::kConfigValue,
                  "\"" + named(name) + "\" is out of range", "it is " + std::to_string(value),
                  "use " + std::to_string(least) + " to " + std::to_string(most));
    return;
  }
  out = static_cast<size_t>(value);
}

void TableReader::duration(std::string_view name, int64_t& out_us) {
  const Member* member = find(name, NodeKind::kString, Need::kOptional);
  if (member == nullptr) return;
  const auto value = parse_measure(member->value.text, kDurations);
  if (!value) {
    problems_.add(member->value.place, ErrorCode::kConfigValue,
                  "\"" + member->value.text + "\" is not a duration",
                  "\"" + named(name) + "\" is a whole number and a unit",
                  "write it as \"90s\", \"15m\", \"12h\" or \"7d\"");
    return;
  }
  out_us = static_cast<int64_t>(*value);
}

void TableReader::size(std::string_view name, uint64_t& out_bytes, uint64_t least) {
  const Member* member = find(name, NodeKind::kString, Need::kOptional);
  if (member == nullptr) return;
  const auto value = parse_size(member->value.text);
  if (!value) {
    problems_.add(member->value.place, ErrorCode::kConfigValue,
                  "\"" + member->value.text + "\" is not a size",
                  "\"" + named(name) + "\" is a whole number and a unit",
                  "write it as \"64MiB\" or \"16GiB\"");
    return;
  }
  if (*value < least) {
    problems_.add(member->value.place, ErrorCode::kConfigValue,
                  "\"" + named(name) + "\" is too small", "it is " + member->value.text,
                  "use at least " + std::to_string(least >> 20) + "MiB");
    return;
  }
  out_bytes = *value;
}

void TableReader::texts(std::string_view name, std::vector<std::string>& out, Need need) {
  const Member* member = find(name, NodeKind::kArray, need);
  if (member == nullptr) return;
  for (const Node& item : member->value.items) {
    if (item.kind != NodeKind::kString || item.text.empty()) {
      problems_.add(item.place, ErrorCode::kConfigValue,
                    "\"" + named(name) + "\" holds something that is not a name",
                    "it is a list of strings", "correct it");
      continue;
    }
    if (std::ranges::find(out, item.text) != out.end()) {
      problems_.add(item.place, ErrorCode::kConfigValue,
                    "\"" + named(name) + "\" names \"" + item.text + "\" twice",
                    "each may stand there once", "remove one");
      continue;
    }
    out.push_back(item.text);
  }
  if (need == Need::kMandatory && member->value.items.empty()) {
    problems_.add(member->value.place, ErrorCode::kConfigValue, "\"" + named(name) + "\" is empty",
                  "at least one name must stand there", "add one");
  }
}

void TableReader::text_map(std::string_view name, std::map<std::string, std::string>& out) {
  const Member* member = find(name, NodeKind::kTable, Need::kOptional);
  if (member == nullptr) return;
  for (const Member& entry : member->value.members) {
    if (entry.value.kind == NodeKind::kString && !entry.value.text.empty()) {
      out[entry.name] = entry.value.text;
      continue;
    }
    problems_.add(entry.value.place, ErrorCode::kConfigValue,
                  "\"" + named(name) + "." + entry.name + "\" must be a string",
                  "it is " + std::string(kind_text(entry.value.kind)), "correct it");
  }
}

void TableReader::each_table(std::string_view name, Need need,
                             const std::function<void(const Member&)>& visit) {
  const Member* member = find(name, NodeKind::kTable, need);
  if (member == nullptr) return;
  for (const Member& entry : member->value.members) {
    if (entry.value.kind == NodeKind::kTable) {
      visit(entry);
      continue;
    }
    problems_.add(entry.value.place, ErrorCode::kConfigValue,
                  "\"" + named(name) + "." + entry.name + "\" must be a table",
                  "it is " + std::string(kind_text(entry.value.kind)),
                  "write it as [" + named(name) + "." + entry.name + "]");
  }
}

void TableReader::refuse_unbuilt(const Node& value, const std::string& name,
                                 const std::string& word) {
  problems_.add(value.place, ErrorCode::kUnsupported, "\"" + named(name) + "\" is " + word,
                "this is not built into this version", "choose another value or leave the key out");
}

void TableReader::finish() {
  for (const Member& member : table_.members) {
    if (std::ranges::find(known_, member.name) != known_.end()) continue;
    problems_.add_unknown(member.place, path_.empty() ? "unknown key" : "unknown key in " + path_,
                          member.name, known_);
  }
}

}  // namespace syncline::config::detail
