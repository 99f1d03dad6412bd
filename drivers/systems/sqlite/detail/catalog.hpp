// The face of a SQLite file that says what it holds, what stands in the way, and what of ours is in
// it. Opens the file anew for each call, and reads only, except detach().
//
// Threads: one at a time.
#pragma once

#include <memory>

#include "drivers/systems/sqlite/detail/connection.hpp"
#include "drivers/systems/sqlite/detail/shared.hpp"
#include "drivers/systems/sqlite/detail/table.hpp"
#include "host/ports/catalog.hpp"

namespace syncline::sqlite {

class SqliteCatalog final : public ports::Catalog {
 public:
  explicit SqliteCatalog(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  Result<std::vector<ports::TableInfo>> tables() override;
  Result<std::vector<ports::Finding>> findings() override;
  Result<std::optional<ports::Finding>> find_gap(const model::Position& read_to) override;
  Result<std::vector<std::string>> detach() override;

 private:
  std::shared_ptr<Shared> shared_;
};

}  // namespace syncline::sqlite
