// What several commands need: printing data, reaching the daemon or, while it is stopped, its
// folder.
//
// Threads: one. Errors: those of config, storage and control.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/json/value.hpp>

#include "host/app/appliance.hpp"
#include "host/app/arguments.hpp"
#include "host/app/control.hpp"

namespace syncline::app {

// Data goes to standard output: the JSON, or the text made from it.
void print(const Arguments& arguments, const boost::json::value& data, const std::string& text);

// The config alone, without asking the systems.
Result<config::Config> read_config(const Arguments& arguments);

// Asks the running appliance of this config.
Result<boost::json::value> ask(const Arguments& arguments, const boost::json::object& request);

// Asks the running appliance; where none runs, `look` answers from its folder.
using Look = std::function<Result<boost::json::value>(state::Shadow&, const Blueprint&)>;
Result<boost::json::value> ask_or_look(const Arguments& arguments,
                                       const boost::json::object& request, const Look& look);

}  // namespace syncline::app
