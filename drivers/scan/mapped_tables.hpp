// What the tables of every SQL driver have in common: which dataset lies on which table, and rows
// of texts as cells. Mapped and RowCells are the driver's own.
//
// Threads: one at a time.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "drivers/scan/tables.hpp"

namespace syncline::scan {

template <class Mapped, class RowCells>
class MappedTables : public Tables {
 public:
  // Fields that were added since an echo was left are unchanged in it.
  Result<std::span<const model::CellView>> cells(model::DatasetId dataset,
                                                 std::string_view image) override {
    const Mapped& table = mapped(dataset);
    cells_.reset(table.columns.size());
    ImageReader in(image);
    for (size_t field = 0; field < table.columns.size() && !in.at_end(); ++field) {
      const auto text = in.next();
      SYN_TRY(text ? cells_.set_text(table, field, *text) : cells_.set_null(table, field));
    }
    if (in.ok() && in.at_end()) return cells_.views();
    return fail(ErrorCode::kValue, "the image of a row is damaged",
                "its length is not that of its fields",
                "nothing, if a scan shows the record; else tell us");
  }
  ports::RejectedRow rejected(model::DatasetId dataset, const std::string& key,
                              Error error) override {
    return rejected_row(mapped(dataset), key, std::move(error));
  }

 protected:
  // REQUIRES: look() has found its table.
  const Mapped& mapped(model::DatasetId dataset) const { return mapped_.at(dataset); }
  Look keep(Mapped now) {
    const auto before = mapped_.find(now.dataset());
    const bool is_same = before != mapped_.end() && is_same_shape(before->second, now);
    mapped_.insert_or_assign(now.dataset(), std::move(now));
    return is_same ? Look::kSame : Look::kOther;
  }
  RowCells cells_;

 private:
  std::map<model::DatasetId, Mapped> mapped_;
};

}  // namespace syncline::scan
