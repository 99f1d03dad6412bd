// A strict reader of the JSON that core-model.py prints: one value a line, no escapes in strings.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace syncline::trace {

struct Json {
  enum class Kind { kNull, kBool, kNumber, kText, kList, kObject };
  Kind kind = Kind::kNull;
  bool truth = false;
  int64_t number = 0;
  std::string text;
  std::vector<Json> list;
  std::vector<std::pair<std::string, Json>> object;  // in the order of the text

  const Json* find(std::string_view name) const {
    for (const auto& [known, value] : object) {
      if (known == name) return &value;
    }
    return nullptr;
  }
  const Json& at(std::string_view name) const {
    if (const Json* value = find(name)) return *value;
    throw std::runtime_error("a trace without " + std::string(name));
  }
};

class JsonReader {
 public:
  static Json read(std::string_view text) {
    JsonReader reader(text);
    Json value = reader.value();
    reader.skip_space();
    if (!reader.rest_.empty()) reader.fail("bytes behind the value");
    return value;
  }

 private:
  explicit JsonReader(std::string_view text) : rest_(text) {}

  [[noreturn]] void fail(const char* what) const {
    throw std::runtime_error(std::string("not JSON: ") + what +
                             " before: " + std::string(rest_.substr(0, 40)));
  }
  void skip_space() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\n')) rest_.remove_prefix(1);
  }
  bool take(std::string_view wanted) {
    skip_space();
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(wanted.size());
    return true;
  }
  void expect(std::string_view wanted) {
    if (!take(wanted)) fail("something missing");
  }

  Json value() {
    Json json;
    if (take("{")) {
      json.kind = Json::Kind::kObject;
      for (bool is_first = true; !take("}"); is_first = false) {
        if (!is_first) expect(",");
        expect("\"");
        std::string name = text();
        expect(":");
        json.object.emplace_back(std::move(name), value());
      }
    } else if (take("[")) {
      json.kind = Json::Kind::kList;
      for (bool is_first = true; !take("]"); is_first = false) {
        if (!is_first) expect(",");
        json.list.push_back(value());
      }
    } else if (take("\"")) {
      json.kind = Json::Kind::kText;
      json.text = text();
    } else if (take("true")) {
      json.kind = Json::Kind::kBool;
      json.truth = true;
    } else if (take("false")) {
      json.kind = Json::Kind::kBool;
    } else if (!take("null")) {
      json.kind = Json::Kind::kNumber;
      json.number = number();
    }
    return json;
  }

  std::string text() {
    const size_t end = rest_.find_first_of("\"\\");
    if (end == std::string_view::npos || rest_[end] == '\\') fail("a string that ends nowhere");
    std::string found(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return found;
  }

  int64_t number() {
    const bool is_negative = take("-");
    if (rest_.empty() || rest_[0] < '0' || rest_[0] > '9') fail("no value");
    int64_t found = 0;
    while (!rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9') {
      found = found * 10 + (rest_[0] - '0');
      rest_.remove_prefix(1);
    }
    return is_negative ? -found : found;
  }

  std::string_view rest_;
};

}  // namespace syncline::trace
