// Texts in the log are in their column's character set.
#include <array>

#include <iconv.h>

#include "drivers/systems/mariadb/detail/value.hpp"

namespace syncline::mariadb {
namespace {

// The server's latin1 is Windows-1252, with the five bytes that has not as control characters.
constexpr std::array<uint16_t, 32> kWindows1252 = {
    0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x8D,   0x017D, 0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};

void append_utf8(uint32_t point, std::string& out) {
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0 | point >> 6);
    out += static_cast<char>(0x80 | (point & 0x3F));
  } else {
    out += static_cast<char>(0xE0 | point >> 12);
    out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (point & 0x3F));
  }
}

std::string from_latin1(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (const char letter : bytes) {
    const auto byte = static_cast<uint8_t>(letter);
    append_utf8(byte >= 0x80 && byte < 0xA0 ? kWindows1252[byte - 0x80] : byte, out);
  }
  return out;
}

struct Named {
  std::string_view charset;
  const char* known_as;  // by iconv
};
constexpr std::array kNames = {
    Named{"ucs2", "UCS-2BE"},      Named{"utf16", "UTF-16BE"},   Named{"utf16le", "UTF-16LE"},
    Named{"utf32", "UTF-32BE"},    Named{"latin2", "ISO8859-2"}, Named{"latin5", "ISO8859-9"},
    Named{"latin7", "ISO8859-13"}, Named{"greek", "ISO8859-7"},  Named{"hebrew", "ISO8859-8"},
    Named{"cp1250", "CP1250"},     Named{"cp1251", "CP1251"},    Named{"cp1256", "CP1256"},
    Named{"cp1257", "CP1257"},     Named{"cp850", "CP850"},      Named{"cp852", "CP852"},
    Named{"cp866", "CP866"},       Named{"koi8r", "KOI8-R"},     Named{"koi8u", "KOI8-U"},
    Named{"sjis", "SJIS"},         Named{"cp932", "CP932"},      Named{"ujis", "EUC-JP"},
    Named{"eucjpms", "EUC-JP-MS"}, Named{"euckr", "EUC-KR"},     Named{"gb2312", "GB2312"},
    Named{"gbk", "GBK"},           Named{"big5", "BIG5"},        Named{"tis620", "TIS-620"},
    Named{"gb18030", "GB18030"}};

auto refuse(std::string why) {
  return fail(ErrorCode::kValue, "a text cannot be read", std::move(why),
              "correct the value, or convert the column: ALTER TABLE ... CONVERT TO CHARACTER SET "
              "utf8mb4");
}

Result<std::string> converted(std::string_view bytes, const char* from) {
  iconv_t converter = iconv_open("UTF-8", from);
  // NOLINTNEXTLINE(performance-no-int-to-ptr): how iconv says that it cannot
  if (converter == reinterpret_cast<iconv_t>(-1)) {
    return refuse(std::string("this machine cannot convert from ") + from);
  }
  std::string out(bytes.size() * 4, '\0');
  char* in = const_cast<char*>(bytes.data());  // iconv's interface; it does not write to it
  size_t in_left = bytes.size();
  char* at = out.data();
  size_t out_left = out.size();
  const size_t converted = iconv(converter, &in, &in_left, &at, &out_left);
  iconv_close(converter);
  if (converted != 0 || in_left != 0) return refuse(std::string("it is not valid ") + from);
  out.resize(out.size() - out_left);
  return out;
}

}  // namespace

bool is_utf8(const std::string& charset) {
  return charset == "utf8mb4" || charset == "utf8mb3" || charset == "utf8" || charset == "ascii";
}

Result<std::string> utf8_from(std::string_view bytes, const std::string& charset) {
  if (is_utf8(charset)) return std::string(bytes);
  if (charset == "latin1") return from_latin1(bytes);
  for (const Named& known : kNames) {
    if (known.charset == charset) return converted(bytes, known.known_as);
  }
  return refuse("character set " + charset + " is not known to this version");
}

}  // namespace syncline::mariadb
