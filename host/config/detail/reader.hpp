// Reads one table of the config key by key, collecting every error; what nobody asked for is an
// unknown key.
//
// Threads: one at a time.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/detail/node.hpp"

namespace syncline::config::detail {

class Problems {
 public:
  explicit Problems(std::string_view file) : file_(file) {}

  void add(const Place& place, ErrorCode code, std::string what, std::string why, std::string fix);
  void add(Error error) { errors_.push_back({Place{}, std::move(error)}); }
  // `word` is none of `known`: kConfigUnknown with did-you-mean.
  void add_unknown(const Place& place, const std::string& what, std::string_view word,
                   std::span<const std::string> known);
  std::vector<Error> sorted() const;

 private:
  std::string file_;
  std::vector<std::pair<Place, Error>> errors_;
};

// What config::parse_size is.
std::optional<uint64_t> parse_size(std::string_view text);

// A value of a closed list. What is not built yet keeps its name, so that the refusal is plain.
template <class T>
struct Choice {
  std::string_view name;
  T value;
  bool is_built = true;
};

enum class Need : uint8_t { kOptional, kMandatory };

class TableReader {
 public:
  // path: "datasets.customer", for messages; empty for the top. REQUIRES: table.kind is kTable.
  TableReader(const Node& table, std::string path, Problems& problems)
      : table_(table), path_(std::move(path)), problems_(problems) {}

  // The member, if it is there; marks it as known. A mandatory one that is missing is an error.
  const Member* find(std::string_view name, Need need);
  // Likewise, and of this kind, else an error.
  const Member* find(std::string_view name, NodeKind kind, Need need);

  void text(std::string_view name, std::string& out, Need need = Need::kOptional);
  void count(std::string_view name, size_t& out, size_t least, size_t most);
  void duration(std::string_view name, int64_t& out_us);
  void size(std::string_view name, uint64_t& out_bytes, uint64_t least);
  void texts(std::string_view name, std::vector<std::string>& out, Need need = Need::kOptional);
  void text_map(std::string_view name, std::map<std::string, std::string>& out);

  template <class T, size_t N>
  void choice(std::string_view name, const std::array<Choice<T>, N>& choices, T& out) {
    const Member* member = find(name, NodeKind::kString, Need::kOptional);
    if (member == nullptr) return;
    std::vector<std::string> known;
    for (const Choice<T>& row : choices) {
      if (row.is_built) known.emplace_back(row.name);
      if (row.name != member->value.text) continue;
      if (!row.is_built) refuse_unbuilt(member->value, std::string(name), member->value.text);
      out = row.value;
      return;
    }
    problems_.add_unknown(member->value.place, "unknown " + std::string(name), member->value.text,
                          known);
  }

  // Every sub-table of the table `name`, as (its name, its reader's table).
  void each_table(std::string_view name, Need need,
                  const std::function<void(const Member&)>& visit);

  void refuse_unbuilt(const Node& value, const std::string& name, const std::string& word);
  // Every key that was not asked for is an error.
  void finish();

  const std::string& path() const { return path_; }
  const Node& table() const { return table_; }
  Problems& problems() { return problems_; }

 private:
  std::string named(std::string_view key) const;

  const Node& table_;
  std::string path_;
  Problems& problems_;
  std::vector<std::string> known_;
};

}  // namespace syncline::config::detail
