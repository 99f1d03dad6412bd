#include "drivers/scan/findings.hpp"

namespace syncline::scan {
namespace {

constexpr int64_t kHourUs = 3'600'000'000;

void find_filtered(const ports::DatasetMapping& mapping, std::vector<ports::Finding>& out) {
  if (mapping.where.empty()) return;
  const std::string& dataset = mapping.schema->name;
  if (mapping.direction == ports::Direction::kBoth) {
    out.push_back({ports::Severity::kWarning, dataset,
                   "`where` of " + mapping.table +
                       " is not asked of the other systems: each of their records that it leaves "
                       "out goes to quarantine here",
                   "filter the other systems likewise, or direction = \"from\""});
  }
  if (mapping.capture != ports::Capture::kPoll) return;
  out.push_back({ports::Severity::kWarning, dataset,
                 "capture = \"poll\" does not see records that leave `where` of " + mapping.table +
                     ": the other systems keep them as they were",
                 "capture = \"scan\", which takes them for deleted"});
}

}  // namespace

void find_unseen(const ports::DatasetMapping& mapping, std::vector<ports::Finding>& out) {
  if (mapping.capture == ports::Capture::kLog) return;
  if (mapping.direction == ports::Direction::kTo) return;
  find_filtered(mapping, out);
  const std::string& dataset = mapping.schema->name;
  const std::string fix = "capture = \"log\" where the log can be read; `every` sets how often";
  if (mapping.capture == ports::Capture::kScan) {
    out.push_back({ports::Severity::kNote, dataset,
                   "capture = \"scan\" reads " + mapping.table +
                       " whole each time: of several changes between two looks the last is seen, "
                       "as of the time of the look",
                   fix});
    return;
  }
  out.push_back(
      {ports::Severity::kWarning, dataset,
       "capture = \"poll\" does not see deletes in " + mapping.table + ", nor changes that leave " +
           mapping.poll_by +
           " as it was or set it lower; of several changes between two looks the last is "
           "seen, as of the time of the look",
       "mark records as deleted instead of deleting them, or capture = \"scan\"; " + fix});
}

Result<void> check_poll(const PollColumn& column) {
  const ports::DatasetMapping& mapping = *column.mapping;
  const auto problem = [&](const std::string& what, std::string why, std::string fix) {
    return fail(ErrorCode::kSystemSchema,
                "dataset " + mapping.schema->name + ": " + mapping.table + " " + what,
                std::move(why), std::move(fix));
  };
  if (column.type.empty()) {
    return problem("has no column " + mapping.poll_by, "`poll_by` names it",
                   "name the column that rises with every change of a row");
  }
  if (column.kind == PollColumn::Kind::kOther) {
    return problem("cannot be polled by " + mapping.poll_by, "it is of type " + column.type,
                   "name a timestamp or a number in `poll_by`");
  }
  if (column.is_nullable) {
    return problem("may hold NULL in " + mapping.poll_by,
                   "a row with NULL there would never be read", column.not_null_sql);
  }
  if (column.is_indexed) return success();
  return problem("has no index that begins with " + mapping.poll_by,
                 "each look would read the whole table", column.index_sql);
}

void find_poll(const PollColumn& column, const std::string& grant_sql,
               std::vector<ports::Finding>& out) {
  const std::string& dataset = column.mapping->schema->name;
  if (const auto fits = check_poll(column); !fits) {
    const Error& error = fits.error();
    out.push_back({ports::Severity::kStops, dataset, error.what + ": " + error.why, error.fix});
  }
  if (column.is_zoneless && column.mapping->overlap_us < kHourUs) {
    out.push_back({ports::Severity::kWarning, dataset,
                   column.mapping->poll_by +
                       " holds times without a zone: where they are local times, the clock is set "
                       "back by an hour in autumn, and a poll misses what that hour brings",
                   "overlap = \"1h\", or a column of times with a zone"});
  }
  if (grant_sql.empty()) return;
  out.push_back({ports::Severity::kWarning, dataset,
                 "a poll cannot see how long others' transactions are open, and takes them for " +
                     std::to_string(kUnseenOverlapUs / 1'000'000) +
                     " s at most: what commits later than that is missed",
                 grant_sql + " or a longer `overlap`"});
}

Error filter_error(const ports::DatasetMapping& mapping, Error asked) {
  const bool is_refused =
      asked.code == ErrorCode::kSystemSchema || asked.code == ErrorCode::kSystemRefused;
  if (!is_refused) return asked;
  return {ErrorCode::kSystemSchema,
          "dataset " + mapping.schema->name + ": the row filter of " + mapping.table +
              " cannot be asked",
          "`where` is " + mapping.where + ": " + asked.why, "correct `where` in the config"};
}

Error set_back_clock(const ports::DatasetMapping& mapping) {
  return {ErrorCode::kSystemOpen,
          "dataset " + mapping.schema->name + ": the server's clock was set back",
          "what is written now has times below those that were read by " + mapping.poll_by +
              " of " + mapping.table,
          "nothing: the poll begins again at the earlier time. A clock that is slewed, or a longer "
          "`overlap`, keeps it from that"};
}

}  // namespace syncline::scan
