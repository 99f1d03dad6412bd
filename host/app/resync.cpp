#include "host/app/resync.hpp"

#include <algorithm>

#include "host/app/known_places.hpp"
#include "host/app/systems.hpp"
#include "host/base/bytes.hpp"

namespace syncline::app {
namespace {

std::string encode_group(journal::GroupNumber group) {
  std::string bytes;
  ByteWriter(bytes).u64(group);
  return bytes;
}

}  // namespace

std::string epoch_item(const std::string& system) {
  return "epoch/" + system;
}

std::string cursor_item(const std::string& system) {
  return "cursor/" + system;
}

std::string needs_plan_item(const std::string& system) {
  return "needs plan/" + system;
}

std::string rescan_item(model::DatasetId dataset, model::SystemId system) {
  return "rescan/" + std::to_string(dataset) + "/" + std::to_string(system);
}

std::string layout_item(const std::string& system) {
  return "layout/" + system;
}

std::string sync_cursor_item(model::DatasetId dataset, model::SystemId system) {
  return "sync cursor/" + std::to_string(dataset) + "/" + std::to_string(system);
}

std::string phase_item(model::DatasetId dataset, model::SystemId system) {
  return "phase/" + std::to_string(dataset) + "/" + std::to_string(system);
}

std::string filter_item(model::DatasetId dataset, model::SystemId system) {
  return "where/" + std::to_string(dataset) + "/" + std::to_string(system);
}

std::string encode_filter(const std::string& where) {
  return "=" + where;
}

std::string mapping_item(model::DatasetId dataset, model::SystemId system) {
  return std::string(kMappingPrefix) + std::to_string(dataset) + "/" + std::to_string(system);
}

// Lines: "from", "to" or "both", the table, and a field's name and column each.
std::string encode_mapping(const ports::DatasetMapping& mapping) {
  std::string text = mapping.direction == ports::Direction::kBoth   ? "both\n"
                     : mapping.direction == ports::Direction::kFrom ? "from\n"
                                                                    : "to\n";
  text += mapping.table + "\n";
  for (size_t i = 0; i < mapping.columns.size(); ++i) {
    text += mapping.schema->fields[i].name + " " + mapping.columns[i] + "\n";
  }
  return text;
}

std::string encode_epoch(uint32_t epoch) {
  std::string bytes;
  ByteWriter(bytes).u32(epoch);
  return bytes;
}

namespace {

using Systems = decltype(Blueprint::systems);

Result<Systems::const_iterator> find_system(const Blueprint& blueprint, const std::string& name) {
  const Systems& systems = blueprint.systems;
  const auto found = std::find_if(systems.begin(), systems.end(),
                                  [&](const auto& known) { return known.settings->name == name; });
  if (found != systems.end()) return found;
  return fail(ErrorCode::kInvalidArgument, "the config has no system '" + name + "'", "",
              "name one that [systems] lists");
}

// What was synced with the system and is in no dataset now is not compared: should it be put back,
// another resync does that.
Result<void> note_taken_out(state::Shadow& shadow, const BlueprintSystem& system) {
  const std::string end = "/" + std::to_string(system.settings->id);
  std::vector<std::string> gone;
  SYN_TRY(shadow.scan_items(
      std::string(kMappingPrefix), [&](const std::string& name, std::string_view) {
        const bool is_known =
            std::ranges::any_of(system.ports.datasets, [&](const ports::DatasetMapping& mapping) {
              return name == mapping_item(mapping.schema->dataset, system.settings->id);
            });
        if (name.ends_with(end) && !is_known) gone.push_back(name);
        return true;
      }));
  for (const std::string& name : gone) {
    SYN_TRY(shadow.put_item(name, kTakenOut));
  }
  return success();
}

}  // namespace

Result<void> refuse_stranger(Storage& storage, const Blueprint& blueprint,
                             const std::string& system, Clock& clock) {
  SYN_TRY(const auto found, find_system(blueprint, system));
  SYN_TRY(const std::string epoch, storage.shadow().get_item(epoch_item(system)));
  SYN_TRY(const auto made, make_system(found->settings->kind, found->ports, clock));
  bool is_known = false;
  if (made.target != nullptr && !epoch.empty()) {
    SYN_TRY(made.target->open());
    SYN_TRY(const auto checkpoints, made.target->probe(ByteReader(epoch).u32()));
    is_known = !checkpoints.empty();
  }
  if (is_known) return success();
  return fail(
      ErrorCode::kSystemLost, "system '" + system + "' is not compared anew by itself",
      "it holds no checkpoint of this data folder: it may be quite another database",
      "look whether it is the right one, then `syncline resync --system " + system + " --yes`");
}

Result<void> prepare_resync(Storage& storage, const Blueprint& blueprint, const std::string& system,
                            Clock& clock) {
  SYN_TRY(const auto found, find_system(blueprint, system));
  state::Shadow& shadow = storage.shadow();
  SYN_TRY(check_held(shadow, blueprint.held));
  SYN_TRY(const std::string before, shadow.get_item(epoch_item(system)));
  const uint32_t old_epoch = before.empty() ? 0 : ByteReader(before).u32();
  const auto now = static_cast<uint32_t>(clock.now_us() / 1'000'000);
  SYN_TRY(shadow.put_item(epoch_item(system), encode_epoch(std::max(now, old_epoch + 1))));
  // What was still to be delivered is part of what is accepted: the comparison delivers it.
  const journal::GroupNumber committed = storage.journal().stats().committed;
  SYN_TRY(shadow.put_item(cursor_item(system), encode_group(committed)));
  SYN_TRY(shadow.put_item(needs_plan_item(system), {}));
  SYN_TRY(shadow.put_item(layout_item(system), {}));  // all is read whole
  for (const ports::DatasetMapping& mapping : found->ports.datasets) {
    SYN_TRY(shadow.put_item(phase_item(mapping.schema->dataset, found->settings->id), {}));
    SYN_TRY(shadow.put_item(sync_cursor_item(mapping.schema->dataset, found->settings->id), {}));
    SYN_TRY(shadow.put_item(rescan_item(mapping.schema->dataset, found->settings->id), {}));
    SYN_TRY(shadow.put_item(filter_item(mapping.schema->dataset, found->settings->id),
                            encode_filter(mapping.where)));
    SYN_TRY(shadow.put_item(mapping_item(mapping.schema->dataset, found->settings->id),
                            encode_mapping(mapping)));
    SYN_TRY(pipeline::Pipeline::forget_held_deletes(shadow, found->settings->id,
                                                    mapping.schema->dataset));
  }
  SYN_TRY(note_taken_out(shadow, *found));
  SYN_TRY(pipeline::Pipeline::forget_position(shadow, found->settings->id, committed));
  SYN_TRY(shadow.flush());
  return forget_place(system, storage.disk());
}

}  // namespace syncline::app
