// PostgreSQL's arrays of texts as sets of labels.
#include <algorithm>
#include <set>

#include "drivers/systems/postgres/detail/value.hpp"
#include "host/model/quote.hpp"

namespace syncline::postgres {
namespace {

auto refuse(std::string_view text, std::string why) {
  return fail(ErrorCode::kValue, "'" + model::quote(text) + "' cannot be held as a set",
              std::move(why), "correct the value in its row, or leave the column out");
}

// The first element of the text of an array, and the comma behind it.
std::string take_element(std::string_view& rest, bool& is_quoted) {
  is_quoted = rest.starts_with('"');
  std::string element;
  size_t at = is_quoted ? 1 : 0;
  for (; at < rest.size() && rest[at] != (is_quoted ? '"' : ','); ++at) {
    if (rest[at] == '\\' && at + 1 < rest.size()) ++at;
    element += rest[at];
  }
  if (is_quoted) at = std::min(at + 1, rest.size());
  rest.remove_prefix(std::min(at + 1, rest.size()));
  return element;
}

}  // namespace

Result<std::string> labels_from_array(std::string_view text) {
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') {
    return refuse(text, "its indexes do not begin at 1");
  }
  std::string_view rest = text.substr(1, text.size() - 2);
  std::string labels;
  std::set<std::string> seen;
  while (!rest.empty()) {
    if (rest.front() == '{') return refuse(text, "it has arrays within it");
    bool is_quoted = false;
    const std::string label = take_element(rest, is_quoted);
    if (!is_quoted && label == "NULL") return refuse(text, "an element of it is NULL");
    if (label.empty()) return refuse(text, "an element of it is empty");
    if (label.find(',') != std::string::npos) return refuse(text, "a label of it has a comma");
    if (!seen.insert(label).second) return refuse(text, "'" + label + "' is in it twice");
    labels += (labels.empty() ? "" : ",") + label;
  }
  return labels;
}

std::string array_from_labels(std::string_view labels) {
  if (labels.empty()) return "{}";
  std::string text = "{\"";
  for (const char letter : labels) {
    if (letter == ',') {
      text += "\",\"";
      continue;
    }
    if (letter == '"' || letter == '\\') text += '\\';
    text += letter;
  }
  return text + "\"}";
}

}  // namespace syncline::postgres
