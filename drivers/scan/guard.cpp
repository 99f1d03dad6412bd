#include "drivers/scan/guard.hpp"

#include "host/model/key.hpp"

namespace syncline::scan {
namespace {

ImageHash hash_of(const Images& present, const RecordId& id) {
  const auto found = present.find(id);
  return found == present.end() ? kNoImage : image_hash(found->second);
}

}  // namespace

Error Guard::outside_filter(model::DatasetId dataset) const {
  return {ErrorCode::kSystemRefused, "the record lies outside the row filter",
          "`where` is " + guarded_.at(dataset)->where,
          "widen the filter in the config, or correct the record"};
}

Error another_is_there() {
  return {ErrorCode::kSystemRefused, "another record has this key there (insert_exists)",
          "both systems gave the number, each to a record of its own",
          "give one of the two another number"};
}

Lookup::Lookup(const Guard& guard, std::span<const ports::RecordWrite> writes,
               model::DatasetId dataset)
    : guard_(guard), writes_(writes), dataset_(dataset) {
  for (size_t i = 0; i < writes.size(); ++i) {
    if (writes[i].dataset != dataset) continue;
    keys_.emplace_back(writes[i].key);
    places_.emplace(Guard::id_of(writes[i]), i);
    alike_.emplace(model::record_hash(writes[i].key, guard.schema(dataset)), i);
  }
}

void Lookup::take(const std::string& key, Side side, std::string image, Present& present) const {
  const auto place = places_.find(Guard::id_of({dataset_, key, {}, {}}));
  const auto alike = alike_.find(model::record_hash(key, guard_.schema(dataset_)));
  if (alike == alike_.end()) return;
  const size_t at = place == places_.end() ? alike->second : place->second;
  if (side == Side::kInside) {
    present.images.emplace(Guard::id_of(writes_[at]), std::move(image));
  } else if (writes_[at].kind != model::EntryKind::kDelete) {
    present.outside.insert(at);
  }
}

Guard::Guard(const ports::SystemConfig& config, std::shared_ptr<Shared> shared)
    : system_(config.name), shared_(std::move(shared)) {
  for (const ports::DatasetMapping& mapping : config.datasets) {
    if (mapping.direction != ports::Direction::kBoth) continue;
    guarded_.emplace(mapping.schema->dataset, &mapping);
  }
}

RecordId Guard::id_of(const ports::RecordWrite& write) {
  return {write.dataset, model::hash_key(write.key)};
}

std::set<model::DatasetId> Guard::touched(std::span<const ports::RecordWrite> writes) const {
  std::set<model::DatasetId> datasets;
  for (const ports::RecordWrite& write : writes) {
    if (is_guarded(write.dataset)) datasets.insert(write.dataset);
  }
  return datasets;
}

Error Guard::edited() const {
  return {ErrorCode::kSystemBusy, "a record in system " + system_ + " was edited since it was read",
          "it has to be read before it is written over, for no log would tell of it",
          "nothing: it is read, then tried again"};
}

Result<std::vector<Standing>> Guard::check(std::span<const ports::RecordWrite> writes,
                                           const Images& present) {
  if (!shared_->known.has_room()) {
    return fail(ErrorCode::kSystemBusy, "too many writes to system " + system_ + " wait to be seen",
                "it is not read just now", "nothing: it is tried again");
  }
  std::vector<Standing> standings;
  standings.reserve(writes.size());
  bool may_write = true;
  for (const ports::RecordWrite& write : writes) {
    if (!is_guarded(write.dataset)) {
      standings.push_back(Standing::kUnguarded);
      continue;
    }
    const RecordId id = id_of(write);
    const ImageHash hash = hash_of(present, id);
    standings.push_back(hash == kNoImage ? Standing::kAbsent : Standing::kThere);
    may_write = shared_->known.may_write({id, std::string(write.key)}, hash) && may_write;
  }
  if (!may_write) return edited();
  return standings;
}

Error Guard::was_inserted(const ports::RecordWrite& write) {
  shared_->known.want({id_of(write), std::string(write.key)});
  return edited();
}

void Guard::wrote(std::span<const ports::RecordWrite> writes, const Images& present) {
  for (const ports::RecordWrite& write : writes) {
    if (!is_guarded(write.dataset)) continue;
    const RecordId id = id_of(write);
    const auto image = present.find(id);
    shared_->known.wrote({id, std::string(write.key)},
                         image == present.end() ? std::string_view() : image->second);
  }
  shared_->known.end_writes();
}

}  // namespace syncline::scan
