// A TOML document as a plain tree with the place of every key and value, in the file's order; so
// that only node.cpp compiles toml++.
//
// Threads: values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/base/result.hpp"
#include "host/config/config.hpp"

namespace syncline::config::detail {

enum class NodeKind : uint8_t { kTable, kArray, kString, kInteger, kBoolean, kOther };

struct Member;

struct Node {
  NodeKind kind = NodeKind::kTable;
  Place place;
  std::string text;     // kString; kOther: what it is
  int64_t integer = 0;  // kInteger, kBoolean
  std::vector<Member> members;
  std::vector<Node> items;
};

struct Member {
  std::string name;
  Place place;  // of the key
  Node value;
};

std::string_view kind_text(NodeKind kind);  // "a table", "a string"

// Errors: kConfigSyntax; `what` begins with file:line:column.
Result<Node> parse_toml(std::string_view text, std::string_view file);

}  // namespace syncline::config::detail
