// What the log does not tell: it is said, and what it may have changed is read whole.
#include <algorithm>

#include "drivers/systems/mariadb/detail/decoder.hpp"

namespace syncline::mariadb {
namespace {

auto out_of_step(std::string why) {
  return fail(ErrorCode::kSystemOpen, "the log is out of step", std::move(why),
              "nothing: the log is opened anew");
}

}  // namespace

// Once a poll, however many rows it was.
void Decoder::rescan_untold(const Followed& followed, const Untold& untold) {
  const model::Schema& schema = *followed.mapping->schema;
  const std::string what = "dataset " + schema.name + ": the log does not tell " + untold.what;
  const bool is_said =
      std::any_of(stops_.begin(), stops_.end(), [&](const ports::DatasetStop& known) {
        return known.dataset == schema.dataset && known.error.what == what;
      });
  if (!is_said) {
    stops_.push_back({schema.dataset,
                      {ErrorCode::kSystemSchema, what, untold.why,
                       untold.setting + " The dataset is read whole"}});
  }
  rescan(followed);
}

void Decoder::rescan_behind_statement(const Followed& followed) {
  rescan_untold(followed, {"which rows of " + followed.mapping->table + " a statement changed",
                           "a session has set binlog_format to STATEMENT or MIXED",
                           "SET GLOBAL binlog_format = 'ROW'; and nothing else in sessions."});
}

void Decoder::rescan_behind_incident() {
  for (const Followed& followed : followed_) {
    rescan_untold(followed, {"what happened to " + followed.mapping->table,
                             "the server could not write all that happened (INCIDENT)",
                             "The server's error log says why."});
  }
}

void Decoder::rescan_behind_strange(const Event& event) {
  for (const Followed& followed : followed_) {
    rescan_untold(followed, {"what happened to " + followed.mapping->table,
                             "it has an event of type " + std::to_string(event.type) +
                                 ", which this version does not know",
                             "A newer version of Syncline may know this server's log."});
  }
}

// Parts of values in place of values: which rows they are of is told, what the rows are now is not.
Result<void> Decoder::on_untold(const Event& event) {
  const auto found = bound_.find(event.table);
  if (found == bound_.end()) return out_of_step("rows of a table that was not described");
  const Bound& bound = found->second;
  if (bound.meaning != Meaning::kDataset) return success();
  const Followed& followed = followed_[bound.followed];
  rescan_untold(followed,
                {"what the JSON values of " + followed.mapping->table + " are now",
                 "binlog_row_value_options is PARTIAL_JSON: it tells parts of them",
                 "SET GLOBAL binlog_row_value_options = ''; and in the server's config."});
  return success();
}

// REQUIRES: the rows are a dataset's. Of an insert, the columns that are left out got a default,
// which is not told; of an update and a delete, those of the key are needed.
bool Decoder::leave_untold(const Bound& bound, const Rows& rows) {
  const Mapped& mapped = mapped_of(bound);
  const bool is_insert = rows.kind == RowsKind::kWrite;
  const size_t needed = is_insert ? mapped.columns.size() : mapped.key_count();
  for (size_t field = 0; field < needed; ++field) {
    if (has_column(rows.present, bound.columns[field])) continue;
    rescan_untold(followed_[bound.followed],
                  {"what column " + mapped.columns[field].name + " of " + mapped.table.name +
                       " is in " + (is_insert ? "new rows" : "rows that change"),
                   "a session has set binlog_row_image to MINIMAL or NOBLOB: it logs parts of rows",
                   "SET GLOBAL binlog_row_image = 'FULL'; and nothing else in sessions."});
    return true;
  }
  return false;
}

}  // namespace syncline::mariadb
