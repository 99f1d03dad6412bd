#include "host/config/detail/node.hpp"

#include <algorithm>

#include <toml++/toml.h>

namespace syncline::config::detail {
namespace {

Place place_of(const toml::source_region& source) {
  return {source.begin.line, source.begin.column};
}

Node convert(const toml::node& from);

Node convert_table(const toml::table& table) {
  Node node;
  for (const auto& [key, value] : table) {
    node.members.push_back({std::string(key.str()), place_of(key.source()), convert(value)});
  }
  // toml++ sorts by name; people think in the order they wrote.
  std::ranges::stable_sort(node.members, {}, &Member::place);
  return node;
}

Node convert(const toml::node& from) {
  Node node;
  if (const toml::table* table = from.as_table()) {
    node = convert_table(*table);
  } else if (const toml::array* array = from.as_array()) {
    node.kind = NodeKind::kArray;
    for (const toml::node& item : *array) node.items.push_back(convert(item));
  } else if (const auto text = from.value_exact<std::string>()) {
    node.kind = NodeKind::kString;
    node.text = *text;
  } else if (const auto integer = from.value_exact<int64_t>()) {
    node.kind = NodeKind::kInteger;
    node.integer = *integer;
  } else if (const auto boolean = from.value_exact<bool>()) {
    node.kind = NodeKind::kBoolean;
    node.integer = *boolean ? 1 : 0;
  } else {
    node.kind = NodeKind::kOther;
  }
  node.place = place_of(from.source());
  return node;
}

}  // namespace

std::string_view kind_text(NodeKind kind) {
  switch (kind) {
    case NodeKind::kTable:
      return "a table";
    case NodeKind::kArray:
      return "a list";
    case NodeKind::kString:
      return "a string";
    case NodeKind::kInteger:
      return "a whole number";
    case NodeKind::kBoolean:
      return "true or false";
    case NodeKind::kOther:
      return "a fraction, date or time";
  }
  return "nothing";
}

Result<Node> parse_toml(std::string_view text, std::string_view file) {
  try {
    return convert(toml::parse(text, file));
  } catch (const toml::parse_error& error) {
    const Place place = place_of(error.source());
    return fail(ErrorCode::kConfigSyntax,
                std::string(file) + ":" + std::to_string(place.line) + ":" +
                    std::to_string(place.column) + ": this is not TOML",
                std::string(error.description()), "correct the line; toml.io describes the format");
  }
}

}  // namespace syncline::config::detail
