#include "drivers/scan/settings.hpp"

#include <algorithm>

namespace syncline::scan {
namespace {

bool is_written_by_others(const ports::DatasetMapping& mapping) {
  if (mapping.capture != ports::Capture::kPoll) return false;
  return mapping.direction == ports::Direction::kBoth &&
         std::ranges::find(mapping.columns, mapping.poll_by) != mapping.columns.end();
}

}  // namespace

Result<bool> is_scanned(const ports::SystemConfig& config, const std::string& what) {
  size_t scan_count = 0;
  for (const ports::DatasetMapping& mapping : config.datasets) {
    const std::string dataset = "dataset " + mapping.schema->name + ": ";
    const bool is_log = mapping.capture == ports::Capture::kLog;
    scan_count += is_log ? 0 : 1;
    if (is_log && !mapping.where.empty()) {
      return fail(ErrorCode::kConfigValue, dataset + "`where` is set",
                  "the log of " + what + " is not filtered in this version",
                  "take it out, or read the table with capture = \"scan\" or \"poll\"");
    }
    if (mapping.capture == ports::Capture::kPoll && mapping.poll_by.empty()) {
      return fail(ErrorCode::kConfigValue, dataset + "`poll_by` is missing",
                  "capture = \"poll\" reads the rows whose column has risen",
                  "name that column: poll_by = \"changed_at\"");
    }
    if (is_written_by_others(mapping)) {
      return fail(ErrorCode::kConfigValue,
                  dataset + "`poll_by` names " + mapping.poll_by + ", which is synced",
                  "a value of another system would not say when the row was changed here",
                  "take the field out of the sync: exclude = [\"" + mapping.poll_by +
                      "\"], and let the database set it");
    }
  }
  if (scan_count > 0 && config.write_connections > 1) {
    return fail(ErrorCode::kConfigValue,
                "system " + config.name +
                    " has `write_connections` = " + std::to_string(config.write_connections),
                "where tables are scanned or polled, one connection writes, so that what it wrote "
                "is told from what users did",
                "take it out");
  }
  if (scan_count == 0 || scan_count == config.datasets.size()) return scan_count > 0;
  return fail(
      ErrorCode::kConfigValue,
      "system " + config.name + " mixes capture = \"log\" with capture = \"scan\" or \"poll\"",
      "what a log tells and what tables show are two orders of its changes",
      "name " + what + " twice under [systems], once for each way of reading");
}

}  // namespace syncline::scan
