// Statements sent together and answered together (libpq's pipeline mode), prepared once each.
//
// Owner: the connection outlives it. Threads: one at a time. Errors: those of the connection, in
// Outcome. REQUIRES of run: what is added begins and ends its own transaction.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "drivers/systems/postgres/detail/connection.hpp"

namespace syncline::postgres {

struct SqlStatement {
  std::string sql;
  std::vector<std::string> parameters;
};

class Pipeline {
 public:
  struct Outcome {
    std::vector<size_t> affected_counts;  // per statement that succeeded
    bool is_done = true;
    Error error;           // of the statement behind those; the rest was not run
    std::string sqlstate;  // of the error; empty: the connection is gone
  };

  explicit Pipeline(Connection& connection) : connection_(connection) {}

  Outcome run(const std::vector<SqlStatement>& statements);

 private:
  struct Sent {
    bool is_preparation = false;
    std::string sql;
  };

  bool send(const SqlStatement& statement);
  bool prepare(const std::string& sql);
  bool take_result(const Sent& sent, Outcome& outcome);

  Connection& connection_;
  std::unordered_map<std::string, std::string> names_;  // by SQL, of what is prepared
  size_t named_count_ = 0;
  std::vector<Sent> sent_;
};

}  // namespace syncline::postgres
