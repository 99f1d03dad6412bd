#include "bench/pipeline/bench_appliance.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "kernels/cpu/cpu_engine.hpp"

namespace syncline::bench {
namespace {

constexpr int64_t kSettleUsMax = 600'000'000;
constexpr auto kLook = std::chrono::microseconds(500);
constexpr size_t kWorkersMax = 3;

}  // namespace

void give_up(const Error& error) {
  std::fprintf(stderr, "bench: %s\n", to_string(error).c_str());
  std::exit(1);
}

BenchFolder::BenchFolder() {
  path_ = (std::filesystem::temp_directory_path() / "syncline-bench-XXXXXX").string();
  if (mkdtemp(path_.data()) == nullptr) {
    give_up({ErrorCode::kStorageOpen, "no temporary folder can be made", {}, {}});
  }
}

BenchFolder::~BenchFolder() {
  std::error_code code;
  std::filesystem::remove_all(path_, code);
}

BenchAppliance::BenchAppliance(size_t record_count)
    : left_(record_count, model::kLaneCountDefault),
      right_(record_count, model::kLaneCountDefault),
      log_(make_stderr_log(LogLevel::kWarning)) {
  core::DatasetRules rules;
  rules.schema = &schema_;
  rules.fields.resize(schema_.fields.size());
  for (core::FieldPolicy& policy : rules.fields) policy.text = "newest";
  for (const char* name : {"left", "right"}) {
    core::SystemRole role;
    role.system = model::stable_id(name);
    rules.systems.push_back(role);
  }
  std::sort(rules.systems.begin(), rules.systems.end(),
            [](const auto& a, const auto& b) { return a.system < b.system; });
  rules_.emplace(schema_.dataset, rules);
  open_storage();
  app::RuntimeOptions options;
  options.appliance = "bench";
  options.pool = pool_.get();
  engine::Secret secret;
  system_random().fill(secret);
  std::vector<app::RuntimeSystem> systems;
  systems.push_back(make_system("left", left_));
  systems.push_back(make_system("right", right_));
  runtime_ = demand(app::Runtime::open(app::RuntimeParts{options,
                                                         system_clock(),
                                                         system_random(),
                                                         *log_,
                                                         *disk_,
                                                         *dispatcher_,
                                                         *journal_,
                                                         *shadow_,
                                                         rules_,
                                                         secret,
                                                         std::move(systems),
                                                         {}}));
  demand(runtime_->start());
  change({}, {});
}

BenchAppliance::~BenchAppliance() {
  demand(runtime_->drain_and_stop(app::kDrainUsMax));
}

void BenchAppliance::open_storage() {
  disk_ = demand(make_posix_disk(folder_.path()));
  std::vector<std::unique_ptr<engine::Engine>> engines;
  engines.push_back(cpu::make_cpu_engine());
  dispatcher_ = demand(dispatch::Dispatcher::make(std::move(engines), "cpu", system_clock()));
  pool_ = std::make_unique<WorkPool>(
      std::clamp<size_t>(std::thread::hardware_concurrency(), 2, kWorkersMax + 1) - 1);
  journal::Options options;
  options.pool = pool_.get();
  journal::OpenReport report;
  journal_ = demand(journal::open_journal(*disk_, system_clock(), system_random(), *dispatcher_,
                                          std::string(32, 'k'), options, report));
  demand(disk_->make_folder("shadow"));
  shadow_ = demand(state::open_rocksdb_shadow(folder_.path() + "/shadow", {}));
}

app::RuntimeSystem BenchAppliance::make_system(const std::string& name,
                                               MemorySystem& memory) const {
  app::RuntimeSystem system;
  system.name = name;
  system.id = model::stable_id(name);
  system.ports = memory_ports(memory);
  system.schemas = {&schema_};
  system.mappings[schema_.dataset].schema = &schema_;
  return system;
}

void BenchAppliance::change(std::span<const uint32_t> left_keys,
                            std::span<const uint32_t> right_keys) {
  left_.change(left_keys);
  right_.change(right_keys);
  const int64_t until_us = system_clock().steady_us() + kSettleUsMax;
  while (!left_.is_drained() || !right_.is_drained() || !runtime_->is_at_rest() ||
         !left_.holds_the_same(right_)) {
    if (const auto failure = runtime_->failure()) give_up(*failure);
    if (system_clock().steady_us() > until_us) {
      give_up({ErrorCode::kInternal, "the appliance did not come to rest", {}, {}});
    }
    std::this_thread::sleep_for(kLook);
  }
}

}  // namespace syncline::bench
