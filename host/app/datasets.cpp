// What the data folder remembers of each dataset: its fields in their order, by which records are
// stored, and its policy, whose number every version begins with.
#include <algorithm>
#include <set>
#include <utility>

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

std::string stream_item(const std::string& dataset) {
  return "stream/" + dataset;
}

std::string encode_stream(const model::Schema& schema) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u32(schema.stream);
  out.u8(static_cast<uint8_t>(schema.key_equivalence));
  return bytes;
}

// Fields may be added at the end; anything else would give stored values to other fields.
Result<void> check_fields(const model::Schema& schema, const std::string& before) {
  const std::string fields = describe_fields(schema);
  if (fields.starts_with(before)) return success();
  const auto [was, is] = std::mismatch(before.begin(), before.end(), fields.begin(), fields.end());
  const auto line = static_cast<size_t>(std::count(before.begin(), was, '\n')) + 1;
  return fail(ErrorCode::kSystemSchema,
              "dataset '" + schema.name + "': its fields are not those it was synced with",
              "field " + std::to_string(line) +
                  " was dropped, renamed, moved or given another type; fields may only be added "
                  "at the end",
              "bring the tables back, or start with a new data folder: the first sync then "
              "matches by key again");
}

// Where nothing is noted, the folder is of a version that noted nothing.
Result<void> check_stream(const model::Schema& schema, const std::string& before) {
  if (before.empty() || before == encode_stream(schema)) return success();
  const std::string fix =
      "or start with a new data folder: the first sync then matches by key again";
  if (ByteReader(before).u32() != schema.stream) {
    return fail(ErrorCode::kConfigValue,
                "dataset '" + schema.name + "': `atomic` is not as it was synced",
                "its changes are numbered with those of its group, here and in its systems: by "
                "another group's numbers writes would pass for done",
                "set `atomic` back, " + fix);
  }
  return fail(ErrorCode::kConfigValue,
              "dataset '" + schema.name + "': its keys are not told apart as when it was synced",
              "a table's collation, or a system that joined, takes other keys for one: what is "
              "stored of a record would not be found",
              "set the collation or the config back, " + fix);
}

// What a mapping that was noted says is no longer so; empty: nothing that matters.
std::string find_change(const std::string& before, const std::string& now) {
  if (before == kTakenOut) return "was taken out since it was synced";
  const auto way_of = [](const std::string& text) { return text.substr(0, text.find('\n')); };
  const std::string was = way_of(before);
  const std::string is = way_of(now);
  const std::string kept = before.substr(was.size());
  if (!now.substr(is.size()).starts_with(kept))
    return "has another table or other columns than when it was synced";
  if (was == is || was == "both") return {};
  return was == "from" ? "is written to, and was not when it was synced"
                       : "is read, and was not when it was synced";
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

Result<void> check_stored(state::Shadow& shadow, const core::Rules& rules) {
  for (const auto& [dataset, rule] : rules) {
    SYN_TRY(const std::string fields, shadow.get_item(schema_item(rule.schema->name)));
    SYN_TRY(check_fields(*rule.schema, fields));
    SYN_TRY(const std::string stream, shadow.get_item(stream_item(rule.schema->name)));
    SYN_TRY(check_stream(*rule.schema, stream));
  }
  return success();
}

Result<void> check_held(state::Shadow& shadow, const std::vector<HeldDataset>& datasets) {
  for (const HeldDataset& held : datasets) {
    SYN_TRY(const std::string stored, shadow.get_item(schema_item(held.name)));
    if (!stored.empty()) return drop_error(held);
  }
  return success();
}

Result<void> RuntimeImpl::check_datasets() {
  SYN_TRY(check_held(parts_.shadow, parts_.held));
  SYN_TRY(check_stored(parts_.shadow, parts_.rules));
  for (auto& [dataset, rules] : parts_.rules) {
    const std::string& name = rules.schema->name;
    SYN_TRY(parts_.shadow.put_item(schema_item(name), describe_fields(*rules.schema)));
    SYN_TRY(parts_.shadow.put_item(stream_item(name), encode_stream(*rules.schema)));
    SYN_TRY(number_policy(rules));
  }
  return note_taken_out();
}

// While a dataset is not synced with a system, places in logs and in the journal move on without
// it.
Result<void> RuntimeImpl::note_taken_out() {
  std::set<std::string> known;
  for (const RuntimeSystem& system : parts_.systems) {
    for (const auto& [dataset, mapping] : system.mappings) {
      known.insert(mapping_item(dataset, system.id));
    }
  }
  std::vector<std::string> gone;
  SYN_TRY(parts_.shadow.scan_items(std::string(kMappingPrefix),
                                   [&](const std::string& name, std::string_view) {
                                     if (!known.contains(name)) gone.push_back(name);
                                     return true;
                                   }));
  for (const std::string& name : gone) {
    SYN_TRY(parts_.shadow.put_item(name, kTakenOut));
  }
  return gone.empty() ? success() : parts_.shadow.flush();
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
Result<bool> RuntimeImpl::is_filter_kept(const RuntimeSystem& system,
                                         const ports::DatasetMapping& mapping) {
  const model::DatasetId dataset = mapping.schema->dataset;
  const std::string item = filter_item(dataset, system.id);
  SYN_TRY(const std::string before, parts_.shadow.get_item(item));
  if (before == encode_filter(mapping.where)) return true;
  if (!before.empty()) return false;
  SYN_TRY(const std::string phase, parts_.shadow.get_item(phase_item(dataset, system.id)));
  if (!phase.empty() && !mapping.where.empty()) return false;
  SYN_TRY(parts_.shadow.put_item(item, encode_filter(mapping.where)));
  return true;
}

// What is known of a system's records was shown by other columns, or is not all there is. Empty:
// nothing stands in the way.
Result<std::string> RuntimeImpl::find_mapping_change(const RuntimeSystem& system,
                                                     const ports::DatasetMapping& mapping) {
  const std::string item = mapping_item(mapping.schema->dataset, system.id);
  const std::string now = encode_mapping(mapping);
  SYN_TRY(const std::string before, parts_.shadow.get_item(item));
  if (before == now) return std::string();
  std::string change = before.empty() ? std::string() : find_change(before, now);
  if (change.empty()) {
    SYN_TRY(parts_.shadow.put_item(item, now));
  }
  return change;
}

// A system that is mapped in another way than its records were synced is left alone.
Result<void> RuntimeImpl::check_mappings(SystemRun& run) {
  const RuntimeSystem& system = *run.system;
  const std::string resync =
      "run `syncline resync --system " + system.name + "`: it compares anew, and deletes nothing";
  for (const auto& [dataset, mapping] : system.mappings) {
    const std::string what = "dataset '" + mapping.schema->name + "': ";
    SYN_TRY(const bool is_kept, is_filter_kept(system, mapping));
    if (!is_kept) {
      run.refused = Error{
          ErrorCode::kSystemLost,
          what + "the row filter of system '" + system.name + "' is not the one it was synced with",
          "what `where` hides now would be taken for deleted, here and in the other systems",
          "set `where` back, or " + resync};
      return success();
    }
    SYN_TRY(std::string change, find_mapping_change(system, mapping));
    if (!change.empty()) {
      change.insert(0, what + "system '" + system.name + "' ");
      run.refused = Error{ErrorCode::kSystemLost, std::move(change),
                          "what differs by that would be taken for edits, or would stay unseen",
                          "set the config back as it was, or " + resync};
      return success();
    }
  }
  return parts_.shadow.flush();
}

}  // namespace syncline::app
