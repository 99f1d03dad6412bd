#include "drivers/systems/postgres/detail/seen_tables.hpp"

#include <sstream>

namespace syncline::postgres {

std::string to_text(const SeenTables& seen) {
  std::ostringstream text;
  const Published& published = seen.published;
  if (published.number != 0) {
    text << "publication " << published.number << ' ' << published.version << '\n';
  }
  for (const auto& [dataset, layout] : seen.layouts) {
    text << "dataset " << dataset << ' ' << layout.file << '\n';
    for (const Layout::Field& field : layout.fields) {
      text << "field " << field.number << ' ' << field.version << '\n';
    }
    if (const auto labels = seen.labels.find(dataset); labels != seen.labels.end()) {
      for (const auto& [number, version] : labels->second) {
        text << "label " << number << ' ' << version << '\n';
      }
    }
    if (const auto member = published.members.find(dataset); member != published.members.end()) {
      text << "published " << member->second << '\n';
    }
    const auto found = seen.partitions.find(dataset);
    if (found == seen.partitions.end()) continue;
    text << "partitioned\n";
    for (const auto& [number, file] : found->second) {
      text << "partition " << number << ' ' << file << '\n';
    }
  }
  return std::move(text).str();
}

SeenTables seen_from(std::string_view text) {
  SeenTables seen;
  std::istringstream words{std::string(text)};
  model::DatasetId dataset = 0;
  for (std::string word; words >> word;) {
    bool is_read = word == "partitioned" && dataset != 0;
    if (word == "publication") {
      is_read = static_cast<bool>(words >> seen.published.number >> seen.published.version);
    } else if (word == "published" && dataset != 0) {
      is_read = static_cast<bool>(words >> seen.published.members[dataset]);
    } else if (word == "dataset") {
      std::string file;
      is_read = static_cast<bool>(words >> dataset >> file);
      seen.layouts[dataset].file = std::move(file);
    } else if (word == "field" && dataset != 0) {
      Layout::Field field;
      is_read = static_cast<bool>(words >> field.number >> field.version);
      seen.layouts[dataset].fields.push_back(std::move(field));
    } else if (word == "label" && dataset != 0) {
      std::string number;
      is_read = static_cast<bool>(words >> number >> seen.labels[dataset][number]);
    } else if (word == "partitioned") {
      seen.partitions[dataset];
    } else if (word == "partition" && dataset != 0) {
      std::string number;
      std::string file;
      is_read = static_cast<bool>(words >> number >> file);
      seen.partitions[dataset].emplace(std::move(number), std::move(file));
    }
    if (!is_read) return {};
  }
  return seen;
}

}  // namespace syncline::postgres
