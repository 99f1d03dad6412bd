#include "host/app/demo_office.hpp"

#include <chrono>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include <sqlite3.h>

namespace syncline::app {
namespace {

constexpr int kBusyMs = 10'000;
constexpr int kCustomers = 400;
constexpr int kProducts = 120;
constexpr int kOrders = 600;

constexpr const char* kTables = R"(
PRAGMA journal_mode = WAL;
CREATE TABLE customers (
  email TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  city TEXT,
  phone TEXT,
  credit_limit INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE products (
  sku TEXT PRIMARY KEY NOT NULL,
  title TEXT NOT NULL,
  price_cents INTEGER NOT NULL,
  stock INTEGER NOT NULL
);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  customer TEXT NOT NULL REFERENCES customers (email),
  sku TEXT NOT NULL REFERENCES products (sku),
  quantity INTEGER NOT NULL,
  status TEXT NOT NULL,
  note TEXT
);
)";

constexpr const char* kConfig = R"([appliance]
name = "demo"
data = "data"

[systems.office]
kind = "sqlite"
url  = "office.db"

[systems.shop]
kind = "sqlite"
url  = "shop.db"

[datasets.customers]
key   = ["email"]
first = "office"
[datasets.customers.on.office]
table = "customers"
[datasets.customers.on.shop]
table = "customers"
[datasets.customers.conflict]
default = "newest"
[datasets.customers.conflict.fields]
credit_limit = ["office", "shop"]

[datasets.products]
key   = ["sku"]
first = "shop"
[datasets.products.on.office]
table = "products"
[datasets.products.on.shop]
table = "products"

[datasets.orders]
key   = ["id"]
first = "shop"
[datasets.orders.on.office]
table = "orders"
numbers = "apart"
[datasets.orders.on.shop]
table = "orders"
numbers = "apart"
[datasets.orders.conflict]
delete = "delete_wins"
)";

const std::vector<const char*> kCities = {"Zurich", "Basel", "Bern", "Geneva", "Lugano", "Chur"};
const std::vector<const char*> kNames = {"Ann", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gia", "Hal"};
const std::vector<const char*> kStates = {"new", "paid", "packed", "shipped", "returned"};

class Database {
 public:
  static Result<std::unique_ptr<Database>> open(const std::string& path) {
    std::unique_ptr<Database> database(new Database);
    if (sqlite3_open(path.c_str(), &database->handle_) != SQLITE_OK) {
      return fail(ErrorCode::kSystemOpen, "the database " + path + " cannot be opened",
                  sqlite3_errmsg(database->handle_), "check the folder");
    }
    sqlite3_busy_timeout(database->handle_, kBusyMs);
    return database;
  }
  ~Database() { sqlite3_close(handle_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  Result<void> run(const std::string& sql) {
    if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) {
      return success();
    }
    return fail(ErrorCode::kSystemRefused, "a writer's statement failed", sqlite3_errmsg(handle_),
                "");
  }
  int changed() const { return sqlite3_changes(handle_); }

 private:
  Database() = default;
  sqlite3* handle_ = nullptr;
};

std::string quoted(const std::string& text) {
  return "'" + text + "'";
}
std::string email(int number) {
  return "customer" + std::to_string(number) + "@example.org";
}
std::string sku(int number) {
  return "SKU-" + std::to_string(1000 + number);
}

// One side's statements, chosen by a seed.
class Clerk {
 public:
  // Each side gives out order numbers of its own: the office even ones, the shop odd ones.
  Clerk(uint64_t seed, int parity) : random_(seed), next_order_(100'000 + parity) {}

  std::string insert_customer(int number) {
    return "INSERT INTO customers VALUES (" + quoted(email(number)) + ", " +
           quoted(std::string(pick(kNames)) + " " + std::to_string(number)) + ", " +
           quoted(pick(kCities)) + ", " + quoted("+41 44 " + std::to_string(below(10'000'000))) +
           ", " + std::to_string(100 * below(50)) + ");";
  }
  std::string insert_product(int number) {
    return "INSERT INTO products VALUES (" + quoted(sku(number)) + ", 'Article " +
           std::to_string(number) + "', " + std::to_string(100 + below(90'000)) + ", " +
           std::to_string(below(500)) + ");";
  }
  std::string insert_order(int64_t id) {
    return "INSERT INTO orders VALUES (" + std::to_string(id) + ", " +
           quoted(email(below(kCustomers / 2))) + ", " + quoted(sku(below(kProducts / 2))) + ", " +
           std::to_string(1 + below(9)) + ", 'new', NULL);";
  }

  std::string next_statement() {
    const int kind = below(100);
    if (kind < 20) return update_customer();
    if (kind < 35) {
      return "UPDATE products SET stock = stock - 1, price_cents = " +
             std::to_string(100 + below(90'000)) + " WHERE sku = " + quoted(sku(below(kProducts))) +
             ";";
    }
    if (kind < 65) {
      next_order_ += 2;
      mine_.push_back(next_order_);
      return insert_order(next_order_);
    }
    if (kind < 90 || mine_.size() < 10) {
      return "UPDATE orders SET status = " + quoted(pick(kStates)) + ", note = 'by hand " +
             std::to_string(below(1000)) + "' WHERE id = " + std::to_string(some_order()) + ";";
    }
    const size_t at = static_cast<size_t>(below(static_cast<int>(mine_.size())));
    const int64_t id = mine_[at];
    mine_.erase(mine_.begin() + static_cast<std::ptrdiff_t>(at));
    return "DELETE FROM orders WHERE id = " + std::to_string(id) + ";";
  }

  std::string update_customer() {
    const std::string where = " WHERE email = " + quoted(email(below(kCustomers))) + ";";
    switch (below(3)) {
      case 0:
        return "UPDATE customers SET city = " + quoted(pick(kCities)) + where;
      case 1:
        return "UPDATE customers SET phone = " +
               quoted("+41 79 " + std::to_string(below(10'000'000))) + where;
      default:
        return "UPDATE customers SET credit_limit = " + std::to_string(100 * below(50)) + where;
    }
  }

  std::string collide(int customer, const char* side) {
    return "UPDATE customers SET name = " +
           quoted(std::string(pick(kNames)) + " of the " + side + " " +
                  std::to_string(below(100'000))) +
           " WHERE email = " + quoted(email(customer)) + ";";
  }

  int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random_); }

 private:
  const char* pick(const std::vector<const char*>& from) {
    return from[static_cast<size_t>(below(static_cast<int>(from.size())))];
  }
  int64_t some_order() {
    if (mine_.empty() || below(2) == 0) return 1 + below(kOrders);
    return mine_[static_cast<size_t>(below(static_cast<int>(mine_.size())))];
  }

  std::mt19937_64 random_;
  int64_t next_order_;
  std::vector<int64_t> mine_;
};

// The office knows the first three quarters of the customers, the shop the last three; of those
// that both know, some differ. Products and orders come from the shop; the office has some.
Result<void> fill(Database& office, Database& shop, uint64_t seed) {
  Clerk in_office(seed, 0);
  Clerk in_shop(seed + 1, 1);
  const auto both = [&](const std::string& sql) -> Result<void> {
    SYN_TRY(office.run(sql));
    return shop.run(sql);
  };
  SYN_TRY(both(kTables));
  SYN_TRY(both("BEGIN;"));
  for (int i = 0; i < kCustomers; ++i) {
    const std::string same = in_office.insert_customer(i);
    if (i < kCustomers * 3 / 4) {
      SYN_TRY(office.run(same));
    }
    if (i >= kCustomers / 4) {
      SYN_TRY(shop.run(i % 10 == 0 ? in_shop.insert_customer(i) : same));
    }
  }
  for (int i = 0; i < kProducts; ++i) {
    const std::string same = in_shop.insert_product(i);
    SYN_TRY(shop.run(same));
    if (i % 2 == 0) {
      SYN_TRY(office.run(same));
    }
  }
  for (int64_t id = 1; id <= kOrders; ++id) {
    const std::string order = in_shop.insert_order(id);
    SYN_TRY(shop.run(order));
  }
  return both("COMMIT;");
}

}  // namespace

Result<DemoFiles> make_demo(const std::string& folder, uint64_t seed) {
  const DemoFiles files{folder + "/office.db", folder + "/shop.db", folder + "/syncline.toml",
                        folder + "/data"};
  SYN_TRY(const auto office, Database::open(files.office));
  SYN_TRY(const auto shop, Database::open(files.shop));
  SYN_TRY(fill(*office, *shop, seed));
  std::ofstream config(files.config);
  config << kConfig;
  config.close();
  if (!config) {
    return fail(ErrorCode::kConfigFile, files.config + " cannot be written", "",
                "name a folder that can be written with --keep");
  }
  return files;
}

struct DemoWriters::Impl {
  void write(const std::string& path, uint64_t seed, int parity, double rate,
             std::atomic<uint64_t>& count);
  void collide(const DemoFiles& files, uint64_t seed);
  // Sleeps, but not past stop(). Returns whether to go on.
  bool wait(std::chrono::steady_clock::time_point until) {
    std::unique_lock lock(mutex);
    return !stopping.wait_until(lock, until, [this] { return is_stopping; });
  }
  void note(const Error& failed) {
    const std::lock_guard lock(mutex);
    error = to_string(failed);
  }

  mutable std::mutex mutex;
  std::condition_variable stopping;
  bool is_stopping = false;
  std::string error;
  std::atomic<uint64_t> office{0};
  std::atomic<uint64_t> shop{0};
  std::atomic<uint64_t> collisions{0};
  std::vector<std::thread> threads;
};

void DemoWriters::Impl::write(const std::string& path, uint64_t seed, int parity, double rate,
                              std::atomic<uint64_t>& count) {
  auto database = Database::open(path);
  if (!database) return note(database.error());
  Clerk clerk(seed, parity);
  const auto pace = std::chrono::nanoseconds(static_cast<int64_t>(1e9 / rate));
  for (auto next = std::chrono::steady_clock::now(); wait(next); next += pace) {
    const auto done = database.value()->run(clerk.next_statement());
    if (!done) return note(done.error());
    count += static_cast<uint64_t>(database.value()->changed());
  }
}

// About once a second, the same field of one customer on both sides, at the same moment.
void DemoWriters::Impl::collide(const DemoFiles& files, uint64_t seed) {
  auto at_office = Database::open(files.office);
  auto at_shop = Database::open(files.shop);
  if (!at_office) return note(at_office.error());
  if (!at_shop) return note(at_shop.error());
  Clerk clerk(seed, 0);
  const auto pace = std::chrono::seconds(1);
  for (auto next = std::chrono::steady_clock::now() + pace; wait(next); next += pace) {
    const int customer = clerk.below(kCustomers);
    const auto left = at_office.value()->run(clerk.collide(customer, "office"));
    const auto right = at_shop.value()->run(clerk.collide(customer, "shop"));
    if (!left) return note(left.error());
    if (!right) return note(right.error());
    ++office;
    ++shop;
    ++collisions;
  }
}

DemoWriters::DemoWriters(const DemoFiles& files, uint64_t seed, double rate)
    : impl_(std::make_unique<Impl>()) {
  Impl& impl = *impl_;
  impl.threads.emplace_back(
      [=, &impl] { impl.write(files.office, seed + 2, 0, rate, impl.office); });
  impl.threads.emplace_back([=, &impl] { impl.write(files.shop, seed + 3, 1, rate, impl.shop); });
  impl.threads.emplace_back([=, &impl] { impl.collide(files, seed + 4); });
}

DemoWriters::~DemoWriters() {
  stop();
}

void DemoWriters::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->is_stopping = true;
  }
  impl_->stopping.notify_all();
  for (std::thread& thread : impl_->threads) thread.join();
  impl_->threads.clear();
}

WriterCounts DemoWriters::counts() const {
  const std::lock_guard lock(impl_->mutex);
  return {impl_->office, impl_->shop, impl_->collisions, impl_->error};
}

}  // namespace syncline::app
