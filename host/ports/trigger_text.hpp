// What a trigger's body says of the row that it is about to let in.
//
// Threads: a pure function.
#pragma once

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

namespace syncline::ports {

namespace detail {

inline bool is_name_letter(char letter) {
  return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_';
}

// Whether a statement, or one more assignment of it, may begin behind this text.
inline bool begins_statement(std::string_view before) {
  while (!before.empty() && std::isspace(static_cast<unsigned char>(before.back())) != 0) {
    before.remove_suffix(1);
  }
  if (before.empty() || before.back() == ';' || before.back() == ',') return true;
  size_t at = before.size();
  while (at > 0 && is_name_letter(before[at - 1])) --at;
  const std::string_view word = before.substr(at);
  constexpr std::string_view kBefore[] = {"begin", "then", "else", "loop", "do", "set"};
  return std::find(std::begin(kBefore), std::end(kBefore), word) != std::end(kBefore);
}

}  // namespace detail

// Whether it assigns to NEW.column, in any case and with or without quotes: what is found is
// proposed to a person, no more.
inline bool assigns_new(std::string_view body, std::string_view column) {
  const auto lower = [](std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    return out;
  };
  const std::string text = lower(body);
  const std::string name = lower(column);
  for (size_t at = text.find("new."); at != std::string::npos; at = text.find("new.", at + 1)) {
    if (!detail::begins_statement(std::string_view(text).substr(0, at))) continue;
    std::string_view rest = std::string_view(text).substr(at + 4);
    const bool is_quoted = rest.starts_with('`') || rest.starts_with('"');
    if (is_quoted) rest.remove_prefix(1);
    if (!rest.starts_with(name)) continue;
    rest.remove_prefix(name.size());
    if (is_quoted && !rest.empty()) rest.remove_prefix(1);
    while (rest.starts_with(' ')) rest.remove_prefix(1);
    if (rest.starts_with('=') || rest.starts_with(":=")) return true;
  }
  return false;
}

}  // namespace syncline::ports
