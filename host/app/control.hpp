// The control socket between the daemon and the other commands: <data>/control.sock, one request
// and one answer a connection, each one JSON object on one line.
//
//   {"command": "status"}                      -> {"ok": true, "data": {...}}
//   {"command": "pause", "name": "shop"}       -> {"ok": false, "error": {"code", "what", ...}}
//
// The socket is mode 0600: whoever may open it may steer the appliance.
// Threads: the server answers on a thread of its own, one connection at a time; the handler runs
// there. Errors: kNotRunning where nobody listens, kStorageOpen.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "host/base/result.hpp"

namespace syncline::app {

using ControlHandler = std::function<Result<boost::json::value>(const boost::json::object&)>;

class ControlServer {
 public:
  // A socket file left by a killed daemon is replaced: the folder's lock is ours.
  static Result<std::unique_ptr<ControlServer>> open(const std::string& data_folder,
                                                     ControlHandler handler);
  virtual ~ControlServer() = default;  // stops and removes the socket
};

// Sends one request to the appliance on this data folder. timeout_ms: for the whole exchange.
Result<boost::json::value> control(const std::string& data_folder,
                                   const boost::json::object& request, int timeout_ms = 60'000);

boost::json::object error_to_json(const Error& error);
// For people: two spaces a level.
std::string pretty(const boost::json::value& value);

}  // namespace syncline::app
