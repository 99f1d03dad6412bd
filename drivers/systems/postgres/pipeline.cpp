#include "drivers/systems/postgres/detail/pipeline.hpp"

namespace syncline::postgres {
namespace {

constexpr size_t kPreparedMax = 512;

}  // namespace

bool Pipeline::prepare(const std::string& sql) {
  if (names_.contains(sql)) return true;
  const std::string name = "syncline_" + std::to_string(++named_count_);
  if (PQsendPrepare(connection_.handle(), name.c_str(), sql.c_str(), 0, nullptr) == 0) return false;
  names_.emplace(sql, name);
  sent_.push_back({true, sql});
  return true;
}

bool Pipeline::send(const SqlStatement& statement) {
  std::vector<const char*> values;
  values.reserve(statement.parameters.size());
  for (const std::string& parameter : statement.parameters) values.push_back(parameter.c_str());
  const int count = static_cast<int>(values.size());
  PGconn* handle = connection_.handle();
  sent_.push_back({false, {}});
  if (count == 0) {
    return PQsendQueryParams(handle, statement.sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr,
                             0) != 0;
  }
  return PQsendQueryPrepared(handle, names_.at(statement.sql).c_str(), count, values.data(),
                             nullptr, nullptr, 0) != 0;
}

// False: nothing more will come.
bool Pipeline::take_result(const Sent& sent, Outcome& outcome) {
  PGconn* handle = connection_.handle();
  PGresult* result = PQgetResult(handle);
  if (result == nullptr) return false;
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
    const Answer answer(result);
    if (!sent.is_preparation) outcome.affected_counts.push_back(answer.affected_count());
  } else {
    if (status != PGRES_PIPELINE_ABORTED && outcome.is_done) {
      outcome.is_done = false;
      outcome.error = connection_.error_of(result, connection_.place() + " refused a write");
      outcome.sqlstate = connection_.sqlstate();
    }
    PQclear(result);
  }
  PGresult* end = PQgetResult(handle);  // a null follows every statement's results
  PQclear(end);
  return true;
}

Pipeline::Outcome Pipeline::run(const std::vector<SqlStatement>& statements) {
  PGconn* handle = connection_.handle();
  Outcome outcome;
  const auto broken = [&] {
    outcome.is_done = false;
    outcome.error = connection_.lost("the connection to " + connection_.place() + " broke off");
    outcome.sqlstate.clear();
    return outcome;
  };
  if (names_.size() > kPreparedMax) {
    if (!connection_.run("DEALLOCATE ALL")) return broken();
    names_.clear();
  }
  sent_.clear();
  if (PQenterPipelineMode(handle) == 0) return broken();
  for (const SqlStatement& statement : statements) {
    const bool is_sent =
        (statement.parameters.empty() || prepare(statement.sql)) && send(statement);
    if (!is_sent) return broken();
  }
  if (PQpipelineSync(handle) == 0) return broken();
  for (const Sent& sent : sent_) {
    if (!take_result(sent, outcome)) return broken();
    if (!outcome.is_done && sent.is_preparation) names_.erase(sent.sql);
  }
  PGresult* sync = PQgetResult(handle);
  const bool is_synced = PQresultStatus(sync) == PGRES_PIPELINE_SYNC;
  PQclear(sync);
  if (!is_synced || PQexitPipelineMode(handle) == 0) return broken();
  return outcome;
}

}  // namespace syncline::postgres
