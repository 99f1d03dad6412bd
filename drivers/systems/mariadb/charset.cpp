#include "drivers/systems/mariadb/detail/charset.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

#include "drivers/systems/mariadb/detail/value.hpp"

namespace syncline::mariadb {
namespace {

constexpr uint32_t kNothing = 0xffff'ffff;
constexpr uint32_t kFurther = 0x8000'0000;  // and the node's index
constexpr uint32_t kPointMax = 0x10'ffff;
constexpr uint32_t kHighHalf = 0xd800;
constexpr uint32_t kLowHalf = 0xdc00;
constexpr uint32_t kHalvesEnd = 0xe000;
constexpr size_t kShortLetterMax = 2;

// Returns what is behind it.
char* put_utf8(uint32_t point, char* at) {
  const auto tail = [&](int shift) { *at++ = static_cast<char>(0x80 | (point >> shift & 0x3f)); };
  if (point < 0x80) {
    *at++ = static_cast<char>(point);
  } else if (point < 0x800) {
    *at++ = static_cast<char>(0xc0 | point >> 6);
    tail(0);
  } else if (point < 0x1'0000) {
    *at++ = static_cast<char>(0xe0 | point >> 12);
    tail(6);
    tail(0);
  } else {
    *at++ = static_cast<char>(0xf0 | point >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
  return at;
}

// Of a text that is one letter; nothing for any other.
std::optional<uint32_t> only_point(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto first = static_cast<uint8_t>(text[0]);
  const size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (text.size() != size) return std::nullopt;
  uint32_t point = size == 1 ? first : first & (0x7fU >> size);
  for (const char byte : text.substr(1)) point = point << 6 | (static_cast<uint8_t>(byte) & 0x3fU);
  return point;
}

bool is_half(uint32_t point) {
  return point >= kHighHalf && point < kHalvesEnd;
}

bool is_ascii(std::string_view bytes) {
  constexpr uint64_t kHighBits = 0x8080'8080'8080'8080;
  uint64_t all = 0;
  for (; bytes.size() >= sizeof all; bytes.remove_prefix(sizeof all)) {
    uint64_t some = 0;
    std::memcpy(&some, bytes.data(), sizeof some);
    all |= some;
  }
  for (const char byte : bytes) all |= static_cast<uint8_t>(byte);
  return (all & kHighBits) == 0;
}

std::string bytes_between(int first, int last) {
  std::string bytes;
  for (int byte = first; byte <= last; ++byte) bytes += static_cast<char>(byte);
  return bytes;
}

// Sets whose letters have more than two bytes, and which those are.
std::vector<std::string> long_letters(std::string_view charset) {
  if (charset == "ujis" || charset == "eucjpms") {
    return {"\x8f", bytes_between(0xa1, 0xfe), bytes_between(0xa1, 0xfe)};
  }
  if (charset == "gb18030") {
    return {bytes_between(0x81, 0x84), bytes_between('0', '9'), bytes_between(0x81, 0xfe),
            bytes_between('0', '9')};
  }
  return {};
}

// Those of gb18030 beyond U+FFFF stand in order from 90 30 81 30 on, and are not asked for.
std::optional<uint32_t> point_beyond_plane(std::string_view rest) {
  if (rest.size() < 4) return std::nullopt;
  constexpr uint8_t kFirst[] = {0x90, 0x30, 0x81, 0x30};
  constexpr uint32_t kCount[] = {0xe3 - 0x90 + 1, 10, 126, 10};
  uint32_t place = 0;
  for (size_t i = 0; i < 4; ++i) {
    const uint32_t digit = static_cast<uint8_t>(rest[i]) - uint32_t{kFirst[i]};
    if (digit >= kCount[i]) return std::nullopt;  // also below the first
    place = place * kCount[i] + digit;
  }
  const uint32_t point = 0x1'0000 + place;
  return point <= kPointMax ? std::optional(point) : std::nullopt;
}

auto refuse(const std::string& charset) {
  return fail(ErrorCode::kValue, "a text cannot be read",
              "it has bytes that are no letter in " + charset + ": the server shows them as '?'",
              "correct the value in its row");
}

auto untold(const std::string& charset) {
  return fail(ErrorCode::kSystemSchema, "character set " + charset + " cannot be read",
              "the server does not know it, or this version does not know how long its letters are",
              "convert the column to utf8mb4");
}

// (SELECT x'81' AS b UNION ALL SELECT x'82') p0
std::string bytes_sql(const std::string& bytes, size_t place) {
  std::string sql;
  for (const char byte : bytes) {
    char digits[8];
    std::snprintf(digits, sizeof digits, "x'%02x'", static_cast<uint8_t>(byte));
    sql += (sql.empty() ? "SELECT " : " UNION ALL SELECT ") + std::string(digits) +
           (sql.empty() ? " AS b" : "");
  }
  return "(" + sql + ") p" + std::to_string(place);
}

Result<std::vector<Charset::Letter>> ask_server(Connection& connection, const std::string& name,
                                                std::span<const std::string> bytes_by_place) {
  std::string letter;
  std::string all;
  for (size_t place = 0; place < bytes_by_place.size(); ++place) {
    letter += (place == 0 ? "p" : ", p") + std::to_string(place) + ".b";
    all += (place == 0 ? "" : ", ") + bytes_sql(bytes_by_place[place], place);
  }
  SYN_TRY(Answer rows, connection.query("SELECT s, CONVERT(CAST(s AS CHAR CHARACTER SET " + name +
                                        ") USING utf8mb4) FROM (SELECT CONCAT(" + letter +
                                        ") AS s FROM " + all + ") letters"));
  std::vector<Charset::Letter> letters;
  letters.reserve(rows.row_count());
  while (rows.next()) letters.push_back({std::string(rows.text(0)), std::string(rows.text(1))});
  return letters;
}

// In bytes, of a letter of the set. Errors: kSystemSchema: it cannot be read.
Result<size_t> letter_size_max(Connection& connection, const std::string& name) {
  SYN_TRY(Answer row, connection.query("SELECT MAXLEN FROM information_schema.CHARACTER_SETS WHERE "
                                       "CHARACTER_SET_NAME = " +
                                       literal(name)));
  if (!row.next()) return untold(name);
  return static_cast<size_t>(row.integer(0));
}

Result<Charset> read_charset(Connection& connection, const std::string& name) {
  SYN_TRY(const size_t size_max, letter_size_max(connection, name));
  return Charset::make(name, size_max, [&](std::span<const std::string> bytes_by_place) {
    return ask_server(connection, name, bytes_by_place);
  });
}

}  // namespace

bool is_utf8(std::string_view charset) {
  return charset == "utf8mb4" || charset == "utf8mb3" || charset == "utf8";
}

Result<Charset> Charset::make(const std::string& name, size_t letter_size_max,
                              const AskLetters& ask) {
  Charset charset(name);
  if (name == "ucs2") charset.form_ = Form::kUcs2;
  if (name == "utf16") charset.form_ = Form::kUtf16;
  if (name == "utf16le") charset.form_ = Form::kUtf16le;
  if (name == "utf32") charset.form_ = Form::kUtf32;
  if (charset.form_ != Form::kTable) return charset;
  SYN_TRY(charset.ask_letters(letter_size_max, ask));
  return charset;
}

Result<void> Charset::ask_letters(size_t letter_size_max, const AskLetters& ask) {
  const std::vector<std::string> longer = long_letters(name_);
  if (letter_size_max > std::max(kShortLetterMax, longer.size())) return untold(name_);
  nodes_.emplace_back().fill(kNothing);
  const auto take = [&](const std::vector<std::string>& bytes_by_place) -> Result<void> {
    SYN_TRY(const auto letters, ask(bytes_by_place));
    for (const Letter& letter : letters) add(letter);
    return success();
  };
  const std::string all = bytes_between(0x00, 0xff);
  SYN_TRY(take({all}));
  std::string leads;
  for (const char byte : all) {
    if (nodes_[0][static_cast<uint8_t>(byte)] == kNothing) leads += byte;
  }
  if (letter_size_max > 1 && !leads.empty()) {
    SYN_TRY(take({leads, all}));
  }
  if (!longer.empty()) {
    SYN_TRY(take(longer));
  }
  is_ascii_plain_ = true;
  for (uint32_t byte = 0; byte < 0x80; ++byte) {
    is_ascii_plain_ = is_ascii_plain_ && nodes_[0][byte] == byte;
  }
  return success();
}

void Charset::add(const Letter& letter) {
  const auto point = only_point(letter.text);
  if (!point || (letter.text == "?" && letter.bytes != "?")) return;
  size_t node = 0;
  for (size_t i = 0; i + 1 < letter.bytes.size(); ++i) {
    uint32_t next = nodes_[node][static_cast<uint8_t>(letter.bytes[i])];
    if (next < kFurther) return;  // a letter already, and no beginning of one
    if (next == kNothing) {
      next = kFurther | static_cast<uint32_t>(nodes_.size());
      nodes_[node][static_cast<uint8_t>(letter.bytes[i])] = next;
      nodes_.emplace_back().fill(kNothing);
    }
    node = next & ~kFurther;
  }
  nodes_[node][static_cast<uint8_t>(letter.bytes.back())] = *point;
}

bool Charset::is_plain(std::string_view bytes) const {
  return is_ascii_plain_ && is_ascii(bytes);
}

Result<std::string> Charset::utf8_from(std::string_view bytes) const {
  return form_ == Form::kTable ? from_table(bytes) : from_units(bytes);
}

// A byte becomes three at the most.
Result<std::string> Charset::from_table(std::string_view bytes) const {
  std::string out(bytes.size() * 3, '\0');
  char* end = out.data();
  for (size_t at = 0; at < bytes.size();) {
    const size_t begin = at;
    uint32_t next = nodes_[0][static_cast<uint8_t>(bytes[at++])];
    while (next >= kFurther && next != kNothing && at < bytes.size()) {
      next = nodes_[next & ~kFurther][static_cast<uint8_t>(bytes[at++])];
    }
    if (next >= kFurther) {
      const auto beyond =
          name_ == "gb18030" ? point_beyond_plane(bytes.substr(begin)) : std::nullopt;
      if (!beyond) return refuse(name_);
      next = *beyond;
      at = begin + 4;
    }
    end = put_utf8(next, end);
  }
  out.resize(static_cast<size_t>(end - out.data()));
  return out;
}

uint32_t Charset::unit(std::string_view bytes) const {
  uint32_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const size_t at = form_ == Form::kUtf16le ? bytes.size() - 1 - i : i;
    value = value << 8 | static_cast<uint8_t>(bytes[at]);
  }
  return value;
}

Result<std::string> Charset::from_units(std::string_view bytes) const {
  const size_t width = form_ == Form::kUtf32 ? 4 : 2;
  const bool has_halves = form_ == Form::kUtf16 || form_ == Form::kUtf16le;
  if (bytes.size() % width != 0) return refuse(name_);
  std::string out(bytes.size() * 2, '\0');
  char* end = out.data();
  for (size_t at = 0; at < bytes.size(); at += width) {
    uint32_t point = unit(bytes.substr(at, width));
    if (has_halves && point >= kHighHalf && point < kLowHalf && at + width < bytes.size()) {
      const uint32_t low = unit(bytes.substr(at + width, width));
      if (low < kLowHalf || low >= kHalvesEnd) return refuse(name_);
      point = 0x1'0000 + ((point - kHighHalf) << 10) + (low - kLowHalf);
      at += width;
    }
    if (point > kPointMax || is_half(point)) return refuse(name_);
    end = put_utf8(point, end);
  }
  out.resize(static_cast<size_t>(end - out.data()));
  return out;
}

Charsets::Known Charsets::find(const std::string& name, const std::string& version) {
  const std::lock_guard lock(mutex_);
  const auto& versions = known_[name];
  const auto found = versions.find(version);
  return found == versions.end() ? nullptr : found->second;
}

Charsets::Known Charsets::keep(const std::string& name, const std::string& version,
                               Charset charset) {
  const std::lock_guard lock(mutex_);
  auto& versions = known_[name];
  const auto same =
      std::ranges::find_if(versions, [&](const auto& known) { return *known.second == charset; });
  const Known known =
      same == versions.end() ? std::make_shared<const Charset>(std::move(charset)) : same->second;
  return versions.insert_or_assign(version, known).first->second;
}

// The server is asked without the lock: others need not wait for it.
Result<Charsets::Known> Charsets::get(Connection& connection, const std::string& name) {
  if (!has_own_letters(name)) return Known();
  const std::string& version = connection.kind().text;
  if (Known known = find(name, version)) return known;
  SYN_TRY(Charset charset, read_charset(connection, name));
  return keep(name, version, std::move(charset));
}

bool is_utf8_here(std::string_view bytes, const NativeType& native) {
  if (native.letters != nullptr) return native.letters->is_plain(bytes);
  return is_utf8(native.charset);
}

Result<std::string> utf8_from(std::string_view bytes, const NativeType& native) {
  if (native.letters != nullptr) return native.letters->utf8_from(bytes);
  if (is_utf8(native.charset)) return std::string(bytes);
  return fail(ErrorCode::kValue, "a text cannot be read",
              "the letters of character set " + native.charset + " are not known", "report this");
}

bool is_read_as_bytes(const NativeType& native) {
  return holds_characters(native) && has_own_letters(native.charset);
}

Result<std::string> text_of_cell(const NativeType& native, std::string_view cell) {
  if (!is_read_as_bytes(native)) return std::string(cell);
  return utf8_from(cell, native);
}

}  // namespace syncline::mariadb
