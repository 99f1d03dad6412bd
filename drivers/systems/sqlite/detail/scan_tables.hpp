// The SQL of capture = "scan": tables, checkpoint rows and echoes in one snapshot.
//
// Owner: a connection of its own. Threads: one at a time.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>

#include "drivers/scan/tables.hpp"
#include "drivers/systems/sqlite/detail/record_reader.hpp"
#include "drivers/systems/sqlite/detail/shared.hpp"
#include "drivers/systems/sqlite/detail/table.hpp"

namespace syncline::sqlite {

// A row's native values as one string.
std::string image_of(const std::vector<NativeValue>& values);

class ScanTables final : public scan::Tables {
 public:
  explicit ScanTables(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  Result<void> connect() override;
  Result<void> install() override;
  bool is_connected() const override;
  Result<Look> look(const ports::DatasetMapping& mapping) override;
  Result<std::optional<int64_t>> stamp() override;
  int64_t rest_us() const override { return 1'000'000; }
  Result<void> begin() override;
  void end() override { snapshot_.reset(); }
  Result<std::vector<scan::Marker>> markers() override;
  Result<std::vector<scan::Echo>> echoes(uint64_t behind) override;
  Result<scan::Rows> chunk(model::DatasetId dataset, const std::string& cursor,
                           size_t row_limit) override;
  Result<std::vector<scan::Row>> records(model::DatasetId dataset,
                                         std::span<const std::string> keys) override;
  Result<std::span<const model::CellView>> cells(model::DatasetId dataset,
                                                 std::string_view image) override;
  Result<uint64_t> estimate_rows(model::DatasetId dataset) override;
  ports::RejectedRow rejected(model::DatasetId dataset, const std::string& key,
                              Error error) override;
  Result<void> forget_echoes() override;

 private:
  Result<void> keep_up_with_schema();
  Result<std::unique_ptr<Connection>> writer() const;

  std::shared_ptr<Shared> shared_;
  std::unique_ptr<Connection> connection_;
  std::optional<Transaction> snapshot_;
  std::map<model::DatasetId, Mapped> mapped_;
  std::set<model::DatasetId> unfit_;  // by the last look
  int64_t schema_version_ = -1;       // that mapped_ is of
  RecordCells cells_;
};

}  // namespace syncline::sqlite
