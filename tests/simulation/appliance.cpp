#include "tests/simulation/appliance.hpp"

#include <algorithm>
#include <utility>

#include "host/base/assert.hpp"
#include "host/base/bytes.hpp"
#include "kernels/cpu/cpu_engine.hpp"
#include "tests/simulation/sim_device.hpp"

namespace syncline::simulation {

namespace {

constexpr uint32_t kEpoch = 1;
constexpr size_t kConnectionsMax = 3;  // to write to one system through

std::string cursor_item(model::SystemId target) {
  return "cursor/" + std::to_string(target);
}

}  // namespace

Appliance::Appliance(const Surroundings& around)
    : around_(around),
      random_(around.plan.seed * around.plan.appliances.size() + around.index),
      dispatcher_(make_dispatcher()),
      systems_(around.plan.systems_of(around.index)),
      peers_(around.plan.peers_of(around.index)) {}

Appliance::~Appliance() = default;

std::unique_ptr<dispatch::Dispatcher> Appliance::make_dispatcher() {
  std::vector<std::unique_ptr<engine::Engine>> engines;
  if (plan().has_device) {
    const uint64_t seed = around_.plan.seed * around_.plan.appliances.size() + around_.index;
    engines.push_back(make_sim_device(seed, around_.weather));
  }
  engines.push_back(cpu::make_cpu_engine({cpu::CpuVariant::kScalar}));
  auto made = dispatch::Dispatcher::make(std::move(engines), "auto", around_.clock);
  SYN_ASSERT(made.has_value());
  return std::move(made).value();
}

Result<void> Appliance::start() {
  journal::OpenReport report;
  SYN_TRY(journal_, journal::open_journal(around_.disk, around_.clock, random_, *dispatcher_,
                                          wrapping_key(), around_.plan.journal, report));
  engine::Secret secret;  // XXH3 wants one without a pattern; the same after every restart
  SeededRandom(around_.plan.seed + 1 + around_.index).fill(secret);
  pipeline::Options options;
  options.appliance = plan().name;
  options.lane_count = plan().lane_count;
  SYN_TRY(auto opened,
          pipeline::Pipeline::open(options, {around_.clock, around_.disk, *dispatcher_, *journal_,
                                             around_.shadow, plan().rules, secret}));
  SYN_TRY(around_.observer.attach(*journal_));
  SYN_TRY(around_.observer.read_on());
  pipeline_ = std::move(opened);
  links_.clear();
  for (const size_t system : systems_) {
    const model::SystemId id = around_.plan.systems[system].id;
    pipeline_->set_epoch(id, kEpoch);
    SYN_TRY(const std::string saved, around_.shadow.get_item(cursor_item(id)));
    links_[system].saved_cursor = saved.empty() ? 0 : ByteReader(saved).u64();
  }
  SYN_TRY(load_sendings());
  check_positions();
  return success();
}

void Appliance::stop() {
  around_.observer.detach();
  links_.clear();
  sendings_.clear();
  pipeline_.reset();
  journal_.reset();
  reported_.clear();
  unreported_.clear();
}

// Whatever was acknowledged must be known from the disk alone.
void Appliance::check_positions() {
  for (const size_t peer : peers_) {
    if (received_[peer] >= acknowledged_to_[peer]) continue;
    around_.report.violation("acknowledged too early",
                             "to " + around_.plan.appliances[peer].name + " up to " +
                                 std::to_string(acknowledged_to_[peer]) +
                                 ", the restart knows only " + std::to_string(received_[peer]));
  }
  for (const size_t system : systems_) {
    const ModelSystem& model_system = *around_.systems[system];
    const uint64_t known = number_of(pipeline_->position(model_system.plan().id));
    // Where an acknowledgement was lost the log is read again from before it, in other stretches.
    const uint64_t acknowledged = std::exchange(acknowledged_[system], model_system.acknowledged());
    if (known >= acknowledged || !model_system.has_effect(known, acknowledged)) continue;
    around_.report.violation("acknowledged too early",
                             model_system.plan().name + " was acknowledged up to " +
                                 std::to_string(acknowledged) + ", the restart knows only " +
                                 std::to_string(known));
  }
}

bool Appliance::open_source(size_t system) {
  Link& link = links_[system];
  if (link.capture) return true;
  ModelSystem& model_system = *around_.systems[system];
  link.source =
      std::make_unique<ModelSource>(model_system, around_.weather, around_.dice, around_.report);
  auto capture =
      std::make_unique<capture::Capture>(model_system.plan().id, *link.source,
                                         around_.plan.schemas(), plan().lane_count, around_.clock);
  for (const DatasetPlan& dataset : around_.plan.datasets) {
    if (dataset.insert_exists == core::InsertExists::kMerge) continue;
    capture->never_renew(dataset.schema->dataset);
  }
  const model::Position known = pipeline_->position(model_system.plan().id);
  if (!link.source->open(known)) return false;
  capture->resume_behind(known);
  link.capture = std::move(capture);
  return true;
}

Result<bool> Appliance::capture(size_t system, size_t row_limit) {
  if (pipeline_->is_waiting()) {
    SYN_TRY(pipeline_->append_waiting());
  }
  if (!open_source(system)) return false;
  Link& link = links_[system];
  if (!link.parts.empty()) return process_parts(link, system);
  auto captured = link.capture->run_once(row_limit, 0);
  if (!captured) return false;  // busy or away: tried again
  if (around_.report.is_traced()) {
    around_.report.trace("capture " + around_.plan.systems[system].name + " up to " +
                         std::to_string(number_of(captured.value().position)) + ", " +
                         std::to_string(captured.value().row_count()) + " rows");
  }
  auto parts = pipeline_->parts(std::move(captured).value());
  link.parts.assign(std::make_move_iterator(parts.begin()), std::make_move_iterator(parts.end()));
  return process_parts(link, system);
}

Result<bool> Appliance::process_parts(Link& link, size_t system) {
  const bool is_any = !link.parts.back().position.is_start();
  while (!link.parts.empty()) {
    const capture::Captured part = std::move(link.parts.front());
    link.parts.pop_front();
    SYN_TRY(pipeline_->process(part));
  }
  SYN_TRY(acknowledge(system));  // as the runtime does, whenever it looks
  return is_any;
}

Result<void> Appliance::commit() {
  SYN_TRY(pipeline_->commit());
  SYN_TRY(around_.observer.read_on());
  for (const size_t system : systems_) {
    SYN_TRY(acknowledge(system));
  }
  for (const size_t peer : peers_) {
    const auto position = pipeline_->take_acknowledgement(peer_id(peer));
    if (position) acknowledge_to(peer, *position);
  }
  return success();
}

Result<void> Appliance::acknowledge(size_t system) {
  if (!links_[system].capture) return success();
  const auto position = pipeline_->take_acknowledgement(around_.plan.systems[system].id);
  if (!position) return success();
  acknowledged_[system] = std::max(acknowledged_[system], number_of(*position));
  if (around_.report.is_traced()) {
    around_.report.trace("acknowledge " + around_.plan.systems[system].name + " " +
                         std::to_string(number_of(*position)));
  }
  return links_[system].source->acknowledge(*position);
}

Result<bool> Appliance::open_delivery(size_t system) {
  Link& link = links_[system];
  if (link.delivery) return true;
  ModelSystem& model_system = *around_.systems[system];
  link.targets.clear();
  std::vector<ports::Target*> targets;
  for (size_t left = 1 + around_.dice.below(kConnectionsMax); left > 0; --left) {
    link.targets.push_back(
        std::make_unique<ModelTarget>(model_system, around_.weather, around_.dice, around_.report));
    targets.push_back(link.targets.back().get());
  }
  delivery::Options options;
  options.target = model_system.plan().id;
  options.epoch = kEpoch;
  options.lane_count = plan().lane_count;
  options.schemas = around_.plan.schemas();
  options.batch_entries_max = 1 + around_.dice.below(around_.dice.chance(0.5) ? 3 : 20);
  options.share_entries_min = 1 + around_.dice.below(4);
  for (const model::Schema* schema : options.schemas) {
    for (size_t index = 0; index < options.lane_count; ++index) {
      const auto lane = static_cast<model::LaneIndex>(index);
      options.refused[{schema->stream, lane}] =
          pipeline_->skipped(options.target, schema->stream, lane);
    }
  }
  options.may_be_quiet = [this, target = options.target](model::StreamId stream,
                                                         model::LaneIndex lane,
                                                         model::Sequence behind) {
    return behind >= pipeline_->known_behind(target, stream, lane);
  };
  auto delivery = std::make_unique<delivery::Delivery>(options, std::move(targets), *journal_,
                                                       around_.clock, random_);
  const auto opened = delivery->open(link.saved_cursor);
  if (!opened) {
    if (opened.error().code == ErrorCode::kSystemOpen) return false;
    return opened.as_failure();
  }
  link.delivery = std::move(delivery);
  return true;
}

Result<bool> Appliance::deliver(size_t system) {
  SYN_TRY(const bool is_open, open_delivery(system));
  if (!is_open) return false;
  auto ran = links_[system].delivery->run_once();
  if (!ran && ran.error().code == ErrorCode::kMarkerMoved) {
    links_[system].delivery.reset();  // the target looks for itself what was applied
    return true;
  }
  return ran;
}

Result<bool> Appliance::report_skips(size_t system) {
  if (pipeline_->is_waiting() || !links_[system].delivery) return false;
  std::vector<model::Skip> skips = links_[system].delivery->take_skips();
  const bool is_news = !skips.empty();
  if (is_news && around_.dice.chance(around_.weather.faults.repeated_report)) {
    reported_.insert(reported_.end(), skips.begin(), skips.end());
  }
  if (!is_news && !reported_.empty()) skips = std::exchange(reported_, {});
  unreported_.insert(unreported_.end(), skips.begin(), skips.end());
  if (unreported_.empty()) return false;
  SYN_TRY(pipeline_->process_skips(unreported_));
  unreported_.clear();
  return is_news;
}

Result<void> Appliance::retry_skipped(size_t system) {
  const model::SystemId id = around_.plan.systems[system].id;
  for (const auto& [place, keys] : around_.observer.skipped) {
    if (place.first != id) continue;
    SYN_TRY(pipeline_->process_redeliver(id, place.second,
                                         std::vector<std::string>(keys.begin(), keys.end())));
  }
  return success();
}

Result<void> Appliance::checkpoint(size_t lane_limit) {
  if (pipeline_->is_waiting()) return success();
  journal::GroupNumber oldest = around_.observer.last_group;
  pipeline::Pipeline::Items cursors;
  for (auto& [system, link] : links_) {
    if (link.delivery) link.saved_cursor = link.delivery->cursor();
    std::string bytes;
    ByteWriter(bytes).u64(link.saved_cursor);
    cursors.emplace_back(cursor_item(around_.plan.systems[system].id), std::move(bytes));
    oldest = std::min(oldest, link.saved_cursor);
  }
  for (const auto& [peer, sending] : sendings_) {
    std::string bytes;
    ByteWriter(bytes).u64(sending.acknowledged);
    cursors.emplace_back(cursor_item(peer_id(peer)), std::move(bytes));
    oldest = std::min(oldest, sending.acknowledged);
  }
  SYN_TRY(const auto covered, pipeline_->checkpoint(lane_limit, cursors));
  SYN_TRY(around_.observer.read_on());
  if (!covered) return success();
  return journal_->release(std::min(oldest, *covered));
}

int64_t Appliance::wait_us() const {
  int64_t longest_us = 0;
  for (const auto& [system, link] : links_) {
    if (link.delivery) longest_us = std::max(longest_us, link.delivery->wait_us());
  }
  return longest_us;
}

void Appliance::check_accounts() {
  for (const auto& [system, link] : links_) {
    const std::string& name = around_.plan.systems[system].name;
    if (!link.delivery) continue;
    const delivery::Stats stats = link.delivery->stats();
    if (stats.entries_read_total !=
        stats.entries_delivered_total + stats.entries_skipped_total + stats.pending_entries) {
      around_.report.violation("accounting",
                               name + " read " + std::to_string(stats.entries_read_total) +
                                   ", delivered " + std::to_string(stats.entries_delivered_total) +
                                   ", skipped " + std::to_string(stats.entries_skipped_total) +
                                   ", pending " + std::to_string(stats.pending_entries));
    }
  }
}

}  // namespace syncline::simulation
