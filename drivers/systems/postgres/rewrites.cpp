#include "drivers/systems/postgres/detail/rewrites.hpp"

#include <algorithm>

namespace syncline::postgres {
namespace {

bool is_rewritten(const Layout& before, const Layout& now) {
  const bool has_new_file = before.file != now.file;
  return !std::equal(before.fields.begin(), before.fields.end(), now.fields.begin(),
                     now.fields.end(), [&](const Layout::Field& was, const Layout::Field& is) {
                       const bool is_declared_again = has_new_file && was.version != is.version;
                       return was.number == is.number && !is_declared_again;
                     });
}

}  // namespace

Layouts layouts_of(const std::vector<Mapped>& tables) {
  Layouts layouts;
  for (const Mapped& mapped : tables) {
    Layout& layout = layouts[mapped.dataset()];
    layout.file = mapped.table.file;
    for (const Column& column : mapped.columns) {
      layout.fields.push_back({column.number, column.version});
    }
  }
  return layouts;
}

std::vector<model::DatasetId> rewritten(const Layouts& before, const Layouts& now) {
  std::vector<model::DatasetId> datasets;
  for (const auto& [dataset, layout] : now) {
    const auto known = before.find(dataset);
    if (known != before.end() && is_rewritten(known->second, layout)) datasets.push_back(dataset);
  }
  return datasets;
}

}  // namespace syncline::postgres
