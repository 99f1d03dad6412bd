// What the tables of every SQL driver have in common: which dataset lies on which table, and rows
// of texts as cells. Mapped and RowCells are the driver's own.
//
// Threads: one at a time.
#pragma once

#include <map>
#include <string>
#include <type_traits>
#include <utility>

#include "drivers/scan/findings.hpp"
#include "drivers/scan/tables.hpp"

namespace syncline::scan {

// The column that a poll goes by; null: the table has none of that name.
template <class Mapped>
auto find_poll_column(const Mapped& mapped) {
  return mapped.table.find(mapped.mapping->poll_by);
}

// Category: the driver's own, of a column's type.
template <class Category>
bool is_clock(Category category) {
  return category == Category::kTimestamp || category == Category::kDatetime;
}

// What its table says of it; the driver adds the index and the SQL that mends it.
template <class Mapped>
PollColumn describe_poll_column(const Mapped& mapped) {
  PollColumn out;
  out.mapping = mapped.mapping;
  const auto* column = find_poll_column(mapped);
  if (column == nullptr) return out;
  const auto category = column->type.category;
  using Category = std::remove_const_t<decltype(category)>;
  const bool is_number = category == Category::kInteger || category == Category::kDecimal;
  out.type = column->type.name;
  if (is_number) out.kind = PollColumn::Kind::kNumber;
  if (is_clock(category)) out.kind = PollColumn::Kind::kClock;
  out.is_nullable = column->is_nullable;
  out.is_zoneless = category == Category::kDatetime;
  return out;
}

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
