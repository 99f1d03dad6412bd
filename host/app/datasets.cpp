// What the data folder remembers of each dataset: its fields in their order, by which records are
// stored, and its policy, whose number every version begins with.
#include <algorithm>

#include "host/app/resync.hpp"
#include "host/app/runtime_internal.hpp"
#include "host/base/bytes.hpp"

namespace syncline::app {
namespace {

// One line a field; key fields are marked.
std::string describe_fields(const model::Schema& schema) {
  std::string text;
  for (size_t i = 0; i < schema.fields.size(); ++i) {
    const model::Field& field = schema.fields[i];
    text += (i < schema.key_count ? "key " : "") + field.name + " " + model::to_string(field.type) +
            "\n";
  }
  return text;
}

std::string describe_policy(const core::DatasetRules& rules) {
  std::string text =
      rules.deletes == core::DeletePolicy::kUpdateWins ? "update_wins\n" : "delete_wins\n";
  for (size_t i = 0; i < rules.fields.size(); ++i) {
    const core::FieldPolicy& policy = rules.fields[i];
    text += rules.schema->fields[i].name + " " + (policy.is_local ? "local" : policy.text) + "\n";
  }
  return text;
}

std::string schema_item(const std::string& dataset) {
  return "schema/" + dataset;
}

}  // namespace

Error drop_error(const HeldDataset& held) {
  return {held.error.code,
          "dataset '" + held.name +
              "' has been synced here, and cannot be as the config and the tables are now: " +
              held.error.what,
          held.error.why + (held.error.why.empty() ? "" : "; ") +
              "without it, what its systems change meanwhile would be passed over",
          held.error.fix + (held.error.fix.empty() ? "" : ", ") + "or take out of [datasets." +
              held.name + "] what is new there until then"};
}

// One that was synced is never held: places in logs and in the journal would move on without it.
Result<void> RuntimeImpl::check_datasets() {
  for (const HeldDataset& held : parts_.held) {
    SYN_TRY(const std::string stored, parts_.shadow.get_item(schema_item(held.name)));
    if (!stored.empty()) return drop_error(held);
  }
  for (auto& [dataset, rules] : parts_.rules) {
    SYN_TRY(check_fields(*rules.schema));
    SYN_TRY(number_policy(rules));
  }
  return success();
}

// Fields may be added at the end; anything else would give stored values to other fields.
Result<void> RuntimeImpl::check_fields(const model::Schema& schema) {
  const std::string item = schema_item(schema.name);
  const std::string fields = describe_fields(schema);
  SYN_TRY(const std::string before, parts_.shadow.get_item(item));
  if (before == fields) return success();
  if (!fields.starts_with(before)) {
    const auto [was, is] =
        std::mismatch(before.begin(), before.end(), fields.begin(), fields.end());
    const auto line = static_cast<size_t>(std::count(before.begin(), was, '\n')) + 1;
    return fail(ErrorCode::kSystemSchema,
                "dataset '" + schema.name + "': its fields are not those it was synced with",
                "field " + std::to_string(line) +
                    " was dropped, renamed, moved or given another type; fields may only be added "
                    "at the end",
                "bring the tables back, or start with a new data folder: the first sync then "
                "matches by key again");
  }
  return parts_.shadow.put_item(item, fields);
}

// Every change of policy raises the number, so that what follows it stands above what was before.
Result<void> RuntimeImpl::number_policy(core::DatasetRules& rules) {
  const std::string item = "policy/" + rules.schema->name;
  const std::string policy = describe_policy(rules);
  SYN_TRY(const std::string before, parts_.shadow.get_item(item));
  ByteReader in(before);
  const uint32_t number = before.empty() ? 0 : in.u32();
  if (!before.empty() && in.raw(in.remaining()) == policy) {
    rules.policy_number = number;
    return success();
  }
  rules.policy_number = number + 1;
  std::string bytes;
  ByteWriter out(bytes);
  out.u32(rules.policy_number);
  out.raw(policy);
  SYN_TRY(parts_.shadow.put_item(item, bytes));
  return parts_.shadow.flush();
}

// What a filter hides since it was changed would look deleted, and what it shows would look new.
// Where nothing is noted, no filter was known yet: of a dataset that is in step it hid nothing.
Result<void> RuntimeImpl::check_filters(SystemRun& run) {
  const RuntimeSystem& system = *run.system;
  for (const model::Schema* schema : system.schemas) {
    const auto found = system.filters.find(schema->dataset);
    const std::string where = found == system.filters.end() ? "" : found->second;
    const std::string item = filter_item(schema->dataset, system.id);
    SYN_TRY(const std::string before, parts_.shadow.get_item(item));
    if (before == encode_filter(where)) continue;
    if (before.empty()) {
      SYN_TRY(const std::string phase,
              parts_.shadow.get_item(phase_item(schema->dataset, system.id)));
      if (phase.empty() || where.empty()) {
        SYN_TRY(parts_.shadow.put_item(item, encode_filter(where)));
        SYN_TRY(parts_.shadow.flush());
        continue;
      }
    }
    run.refused =
        Error{ErrorCode::kSystemLost,
              "dataset '" + schema->name + "': the row filter of system '" + system.name +
                  "' is not the one it was synced with",
              "what `where` hides now would be taken for deleted, here and in the other systems",
              "set `where` back, or run `syncline resync --system " + system.name +
                  "`: it compares anew, and deletes nothing"};
    return success();
  }
  return success();
}

}  // namespace syncline::app
