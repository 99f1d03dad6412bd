#include "drivers/systems/sqlite/detail/table_text.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "drivers/systems/sqlite/detail/connection.hpp"

namespace syncline::sqlite {
namespace {

// Text is outside of comments and quotes; a bracket stands at the depth it opens from.
struct Token {
  size_t begin = 0;
  size_t end = 0;
  int depth = 0;
  bool is_word = false;
};

struct Edit {
  size_t begin = 0;
  size_t end = 0;
  std::string text;
};

bool is_in_word(char letter) {
  return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_' || letter == '$' ||
         static_cast<unsigned char>(letter) >= 0x80;
}

size_t behind(std::string_view sql, std::string_view end, size_t from) {
  const size_t found = sql.find(end, from);
  return found == std::string_view::npos ? sql.size() : found + end.size();
}

// Where the comment or the white space that begins here ends; `at` itself where none does.
size_t behind_nothing(std::string_view sql, size_t at) {
  if (std::isspace(static_cast<unsigned char>(sql[at])) != 0) return at + 1;
  if (sql.substr(at).starts_with("--")) return behind(sql, "\n", at);
  return sql.substr(at).starts_with("/*") ? behind(sql, "*/", at + 2) : at;
}

// A quote within is doubled.
size_t behind_quoted(std::string_view sql, size_t at) {
  if (sql[at] == '[') return behind(sql, "]", at);
  for (size_t end = at + 1; end < sql.size(); ++end) {
    if (sql[end] != sql[at]) continue;
    if (end + 1 == sql.size() || sql[end + 1] != sql[at]) return end + 1;
    ++end;
  }
  return sql.size();
}

std::vector<Token> tokens_of(std::string_view sql) {
  std::vector<Token> tokens;
  int depth = 0;
  for (size_t at = 0; at < sql.size();) {
    if (const size_t next = behind_nothing(sql, at); next > at) {
      at = next;
      continue;
    }
    if (sql[at] == ')') --depth;
    Token token{at, at + 1, depth, false};
    if (std::string_view("'\"`[").find(sql[at]) != std::string_view::npos) {
      token.end = behind_quoted(sql, at);
    } else if (is_in_word(sql[at])) {
      token.is_word = true;
      while (token.end < sql.size() && is_in_word(sql[token.end])) ++token.end;
    }
    if (sql[at] == '(') ++depth;
    tokens.push_back(token);
    at = token.end;
  }
  return tokens;
}

bool is_same(std::string_view left, std::string_view right) {
  return left.size() == right.size() &&
         sqlite3_strnicmp(left.data(), right.data(), static_cast<int>(left.size())) == 0;
}

std::string unquoted(std::string_view name) {
  if (name.size() < 2 || is_in_word(name.front())) return std::string(name);
  const char quote = name.back();
  std::string out;
  for (size_t i = 1; i + 1 < name.size(); ++i) {
    out += name[i];
    if (name[i] == quote && name[i + 1] == quote && i + 2 < name.size()) ++i;
  }
  return out;
}

constexpr std::array kColumnConstraints = {"CONSTRAINT", "PRIMARY",    "NOT",     "NULL",
                                           "UNIQUE",     "CHECK",      "DEFAULT", "COLLATE",
                                           "REFERENCES", "DEFERRABLE", "AS",      "GENERATED"};
constexpr std::array kTableConstraints = {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"};

class Text {
 public:
  Text(std::string_view sql, std::string_view name) : sql_(sql), tokens_(tokens_of(sql)) {
    const auto is_bracket = [&](const Token& token) { return word(token) == "("; };
    body_ = static_cast<size_t>(std::find_if(tokens_.begin(), tokens_.end(), is_bracket) -
                                tokens_.begin());
    if (body_ == 0 || body_ == tokens_.size()) return;
    end_ = body_ + 1;
    while (end_ < tokens_.size() && tokens_[end_].depth > 0) ++end_;
    edits_.push_back({tokens_[body_ - 1].begin, tokens_[body_ - 1].end, "main." + quoted(name)});
  }

  // False where the table has no such column.
  bool change(const ColumnChange& wanted) {
    for (size_t at = body_ + 1; at < end_; at = end_of_part(at) + 1) {
      if (is_one_of(at, kTableConstraints)) return false;
      if (!is_same(unquoted(word(tokens_[at])), wanted.column)) continue;
      change(wanted, at, end_of_part(at));
      return true;
    }
    return false;
  }

  // Whether a key of the table's own constraints names a collation.
  bool has_key_collation() const {
    for (size_t at = body_ + 1; at < end_; at = end_of_part(at) + 1) {
      if (!is_one_of(at, kTableConstraints)) continue;
      const size_t end = end_of_part(at);
      size_t kind = at;
      while (kind < end && !is_word(kind, "PRIMARY") && !is_word(kind, "UNIQUE")) ++kind;
      for (; kind < end; ++kind) {
        if (is_word(kind, "COLLATE")) return true;
      }
    }
    return false;
  }

  std::string result() {
    std::sort(edits_.begin(), edits_.end(),
              [](const Edit& a, const Edit& b) { return a.begin > b.begin; });
    std::string out(sql_);
    for (const Edit& edit : edits_) out.replace(edit.begin, edit.end - edit.begin, edit.text);
    return out;
  }

 private:
  std::string_view word(const Token& token) const {
    return sql_.substr(token.begin, token.end - token.begin);
  }
  bool is_word(size_t at, std::string_view expected) const {
    return at < end_ && tokens_[at].is_word && is_same(word(tokens_[at]), expected);
  }
  template <class Words>
  bool is_one_of(size_t at, const Words& words) const {
    return tokens_[at].depth == 1 && std::any_of(words.begin(), words.end(),
                                                 [&](const char* one) { return is_word(at, one); });
  }
  size_t end_of_part(size_t at) const {
    while (at < end_ && (tokens_[at].depth > 1 || word(tokens_[at]) != ",")) ++at;
    return at;
  }

  // One column's declaration from its name on.
  void change(const ColumnChange& wanted, size_t name, size_t end) {
    size_t constraints = name + 1;
    while (constraints < end && !is_one_of(constraints, kColumnConstraints)) ++constraints;
    const size_t from = tokens_[name].end;
    const size_t to = tokens_[constraints - 1].end;
    std::string type =
        wanted.type.empty() ? std::string(sql_.substr(from, to - from)) : " " + wanted.type;
    if (!wanted.collation.empty()) type += collate(wanted.collation, constraints, end);
    if (wanted.null == ColumnChange::Null::kRefused) type += refuse_null(constraints, end);
    if (wanted.null == ColumnChange::Null::kAllowed) allow_null(constraints, end);
    if (wanted.numbers == ColumnChange::Numbers::kNeverTwice) count_on(constraints, end);
    edits_.push_back({from, to, std::move(type)});
  }

  // What is to be added to the declaration, unless it is there to be changed. So with the next.
  std::string collate(const std::string& collation, size_t at, size_t end) {
    std::string added = " COLLATE " + collation;
    for (; at + 1 < end; ++at) {
      if (tokens_[at].depth != 1 || !is_word(at, "COLLATE")) continue;
      edits_.push_back({tokens_[at + 1].begin, tokens_[at + 1].end, collation});
      added.clear();
    }
    return added;
  }

  std::string refuse_null(size_t at, size_t end) {
    for (; at < end; ++at) {
      if (tokens_[at].depth != 1 || !is_word(at, "NULL")) continue;
      if (is_word(at - 1, "NOT")) return {};
      if (is_word(at - 1, "DEFAULT") || is_word(at - 1, "SET")) continue;
      edits_.push_back({tokens_[at].begin, tokens_[at].end, "NOT NULL"});
      return {};
    }
    return " NOT NULL";
  }

  void allow_null(size_t at, size_t end) {
    for (; at + 1 < end; ++at) {
      const bool is_refused =
          tokens_[at].depth == 1 && is_word(at, "NOT") && is_word(at + 1, "NULL");
      if (!is_refused) continue;
      const size_t last = behind_conflict(at + 2, end) - 1;
      edits_.push_back({tokens_[at].begin, tokens_[last].end, ""});
    }
  }

  // AUTOINCREMENT stands behind the column's PRIMARY KEY, or within the table's.
  void count_on(size_t at, size_t end) {
    for (size_t key = at; key + 1 < end; ++key) {
      if (tokens_[key].depth == 1 && is_word(key, "PRIMARY")) return count_behind(key + 2, end);
    }
    for (size_t key = end; key + 1 < end_; ++key) {
      if (tokens_[key].depth != 1 || !is_word(key, "PRIMARY")) continue;
      size_t bracket = key + 2;
      while (bracket < end_ && word(tokens_[bracket]) != ")") ++bracket;
      add_counting(bracket - 1);
      return;
    }
  }

  void count_behind(size_t at, size_t end) {
    if (is_word(at, "ASC")) ++at;
    at = behind_conflict(at, end);
    if (at < end && is_word(at, "AUTOINCREMENT")) return;
    add_counting(at - 1);
  }

  void add_counting(size_t last) {
    if (is_word(last, "AUTOINCREMENT")) return;
    edits_.push_back({tokens_[last].end, tokens_[last].end, " AUTOINCREMENT"});
  }

  // ON CONFLICT REPLACE
  size_t behind_conflict(size_t at, size_t end) const {
    constexpr size_t kWords = 3;
    return at + kWords <= end && is_word(at, "ON") && is_word(at + 1, "CONFLICT") ? at + kWords
                                                                                  : at;
  }

  std::string_view sql_;
  std::vector<Token> tokens_;
  size_t body_ = 0;  // the bracket that opens the declarations
  size_t end_ = 0;   // the one that closes them
  std::vector<Edit> edits_;
};

}  // namespace

std::string ended(std::string_view sql) {
  for (size_t at = 0; at < sql.size();) {
    const size_t next = behind_nothing(sql, at);
    const bool is_open =
        sql.substr(at).starts_with("/*") && sql.find("*/", at + 2) == std::string_view::npos;
    if (is_open) return std::string(sql) + " */; ";
    const bool is_quoted = std::string_view("'\"`[").find(sql[at]) != std::string_view::npos;
    at = next > at ? next : (is_quoted ? behind_quoted(sql, at) : at + 1);
  }
  return std::string(sql) + (sql.find("--") == std::string_view::npos ? "; " : "\n; ");
}

bool has_word(std::string_view sql, std::string_view wanted) {
  const std::vector<Token> tokens = tokens_of(sql);
  return std::any_of(tokens.begin(), tokens.end(), [&](const Token& token) {
    return token.is_word && is_same(sql.substr(token.begin, token.end - token.begin), wanted);
  });
}

bool has_key_collation(std::string_view create) {
  return Text(create, "").has_key_collation();
}

std::string in_main(std::string_view create) {
  constexpr size_t kNameAtMost = 3;  // CREATE UNIQUE INDEX name
  const std::vector<Token> tokens = tokens_of(create);
  std::string out(create);
  if (tokens.size() <= kNameAtMost) return out;
  const bool is_unique =
      is_same(create.substr(tokens[1].begin, tokens[1].end - tokens[1].begin), "UNIQUE");
  return out.insert(tokens[is_unique ? kNameAtMost : kNameAtMost - 1].begin, "main.");
}

IndexText index_text(std::string_view create) {
  const std::vector<Token> tokens = tokens_of(create);
  const auto word = [&](size_t at) {
    return create.substr(tokens[at].begin, tokens[at].end - tokens[at].begin);
  };
  constexpr size_t kName = 3;  // CREATE UNIQUE INDEX name ON table ( term
  constexpr size_t kFirst = 7;
  IndexText index;
  index.create = create;
  if (tokens.size() <= kFirst) return index;
  index.places.push_back(tokens[kName].begin);
  index.name_size = tokens[kName].end - tokens[kName].begin;
  for (size_t at = kFirst; at < tokens.size() && tokens[at].depth > 0;) {
    size_t end = at;
    size_t last = tokens.size();
    while (tokens[end].depth > 1 || (tokens[end].depth == 1 && word(end) != ",")) {
      const bool is_behind =
          tokens[end].depth == 1 && (is_same(word(end), "COLLATE") || is_same(word(end), "ASC") ||
                                     is_same(word(end), "DESC"));
      if (is_behind) last = std::min(last, end);
      ++end;
    }
    last = std::min(last, end) - 1;
    index.places.push_back(tokens[at].begin);
    index.terms.emplace_back(create.substr(tokens[at].begin, tokens[last].end - tokens[at].begin));
    if (tokens[end].depth == 0) break;
    at = end + 1;
  }
  return index;
}

std::string IndexText::with(std::string_view unique, std::string_view name,
                            std::span<const std::string> terms_now) const {
  std::string out = create;
  for (size_t i = terms.size(); i > 0; --i) {
    out.replace(places[i], terms[i - 1].size(), terms_now[i - 1]);
  }
  out.replace(0, places[0] + name_size,
              "CREATE " + std::string(unique) + "INDEX main." + quoted(name));
  return out;
}

void add_change(std::vector<ColumnChange>& changes, const ColumnChange& more) {
  const auto same = std::find_if(changes.begin(), changes.end(), [&](const ColumnChange& change) {
    return is_same(change.column, more.column);
  });
  if (same == changes.end()) {
    changes.push_back(more);
    return;
  }
  if (!more.type.empty()) same->type = more.type;
  if (!more.collation.empty()) same->collation = more.collation;
  if (more.null != ColumnChange::Null::kAsItIs) same->null = more.null;
  if (more.numbers != ColumnChange::Numbers::kAsTheyAre) same->numbers = more.numbers;
}

std::string create_changed(std::string_view create, std::string_view name,
                           std::span<const ColumnChange> changes) {
  Text text(create, name);
  for (const ColumnChange& change : changes) {
    if (!text.change(change)) return {};
  }
  return text.result();
}

}  // namespace syncline::sqlite
