#include <boost/json/array.hpp>

#include "host/app/command_support.hpp"
#include "host/app/daemon.hpp"
#include "host/app/render.hpp"

namespace syncline::app {
namespace {

namespace json = boost::json;

constexpr uint64_t kShowLimit = 1'000'000;

Result<json::object> find_by_id(const json::array& list, const Arguments& arguments) {
  const std::string id = arguments.names.empty() ? "" : arguments.names.front();
  for (const json::value& value : list) {
    if (value.get_object().at("id").get_string() == id) return value.get_object();
  }
  return fail(ErrorCode::kInvalidArgument, "there is nothing with the id '" + id + "'", "",
              "`syncline " + arguments.command + " list` prints the ids");
}

}  // namespace

Result<ExitStatus> run_conflicts(const Arguments& arguments) {
  const uint64_t limit = arguments.verb == "show" ? kShowLimit : arguments.limit;
  SYN_TRY(
      const auto data,
      ask_or_look(arguments,
                  {{"command", "conflicts"}, {"dataset", arguments.dataset}, {"limit", limit}},
                  [&](state::Shadow& shadow, const Blueprint& blueprint) -> Result<json::value> {
                    SYN_TRY(auto list, list_conflicts(shadow, blueprint, arguments.dataset, limit));
                    return json::value(std::move(list));
                  }));
  if (arguments.verb == "list") {
    print(arguments, data, conflicts_text(data.get_array()));
    return ExitStatus::kOk;
  }
  SYN_TRY(const json::object conflict, find_by_id(data.get_array(), arguments));
  print(arguments, conflict, pretty(conflict) + "\n");
  return ExitStatus::kOk;
}

Result<ExitStatus> run_quarantine(const Arguments& arguments) {
  if (arguments.verb == "retry") {
    const std::string id = arguments.names.empty() ? "" : arguments.names.front();
    SYN_TRY(const auto data, ask(arguments, {{"command", "retry"}, {"id", id}}));
    print(arguments, data, "tried again, and no longer in quarantine: " + id + "\n");
    return ExitStatus::kOk;
  }
  const uint64_t limit = arguments.verb == "show" ? kShowLimit : arguments.limit;
  SYN_TRY(
      const auto data,
      ask_or_look(
          arguments, {{"command", "quarantine"}, {"dataset", arguments.dataset}, {"limit", limit}},
          [&](state::Shadow& shadow, const Blueprint& blueprint) -> Result<json::value> {
            SYN_TRY(auto list, list_quarantine(shadow, blueprint, arguments.dataset, limit));
            return json::value(std::move(list));
          }));
  if (arguments.verb == "list") {
    print(arguments, data, quarantine_text(data.get_array()));
    return ExitStatus::kOk;
  }
  SYN_TRY(const json::object skip, find_by_id(data.get_array(), arguments));
  print(arguments, skip, pretty(skip) + "\n");
  return ExitStatus::kOk;
}

}  // namespace syncline::app
