// Writes of ours that a system's log does not show: its marker comes, no row. What they set is
// known from when they were decided, and the fingerprint table learns of it there.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "host/pipeline/pipeline_internal.hpp"

namespace syncline::pipeline {
namespace {

// What the quiet transactions of one input come to for one record.
struct QuietRun {
  core::RecordId record;
  uint64_t key_bits = 0;
  model::Collapsed<core::SentPrint> written;
};

void append_number(std::string& out, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

void append_head(std::string& out, uint8_t kind, uint64_t key_bits) {
  append_number(out, kind, 1);
  append_number(out, key_bits, sizeof key_bits);
}

void append_sent(std::string& out, const QuietRun& run, const model::Schema& schema) {
  append_head(out, SYN_DELTA_SENT, run.key_bits);
  std::string bitmap((schema.value_count() + 7) / 8, '\0');
  for (const core::SentPrint& print : run.written.cells) {
    const size_t value = print.field - schema.key_count;
    bitmap[value / 8] = static_cast<char>(bitmap[value / 8] | 1 << (value % 8));
  }
  out += bitmap;
  for (const core::SentPrint& print : run.written.cells) {
    append_number(out, syn_cell_of_fingerprint(print.fingerprint), SYN_CELL_SIZE);
  }
}

void append_put(std::string& out, const QuietRun& run, const model::Schema& schema) {
  append_head(out, SYN_DELTA_PUT, run.key_bits);
  auto print = run.written.cells.begin();
  for (size_t value = 0; value < schema.value_count(); ++value) {
    const bool is_sent =
        print != run.written.cells.end() && print->field == schema.key_count + value;
    append_number(out, is_sent ? syn_cell_of_fingerprint((print++)->fingerprint) : SYN_CELL_UNKNOWN,
                  SYN_CELL_SIZE);
  }
}

std::vector<QuietRun> quiet_runs(const core::Lane& lane, const core::Input& input) {
  std::vector<QuietRun> runs;
  std::unordered_map<core::RecordId, size_t, core::RecordIdHasher> places;
  core::FlowWalks walks;
  for (const core::Item& item : input.items) {
    const auto* marker = std::get_if<core::Marker>(&item);
    if (marker == nullptr) continue;
    const auto take = [&](const core::Flow::Write& write,
                          const std::vector<core::SentPrint>& prints) {
      if (write.is_skipped || !marker->is_quiet) return;
      const auto [place, is_new] = places.try_emplace(write.record, runs.size());
      if (is_new) runs.push_back({write.record, write.key_bits, {}});
      model::collapse_onto<core::SentPrint>(runs[place->second].written, write.kind, 0, prints);
    };
    lane.each_write(input.system, *marker, walks, take);
  }
  return runs;
}

bool has_quiet(const core::Input& input) {
  return std::any_of(input.items.begin(), input.items.end(), [](const core::Item& item) {
    const auto* marker = std::get_if<core::Marker>(&item);
    return marker != nullptr && marker->is_quiet;
  });
}

}  // namespace

// REQUIRES: the lane as it is before its step.
void PipelineImpl::add_quiet_deltas(LaneWork& work) const {
  if (!has_quiet(work.input)) return;
  std::map<model::DatasetId, std::string> deltas;
  for (const QuietRun& run : quiet_runs(lanes_[work.lane], work.input)) {
    const model::DatasetId dataset = run.record.dataset;
    const auto rule = with_.rules.find(dataset);
    const state::FingerprintTable* table = tables_.find(work.input.system, dataset);
    if (rule == with_.rules.end() || table == nullptr) continue;
    if (run.written.is_nothing()) continue;
    std::string& delta = deltas[dataset];
    if (model::is_whole(run.written.kind)) {
      append_put(delta, run, *rule->second.schema);
    } else if (run.written.kind == model::EntryKind::kSet) {
      append_sent(delta, run, *rule->second.schema);
    } else {
      append_head(delta, SYN_DELTA_REMOVE, run.key_bits);
      const bool may_have_twins =
          rule->second.schema->key_equivalence != model::KeyEquivalence::kBytes;
      if (may_have_twins) work.quietly_gone.push_back(run.record);
      if (table->contains(work.lane, run.key_bits)) ++work.quiet_deletes[dataset];
    }
  }
  for (auto& [dataset, bytes] : deltas) {
    work.deltas.push_back({work.input.system, dataset, std::move(bytes)});
  }
}

// The transactions that have to be taken alone.
std::vector<PipelineImpl::Alone> PipelineImpl::find_alone(const capture::Captured& captured) const {
  std::unordered_set<core::RecordId, core::RecordIdHasher> shown;
  for (const model::Batch& batch : captured.batches) {
    for (size_t row = 0; row < batch.row_count(); ++row) {
      shown.insert({batch.dataset(), batch.key_hash(row)});
    }
  }
  std::vector<Alone> found;
  std::vector<core::FlowWalks> walks(lanes_.size());
  for (const capture::CapturedMarker& marker : captured.markers) {
    if (marker.appliance != options_.appliance || marker.lane >= lanes_.size()) continue;
    bool is_met = false;
    const auto look = [&](const core::Flow::Write& write, const std::vector<core::SentPrint>&) {
      is_met = is_met || (marker.is_quiet && shown.contains(write.record));
    };
    lanes_[marker.lane].each_write(captured.system,
                                   {marker.stream, marker.epoch, marker.sequence, marker.is_quiet},
                                   walks[marker.lane], look);
    const bool is_found = !found.empty() && found.back().begin == marker.begin;
    if (is_met && !is_found) found.push_back({marker.begin, 0, marker.before, marker.position});
    if (is_met || is_found) found.back().end = marker.ordinal + 1;
  }
  return found;
}

// A record that a quiet transaction wrote and that a row of the same poll shows: what came before
// the transaction, the transaction, and what came behind it are taken one after the other, each to
// where its own last transaction stands.
std::vector<capture::Captured> PipelineImpl::parts(capture::Captured captured) const {
  const bool is_quiet =
      std::any_of(captured.markers.begin(), captured.markers.end(),
                  [](const capture::CapturedMarker& marker) { return marker.is_quiet; });
  std::vector<capture::Stretch> stretches;
  if (is_quiet && !captured.batches.empty()) {
    for (const Alone& alone : find_alone(captured)) {
      if (alone.begin > 0) stretches.push_back({alone.begin, alone.before});
      stretches.push_back({alone.end, alone.position});
    }
  }
  if (!stretches.empty()) {
    return capture::cut(std::move(captured), stretches, options_.lane_count);
  }
  std::vector<capture::Captured> whole;
  whole.push_back(std::move(captured));
  return whole;
}

}  // namespace syncline::pipeline
