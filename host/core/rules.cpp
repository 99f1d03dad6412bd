#include "host/core/rules.hpp"

#include <algorithm>

namespace syncline::core {

const SystemRole* DatasetRules::role(model::SystemId system) const {
  const auto at = std::lower_bound(
      systems.begin(), systems.end(), system,
      [](const SystemRole& known, model::SystemId wanted) { return known.system < wanted; });
  return at != systems.end() && at->system == system ? &*at : nullptr;
}

bool DatasetRules::has_peers() const {
  return std::any_of(systems.begin(), systems.end(),
                     [](const SystemRole& known) { return known.kind == SystemKind::kPeer; });
}

bool DatasetRules::travels(model::FieldIndex field) const {
  return field >= schema->key_count && field < fields.size() && !fields[field].is_local;
}

size_t DatasetRules::travelling_count() const {
  size_t count = 0;
  for (size_t field = 0; field < fields.size(); ++field) {
    count += travels(static_cast<model::FieldIndex>(field)) ? 1 : 0;
  }
  return count;
}

}  // namespace syncline::core
