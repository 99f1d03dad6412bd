#include "host/app/render.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/printf.h>

#include "host/model/key.hpp"

namespace syncline::app {
namespace {

namespace json = boost::json;
using model::ConflictOutcome, model::ConflictType;

const char* type_name(ConflictType type) {
  switch (type) {
    case ConflictType::kInsertExists:
      return "insert_exists";
    case ConflictType::kUpdateOriginDiffers:
      return "update_origin_differs";
    case ConflictType::kUpdateExists:
      return "update_exists";
    case ConflictType::kUpdateMissing:
      return "update_missing";
    case ConflictType::kDeleteOriginDiffers:
      return "delete_origin_differs";
    case ConflictType::kDeleteMissing:
      return "delete_missing";
    case ConflictType::kMultipleUniqueConflicts:
      return "multiple_unique_conflicts";
  }
  return "unknown";
}

const char* outcome_name(ConflictOutcome outcome) {
  switch (outcome) {
    case ConflictOutcome::kArrivingWins:
      return "arriving_wins";
    case ConflictOutcome::kAcceptedStays:
      return "accepted_stays";
    case ConflictOutcome::kRecordStays:
      return "record_stays";
    case ConflictOutcome::kRecordEnds:
      return "record_ends";
    case ConflictOutcome::kHeld:
      return "held";
  }
  return "unknown";
}

json::value cell_to_json(model::CellState state, const std::string& bytes,
                         const model::LogicalType* type) {
  if (state != model::CellState::kValue || type == nullptr) return nullptr;
  return json::value(model::text_from_canonical(bytes, *type));
}

json::object side_to_json(const model::ConflictSide& side, const model::LogicalType* type,
                          const Blueprint& blueprint) {
  if (side.state == model::CellState::kUnchanged) {  // a delete has no value
    json::object deleted{{"deleted", true}};
    if (side.system != 0) deleted["system"] = blueprint.system_name(side.system);
    return deleted;
  }
  const std::string origin = blueprint.system_name(side.version.origin);
  return {{"system", blueprint.system_name(side.system)},
          {"value", cell_to_json(side.state, side.bytes, type)},
          {"version", model::describe(side.version, origin)}};
}

json::object delivery_to_json(const delivery::Stats& stats) {
  return {{"entries_read_total", stats.entries_read_total},
          {"entries_delivered_total", stats.entries_delivered_total},
          {"entries_superseded_total", stats.entries_superseded_total},
          {"entries_skipped_total", stats.entries_skipped_total},
          {"rows_written_total", stats.rows_written_total},
          {"transactions_total", stats.transactions_total},
          {"connections", stats.connections},
          {"retries_total", stats.retries_total},
          {"pending_entries", stats.pending_entries}};
}

json::object system_to_json(const SystemStatus& system) {
  json::array datasets;
  for (const DatasetStatus& dataset : system.datasets) {
    json::object one{
        {"name", dataset.name}, {"phase", dataset.phase}, {"records", dataset.records}};
    if (!dataset.error.empty()) one["error"] = dataset.error;
    datasets.push_back(std::move(one));
  }
  json::object out{{"name", system.name},
                   {"state", system.state},
                   {"rows_captured_total", system.rows_captured_total},
                   {"lag_rows", system.lag_rows},
                   {"lag_bytes", system.lag_bytes},
                   {"lag_seconds", system.lag_seconds},
                   {"retained_bytes", system.retained_bytes},
                   {"delivery", delivery_to_json(system.delivery)},
                   {"datasets", std::move(datasets)}};
  if (!system.error.empty()) out["error"] = system.error;
  return out;
}

json::object progress_to_json(const SyncProgress& progress) {
  return {{"dataset", progress.dataset},
          {"system", progress.system},
          {"rows", progress.rows},
          {"row_estimate", progress.row_estimate},
          {"rows_per_second", progress.rows_per_second},
          {"text", progress_text(progress)}};
}

json::object engine_to_json(const dispatch::EngineReport& engine) {
  uint64_t not_ready_total = 0;
  for (const uint64_t total : engine.not_ready_total) not_ready_total += total;
  json::object out{{"name", engine.description.name},
                   {"batches_total", engine.batches_total},
                   {"not_ready_total", not_ready_total},
                   {"faults_total", engine.faults_total},
                   {"is_out_of_service", engine.is_out_of_service}};
  if (engine.is_out_of_service) out["out_of_service"] = stages_out_text(engine);
  if (!engine.last_fault.empty()) out["last_fault"] = engine.last_fault;
  return out;
}

std::string text_of(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return "NULL";
  return value->is_string() ? std::string(value->get_string()) : json::serialize(*value);
}

double number_of(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  return value == nullptr ? 0 : value->to_number<double>();
}

std::string side_text(const json::value& value) {
  const json::object& side = value.get_object();
  if (side.contains("deleted")) {
    return side.contains("system") ? "deleted by " + text_of(side, "system") : "deleted";
  }
  return "'" + text_of(side, "value") + "' of " + text_of(side, "system");
}

}  // namespace

std::string stages_out_text(const dispatch::EngineReport& engine) {
  std::string stages;
  for (size_t i = 0; i < engine::kStageCount; ++i) {
    if (!engine.is_out[i]) continue;
    stages += stages.empty() ? "" : ", ";
    stages += engine::stage_name(static_cast<engine::Stage>(i));
  }
  return stages;
}

std::string engines_text(const json::array& engines) {
  std::string counts;
  std::string faults;
  for (const json::value& value : engines) {
    const json::object& engine = value.get_object();
    counts +=
        fmt::sprintf("%s%s %s batches", counts.empty() ? "" : ", ", text_of(engine, "name").c_str(),
                     text_of(engine, "batches_total").c_str());
    if (!engine.at("is_out_of_service").get_bool()) continue;
    faults += "    " + text_of(engine, "name") + " is out of service for " +
              text_of(engine, "out_of_service") + ": " + text_of(engine, "last_fault") + "\n";
  }
  return "  engines: " + counts + "\n" + faults;
}

json::array explanations_to_json(const std::vector<dispatch::Explanation>& explanations,
                                 const std::string& appliance) {
  json::array stages;
  for (const dispatch::Explanation& explanation : explanations) {
    json::array engines;
    for (const auto& candidate : explanation.candidates) {
      json::object one{{"name", candidate.name}, {"predicted_us", nullptr}};
      if (candidate.predicted_us >= 0) one["predicted_us"] = candidate.predicted_us;
      if (!candidate.remark.empty()) one["remark"] = candidate.remark;
      engines.push_back(std::move(one));
    }
    stages.push_back(json::object{
        {"stage", engine::stage_name(explanation.stage)},
        {"bytes", explanation.bytes},
        {"chosen", explanation.chosen},
        {"why", explanation.why},
        {"engines", std::move(engines)},
        {"appliance", appliance.empty() ? json::value(nullptr) : json::value(appliance)}});
  }
  return stages;
}

std::string explanations_text(const json::array& explanations) {
  std::string out;
  for (const json::value& value : explanations) {
    const json::object& stage = value.get_object();
    out += text_of(stage, "stage") + ": " + text_of(stage, "chosen") + " (" +
           text_of(stage, "why") + ")\n";
    for (const json::value& member : stage.at("engines").get_array()) {
      const json::object& engine = member.get_object();
      std::string told;
      if (!engine.at("predicted_us").is_null()) {
        told = fmt::sprintf("%.1f us", number_of(engine, "predicted_us"));
      }
      if (engine.contains("remark")) {
        told += (told.empty() ? "" : ", ") + text_of(engine, "remark");
      }
      out += fmt::sprintf("  %-12s %s\n", text_of(engine, "name"), told);
    }
  }
  return out;
}

json::object status_to_json(const Status& status) {
  json::array systems;
  for (const SystemStatus& system : status.systems) systems.push_back(system_to_json(system));
  json::array engines;
  for (const auto& engine : status.engines) engines.push_back(engine_to_json(engine));
  const pipeline::Counters& counters = status.counters;
  json::object out{{"appliance", status.appliance},
                   {"state", status.state},
                   {"uptime_seconds", status.uptime_seconds},
                   {"changes_total", counters.changes_total},
                   {"rows_captured_total", counters.rows_captured_total},
                   {"rows_same_total", counters.rows_same_total},
                   {"entries_total", counters.entries_total},
                   {"conflicts_total", counters.conflicts_total},
                   {"echoes_dropped_total", counters.echoes_dropped_total},
                   {"corrections_total", counters.corrections_total},
                   {"times_clamped_total", counters.times_clamped_total},
                   {"skips_total", counters.skips_total},
                   {"delivered_total", status.delivered_total},
                   {"latency_seconds_p50", static_cast<double>(status.latency_us_p50) / 1e6},
                   {"latency_seconds_p99", static_cast<double>(status.latency_us_p99) / 1e6},
                   {"latency_seconds_max", static_cast<double>(status.latency_us_max) / 1e6},
                   {"journal_size_bytes", status.journal.size_bytes},
                   {"journal_segments", status.journal.segment_count},
                   {"table_size_bytes", status.table_size_bytes},
                   {"shadow_records", status.shadow_memory.record_count},
                   {"shadow_memory_bytes", status.shadow_memory.size_bytes},
                   {"engines", std::move(engines)},
                   {"systems", std::move(systems)}};
  json::array held;
  for (const HeldDataset& dataset : status.held) {
    held.push_back(json::object{{"name", dataset.name}, {"error", to_string(dataset.error)}});
  }
  out["held"] = std::move(held);
  if (status.first_sync) out["first_sync"] = progress_to_json(*status.first_sync);
  return out;
}

json::object conflict_to_json(const std::string& id, const model::Conflict& conflict,
                              const Blueprint& blueprint) {
  const model::Schema* schema = blueprint.find_schema(blueprint.dataset_name(conflict.dataset));
  const bool is_known = schema != nullptr && conflict.field < schema->fields.size();
  const model::LogicalType* type = is_known ? &schema->fields[conflict.field].type : nullptr;
  return {{"id", id},
          {"time", time_text(conflict.time_us)},
          {"dataset", blueprint.dataset_name(conflict.dataset)},
          {"key", schema == nullptr ? "" : model::describe_key(conflict.key, *schema)},
          {"field", is_known ? schema->fields[conflict.field].name : ""},
          {"type", type_name(conflict.type)},
          {"policy", conflict.policy},
          {"outcome", outcome_name(conflict.outcome)},
          {"winner", side_to_json(conflict.winner, type, blueprint)},
          {"loser", side_to_json(conflict.loser, type, blueprint)}};
}

json::object skip_to_json(const std::string& id, const model::Skip& skip,
                          const Blueprint& blueprint) {
  const model::Schema* schema = blueprint.find_schema(blueprint.dataset_name(skip.dataset));
  return {{"id", id},
          {"system", blueprint.system_name(skip.target)},
          {"dataset", blueprint.dataset_name(skip.dataset)},
          {"key", schema == nullptr || skip.key.empty() ? ""  // the key itself is the reason
                                                        : model::describe_key(skip.key, *schema)},
          {"reason", skip.reason}};
}

std::string status_text(const json::object& status) {
  std::string out = fmt::sprintf("%s: %s, up %s\n", text_of(status, "appliance").c_str(),
                                 text_of(status, "state").c_str(),
                                 duration_text(number_of(status, "uptime_seconds")).c_str());
  out += fmt::sprintf(
      "  changes %s, delivered %s, conflicts %s, echoes dropped %s, quarantined %s\n",
      text_of(status, "changes_total").c_str(), text_of(status, "delivered_total").c_str(),
      text_of(status, "conflicts_total").c_str(), text_of(status, "echoes_dropped_total").c_str(),
      text_of(status, "quarantined").c_str());
  out += fmt::sprintf("  latency p50 %s, p99 %s; journal %s, tables %s\n",
                      duration_text(number_of(status, "latency_seconds_p50")).c_str(),
                      duration_text(number_of(status, "latency_seconds_p99")).c_str(),
                      size_text(number_of(status, "journal_size_bytes")).c_str(),
                      size_text(number_of(status, "table_size_bytes")).c_str());
  if (const json::value* sync = status.if_contains("first_sync")) {
    out += "  first sync: " + text_of(sync->get_object(), "text") + "\n";
  }
  for (const json::value& value : status.at("held").get_array()) {
    const json::object& held = value.get_object();
    out += "  " + text_of(held, "name") + " waits: " + text_of(held, "error") + "\n";
  }
  out += engines_text(status.at("engines").get_array());
  for (const json::value& value : status.at("systems").get_array()) {
    const json::object& system = value.get_object();
    out += fmt::sprintf("  %-12s %-9s captured %s, waiting to be written %s\n",
                        text_of(system, "name").c_str(), text_of(system, "state").c_str(),
                        text_of(system, "rows_captured_total").c_str(),
                        text_of(system.at("delivery").get_object(), "pending_entries").c_str());
    if (system.contains("error")) out += "    " + text_of(system, "error") + "\n";
    for (const json::value& member : system.at("datasets").get_array()) {
      const json::object& dataset = member.get_object();
      out += fmt::sprintf("    %-16s %-8s %s records\n", text_of(dataset, "name").c_str(),
                          text_of(dataset, "phase").c_str(), text_of(dataset, "records").c_str());
      if (dataset.contains("error")) out += "      " + text_of(dataset, "error") + "\n";
    }
  }
  return out;
}

std::string progress_text(const SyncProgress& progress) {
  std::string out = progress.dataset + " of " + progress.system + ": " + count_text(progress.rows);
  if (progress.row_estimate > progress.rows) {
    out += " of about " + count_text(progress.row_estimate);
  }
  out += " rows, " + count_text(static_cast<uint64_t>(progress.rows_per_second)) + " rows/s";
  if (progress.row_estimate > progress.rows && progress.rows_per_second > 0) {
    const auto left = static_cast<double>(progress.row_estimate - progress.rows);
    out += ", about " + duration_text(left / progress.rows_per_second) + " left";
  }
  return out;
}

std::string lag_text(const json::object& status) {
  std::string out = fmt::sprintf("%-12s %12s %12s %14s %14s %18s\n", "system", "lag", "lag rows",
                                 "lag bytes", "log kept", "waiting to write");
  for (const json::value& value : status.at("systems").get_array()) {
    const json::object& system = value.get_object();
    out += fmt::sprintf("%-12s %12s %12s %14s %14s %18s\n", text_of(system, "name").c_str(),
                        duration_text(number_of(system, "lag_seconds")).c_str(),
                        text_of(system, "lag_rows").c_str(),
                        size_text(number_of(system, "lag_bytes")).c_str(),
                        size_text(number_of(system, "retained_bytes")).c_str(),
                        text_of(system.at("delivery").get_object(), "pending_entries").c_str());
  }
  return out;
}

std::string conflict_text(const json::object& conflict) {
  return text_of(conflict, "id") + "  " + text_of(conflict, "time") + "  " +
         text_of(conflict, "dataset") + " " + text_of(conflict, "key") + " ." +
         text_of(conflict, "field") + "  " + text_of(conflict, "type") + " by " +
         text_of(conflict, "policy") + ": " + side_text(conflict.at("winner")) + " stands over " +
         side_text(conflict.at("loser")) + "\n";
}

std::string conflicts_text(const json::array& conflicts) {
  std::string out;
  for (const json::value& conflict : conflicts) out += conflict_text(conflict.get_object());
  return out.empty() ? "no conflicts\n" : out;
}

const char* equivalence_text(model::KeyEquivalence equivalence) {
  switch (equivalence) {
    case model::KeyEquivalence::kAsciiCaseInsensitive:
      return "upper and lower case";
    case model::KeyEquivalence::kTrailingSpaces:
      return "trailing spaces";
    case model::KeyEquivalence::kBytes:
      break;
  }
  return "nothing";
}

std::string quarantine_text(const json::array& skips) {
  std::string out;
  for (const json::value& value : skips) {
    const json::object& skip = value.get_object();
    out += text_of(skip, "id") + "  " + text_of(skip, "system") + "  " + text_of(skip, "dataset") +
           " " + text_of(skip, "key") + ": " + text_of(skip, "reason") + "\n";
  }
  return out.empty() ? "nothing in quarantine\n" : out;
}

std::string size_text(double bytes) {
  const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  for (; bytes >= 1024 && unit < 4; ++unit) bytes /= 1024;
  return fmt::sprintf("%.*f %s", unit == 0 ? 0 : 1, bytes, units[unit]);
}

std::string duration_text(double seconds) {
  if (seconds < 1) return fmt::sprintf("%.1f ms", seconds * 1e3);
  if (seconds < 120) return fmt::sprintf("%.1f s", seconds);
  if (seconds < 7200) return fmt::sprintf("%.1f min", seconds / 60);
  return fmt::sprintf("%.1f h", seconds / 3600);
}

std::string count_text(uint64_t count) {
  std::string digits = std::to_string(count);
  for (auto at = static_cast<int64_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<size_t>(at), ",");
  }
  return digits;
}

std::string time_text(int64_t time_us) {
  const model::LogicalType type{model::TypeKind::kTimestamp, 6, 0, 0};
  const auto canonical = model::canonical_time_us(time_us, type);
  return canonical ? model::text_from_canonical(canonical.value(), type) : std::to_string(time_us);
}

}  // namespace syncline::app
