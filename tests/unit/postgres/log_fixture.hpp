// A database whose log is read with bounds that a test can reach.
#pragma once

#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "drivers/systems/postgres/detail/source.hpp"
#include "tests/unit/postgres/postgres_fixture.hpp"

namespace syncline::postgres {

class Log : public PostgresTest {
 protected:
  // A source of our own, with bounds that a test can reach.
  void open_with(const Limits& limits, const model::Position& position = {},
                 Clock& clock = system_clock()) {
    make_source(limits, clock);
    expect_ok(system_.source->open(position));
  }
  void make_source(const Limits& limits, Clock& clock) {
    system_.source.reset();
    auto shared = std::make_shared<Shared>();
    shared->config = config_;
    shared->object = object_name(config_.appliance, config_.name);
    shared->limits = limits;
    auto source = std::make_unique<PostgresSource>(shared, clock);
    source_ = source.get();
    system_.source = std::move(source);
  }
  static Limits small() {
    Limits limits;
    limits.spool_memory_bytes = 100'000;
    limits.part_rows = 1000;
    limits.part_bytes = 1 << 20;
    return limits;
  }
  // Streams what is in progress as soon as the server allows it.
  void stream_early() {
    User("postgres").run("ALTER SYSTEM SET logical_decoding_work_mem = '64kB'");
    User("postgres").run("SELECT pg_reload_conf()");
  }
  ~Log() override {
    User("postgres").run("ALTER SYSTEM RESET logical_decoding_work_mem");
    User("postgres").run("SELECT pg_reload_conf()");
  }
  // What the lines make of a table: key -> name.
  static std::map<int, std::string> replay(const std::vector<std::string>& lines) {
    std::map<int, std::string> table;
    for (const std::string& line : lines) {
      std::istringstream in(line);
      std::string op;
      int key = 0;
      std::string name;
      in >> op >> key >> name;
      if (op == "delete") {
        table.erase(key);
      } else {
        table[key] = name;
      }
    }
    return table;
  }
  std::map<int, std::string> expected() {
    std::map<int, std::string> table;
    std::istringstream rows(user_.ask("SELECT id, 'name=' || name FROM customer"));
    for (std::string row; std::getline(rows, row, ';');) {
      table[std::stoi(row)] = row.substr(row.find('|') + 1);
    }
    return table;
  }

  PostgresSource* source_ = nullptr;
};

inline std::string insert(int from, int to, const std::string& name) {
  return "INSERT INTO customer SELECT g, '" + name +
         "' || g, repeat('x', 60) || g FROM "
         "generate_series(" +
         std::to_string(from) + ", " + std::to_string(to) + ") g";
}

}  // namespace syncline::postgres
