// The face of a database that says what it holds, what stands in the way, and what of ours is in
// it. Connects anew for each call, and reads only, except detach().
//
// Threads: one at a time.
#pragma once

#include <memory>

#include "drivers/systems/mariadb/detail/shared.hpp"
#include "host/ports/catalog.hpp"

namespace syncline::mariadb {

class MariadbCatalog final : public ports::Catalog {
 public:
  explicit MariadbCatalog(std::shared_ptr<const Shared> shared) : shared_(std::move(shared)) {}

  Result<std::vector<ports::TableInfo>> tables() override;
  Result<std::vector<ports::Finding>> findings() override;
  Result<std::vector<std::string>> detach() override;

 private:
  std::shared_ptr<const Shared> shared_;
};

}  // namespace syncline::mariadb
