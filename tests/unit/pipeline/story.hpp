// What the pipeline's tests stand on.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <random>

#include <gtest/gtest.h>

#include "host/model/key.hpp"
#include "host/pipeline/pipeline.hpp"
#include "kernels/cpu/cpu_engine.hpp"
#include "tests/simulation/sim_disk.hpp"

namespace syncline::pipeline {

using capture::Kind;
using core::SyncPhase;
using model::CellState, model::EntryKind;

constexpr model::SystemId kErp = 1, kShop = 2;
constexpr size_t kLanes = 4;
constexpr int64_t kTimeUs = 1'700'000'000'000'000;

class SeededRandom final : public Random {
 public:
  void fill(std::span<uint8_t> bytes) override {
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random_());
  }

 private:
  std::mt19937_64 random_{1};
};

// A pipeline over one dataset, on a disk and a shadow in memory.
class PipelineOnDisk : public testing::Test {
 protected:
  PipelineOnDisk(const std::vector<std::string>& values, std::vector<core::SystemRole> systems)
      : shadow_(state::make_memory_shadow(kLanes)) {
    schema_.name = "customer";
    schema_.dataset = schema_.stream = model::stable_id(schema_.name);
    schema_.key_count = 1;
    schema_.fields = {{"id", {model::TypeKind::kText, 0, 0, 0}, false}};
    for (const std::string& value : values) {
      schema_.fields.push_back({value, {model::TypeKind::kText, 0, 0, 0}, true});
    }
    core::DatasetRules& rules = rules_[schema_.dataset];
    rules.schema = &schema_;
    rules.fields.resize(schema_.fields.size());
    rules.systems = std::move(systems);
    std::vector<std::unique_ptr<engine::Engine>> engines;
    engines.push_back(cpu::make_cpu_engine({cpu::CpuVariant::kScalar}));
    dispatcher_ = dispatch::Dispatcher::make(std::move(engines), "auto", system_clock()).value();
    start();
  }

  void start() {
    journal::OpenReport report;
    journal_ = journal::open_journal(disk_, system_clock(), random_, *dispatcher_,
                                     std::string(32, 'k'), {}, report)
                   .value();
    engine::Secret secret;
    SeededRandom().fill(secret);
    Options options;
    options.appliance = "here";
    options.lane_count = kLanes;
    pipeline_ = Pipeline::open(options, {system_clock(), disk_, *dispatcher_, *journal_, *shadow_,
                                         rules_, secret})
                    .value();
  }
  // The process dies with its machine; nothing that was not synced is left.
  void crash() {
    pipeline_.reset();
    journal_.reset();
    disk_.crash();
    disk_.restart(simulation::SimDisk::Loss::kLost);
    shadow_->crash([](model::LaneIndex, uint64_t flushed, uint64_t) { return flushed; });
    start();
  }
  void commit() { ASSERT_TRUE(pipeline_->commit().has_value()); }

  // Everything in the journal, in order.
  void visit_entries(const std::function<void(const model::Frame&, const model::Entry&)>& visit) {
    const auto cursor = journal_->open_cursor(0).value();
    while (const journal::GroupPointer group = cursor->next().value()) {
      for (const model::FramePointer& frame : group->frames) {
        for (const model::Entry& entry : frame->entries) visit(*frame, entry);
      }
    }
  }

  model::Schema schema_;
  core::Rules rules_;
  simulation::SimDisk disk_{1};
  SeededRandom random_;
  std::unique_ptr<dispatch::Dispatcher> dispatcher_;
  std::unique_ptr<state::MemoryShadow> shadow_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<Pipeline> pipeline_;
};

// With two systems, the ERP and the shop: what they show goes in, what the journal has for them
// comes out.
class PipelineStory : public PipelineOnDisk {
 protected:
  PipelineStory()
      : PipelineOnDisk({"name", "note"},
                       {{.system = kErp, .phase = SyncPhase::kReading, .first_rank = 2},
                        {.system = kShop, .phase = SyncPhase::kWaiting, .first_rank = 1}}) {
    for (const model::SystemId system : {kErp, kShop}) pipeline_->set_epoch(system, 1);
  }

  void phases(SyncPhase erp, SyncPhase shop) {
    rules_[schema_.dataset].systems[0].phase = erp;
    rules_[schema_.dataset].systems[1].phase = shop;
  }

  void take(model::SystemId system, Kind kind, uint8_t op, const std::string& id,
            std::optional<std::string> name, std::optional<std::string> note) {
    const auto cell = [](const std::optional<std::string>& value) {
      return value ? model::CellView{CellState::kValue, *value}
                   : model::CellView{CellState::kUnchanged, {}};
    };
    const std::vector<model::CellView> cells = {{CellState::kValue, id}, cell(name), cell(note)};
    model::BatchBuilder builder(schema_, kLanes);
    builder.begin_transaction({{}, kTimeUs, 1});
    if (op == SYN_OP_DELETE) {
      builder.add_key_row(op, false, 0, std::span(cells).first(1));
    } else {
      builder.add_row(op, false, 0, cells);
    }
    capture::Captured captured;
    captured.kind = kind;
    captured.system = system;
    captured.arrival_us = kTimeUs;
    captured.batches.push_back(builder.finish());
    ASSERT_TRUE(pipeline_->process(captured).has_value());
    ASSERT_TRUE(pipeline_->commit().has_value());
  }
  void read(model::SystemId system, const std::string& id, const std::string& name,
            const std::string& note) {
    take(system, Kind::kFirstSync, SYN_OP_SNAPSHOT, id, name, note);
  }
  void log(uint8_t op, const std::string& id, std::optional<std::string> name = {},
           std::optional<std::string> note = {}) {
    take(kShop, Kind::kLog, op, id, std::move(name), std::move(note));
  }

  // The entries that the journal has for a system, as text, in order.
  std::vector<std::string> written_to(model::SystemId system) {
    std::vector<std::string> found;
    visit_entries([&](const model::Frame&, const model::Entry& entry) {
      const bool is_for_it = std::ranges::find(entry.targets, system) != entry.targets.end();
      if (is_for_it) found.push_back(text_of(entry));
    });
    return found;
  }
  static std::string text_of(const model::Entry& entry) {
    const bool is_delete = entry.kind == EntryKind::kDelete;
    std::string text = is_delete ? "delete" : entry.kind == EntryKind::kPut ? "put" : "set";
    text += " " + std::string(model::split_key(entry.key).at(0));
    for (const model::EntryCell& cell : entry.cells) text += " " + cell.bytes;
    return text;
  }
};

using Writes = std::vector<std::string>;

}  // namespace syncline::pipeline
