#include "drivers/systems/mariadb/detail/sql_text.hpp"

#include <algorithm>

#include <strings.h>

namespace syncline::mariadb {
namespace {

bool is_word_letter(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
         (letter >= '0' && letter <= '9') || letter == '_' || letter == '$' ||
         static_cast<uint8_t>(letter) >= 0x80;
}

bool is_same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

bool is_in(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view known) { return is_same(word, known); });
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char letter) { return static_cast<uint8_t>(letter) < 0x80; });
}

bool may_be(std::string_view word, std::string_view name) {
  return is_same(word, name) || (!is_ascii(word) && !is_ascii(name));
}

class Words {
 public:
  explicit Words(std::string_view sql) : sql_(sql) {}

  std::vector<Word> take() {
    std::vector<Word> words;
    bool is_behind_dot = false;
    const auto add = [&](std::string text) -> Word& {
      std::string qualifier = is_behind_dot && !words.empty() ? words.back().text : "";
      is_behind_dot = false;
      words.push_back({std::move(text), std::move(qualifier)});
      return words.back();
    };
    while (at_ < sql_.size()) {
      const char letter = sql_[at_];
      if (starts("/*!") || starts("/*M!")) {
        skip_version();  // what is inside is run
      } else if (starts("/*")) {
        skip_behind("*/");
      } else if (letter == '#' || starts("-- ")) {
        skip_behind("\n");
      } else if (letter == '`' || letter == '"') {
        add(quoted(letter)).is_quoted = true;
      } else if (letter == '\'') {
        quoted(letter);
      } else if (is_word_letter(letter)) {
        const size_t start = at_;
        while (at_ < sql_.size() && is_word_letter(sql_[at_])) ++at_;
        add(std::string(sql_.substr(start, at_ - start)));
      } else {
        is_behind_dot = letter == '.' || (is_behind_dot && letter == ' ');
        ++at_;
      }
    }
    return words;
  }

 private:
  void skip_version() {
    at_ = sql_.find('!', at_) + 1;
    while (at_ < sql_.size() && sql_[at_] >= '0' && sql_[at_] <= '9') ++at_;
  }
  bool starts(std::string_view text) const { return sql_.substr(at_).starts_with(text); }
  void skip_behind(std::string_view text) {
    const size_t end = sql_.find(text, at_);
    at_ = end == std::string_view::npos ? sql_.size() : end + text.size();
  }
  // A quote doubled stands for itself, and but for `names` so does one behind a backslash.
  std::string quoted(char mark) {
    std::string text;
    for (++at_; at_ < sql_.size(); ++at_) {
      if (sql_[at_] == '\\' && mark != '`' && at_ + 1 < sql_.size()) {
        text += sql_[++at_];
        continue;
      }
      if (sql_[at_] == mark && (at_ + 1 >= sql_.size() || sql_[at_ + 1] != mark)) break;
      if (sql_[at_] == mark) ++at_;
      text += sql_[at_];
    }
    ++at_;
    return text;
  }

  std::string_view sql_;
  size_t at_ = 0;
};

StatementKind kind_of_xa(std::string_view second) {
  if (is_same(second, "end")) return StatementKind::kXaEnd;
  if (is_same(second, "commit")) return StatementKind::kXaCommit;
  if (is_same(second, "rollback")) return StatementKind::kXaRollback;
  return StatementKind::kBegin;
}

bool is_keyword(const Word& word, std::initializer_list<std::string_view> known) {
  return !word.is_quoted && is_in(word.text, known);
}

auto find_keyword(const std::vector<Word>& words, std::initializer_list<std::string_view> known) {
  return std::find_if(words.begin(), words.end(),
                      [&](const Word& word) { return is_keyword(word, known); });
}

bool has_any(const std::vector<Word>& words, std::initializer_list<std::string_view> known) {
  return find_keyword(words, known) != words.end();
}

// What runs another statement: SET STATEMENT variables FOR it, ANALYZE FORMAT=JSON it.
void drop_wrappers(std::vector<Word>& words) {
  while (words.size() > 2 && is_same(words[0].text, "set") && is_same(words[1].text, "statement")) {
    const auto end = find_keyword(words, {"for"});
    if (end == words.end()) return;
    words.erase(words.begin(), end + 1);
  }
  if (words.size() < 2 || !is_same(words[0].text, "analyze")) return;
  if (is_in(words[1].text, {"table", "tables", "local", "no_write_to_binlog"})) return;
  words.erase(words.begin(),
              find_keyword(words, {"insert", "update", "delete", "replace", "select", "with"}));
}

// An ALTER TABLE that may give a column other values, or end rows: a column that goes may be back,
// and be another, by the time we look.
bool fills_columns(const std::vector<Word>& words) {
  if (has_any(words, {"modify", "change"})) return true;
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    const bool is_drop = is_keyword(words[i], {"drop"});
    const bool is_of_other = is_keyword(
        words[i + 1], {"index", "key", "foreign", "primary", "constraint", "check", "default"});
    if (is_drop && !is_of_other) return true;
  }
  return false;
}

// An engine that keeps no rows, or not for long, may be gone again by the time we look.
bool sets_other_engine(const std::vector<Word>& words) {
  const auto engine = find_keyword(words, {"engine"});
  return engine != words.end() && engine + 1 != words.end() &&
         !is_same((engine + 1)->text, "innodb");
}

// CREATE and DROP of what: the first word that is no adjective.
std::string_view object_of(const std::vector<Word>& words) {
  for (size_t i = 1; i < words.size(); ++i) {
    if (!is_in(words[i].text, {"or", "replace", "temporary", "if", "not", "exists"})) {
      return words[i].text;
    }
  }
  return {};
}

StatementKind kind_of(const std::vector<Word>& words) {
  if (words.empty()) return StatementKind::kOther;
  const std::string_view first = words[0].text;
  const std::string_view second = words.size() > 1 ? std::string_view(words[1].text) : "";
  if (is_same(first, "xa")) return kind_of_xa(second);
  if (is_same(first, "commit")) return StatementKind::kCommit;
  if (is_same(first, "rollback")) {
    return is_same(second, "to") ? StatementKind::kBegin : StatementKind::kRollback;
  }
  if (is_in(first, {"begin", "start", "savepoint", "set", "release"})) return StatementKind::kBegin;
  if (is_in(first, {"insert", "update", "delete", "replace", "load", "with", "call", "do"})) {
    return StatementKind::kRows;
  }
  if (is_same(first, "truncate")) return StatementKind::kContents;
  if (is_in(first, {"create", "drop"})) {
    return is_in(object_of(words), {"table", "tables", "database", "schema"})
               ? StatementKind::kContents
               : StatementKind::kOther;
  }
  if (is_same(first, "rename")) {
    return is_in(second, {"table", "tables"}) ? StatementKind::kContents : StatementKind::kOther;
  }
  if (!is_same(first, "alter")) return StatementKind::kOther;
  if (!has_any(words, {"table"})) return StatementKind::kOther;
  const bool is_of_contents = has_any(words, {"partition", "partitions", "rename", "discard",
                                              "import", "ignore", "convert"}) ||
                              sets_other_engine(words);
  if (is_of_contents) return StatementKind::kContents;
  return fills_columns(words) ? StatementKind::kColumns : StatementKind::kSchema;
}

}  // namespace

Statement read_statement(std::string_view sql) {
  Statement statement;
  statement.words = Words(sql).take();
  drop_wrappers(statement.words);
  statement.kind = kind_of(statement.words);
  return statement;
}

bool names_any(const Statement& statement, const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return std::any_of(statement.words.begin(), statement.words.end(),
                       [&](const Word& word) { return may_be(word.text, name); });
  });
}

bool may_touch(const Statement& statement, std::string_view default_database,
               std::string_view database, std::string_view table) {
  const bool mentions_table =
      std::any_of(statement.words.begin(), statement.words.end(), [&](const Word& word) {
        const std::string_view of = word.qualifier.empty() ? default_database : word.qualifier;
        return may_be(word.text, table) && may_be(of, database);
      });
  if (mentions_table) return true;
  return statement.kind == StatementKind::kContents &&
         names_any(statement, {std::string(database)}) &&
         is_in(object_of(statement.words), {"database", "schema"});
}

}  // namespace syncline::mariadb
