#include "drivers/systems/mariadb/declaration.hpp"

#include <algorithm>
#include <vector>

#include "drivers/systems/mariadb/detail/connection.hpp"

namespace syncline::mariadb {
namespace {

using Words = std::vector<std::string>;

// Behind the quoted text that begins here: 'it''s \'x\'', `a``b`.
size_t end_of_quoted(std::string_view text, size_t at) {
  const char quote = text[at];
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\' && quote == '\'') {
      ++at;
    } else if (text[at] == quote) {
      if (at + 1 == text.size() || text[at + 1] != quote) return at + 1;
      ++at;
    }
  }
  return text.size();
}

// At spaces, but for those in quotes and parentheses.
Words split_words(std::string_view text) {
  Words words;
  size_t begin = 0;
  size_t depth = 0;
  for (size_t at = 0; at <= text.size();) {
    if (at == text.size() || (text[at] == ' ' && depth == 0)) {
      if (at > begin) words.emplace_back(text.substr(begin, at - begin));
      begin = ++at;
    } else if (text[at] == '\'' || text[at] == '`' || text[at] == '"') {
      at = end_of_quoted(text, at);
    } else {
      if (text[at] == '(') ++depth;
      if (text[at] == ')' && depth > 0) --depth;
      ++at;
    }
  }
  return words;
}

bool is_at(const Words& words, size_t at, std::string_view first, std::string_view second) {
  return at + 1 < words.size() && words[at] == first && words[at + 1] == second;
}

// Words of types are small, those of attributes are not.
struct Parts {
  Words type;  // "bigint(20)", "unsigned"; with its character set
  Words collation;
  Words attributes;

  explicit Parts(std::string_view declaration) {
    Words words = split_words(declaration);
    size_t at = 0;
    while (at < words.size() && (words[at][0] < 'A' || words[at][0] > 'Z')) ++at;
    if (is_at(words, at, "CHARACTER", "SET")) at = std::min(at + 3, words.size());
    type.assign(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(at));
    if (at + 1 < words.size() && words[at] == "COLLATE") {
      collation = {words[at], words[at + 1]};
      at += 2;
    }
    attributes.assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
  }

  size_t find(std::string_view word) const {
    return static_cast<size_t>(std::find(attributes.begin(), attributes.end(), word) -
                               attributes.begin());
  }
  void erase(size_t at, size_t count) {
    const auto from = attributes.begin() + static_cast<std::ptrdiff_t>(std::min(at, size()));
    const size_t left = static_cast<size_t>(attributes.end() - from);
    attributes.erase(from, from + static_cast<std::ptrdiff_t>(std::min(count, left)));
  }
  // Before what must come last, or reads best there.
  void add(const Words& words) {
    const size_t at = std::min({find("INVISIBLE"), find("COMMENT"), find("CHECK")});
    attributes.insert(attributes.begin() + static_cast<std::ptrdiff_t>(at), words.begin(),
                      words.end());
  }
  size_t size() const { return attributes.size(); }

  std::string text() const {
    std::string out;
    for (const Words* part : {&type, &collation, &attributes}) {
      for (const std::string& word : *part) out += (out.empty() ? "" : " ") + word;
    }
    return out;
  }
};

}  // namespace

std::optional<std::string> declaration_in(std::string_view create, std::string_view column) {
  // With sql_quote_show_create = 0, names stand bare.
  for (const std::string& name : {quoted_name(column), std::string(column)}) {
    const std::string begin = "\n  " + name + " ";
    const size_t at = create.find(begin);
    if (at == std::string_view::npos) continue;
    std::string_view line = create.substr(at + begin.size());
    line = line.substr(0, line.find('\n'));
    if (line.ends_with(',')) line.remove_suffix(1);
    return std::string(line);
  }
  return std::nullopt;
}

// A clock with fewer digits than its column is refused.
std::string with_type(std::string_view declaration, const std::string& type) {
  Parts parts(declaration);
  const auto charset = std::find(parts.type.begin(), parts.type.end(), "CHARACTER");
  parts.type.erase(parts.type.begin(), charset);
  parts.type.insert(parts.type.begin(), type);
  const bool is_clock = type.starts_with("timestamp(") || type.starts_with("datetime(");
  for (std::string& word : parts.attributes) {
    const bool is_now =
        word.starts_with("current_timestamp") || word.starts_with("CURRENT_TIMESTAMP");
    if (is_clock && is_now) word = "current_timestamp" + type.substr(type.find('('));
  }
  return parts.text();
}

std::string without_null(std::string_view declaration) {
  Parts parts(declaration);
  const size_t by_default = parts.find("DEFAULT");
  if (is_at(parts.attributes, by_default, "DEFAULT", "NULL")) parts.erase(by_default, 2);
  const size_t null = parts.find("NULL");
  if (null > 0 && null < parts.size() && parts.attributes[null - 1] == "NOT") return parts.text();
  parts.erase(null, 1);
  const Words words = {"NOT", "NULL"};
  parts.attributes.insert(parts.attributes.begin(), words.begin(), words.end());
  return parts.text();
}

std::string with_collation(std::string_view declaration, const std::string& collation) {
  Parts parts(declaration);
  parts.collation = {"COLLATE", collation};
  return parts.text();
}

std::string with_default(std::string_view declaration, const std::string& expression) {
  Parts parts(declaration);
  parts.erase(parts.find("AUTO_INCREMENT"), 1);
  parts.erase(parts.find("DEFAULT"), 2);
  parts.add({"DEFAULT", expression});
  return parts.text();
}

std::string with_on_update(std::string_view declaration, const std::string& expression) {
  Parts parts(declaration);
  parts.add({"ON", "UPDATE", expression});
  return parts.text();
}

bool has_default(std::string_view declaration) {
  const Parts parts(declaration);
  const size_t at = parts.find("DEFAULT");
  return at < parts.size() && !is_at(parts.attributes, at, "DEFAULT", "NULL");
}

}  // namespace syncline::mariadb
