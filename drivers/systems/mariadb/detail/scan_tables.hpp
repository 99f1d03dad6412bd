// The SQL of capture = "scan" and "poll": tables, checkpoint rows and echoes in one snapshot.
//
// Owner: a connection of its own. Threads: one at a time.
#pragma once

#include <memory>
#include <optional>

#include "drivers/scan/mapped_tables.hpp"
#include "drivers/systems/mariadb/detail/reads.hpp"
#include "drivers/systems/mariadb/detail/row_cells.hpp"
#include "drivers/systems/mariadb/detail/shared.hpp"

namespace syncline::mariadb {

// Of one row of an answer to SELECT of select_list.
std::string image_of(const Mapped& mapped, const Answer& row);
// Its joined key.
Result<std::string> key_of(const Mapped& mapped, const Answer& row, RowCells& cells);

// kSystemSchema: why a dataset cannot be polled, by its column or the index that it needs, with the
// SQL that mends it.
Result<void> check_poll(Connection& connection, const Mapped& mapped);
// That, and what a poll cannot know without more rights.
Result<void> find_poll(Connection& connection, const Mapped& mapped,
                       std::vector<ports::Finding>& out);

class ScanTables final : public scan::MappedTables<Mapped, RowCells> {
 public:
  explicit ScanTables(std::shared_ptr<const Shared> shared) : shared_(std::move(shared)) {}

  Result<void> connect() override;
  Result<void> install() override;
  bool is_connected() const override;
  Result<Look> look(const ports::DatasetMapping& mapping) override;
  Result<scan::Reached> reach(model::DatasetId dataset) override;
  Result<std::string> highest_at(model::DatasetId dataset, int64_t time_us) override;
  Result<void> begin() override;
  void end() override { snapshot_.reset(); }
  Result<std::vector<scan::Marker>> markers() override;
  Result<std::vector<scan::Echo>> echoes(uint64_t behind) override;
  Result<scan::Rows> chunk(model::DatasetId dataset, const std::string& cursor,
                           size_t row_limit) override;
  Result<std::vector<scan::Row>> records(model::DatasetId dataset,
                                         std::span<const std::string> keys) override;
  Result<scan::Rows> changed(model::DatasetId dataset, const std::string& from,
                             const std::string& cursor, size_t row_limit) override;
  Result<uint64_t> estimate_rows(model::DatasetId dataset) override;
  Result<void> forget_echoes() override;

 private:
  void take_row(const Mapped& mapped, const Answer& row, scan::Rows& out);

  std::shared_ptr<const Shared> shared_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<ReadTransaction> snapshot_;
};

}  // namespace syncline::mariadb
