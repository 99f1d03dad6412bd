// Rows of one system that are one record by the dataset's key: which of them are there is asked,
// said and, when they are mended, said again.
#include <algorithm>

#include "host/app/render.hpp"
#include "host/app/runtime_internal.hpp"
#include "host/model/key.hpp"

namespace syncline::app {
namespace {

constexpr size_t kTwinsAtOnce = 256;  // asked for in one look
constexpr int64_t kRetryUsMax = 20'000'000;
constexpr int64_t kPauseUs = 1'000'000;  // before what could not be settled is tried again

std::string delete_text(const ports::SqlQuotes& quotes, const ports::DatasetMapping& mapping,
                        const std::string& key) {
  std::string sql = "DELETE FROM " + quotes.table(mapping.table) + " WHERE ";
  const auto parts = model::split_key(key);
  for (size_t i = 0; i < parts.size(); ++i) {
    const model::LogicalType& type = mapping.schema->fields[i].type;
    const std::string text = model::text_from_canonical(parts[i], type);
    sql += (i == 0 ? "" : " AND ") + quotes.name(mapping.columns[i]) + " = " +
           (type.kind == model::TypeKind::kBytes ? quotes.bytes(text) : quotes.text(text));
  }
  return sql;
}

}  // namespace

Error RuntimeImpl::twins_error(const SystemRun& run, const pipeline::TwinRows& twins) {
  const ports::DatasetMapping& mapping = run.system->mappings.at(twins.dataset);
  const model::Schema& schema = *mapping.schema;
  const auto named = [&](const std::string& key) {
    return "'" + model::describe_key(key, schema) + "'";
  };
  std::string others;
  std::string deletes;
  for (size_t i = 1; i < twins.keys.size(); ++i) {
    others += " and " + named(twins.keys[i]);
    deletes += delete_text(run.system->quotes, mapping, twins.keys[i]) + "; ";
  }
  return {ErrorCode::kTwins,
          "dataset '" + schema.name + "': the rows " + named(twins.keys[0]) + others +
              " of system '" + run.system->name + "' are one record",
          std::string("the dataset's key does not tell apart ") +
              equivalence_text(schema.key_equivalence) + "; " + named(twins.keys[0]) +
              " is kept in step, the rest goes nowhere",
          "in " + run.system->name + ": " + deletes +
              "or UPDATE it to a key of its own; from then on it goes by itself"};
}

// Told when they are found, or others are, and when they have ended.
void RuntimeImpl::report_twins(SystemRun& run, const pipeline::TwinRows& left) {
  if (left.keys.size() > 1) {
    const std::string text = to_string(twins_error(run, left));
    std::string& told = run.twins_told[left.key_hash];
    if (told != text) parts_.log.warning(run.system->name + ": quarantined: " + text);
    told = text;
  } else if (run.twins_told.erase(left.key_hash) > 0) {
    const model::Schema& schema = *parts_.rules.at(left.dataset).schema;
    parts_.log.info(run.system->name + ": dataset '" + schema.name + "': '" +
                    model::describe_key(left.keys[0], schema) + "' is one row again");
  }
}

// One look at the rows of some of them, in one dataset. REQUIRES: the capture's thread.
Result<void> RuntimeImpl::settle_twins(SystemRun& run, std::span<const pipeline::TwinRows> due) {
  std::vector<std::string> keys;
  for (const pipeline::TwinRows& twins : due) {
    keys.insert(keys.end(), twins.keys.begin(), twins.keys.end());
  }
  SYN_TRY(const capture::Captured read, run.capture->read_records(due.front().dataset, keys));
  SYN_TRY(quarantine_rejected(run, read.result.rejected));
  return on_step_thread([&](pipeline::Pipeline& pipeline) -> Result<void> {
    const auto describe = [&](const pipeline::TwinRows& twins) {
      return to_string(twins_error(run, twins));
    };
    SYN_TRY(const auto left, pipeline.settle_twins(due, read, describe));
    for (const pipeline::TwinRows& twins : left) report_twins(run, twins);
    return success();
  });
}

// Those that can be looked at.
std::vector<pipeline::TwinRows> RuntimeImpl::due_twins(SystemRun& run) {
  std::vector<pipeline::TwinRows> due = pipeline_->twins_due(run.system->id);
  const std::lock_guard lock(run.mutex);
  std::erase_if(due, [&](const pipeline::TwinRows& twins) {
    return !run.system->mappings.contains(twins.dataset) || !run.system->is_read(twins.dataset) ||
           run.unsynced.contains(twins.dataset) || run.stopped.contains(twins.dataset);
  });
  return due;
}

// Those of a dataset that cannot be read just now, or whose deletes are held, stay due.
void RuntimeImpl::settle_due_twins(SystemRun& run) {
  if (!is_synced_ || parts_.clock.steady_us() < run.twins_due_us) return;
  const std::vector<pipeline::TwinRows> all = due_twins(run);
  const std::span<const pipeline::TwinRows> due = all;
  for (size_t first = 0; first < due.size();) {
    size_t end = first + 1;
    while (end < due.size() && end - first < kTwinsAtOnce &&
           due[end].dataset == due[first].dataset) {
      ++end;
    }
    const auto settled = settle_twins(run, due.subspan(first, end - first));
    if (!settled) note_error(run, settled.error());
    first = end;
  }
  const bool is_any_left = !due.empty() && !due_twins(run).empty();
  run.twins_due_us = is_any_left ? parts_.clock.steady_us() + kPauseUs : 0;
}

// The capture's thread looks again; what it finds is waited for.
Result<void> RuntimeImpl::retry_twins(const model::Skip& skip, const std::string& item) {
  pipeline_->look_at_twins(skip.target, skip.dataset);
  const int64_t deadline_us = parts_.clock.steady_us() + kRetryUsMax;
  const auto is_due = [&] {
    return std::ranges::any_of(pipeline_->twins_due(skip.target), [&](const auto& twins) {
      return twins.key_hash == skip.key_hash && twins.dataset == skip.dataset;
    });
  };
  uint64_t seen = 0;
  while (is_due()) {
    if (!is_reading_ || parts_.clock.steady_us() >= deadline_us) {
      return fail(ErrorCode::kSystemBusy, "the system was not asked for these rows yet",
                  "it is paused, away, or busy", "try again when `syncline status` says it runs");
    }
    seen = committed_.wait(seen, 20'000);
  }
  SYN_TRY(const std::string stored, parts_.shadow.get_item(item));
  if (stored.empty()) return success();
  return fail(ErrorCode::kTwins, "the rows are there still", skip.reason,
              "delete one of them, or give it a key of its own");
}

}  // namespace syncline::app
