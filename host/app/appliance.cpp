#include "host/app/appliance.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <thread>

#include "host/app/engines.hpp"
#include "host/app/remembered.hpp"
#include "host/app/systems.hpp"
#include "host/journal/keys.hpp"

namespace syncline::app {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFormatText = "syncline data folder, format 5, lanes ";
constexpr size_t kWorkersMax = 3;

class StorageImpl final : public Storage {
 public:
  Disk& disk() override { return *disk_; }
  dispatch::Dispatcher& dispatcher() override { return *dispatcher_; }
  journal::Journal& journal() override { return *journal_; }
  state::Shadow& shadow() override { return *shadow_; }
  WorkPool& pool() override { return *pool_; }
  const engine::Secret& secret() const override { return secret_; }

  Result<void> open(const config::Config& config, Mode mode, Clock& clock, Random& random,
                    Log& log);

 private:
  Result<void> open_folder(const config::Config& config, Mode mode);
  Result<void> check_format(const config::Config& config);

  std::unique_ptr<FolderLock> lock_;
  std::unique_ptr<Disk> disk_;
  std::unique_ptr<dispatch::Dispatcher> dispatcher_;
  std::unique_ptr<WorkPool> pool_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<state::Shadow> shadow_;
  engine::Secret secret_{};
  bool is_new_ = false;
};

// Beside the step thread, which works too.
size_t worker_count(const config::Config& config) {
  const size_t threads = config.appliance.thread_count > 0 ? config.appliance.thread_count
                                                           : std::thread::hardware_concurrency();
  return std::min(kWorkersMax, std::max<size_t>(threads, 1) - 1);
}

Result<void> StorageImpl::open_folder(const config::Config& config, Mode mode) {
  const fs::path folder = config.appliance.data;
  std::error_code code;
  if (!fs::is_directory(folder, code)) {
    if (mode == Mode::kLook) {
      return fail(ErrorCode::kNotRunning, "there is no data folder " + folder.string(),
                  "no appliance has run with this config yet", "start one with `syncline run`");
    }
    fs::create_directories(folder, code);
    if (code) {
      return fail(ErrorCode::kStorageOpen, "the data folder " + folder.string() + " cannot be made",
                  code.message(),
                  "make it, or set [appliance] data to a folder that can be written");
    }
    fs::permissions(folder, fs::perms::owner_all, code);
  }
  SYN_TRY(lock_, lock_folder(folder.string()));
  SYN_TRY(disk_, make_posix_disk(folder.string()));
  return check_format(config);
}

Result<void> StorageImpl::check_format(const config::Config& config) {
  const std::string lanes = std::to_string(config.appliance.lane_count);
  SYN_TRY(const bool is_there, disk_->exists("format"));
  if (!is_there) {
    is_new_ = true;
    return success();
  }
  SYN_TRY(const std::string text, disk_->read_all("format"));
  if (text == std::string(kFormatText) + lanes + "\n") return success();
  if (text.starts_with(kFormatText)) {
    std::string found = text.substr(kFormatText.size());
    found.erase(found.find_last_not_of('\n') + 1);
    return fail(ErrorCode::kFormat, "the data folder was made with " + found + " lanes",
                "the number of lanes is fixed at the first run; the config says " + lanes,
                "set [appliance] lanes = " + found);
  }
  return fail(ErrorCode::kFormat, "the data folder has another format",
              "its file 'format' says: " + text.substr(0, 80),
              "use the version that made it, or a new data folder");
}

Result<void> StorageImpl::open(const config::Config& config, Mode mode, Clock& clock,
                               Random& random, Log& log) {
  SYN_TRY(open_folder(config, mode));
  const journal::KeyUse use = is_new_ ? journal::KeyUse::kCreateIfNew : journal::KeyUse::kMustExist;
  SYN_TRY(const std::string master,
          journal::load_master_key(config.appliance.key_file, use, random));
  // The key first: a folder that has a format is not new, and is given no other key.
  if (is_new_) {
    const std::string lanes = std::to_string(config.appliance.lane_count);
    SYN_TRY(disk_->replace("format", std::string(kFormatText) + lanes + "\n"));
  }
  const std::string secret = journal::derive_key(master, "fingerprint secret", secret_.size());
  std::copy(secret.begin(), secret.end(), secret_.begin());
  const auto on_fault = [&log](const std::string& engine, const std::string& fault) {
    log.warning("engine '" + engine + "' is out of service, others go on: " + fault);
  };
  SYN_TRY(dispatcher_, make_dispatcher(config.appliance.engine, clock, on_fault,
                                       [&log](const std::string& what) { log.warning(what); }));
  // A lone engine, or a forced one, has nobody to be compared with.
  if (mode == Mode::kRun && config.appliance.engine == "auto" && dispatcher_->report().size() > 1) {
    dispatcher_->calibrate();
  }
  pool_ = std::make_unique<WorkPool>(mode == Mode::kRun ? worker_count(config) : 0);
  journal::Options options;
  options.pool = pool_.get();
  options.segment_size_bytes = config.journal.segment_size_bytes;
  options.limit_bytes = config.journal.limit_bytes;
  options.retain_us = config.journal.retain_us;
  journal::OpenReport report;
  SYN_TRY(journal_,
          journal::open_journal(*disk_, clock, random, *dispatcher_,
                                journal::derive_key(master, "journal", 32), options, report));
  if (report.cut_bytes > 0) {
    log.warning("the journal's unfinished tail was cut: " + std::to_string(report.cut_bytes) +
                " bytes of " + report.cut_segment + "; nothing in it had been acknowledged");
  }
  SYN_TRY(disk_->make_folder("shadow"));
  state::ShadowOptions shadow;
  shadow.lane_count = config.appliance.lane_count;
  shadow.memory_limit_bytes = config.appliance.memory_bytes;
  SYN_TRY(shadow_, state::open_rocksdb_shadow(config.appliance.data + "/shadow", shadow));
  return success();
}

Result<std::vector<RuntimeSystem>> make_systems(const Blueprint& blueprint, Clock& clock) {
  std::vector<RuntimeSystem> systems;
  for (const BlueprintSystem& from : blueprint.systems) {
    RuntimeSystem& system = systems.emplace_back();
    system.name = from.settings->name;
    system.id = from.settings->id;
    system.log_alarm_bytes = from.settings->log_alarm_bytes;
    system.log_pause_bytes = from.ports.log_pause_bytes;
    if (const auto away = blueprint.away.find(system.name); away != blueprint.away.end()) {
      system.away = away->second;
    }
    system.quotes = find_system_row(from.settings->kind)->quotes();
    SYN_TRY(system.ports, make_system(from.settings->kind, from.ports, clock));
    for (const ports::DatasetMapping& mapping : from.ports.datasets) {
      system.schemas.push_back(mapping.schema);
      system.mappings.emplace(mapping.schema->dataset, mapping);
    }
  }
  return systems;
}

}  // namespace

Result<std::unique_ptr<Storage>> Storage::open(const config::Config& config, Mode mode,
                                               Clock& clock, Random& random, Log& log) {
  auto storage = std::make_unique<StorageImpl>();
  SYN_TRY(storage->open(config, mode, clock, random, log));
  return storage;
}

Result<std::string> load_wrapping_key(const config::Config& config) {
  SYN_TRY(const std::string master,
          journal::load_master_key(config.appliance.key_file, journal::KeyUse::kMustExist,
                                   system_random()));
  return journal::derive_key(master, "journal", 32);
}

Appliance::~Appliance() {
  runtime_.reset();
  storage_.reset();
}

Result<std::unique_ptr<Appliance>> Appliance::open(Blueprint&& blueprint, Clock& clock,
                                                   Random& random, Log& log) {
  std::unique_ptr<Appliance> appliance(new Appliance(std::move(blueprint)));
  Blueprint& plan = appliance->blueprint_;
  const config::Config& config = *plan.config;
  SYN_TRY(appliance->storage_, Storage::open(config, Storage::Mode::kRun, clock, random, log));
  Storage& storage = *appliance->storage_;
  SYN_TRY(auto systems, make_systems(plan, clock));
  RuntimeOptions options;
  options.appliance = config.appliance.name;
  options.lane_count = config.appliance.lane_count;
  options.pool = &storage.pool();
  SYN_TRY(appliance->runtime_,
          Runtime::open(RuntimeParts{options, clock, random, log, storage.disk(),
                                     storage.dispatcher(), storage.journal(), storage.shadow(),
                                     plan.rules, storage.secret(), std::move(systems), plan.held}));
  SYN_TRY(remember(plan.shapes, storage.disk()));
  return appliance;
}

}  // namespace syncline::app
