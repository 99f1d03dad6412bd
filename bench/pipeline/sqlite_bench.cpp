// sqlite.end_to_end: two SQLite files kept in step by the whole appliance, both ways. First its
// latency, from a user's commit to ours, while both users write at a steady pace; then how fast it
// works off what both users changed while it was paused, beside how fast they had changed it.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <random>
#include <thread>

#include <sqlite3.h>

#include "bench/pipeline/bench_appliance.hpp"
#include "bench/pipeline/benches.hpp"
#include "host/app/appliance.hpp"

namespace syncline::bench {
namespace {

constexpr size_t kRecords = 100'000;
constexpr size_t kRecordsQuick = 10'000;
constexpr size_t kRowsPerTransaction = 10;
constexpr int kPacedPerSecond = 1'000;  // changes on each side
constexpr int64_t kSettleUsMax = 300'000'000;
constexpr auto kLook = std::chrono::milliseconds(1);

constexpr const char* kTable =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
    "CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT, email TEXT, city TEXT,"
    "  balance INTEGER, updated INTEGER, visits INTEGER, is_active INTEGER, notes TEXT);";

// One user's connection.
class User {
 public:
  explicit User(const std::string& path) {
    check(sqlite3_open(path.c_str(), &database_));
    sqlite3_busy_timeout(database_, 60'000);
  }
  ~User() {
    sqlite3_finalize(update_);
    sqlite3_close(database_);
  }
  User(const User&) = delete;
  User& operator=(const User&) = delete;

  void run(const std::string& statements) {
    check(sqlite3_exec(database_, statements.c_str(), nullptr, nullptr, nullptr));
  }

  void fill(size_t record_count) {
    run(kTable);
    run("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < " +
        std::to_string(record_count) +
        ") INSERT INTO accounts SELECT i, 'name ' || i, i || '@example.com', 'city ' || i % 100,"
        " i, 0, i % 100, 1, 'a note of some length, as people write them' FROM n;");
  }

  // One transaction that changes two fields of each of `count` records of this side.
  void change(std::mt19937_64& random, size_t record_count, size_t side, size_t count) {
    run("BEGIN IMMEDIATE");
    if (update_ == nullptr) {
      check(sqlite3_prepare_v2(
          database_, "UPDATE accounts SET balance = balance + 1, updated = ?1 WHERE id = ?2", -1,
          &update_, nullptr));
    }
    for (size_t i = 0; i < count; ++i) {
      sqlite3_bind_int64(update_, 1, static_cast<int64_t>(random() >> 1));
      sqlite3_bind_int64(update_, 2,
                         static_cast<int64_t>(random() % (record_count / 2) * 2 + side));
      if (sqlite3_step(update_) != SQLITE_DONE) fail_with(sqlite3_errmsg(database_));
      sqlite3_reset(update_);
    }
    run("COMMIT");
  }

 private:
  void check(int code) {
    if (code != SQLITE_OK) fail_with(sqlite3_errmsg(database_));
  }
  [[noreturn]] static void fail_with(const char* why) {
    give_up({ErrorCode::kSystemRefused, "the bench's SQLite file refuses", why, {}});
  }

  sqlite3* database_ = nullptr;
  sqlite3_stmt* update_ = nullptr;
};

class Pair {
 public:
  explicit Pair(size_t record_count)
      : record_count_(record_count), left_(path("left")), right_(path("right")) {
    left_.fill(record_count);
    right_.fill(record_count);
    write_config();
    app::Blueprint blueprint = demand(app::make_blueprint(config_path(), system_clock()));
    appliance_ =
        demand(app::Appliance::open(std::move(blueprint), system_clock(), system_random(), *log_));
    demand(appliance_->runtime().start());
    demand(appliance_->runtime().wait_for_first_sync());
    wait_for_rest();
  }
  ~Pair() { demand(appliance_->runtime().drain_and_stop(app::kDrainUsMax)); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  app::Runtime& runtime() { return appliance_->runtime(); }

  // Both users at a steady pace, for so long.
  void write_paced(std::chrono::seconds duration) {
    std::thread other([&] { pace(right_, 1, duration); });
    pace(left_, 0, duration);
    other.join();
    wait_for_rest();
  }
  // Both users as fast as they can.
  void write(size_t change_count) {
    std::thread other([&] { rush(right_, 1, change_count / 2); });
    rush(left_, 0, change_count / 2);
    other.join();
  }

  void wait_for_rest() {
    const int64_t until_us = system_clock().steady_us() + kSettleUsMax;
    while (!runtime().is_at_rest()) {
      if (const auto failure = runtime().failure()) give_up(*failure);
      if (system_clock().steady_us() > until_us) {
        give_up({ErrorCode::kInternal, "the appliance did not come to rest", {}, {}});
      }
      std::this_thread::sleep_for(kLook);
    }
  }

 private:
  std::string path(const char* name) const { return folder_.path() + "/" + name + ".db"; }
  std::string config_path() const { return folder_.path() + "/syncline.toml"; }

  void write_config() const {
    std::ofstream out(config_path());
    out << "[appliance]\nname = \"bench\"\ndata = \"" << folder_.path() << "/data\"\n";
    for (const char* name : {"left", "right"}) {
      out << "[systems." << name << "]\nkind = \"sqlite\"\nurl = \"" << path(name) << "\"\n";
    }
    out << "[datasets.accounts]\nkey = [\"id\"]\nfirst = \"left\"\n"
           "[datasets.accounts.on.left]\ntable = \"accounts\"\n"
           "[datasets.accounts.on.right]\ntable = \"accounts\"\n";
  }

  void pace(User& user, size_t side, std::chrono::seconds duration) {
    std::mt19937_64 random(side + 1);
    const auto begin = std::chrono::steady_clock::now();
    const auto step =
        std::chrono::nanoseconds(1'000'000'000ll * kRowsPerTransaction / kPacedPerSecond);
    for (auto next = begin; next < begin + duration; next += step) {
      std::this_thread::sleep_until(next);
      user.change(random, record_count_, side, kRowsPerTransaction);
    }
  }
  void rush(User& user, size_t side, size_t change_count) {
    std::mt19937_64 random(side + 7);
    for (size_t done = 0; done < change_count; done += kRowsPerTransaction) {
      user.change(random, record_count_, side, kRowsPerTransaction);
    }
  }

  size_t record_count_;
  BenchFolder folder_;
  std::unique_ptr<Log> log_ = make_stderr_log(LogLevel::kWarning);
  User left_;
  User right_;
  std::unique_ptr<app::Appliance> appliance_;
};

void report_latency(const char* what, uint64_t value_us) {
  Figure figure;
  figure.id = "sqlite.end_to_end";
  figure.what = std::string(what) + " from a user's commit to ours, at " +
                std::to_string(2 * kPacedPerSecond) + " changes/s in transactions of ten";
  figure.unit = "ms";
  figure.value = static_cast<double>(value_us) / 1000;
  figure.runs = 1;
  report(figure);
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

void bench_sqlite(const Options& options) {
  const size_t records = options.is_quick ? kRecordsQuick : kRecords;
  const size_t changes = options.is_quick ? 10'000 : 100'000;
  Pair pair(records);
  pair.write_paced(std::chrono::seconds(options.is_quick ? 2 : 10));
  const app::Status status = pair.runtime().status();
  report_latency("latency p50", status.latency_us_p50);
  report_latency("latency p99", status.latency_us_p99);

  std::vector<double> rates;
  std::vector<double> users_rates;
  std::vector<double> ratios;
  const int runs = repetitions(options);
  for (int i = 0; i <= runs; ++i) {
    demand(pair.runtime().pause(""));
    const auto begin = std::chrono::steady_clock::now();
    pair.write(changes);
    const double users_rate = static_cast<double>(changes) / seconds_since(begin);
    const auto resumed = std::chrono::steady_clock::now();
    demand(pair.runtime().resume(""));
    pair.wait_for_rest();
    const double rate = static_cast<double>(changes) / seconds_since(resumed);
    if (i == 0) continue;  // to warm up
    rates.push_back(rate);
    users_rates.push_back(users_rate);
    ratios.push_back(rate / users_rate);
  }
  Figure figure;
  figure.id = "sqlite.end_to_end";
  figure.what = "worked off, " + std::to_string(changes) + " changes in both files, " +
                std::to_string(records) + " records of 8 fields";
  figure.unit = "changes/s";
  figure.value = median(rates);
  figure.spread = spread(rates);
  figure.beside = "the users' own writing, with our triggers";
  figure.beside_value = median(users_rates);
  figure.ratio = median(ratios);
  figure.runs = runs;
  report(figure);
}

}  // namespace syncline::bench
