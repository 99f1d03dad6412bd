#include <algorithm>

#include "host/config/detail/sections.hpp"

namespace syncline::config::detail {
namespace {

constexpr std::array kPolicies = {
    Choice<PolicyKind>{"newest", PolicyKind::kNewest},
    Choice<PolicyKind>{"oldest", PolicyKind::kOldest},
    Choice<PolicyKind>{"local", PolicyKind::kLocal},
    Choice<PolicyKind>{"stop", PolicyKind::kStop, false},
};
// Policies that combine values, written as { merge = "sum" } or { rule = "rules/notes.lua" }.
constexpr std::array kCombining = {
    Choice<PolicyKind>{"merge", PolicyKind::kMerge, false},
    Choice<PolicyKind>{"rule", PolicyKind::kRule, false},
};

void read_word(const Node& value, const std::string& name, PolicyUse use,
               const std::vector<std::string>& systems, TableReader& reader, Policy& out) {
  out.text = value.text;
  if (std::ranges::find(systems, value.text) != systems.end()) {
    out.kind = PolicyKind::kAuthority;
    out.authority = {value.text};
    return;
  }
  std::vector<std::string> known = systems;
  for (const Choice<PolicyKind>& row : kPolicies) {
    if (row.value == PolicyKind::kLocal && use == PolicyUse::kDefault) continue;
    if (row.is_built) known.emplace_back(row.name);
    if (row.name != value.text) continue;
    if (!row.is_built) reader.refuse_unbuilt(value, name, "\"" + value.text + "\"");
    out.kind = row.value;
    return;
  }
  reader.problems().add_unknown(value.place, "unknown policy or system", value.text, known);
}

void read_authority(const Node& value, const std::vector<std::string>& systems, TableReader& reader,
                    Policy& out) {
  out.kind = PolicyKind::kAuthority;
  out.text.clear();
  if (value.items.empty()) {
    reader.problems().add(value.place, ErrorCode::kConfigValue,
                          "an authority list in " + reader.path() + " is empty",
                          "it names systems, the highest first", "name a system or use \"newest\"");
  }
  for (const Node& item : value.items) {
    if (item.kind != NodeKind::kString || std::ranges::find(systems, item.text) == systems.end()) {
      reader.problems().add_unknown(item.place, "no system of this dataset is called", item.text,
                                    systems);
      continue;
    }
    if (std::ranges::find(out.authority, item.text) != out.authority.end()) {
      reader.problems().add(item.place, ErrorCode::kConfigValue,
                            "the authority list names \"" + item.text + "\" twice",
                            "each system has one rank", "remove one");
      continue;
    }
    out.text += (out.text.empty() ? "" : ", ") + item.text;
    out.authority.push_back(item.text);
  }
}

void read_combining(const Node& value, const std::string& name, TableReader& reader, Policy& out) {
  std::vector<std::string> known;
  known.reserve(kCombining.size());
  for (const Choice<PolicyKind>& row : kCombining) known.emplace_back(row.name);
  for (const Member& member : value.members) {
    const auto row = std::ranges::find(kCombining, member.name, &Choice<PolicyKind>::name);
    if (row == kCombining.end()) {
      reader.problems().add_unknown(member.place, "unknown kind of policy", member.name, known);
      continue;
    }
    out.kind = row->value;
    out.text = member.name + " " + member.value.text;
    if (!row->is_built) reader.refuse_unbuilt(value, name, "a policy of kind " + member.name);
  }
}

}  // namespace

Policy read_policy(const Member& member, PolicyUse use, const std::vector<std::string>& systems,
                   TableReader& reader) {
  Policy policy;
  policy.place = member.place;
  switch (member.value.kind) {
    case NodeKind::kString:
      read_word(member.value, member.name, use, systems, reader, policy);
      break;
    case NodeKind::kArray:
      read_authority(member.value, systems, reader, policy);
      break;
    case NodeKind::kTable:
      read_combining(member.value, member.name, reader, policy);
      break;
    default:
      reader.problems().add(member.value.place, ErrorCode::kConfigValue,
                            "\"" + reader.path() + "." + member.name + "\" is no policy",
                            "it is " + std::string(kind_text(member.value.kind)),
                            "use \"newest\", \"oldest\", a system or a list of systems");
  }
  return policy;
}

}  // namespace syncline::config::detail
