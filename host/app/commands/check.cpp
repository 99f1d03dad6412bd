#include <boost/json/array.hpp>

#include "host/app/blueprint.hpp"
#include "host/app/command_support.hpp"

namespace syncline::app {

// Every error at once, not only the first.
Result<ExitStatus> run_check(const Arguments& arguments) {
  const Drafted drafted = draft_blueprint(arguments.config, system_clock());
  boost::json::array errors;
  std::string text;
  for (const Error& error : drafted.errors) {
    errors.push_back(error_to_json(error));
    text += to_string(error) + "\n";
  }
  boost::json::array notes;
  for (const std::string& note : drafted.blueprint.notes) {
    notes.emplace_back(note);
    text += "note: " + note + "\n";
  }
  if (errors.empty()) text += arguments.config + " is valid\n";
  print(arguments, boost::json::object{{"errors", errors}, {"notes", notes}}, text);
  return drafted.errors.empty() ? ExitStatus::kOk : exit_status(drafted.errors.front().code);
}

}  // namespace syncline::app
