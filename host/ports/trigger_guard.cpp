#include "host/ports/trigger_guard.hpp"

#include <algorithm>
#include <cctype>

namespace syncline::ports {
namespace {

bool is_in_name(char letter) {
  return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_' || letter == '@' ||
         letter == '$' || static_cast<unsigned char>(letter) >= 0x80;
}

bool is_same(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  });
}

// Where the comment that begins here ends; `at` itself where none does.
size_t behind_comment(std::string_view sql, size_t at, const Lexis& lexis) {
  const std::string_view rest = sql.substr(at);
  const auto behind = [&](std::string_view end) {
    const size_t found = sql.find(end, at);
    return found == std::string_view::npos ? sql.size() : found + end.size();
  };
  const bool is_hash = lexis.has_hash_comments && rest.starts_with('#');
  if (rest.starts_with("--") || is_hash) return behind("\n");
  return rest.starts_with("/*") ? behind("*/") : at;
}

// Where the string or quoted name that begins here ends; a quote within is doubled, and so it is
// two of them side by side.
size_t behind_quoted(std::string_view sql, size_t at, const Lexis& lexis) {
  char quote = sql[at];
  if (quote == '[' && lexis.has_brackets) {
    quote = ']';
  } else if (quote != '\'' && quote != '"' && quote != '`') {
    return at;
  }
  for (size_t end = at + 1; end < sql.size(); ++end) {
    if (sql[end] == quote) return end + 1;
    if (sql[end] == '\\' && lexis.has_backslashes && quote != '`') ++end;
  }
  return sql.size();
}

// The first such words outside comments, quotes and parentheses.
size_t find_keyword(std::string_view sql, std::string_view words, const Lexis& lexis) {
  int depth = 0;
  for (size_t at = 0; at < sql.size();) {
    const size_t behind = std::max(behind_comment(sql, at, lexis), behind_quoted(sql, at, lexis));
    if (behind > at) {
      at = behind;
      continue;
    }
    size_t end = at;
    while (end < sql.size() && is_in_name(sql[end])) ++end;
    const std::string_view here = sql.substr(at, words.size());
    const bool is_whole = at + words.size() == sql.size() ||
                          (at + words.size() < sql.size() && !is_in_name(sql[at + words.size()]));
    if (depth == 0 && end > at && is_whole && is_same(here, words)) return at;
    if (sql[at] == '(') ++depth;
    if (sql[at] == ')') --depth;
    at = std::max(end, at + 1);
  }
  return std::string_view::npos;
}

}  // namespace

bool names(std::string_view sql, std::string_view word, const Lexis& lexis) {
  for (size_t at = 0; at + word.size() <= sql.size();) {
    if (const size_t behind = behind_comment(sql, at, lexis); behind > at) {
      at = behind;
      continue;
    }
    // A string may hold what begins a comment elsewhere, and the word.
    const size_t end = std::max(behind_quoted(sql, at, lexis), at + 1);
    for (size_t i = at; i < end && i + word.size() <= sql.size(); ++i) {
      const size_t behind = i + word.size();
      if (is_same(sql.substr(i, word.size()), word) && (i == 0 || !is_in_name(sql[i - 1])) &&
          (behind == sql.size() || !is_in_name(sql[behind]))) {
        return true;
      }
    }
    at = end;
  }
  return false;
}

std::string with_condition(std::string_view sql, std::string_view body, std::string_view condition,
                           const Lexis& lexis) {
  const size_t begin = find_keyword(sql, body, lexis);
  if (begin == std::string_view::npos) return {};
  const size_t when = find_keyword(sql.substr(0, begin), "WHEN", lexis);
  std::string out(sql.substr(0, std::min(when, begin)));
  out.append("WHEN (").append(condition);
  if (when != std::string_view::npos) {
    constexpr size_t kWhenLength = 4;
    std::string_view own = sql.substr(when + kWhenLength, begin - when - kWhenLength);
    while (!own.empty() && std::isspace(static_cast<unsigned char>(own.front())) != 0) {
      own.remove_prefix(1);
    }
    while (!own.empty() && std::isspace(static_cast<unsigned char>(own.back())) != 0) {
      own.remove_suffix(1);
    }
    out.append(" AND (").append(own).append("\n)");  // it may end with a comment
  }
  return out.append(") ").append(sql.substr(begin));
}

}  // namespace syncline::ports
