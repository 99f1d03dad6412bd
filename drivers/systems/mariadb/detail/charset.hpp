// What bytes in one of the server's character sets are as UTF-8: what its own SELECT makes of them.
// Texts in the log are in their column's set, and tables are read so.
//
// Unicode's forms are read by their definition. Of every other set the server tells what each of
// its letters is, once: what is called alike elsewhere is another set. To iconv the byte 0x5C is a
// yen sign in "SJIS"; to the server it is a backslash in sjis.
//
// Threads: immutable once it is made; Charsets: any. Errors: kValue for bytes that SELECT has no
// letters for and shows as '?'; kSystemSchema for a set whose letters cannot be told; those of the
// connection.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/systems/mariadb/detail/connection.hpp"

namespace syncline::mariadb {

bool is_utf8(std::string_view charset);  // the bytes are UTF-8 as they are
// Whether its letters are to be known; empty: it is no column of texts.
inline bool has_own_letters(std::string_view charset) {
  return !charset.empty() && !is_utf8(charset);
}

class Charset {
 public:
  struct Letter {
    std::string bytes;
    std::string text;  // empty, or '?': none
  };
  // Of all sequences with one byte out of each of these.
  using AskLetters =
      std::function<Result<std::vector<Letter>>(std::span<const std::string> bytes_by_place)>;
  // letter_size_max: of the set, in bytes, as the server says.
  static Result<Charset> make(const std::string& name, size_t letter_size_max,
                              const AskLetters& ask);

  Result<std::string> utf8_from(std::string_view bytes) const;
  // Whether these are UTF-8 as they are; false: not known.
  bool is_plain(std::string_view bytes) const;

  bool operator==(const Charset&) const = default;

 private:
  enum class Form : uint8_t { kTable, kUcs2, kUtf16, kUtf16le, kUtf32 };
  // By a letter's bytes one behind the other: a code point, a further node, or nothing.
  using Node = std::array<uint32_t, 256>;

  explicit Charset(std::string name) : name_(std::move(name)) {}
  Result<void> ask_letters(size_t letter_size_max, const AskLetters& ask);
  void add(const Letter& letter);
  Result<std::string> from_table(std::string_view bytes) const;
  Result<std::string> from_units(std::string_view bytes) const;
  uint32_t unit(std::string_view bytes) const;

  std::string name_;
  Form form_ = Form::kTable;
  bool is_ascii_plain_ = false;  // its first 128 bytes are ASCII, and begin nothing else
  std::vector<Node> nodes_;
};

// The sets in use, asked for once of each version of the server.
class Charsets {
 public:
  using Known = std::shared_ptr<const Charset>;
  // The same again while the server's letters are the same. Null: it has none of its own.
  Result<Known> get(Connection& connection, const std::string& name);

 private:
  Known find(const std::string& name, const std::string& version);
  Known keep(const std::string& name, const std::string& version, Charset charset);

  std::mutex mutex_;
  std::map<std::string, std::map<std::string, Known>> known_;  // by name, then version
};

}  // namespace syncline::mariadb
