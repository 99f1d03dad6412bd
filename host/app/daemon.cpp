#include "host/app/daemon.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <ctime>
#include <future>
#include <mutex>
#include <utility>

#include <boost/json/array.hpp>

#include "host/app/memory.hpp"
#include "host/app/render.hpp"
#include "host/app/resync.hpp"
#include "host/model/key.hpp"
#include "host/pipeline/ledger.hpp"

namespace syncline::app {
namespace {

namespace json = boost::json;

constexpr long kSignalWaitNs = 100'000'000;
constexpr uint64_t kQuarantinedMax = 10'000;
constexpr int64_t kLookUsMin = 500'000;
constexpr int64_t kLookUsMax = 15'000'000;
constexpr int64_t kResyncPauseUs = 600'000'000;  // of one system, by itself

std::string text_of(const json::object& request, const char* name) {
  const json::value* value = request.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

uint64_t number_of(const json::object& request, const char* name, uint64_t otherwise) {
  const json::value* value = request.if_contains(name);
  return value != nullptr && value->is_number() ? value->to_number<uint64_t>() : otherwise;
}

// {"dataset": name, "keys": [joined keys in hex]}: what verify found to differ.
Result<json::value> answer_repair(Appliance& appliance, const json::object& request) {
  const std::string name = text_of(request, "dataset");
  const model::Schema* schema = appliance.blueprint().find_schema(name);
  const json::value* list = request.if_contains("keys");
  if (schema == nullptr || list == nullptr || !list->is_array()) {
    return fail(ErrorCode::kUsage, "a repair needs a dataset and its keys", "", "");
  }
  std::vector<std::string> keys;
  for (const json::value& key : list->get_array()) {
    if (!key.is_string()) return fail(ErrorCode::kUsage, "a key that is not a string", "", "");
    SYN_TRY(std::string joined, from_hex(std::string_view(key.get_string())));
    keys.push_back(std::move(joined));
  }
  SYN_TRY(appliance.runtime().repair(schema->dataset, keys));
  return json::value(json::object{{"repaired", keys.size()}});
}

Result<json::value> answer_retry(Appliance& appliance, const json::object& request) {
  const std::string id = text_of(request, "id");
  SYN_TRY(const std::string bytes, appliance.storage().shadow().get_item(id));
  if (bytes.empty()) {
    return fail(ErrorCode::kInvalidArgument, "nothing in quarantine has the id '" + id + "'", "",
                "`syncline quarantine list` prints the ids");
  }
  SYN_TRY(const model::Skip skip, pipeline::decode_skip(bytes));
  SYN_TRY(appliance.runtime().retry(skip, id));
  return json::value(json::object{{"retried", id}});
}

template <class Item, class Render>
Result<json::array> list_items(state::Shadow& shadow, std::string_view prefix, uint64_t limit,
                               Result<Item> (*decode)(std::string_view), const Render& render) {
  json::array list;
  Result<void> outcome = success();
  SYN_TRY(
      shadow.scan_items(std::string(prefix), [&](const std::string& name, std::string_view bytes) {
        auto item = decode(bytes);
        if (!item) {
          outcome = item.error();
          return false;
        }
        json::object rendered = render(name, item.value());
        if (!rendered.empty()) list.push_back(std::move(rendered));
        return list.size() < limit;
      }));
  if (!outcome) return outcome.error();
  return list;
}

// With the number of items in quarantine, up to a limit that still says enough.
Result<json::value> answer_status(Appliance& appliance) {
  uint64_t quarantined = 0;
  SYN_TRY(appliance.storage().shadow().scan_items(
      std::string(pipeline::kQuarantinePrefix),
      [&](const std::string&, std::string_view) { return ++quarantined < kQuarantinedMax; }));
  json::object status = status_to_json(appliance.runtime().status());
  status["quarantined"] = quarantined;
  return json::value(std::move(status));
}

// Blocks the signals for every thread that is started from here on.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// The appliance of the moment; a reload replaces it.
class Daemon {
 public:
  Daemon(const DaemonOptions& options, Log& log) : options_(options), log_(log) {}

  Result<void> open(Blueprint&& blueprint) {
    if (!options_.engine.empty()) blueprint.config->appliance.engine = options_.engine;
    SYN_TRY(appliance_,
            Appliance::open(std::move(blueprint), system_clock(), system_random(), log_));
    {
      const std::lock_guard lock(running_mutex_);
      running_ = &appliance_->runtime();
    }
    held_count_ = appliance_->blueprint().held.size();
    for (const HeldDataset& held : appliance_->blueprint().held) {
      log_.warning("dataset " + held.name + " waits: " + to_string(held.error));
    }
    SYN_TRY(appliance_->runtime().start());
    if (is_stopping_) appliance_->runtime().stop_reading();
    return success();
  }

  Result<void> close() {
    if (!appliance_) return success();
    const std::unique_ptr<Appliance> closing = std::move(appliance_);
    {
      const std::lock_guard lock(running_mutex_);
      running_ = nullptr;
    }
    return closing->runtime().drain_and_stop(kStopDrainUsMax);
  }

  Result<void> reload(bool is_accepted) {
    SYN_TRY(Blueprint next, make_blueprint_to_run(options_.config_path, system_clock()));
    SYN_TRY(refuse_what_breaks(next));
    const std::string difference = describe_difference(appliance_->blueprint(), next);
    if (!difference.empty() && !is_accepted) {
      return fail(ErrorCode::kConfigValue, "the new config changes what is synced: " + difference,
                  "such a change is shown first",
                  "look at `syncline plan`, then run `syncline reload --yes`");
    }
    log_.info("reloading " + options_.config_path);
    SYN_TRY(close());
    return open(std::move(next));
  }

  // Looks again at the systems while datasets are held, on a thread of its own: one that does not
  // answer must not hold up the rest. What can be synced now is taken up as a reload would.
  Result<void> take_up_held() {
    if (held_count_ == 0) return success();
    const int64_t now_us = system_clock().steady_us();
    if (!looking_.valid()) {
      if (now_us < look_due_us_) return success();
      looking_ = std::async(std::launch::async, [path = options_.config_path] {
        return make_blueprint_to_run(path, system_clock());
      });
    }
    if (looking_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return success();
    auto next = looking_.get();
    look_wait_us_ = std::clamp(2 * look_wait_us_, kLookUsMin, kLookUsMax);
    look_due_us_ = now_us + look_wait_us_;
    if (!next || next.value().held.size() >= held_count_) return success();
    if (!describe_difference(appliance_->blueprint(), next.value(), Told::kBeyondHeld).empty()) {
      return success();  // the config was changed meanwhile: that waits for its own reload
    }
    log_.info("datasets that were held can be synced now");
    look_wait_us_ = 0;
    SYN_TRY(close());
    return open(std::move(next).value());
  }

  enum class Asked : uint8_t { kByUser, kByItself };

  Result<void> prepare(const Blueprint& next, const std::string& system, Asked asked) {
    SYN_TRY(const auto storage, Storage::open(*next.config, Storage::Mode::kLook, system_clock(),
                                              system_random(), log_));
    if (asked == Asked::kByItself) {
      SYN_TRY(refuse_stranger(*storage, next, system, system_clock()));
    }
    return prepare_resync(*storage, next, system, system_clock());
  }

  // The system starts anew with the next opening, which follows at once.
  Result<void> resync(const std::string& system, Asked asked) {
    SYN_TRY(Blueprint next, make_blueprint_to_run(options_.config_path, system_clock()));
    SYN_TRY(refuse_what_breaks(next));
    SYN_TRY(refuse_unknown(next, system));
    const std::string difference =
        describe_difference(appliance_->blueprint(), next, Told::kBeyondHeld);
    if (!difference.empty()) {
      return fail(ErrorCode::kConfigValue,
                  "the config was changed since it was read: " + difference,
                  "a resync is no reload",
                  "look at `syncline plan`, run `syncline reload --yes`, then resync");
    }
    SYN_TRY(close());
    auto prepared = prepare(next, system, asked);
    SYN_TRY(open(std::move(next)));
    return prepared;
  }

  // One that went back is compared anew, as `syncline resync` does it: what was delivered since is
  // written again, what it alone holds is taken. One that does so again soon, or that may be quite
  // another database, is a person's matter.
  Result<void> resync_what_went_back() {
    const int64_t now_us = system_clock().steady_us();
    for (const std::string& system : appliance_->runtime().systems_that_went_back()) {
      const auto [last, is_first] = resynced_at_us_.try_emplace(system, now_us);
      if (!is_first && now_us - last->second < kResyncPauseUs) continue;
      last->second = now_us;
      log_.warning("system '" + system + "' went back: it is compared anew");
      auto resynced = resync(system, Asked::kByItself);
      if (!appliance_) return resynced;
      if (!resynced) log_.error(resynced.error());
      return success();  // another one's turn comes
    }
    return success();
  }

  Result<json::value> answer(const json::object& request) {
    const std::lock_guard lock(mutex_);
    if (!appliance_ || is_stopping_) {
      return fail(ErrorCode::kNotRunning, "the appliance is stopping", "", "start it again");
    }
    if (text_of(request, "command") == "reload") {
      const json::value* yes = request.if_contains("yes");
      SYN_TRY(reload(yes != nullptr && yes->is_bool() && yes->get_bool()));
      return json::value(json::object{{"reloaded", true}});
    }
    if (text_of(request, "command") == "resync") {
      const std::string system = text_of(request, "system");
      SYN_TRY(resync(system, Asked::kByUser));
      return json::value(json::object{{"resynced", system}});
    }
    return answer_request(*appliance_, request);
  }

  Result<void> serve(const sigset_t& signals) {
    while (true) {
      const timespec wait{0, kSignalWaitNs};
      const int signal = sigtimedwait(&signals, nullptr, &wait);
      if (signal == SIGTERM || signal == SIGINT) {
        end_waiting();
        break;
      }
      give_back_free_memory();
      const std::lock_guard lock(mutex_);
      if (signal == SIGHUP) {
        const auto reloaded = reload(false);
        if (!reloaded) log_.error(reloaded.error());
      }
      if (!appliance_) return fail(ErrorCode::kInternal, "the reload left no appliance", "", "");
      if (const auto failure = appliance_->runtime().failure()) return *failure;
      SYN_TRY(take_up_held());
      SYN_TRY(resync_what_went_back());
    }
    log_.info("stopping: what was read is being delivered");
    const std::lock_guard lock(mutex_);
    return close();
  }

 private:
  enum class Told : uint8_t { kAll, kBeyondHeld };

  // A request that waits for a thread of the appliance holds mutex_ meanwhile.
  void end_waiting() {
    is_stopping_ = true;
    const std::lock_guard lock(running_mutex_);
    if (running_ != nullptr) running_->stop_reading();
  }

  static bool is_held(const Blueprint& blueprint, const std::string& dataset) {
    return std::ranges::find(blueprint.held, dataset, &HeldDataset::name) != blueprint.held.end();
  }

  static Result<void> refuse_unknown(const Blueprint& blueprint, const std::string& system) {
    const auto is_it = [&](const BlueprintSystem& known) { return known.settings->name == system; };
    if (std::ranges::any_of(blueprint.systems, is_it)) return success();
    return fail(ErrorCode::kInvalidArgument, "the config has no system '" + system + "'", "",
                "name one that [systems] lists");
  }

  // Before the one that runs is closed: the start of the next would be refused.
  Result<void> refuse_what_breaks(const Blueprint& next) const {
    for (const HeldDataset& held : next.held) {
      if (appliance_->blueprint().find_schema(held.name) != nullptr) return drop_error(held);
    }
    return check_stored(appliance_->storage().shadow(), next.rules);
  }

  static std::string describe_difference(const Blueprint& before, const Blueprint& after,
                                         Told told = Told::kAll) {
    std::string text;
    const auto add = [&text](const std::string& part) {
      text += (text.empty() ? "" : ", ") + part;
    };
    for (const auto& schema : after.schemas) {
      const model::Schema* known = before.find_schema(schema->name);
      if (known == nullptr) {
        if (told == Told::kBeyondHeld && is_held(before, schema->name)) continue;
        add("dataset '" + schema->name + "' is new");
      } else if (known->fields != schema->fields) {
        add("the fields of '" + schema->name + "' differ");
      }
    }
    for (const auto& schema : before.schemas) {
      const std::string dataset = "dataset '" + schema->name + "'";
      if (is_held(after, schema->name)) {
        add(dataset + " would be held");
      } else if (after.find_schema(schema->name) == nullptr) {
        add(dataset + " is gone");
      }
    }
    for (const BlueprintSystem& system : after.systems) {
      const std::string named = "system '" + system.settings->name + "'";
      const BlueprintSystem* known = find_system(before, system.settings->name);
      if (known == nullptr) {
        add(named + " is new");
      } else if (known->settings->kind != system.settings->kind) {
        add(named + " is of another kind");
      } else {
        for (const std::string& dataset : more_datasets(*known, before, system)) {
          add(std::string("dataset '").append(dataset).append("' is new in ").append(named));
        }
        for (const std::string& dataset : more_datasets(system, after, *known)) {
          add(std::string("dataset '").append(dataset).append("' is gone from ").append(named));
        }
      }
    }
    for (const BlueprintSystem& system : before.systems) {
      const std::string& name = system.settings->name;
      if (find_system(after, name) == nullptr) add("system '" + name + "' is gone");
    }
    return text;
  }

  static const BlueprintSystem* find_system(const Blueprint& blueprint, const std::string& name) {
    const auto found = std::ranges::find_if(blueprint.systems, [&](const BlueprintSystem& system) {
      return system.settings->name == name;
    });
    return found == blueprint.systems.end() ? nullptr : &*found;
  }

  // Those of the other that are known to the one's blueprint, but not mapped in it.
  static std::vector<std::string> more_datasets(const BlueprintSystem& one,
                                                const Blueprint& blueprint,
                                                const BlueprintSystem& other) {
    std::vector<std::string> names;
    for (const ports::DatasetMapping& mapping : other.ports.datasets) {
      const std::string& name = mapping.schema->name;
      const bool is_mapped = std::ranges::any_of(
          one.ports.datasets,
          [&](const ports::DatasetMapping& known) { return known.schema->name == name; });
      if (!is_mapped && blueprint.find_schema(name) != nullptr) names.push_back(name);
    }
    return names;
  }

  DaemonOptions options_;
  Log& log_;
  std::atomic<bool> is_stopping_{false};
  std::mutex running_mutex_;  // guards running_; taken behind mutex_, or alone
  Runtime* running_ = nullptr;
  std::mutex mutex_;  // guards what follows
  std::unique_ptr<Appliance> appliance_;
  size_t held_count_ = 0;
  std::future<Result<Blueprint>> looking_;
  int64_t look_due_us_ = 0;
  int64_t look_wait_us_ = 0;
  std::map<std::string, int64_t> resynced_at_us_;  // by itself
};

}  // namespace

std::string to_hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    text += kDigits[static_cast<uint8_t>(byte) >> 4];
    text += kDigits[static_cast<uint8_t>(byte) & 15];
  }
  return text;
}

Result<std::string> from_hex(std::string_view text) {
  const auto digit = [](char from) {
    if (from >= '0' && from <= '9') return from - '0';
    return from >= 'a' && from <= 'f' ? from - 'a' + 10 : -1;
  };
  std::string bytes;
  for (size_t at = 0; at < text.size(); at += 2) {
    const int high = digit(text[at]);
    const int low = at + 1 < text.size() ? digit(text[at + 1]) : -1;
    if (high < 0 || low < 0) return fail(ErrorCode::kUsage, "a key that is not hex", "", "");
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

Result<json::array> list_conflicts(state::Shadow& shadow, const Blueprint& blueprint,
                                   const std::string& dataset, uint64_t limit) {
  return list_items<model::Conflict>(
      shadow, pipeline::kConflictPrefix, limit, pipeline::decode_conflict,
      [&](const std::string& id, const model::Conflict& conflict) -> json::object {
        if (!dataset.empty() && blueprint.dataset_name(conflict.dataset) != dataset) return {};
        return conflict_to_json(id, conflict, blueprint);
      });
}

Result<json::array> list_quarantine(state::Shadow& shadow, const Blueprint& blueprint,
                                    const std::string& dataset, uint64_t limit) {
  return list_items<model::Skip>(
      shadow, pipeline::kQuarantinePrefix, limit, pipeline::decode_skip,
      [&](const std::string& id, const model::Skip& skip) -> json::object {
        if (!dataset.empty() && blueprint.dataset_name(skip.dataset) != dataset) return {};
        return skip_to_json(id, skip, blueprint);
      });
}

Result<json::value> answer_request(Appliance& appliance, const json::object& request) {
  const std::string command = text_of(request, "command");
  Runtime& runtime = appliance.runtime();
  if (command == "status") return answer_status(appliance);
  if (command == "at_rest") return json::value(json::object{{"at_rest", runtime.is_at_rest()}});
  if (command == "metrics") return json::value(runtime.metrics_text());
  if (command == "explain") {
    const auto bytes = static_cast<double>(number_of(request, "bytes", 0));
    return json::value(explanations_to_json(appliance.storage().dispatcher().explain(bytes),
                                            appliance.blueprint().config->appliance.name));
  }
  if (command == "pause" || command == "resume") {
    const std::string name = text_of(request, "name");
    const json::value* approved = request.if_contains("approve_deletes");
    if (approved != nullptr && approved->is_bool() && approved->get_bool()) {
      SYN_TRY(runtime.approve_deletes(name));
      return json::value(json::object{{"approved", name}});
    }
    SYN_TRY(command == "pause" ? runtime.pause(name) : runtime.resume(name));
    return json::value(json::object{{command + "d", name.empty() ? "everything" : name}});
  }
  const std::string dataset = text_of(request, "dataset");
  const uint64_t limit = number_of(request, "limit", 100);
  if (command == "conflicts") {
    SYN_TRY(auto list,
            list_conflicts(appliance.storage().shadow(), appliance.blueprint(), dataset, limit));
    return json::value(std::move(list));
  }
  if (command == "quarantine") {
    SYN_TRY(auto list,
            list_quarantine(appliance.storage().shadow(), appliance.blueprint(), dataset, limit));
    return json::value(std::move(list));
  }
  if (command == "repair") return answer_repair(appliance, request);
  if (command == "retry") return answer_retry(appliance, request);
  return fail(ErrorCode::kUsage, "the appliance does not know the request '" + command + "'",
              "it may be of another version", "use the same version for both");
}

Result<void> run_daemon(const DaemonOptions& options, Log& log) {
  const sigset_t signals = block_signals();
  Daemon daemon(options, log);
  SYN_TRY(Blueprint blueprint, make_blueprint_to_run(options.config_path, system_clock()));
  const std::string data = blueprint.config->appliance.data;
  const std::string name = blueprint.config->appliance.name;
  for (const std::string& note : blueprint.notes) log.info(note);
  SYN_TRY(daemon.open(std::move(blueprint)));
  SYN_TRY(const auto server, ControlServer::open(data, [&](const json::object& request) {
            return daemon.answer(request);
          }));
  log.info(name + " has started; `syncline status` shows what it does");
  return daemon.serve(signals);
}

}  // namespace syncline::app
