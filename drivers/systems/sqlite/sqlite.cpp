#include "drivers/systems/sqlite/sqlite.hpp"

#include "drivers/systems/sqlite/detail/catalog.hpp"
#include "drivers/systems/sqlite/detail/source.hpp"
#include "drivers/systems/sqlite/detail/target.hpp"

namespace syncline::sqlite {
namespace {

Result<std::string> path_of(const std::string& url) {
  std::string path = url;
  for (const std::string_view prefix : {"sqlite://", "sqlite:"}) {
    if (path.starts_with(prefix)) {
      path.erase(0, prefix.size());
      break;
    }
  }
  if (!path.empty() && path != ":memory:" && path.find("://") == std::string::npos) return path;
  return fail(ErrorCode::kConfigValue, "\"" + url + "\" names no SQLite file",
              "a SQLite system is a file on this machine",
              "write it as sqlite:///absolute/path/to/file.db");
}

}  // namespace

Result<ports::System> make_sqlite(const ports::SystemConfig& config, Clock& clock) {
  auto shared = std::make_shared<Shared>();
  shared->config = config;
  SYN_TRY(shared->path, path_of(config.url));
  ports::System system;
  system.source = std::make_unique<SqliteSource>(shared, clock);
  system.target = std::make_unique<SqliteTarget>(shared, clock);
  system.catalog = std::make_unique<SqliteCatalog>(shared);
  return system;
}

}  // namespace syncline::sqlite
