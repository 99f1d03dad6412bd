#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include <boost/json/array.hpp>

#include "host/app/appliance.hpp"
#include "host/app/command_support.hpp"
#include "host/app/comparison.hpp"
#include "host/app/demo_office.hpp"
#include "host/app/render.hpp"

namespace syncline::app {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

constexpr int64_t kForUs = 20'000'000;
constexpr double kRate = 200;
constexpr int64_t kSettleUsMax = 60'000'000;
constexpr long kTickNs = 20'000'000;

// The folder the demo lives in; removed at the end unless it is to be kept.
class DemoFolder {
 public:
  static Result<DemoFolder> make(const std::string& keep) {
    DemoFolder folder;
    if (keep.empty()) {
      std::string pattern = (fs::temp_directory_path() / "syncline-demo-XXXXXX").string();
      if (mkdtemp(pattern.data()) == nullptr) {
        return fail(ErrorCode::kStorageOpen, "no temporary folder can be made", "",
                    "name a folder with --keep");
      }
      folder.path_ = pattern;
      folder.is_temporary_ = true;
      return folder;
    }
    std::error_code code;
    fs::create_directories(keep, code);
    if (code || !fs::is_empty(keep, code) || code) {
      return fail(ErrorCode::kUsage, "the folder " + keep + " cannot be used",
                  code ? code.message() : "it is not empty", "name a new or empty folder");
    }
    folder.path_ = fs::absolute(keep).string();
    return folder;
  }
  DemoFolder(DemoFolder&& other) noexcept
      : path_(std::move(other.path_)), is_temporary_(std::exchange(other.is_temporary_, false)) {}
  DemoFolder(const DemoFolder&) = delete;
  DemoFolder& operator=(const DemoFolder&) = delete;
  DemoFolder& operator=(DemoFolder&&) = delete;
  ~DemoFolder() {
    std::error_code code;
    if (is_temporary_) fs::remove_all(path_, code);
  }
  const std::string& path() const { return path_; }

 private:
  DemoFolder() = default;
  std::string path_;
  bool is_temporary_ = false;
};

sigset_t block_interrupts() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// Waits a moment; returns whether somebody asked to stop.
bool tick(const sigset_t& signals) {
  const timespec wait{0, kTickNs};
  return sigtimedwait(&signals, nullptr, &wait) > 0;
}

void print_second(const Status& status, uint64_t changes_before, double seconds) {
  std::printf(
      "%5.1f s  changes %8s  %6.0f/s  latency p50 %9s p99 %9s  conflicts %4s  echoes dropped %8s\n",
      seconds, count_text(status.counters.changes_total).c_str(),
      static_cast<double>(status.counters.changes_total - changes_before),
      duration_text(static_cast<double>(status.latency_us_p50) / 1e6).c_str(),
      duration_text(static_cast<double>(status.latency_us_p99) / 1e6).c_str(),
      count_text(status.counters.conflicts_total).c_str(),
      count_text(status.counters.echoes_dropped_total).c_str());
  std::fflush(stdout);
}

// Shows a line a second until the time is over or somebody asks to stop.
Result<void> watch(Appliance& appliance, const DemoWriters& writers, const Arguments& arguments,
                   const sigset_t& signals) {
  const int64_t for_us = arguments.for_us > 0 ? arguments.for_us : kForUs;
  const int64_t started_us = system_clock().steady_us();
  int64_t shown_us = started_us;
  uint64_t changes = appliance.runtime().status().counters.changes_total;
  while (system_clock().steady_us() - started_us < for_us && !tick(signals)) {
    if (const auto failure = appliance.runtime().failure()) return *failure;
    const std::string error = writers.counts().error;
    if (!error.empty()) return fail(ErrorCode::kSystemRefused, "a writer stopped", error, "");
    const int64_t now_us = system_clock().steady_us();
    if (arguments.is_json || now_us - shown_us < 1'000'000) continue;
    shown_us += 1'000'000;
    const Status status = appliance.runtime().status();
    print_second(status, changes, static_cast<double>(now_us - started_us) / 1e6);
    changes = status.counters.changes_total;
  }
  return success();
}

// Nothing is on its way any more, twice in a row.
Result<double> settle(Appliance& appliance, const sigset_t& signals) {
  const int64_t started_us = system_clock().steady_us();
  for (int quiet = 0; quiet < 2;) {
    if (const auto failure = appliance.runtime().failure()) return *failure;
    quiet = appliance.runtime().is_at_rest() ? quiet + 1 : 0;
    tick(signals);
    if (system_clock().steady_us() - started_us > kSettleUsMax) {
      return fail(ErrorCode::kInternal, "the appliance did not come to rest",
                  "something is still on its way after a minute",
                  "report it with `--keep`'s folder");
    }
  }
  return static_cast<double>(system_clock().steady_us() - started_us) / 1e6;
}

json::object report(const Status& status, const WriterCounts& written,
                    const std::vector<ComparedDataset>& compared, const Blueprint& blueprint,
                    double settle_seconds) {
  json::object proof = comparison_to_json(compared, blueprint);
  return {{"is_converged", proof.at("is_equal")},
          {"written", json::object{{"office", written.office_total},
                                   {"shop", written.shop_total},
                                   {"collisions", written.collisions_total}}},
          {"settle_seconds", settle_seconds},
          {"status", status_to_json(status)},
          {"proof", std::move(proof)}};
}

}  // namespace

Result<ExitStatus> run_demo(const Arguments& arguments) {
  const sigset_t signals = block_interrupts();
  SYN_TRY(const DemoFolder folder, DemoFolder::make(arguments.keep));
  SYN_TRY(const DemoFiles files, make_demo(folder.path(), arguments.seed));
  SYN_TRY(Blueprint blueprint, make_blueprint(files.config, system_clock()));
  if (!arguments.engine.empty()) blueprint.config->appliance.engine = arguments.engine;
  if (!arguments.is_json) {
    std::printf("an office and a shop, three datasets, in %s\n", folder.path().c_str());
    std::fflush(stdout);
  }
  const auto log = make_stderr_log(LogLevel::kWarning);
  SYN_TRY(const auto appliance,
          Appliance::open(std::move(blueprint), system_clock(), system_random(), *log));
  SYN_TRY(appliance->runtime().start());
  SYN_TRY(appliance->runtime().wait_for_first_sync());
  DemoWriters writers(files, arguments.seed, arguments.rate > 0 ? arguments.rate : kRate);
  SYN_TRY(watch(*appliance, writers, arguments, signals));
  writers.stop();
  SYN_TRY(const double settle_seconds, settle(*appliance, signals));
  const Status status = appliance->runtime().status();
  SYN_TRY(appliance->runtime().drain_and_stop(kDrainUsMax));
  SYN_TRY(const auto compared, compare_systems(appliance->blueprint(), {}));
  const WriterCounts written = writers.counts();
  const json::object data =
      report(status, written, compared, appliance->blueprint(), settle_seconds);
  const bool is_converged = data.at("is_converged").get_bool();
  std::string text =
      "\nthe writers made " + count_text(written.office_total) + " changes in the office and " +
      count_text(written.shop_total) + " in the shop, " + count_text(written.collisions_total) +
      " times the same field on both sides; " + count_text(status.counters.conflicts_total) +
      " conflicts were recorded and resolved\n" +
      engines_text(data.at("status").at("engines").as_array()) + "at rest after " +
      duration_text(settle_seconds) + "; both databases compared cell by cell:\n" +
      comparison_text(compared, appliance->blueprint());
  text += is_converged ? "converged\n" : "NOT CONVERGED\n";
  if (!arguments.keep.empty()) text += "left in " + folder.path() + "\n";
  print(arguments, data, text);
  return is_converged ? ExitStatus::kOk : ExitStatus::kDifferent;
}

}  // namespace syncline::app
