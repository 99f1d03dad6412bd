#include "host/ports/moves.hpp"

#include <string_view>
#include <unordered_map>
#include <utility>

#include <boost/container_hash/hash.hpp>

namespace syncline::ports {
namespace {

using RecordKey = std::pair<model::DatasetId, std::string_view>;
using Places = std::unordered_map<RecordKey, size_t, boost::hash<RecordKey>>;

}  // namespace

std::vector<std::vector<size_t>> move_waves(std::span<const RecordWrite> writes) {
  Places leaving, coming;  // by the key that the row has, and by the one that it is to have
  for (size_t i = 0; i < writes.size(); ++i) {
    const RecordWrite& write = writes[i];
    if (write.moved_from.empty()) continue;
    leaving.emplace(RecordKey{write.dataset, write.moved_from}, i);
    coming.emplace(RecordKey{write.dataset, write.key}, i);
  }
  std::vector<std::vector<size_t>> waves;
  std::vector<size_t> wave;
  for (size_t i = 0; i < writes.size(); ++i) {
    const bool is_moved = !writes[i].moved_from.empty();
    if (is_moved && !leaving.contains({writes[i].dataset, writes[i].key})) wave.push_back(i);
  }
  while (!wave.empty()) {
    std::vector<size_t> next;
    for (const size_t i : wave) {
      const auto behind = coming.find({writes[i].dataset, writes[i].moved_from});
      if (behind != coming.end()) next.push_back(behind->second);
    }
    waves.push_back(std::exchange(wave, std::move(next)));
  }
  return waves;
}

std::vector<size_t> moved_in_order(std::span<const RecordWrite> writes) {
  std::vector<size_t> all;
  for (const auto& wave : move_waves(writes)) all.insert(all.end(), wave.begin(), wave.end());
  return all;
}

MoveWaves::MoveWaves(std::span<const RecordWrite> writes) {
  const auto waves = move_waves(writes);
  if (!waves.empty()) places_.resize(writes.size());
  for (size_t wave = 0; wave < waves.size(); ++wave) {
    for (const size_t i : waves[wave]) places_[i].wave = wave;
  }
  Places leaving;
  for (const auto& wave : waves) {
    for (const size_t i : wave)
      leaving.emplace(RecordKey{writes[i].dataset, writes[i].moved_from}, i);
  }
  for (size_t i = 0; i < places_.size(); ++i) {
    const auto next = leaving.find({writes[i].dataset, writes[i].key});
    if (next == leaving.end()) continue;
    if (writes[i].kind != model::EntryKind::kPut) continue;
    places_[i].is_left = true;
    places_[next->second].is_chained = true;
    if (places_[i].wave) places_[i].is_chained = true;
  }
  for (size_t i = 0; i < places_.size(); ++i) {
    if (places_[i].wave && writes[i].is_replacing) places_[i].is_chained = true;
  }
}

}  // namespace syncline::ports
