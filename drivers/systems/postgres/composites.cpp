// PostgreSQL's composites and JSON objects.
#include <map>
#include <optional>

#include "drivers/systems/postgres/detail/json_scan.hpp"
#include "drivers/systems/postgres/detail/value.hpp"
#include "host/model/quote.hpp"

namespace syncline::postgres {
namespace {

auto refuse(std::string_view text, std::string why) {
  return fail(ErrorCode::kValue, "'" + model::quote(text) + "' cannot be held as a composite",
              std::move(why), "correct the value in its row, or leave the column out");
}

using Members = std::map<std::string, std::optional<std::string>>;

// '(1,"a ""b""",)', attribute by attribute.
class CompositeText {
 public:
  explicit CompositeText(std::string_view text) : text_(text) {}

  bool begin() { return take_if('('); }
  bool end() { return take_if(')') && at_ == text_.size(); }
  bool take_if(char letter) {
    if (at_ >= text_.size() || text_[at_] != letter) return false;
    ++at_;
    return true;
  }

  // Nothing: it is NULL, which is no text at all.
  std::optional<std::string> read() {
    const size_t begin = at_;
    std::string value;
    bool is_quoted = false;
    for (; at_ < text_.size(); ++at_) {
      const char letter = text_[at_];
      if (!is_quoted && (letter == ',' || letter == ')')) break;
      const bool has_next = at_ + 1 < text_.size();
      if (letter == '\\' && has_next) {
        value += text_[++at_];
      } else if (letter != '"') {
        value += letter;
      } else if (is_quoted && has_next && text_[at_ + 1] == '"') {
        value += text_[++at_];
      } else {
        is_quoted = !is_quoted;
      }
    }
    if (at_ == begin) return std::nullopt;
    return value;
  }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

Result<void> append_attribute(const Attribute& attribute, const std::optional<std::string>& value,
                              std::string& out) {
  append_json(attribute.name, Category::kText, out);
  out += ':';
  if (!value) {
    out += "null";
  } else if (attribute.is_array) {
    SYN_TRY(const std::string array, json_from_array(*value, attribute.category));
    out += array;
  } else {
    append_json(*value, attribute.category, out);
  }
  return success();
}

// The members of a canonical JSON object: strings as they are meant, all else as it stands.
bool read_members(std::string_view json, Members& members) {
  JsonScan scan(json);
  if (!scan.take_if('{')) return false;
  if (scan.take_if('}')) return scan.at_end();
  do {
    std::string name;
    if (!scan.read_string(name) || !scan.take_if(':')) return false;
    std::optional<std::string>& value = members[name];
    if (scan.peek() == '"') {
      if (!scan.read_string(value.emplace())) return false;
    } else if (const std::string_view raw = scan.skip_value(); raw != "null") {
      value = raw;
    }
  } while (scan.take_if(','));
  return scan.take_if('}') && scan.at_end();
}

void append_quoted(std::string_view value, std::string& out) {
  out += '"';
  for (const char letter : value) {
    if (letter == '"' || letter == '\\') out += letter;
    out += letter;
  }
  out += '"';
}

}  // namespace

Result<std::string> json_from_composite(std::string_view text,
                                        const std::vector<Attribute>& attributes) {
  CompositeText reader(text);
  std::string json = "{";
  bool is_read = reader.begin();
  for (const Attribute& attribute : attributes) {
    const bool is_first = &attribute == attributes.data();
    is_read = is_read && (is_first || reader.take_if(','));
    if (!is_first) json += ',';
    SYN_TRY(append_attribute(attribute, reader.read(), json));
  }
  if (!is_read || !reader.end()) return refuse(text, "it has other attributes than its type had");
  return json + "}";
}

std::string loss_in_composite(std::string_view text, const std::vector<Attribute>& attributes) {
  CompositeText reader(text);
  if (!reader.begin()) return {};
  for (const Attribute& attribute : attributes) {
    if (&attribute != attributes.data() && !reader.take_if(',')) return {};
    const std::optional<std::string> value = reader.read();
    if (!value) continue;
    const std::string loss = attribute.is_array
                                 ? loss_in_array(*value, attribute.category, attribute.modifier)
                                 : loss_of(*value, attribute.category, attribute.modifier);
    if (!loss.empty()) return "of its attribute " + attribute.name + " " + loss;
  }
  return {};
}

Result<std::string> composite_from_json(std::string_view json,
                                        const std::vector<Attribute>& attributes) {
  Members members;
  if (!read_members(json, members)) {
    return refuse(json, "the column is a composite, and this is no JSON object");
  }
  std::string text = "(";
  for (const Attribute& attribute : attributes) {
    if (&attribute != attributes.data()) text += ',';
    const std::optional<std::string>& value = members[attribute.name];
    if (!value) continue;
    if (attribute.is_array) {
      SYN_TRY(const std::string array,
              array_from_json(*value, attribute.category, attribute.modifier));
      append_quoted(array, text);
    } else if (const std::string loss = loss_of(*value, attribute.category, attribute.modifier);
               !loss.empty()) {
      return refuse(json, "of its attribute " + attribute.name + " " + loss);
    } else {
      append_quoted(*value, text);
    }
  }
  text += ')';
  SYN_TRY(const std::string again, json_from_composite(text, attributes));
  const auto canonical = model::canonical_json(again);
  if (canonical && canonical.value() == json) return text;
  return refuse(json, "its members are not those of the column's type: they would come back as " +
                          model::quote(again));
}

}  // namespace syncline::postgres
