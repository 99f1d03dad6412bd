// While it lives, the server changes what does not fit, but for sessions that ask otherwise: it
// cuts texts, moves numbers into their range, and takes labels that it does not know for none.
#pragma once

#include "tests/unit/mariadb/mariadb_fixture.hpp"

namespace syncline::mariadb {

// REQUIRES: made before the sessions that are to meet it.
class LenientServer {
 public:
  LenientServer() : mode_(root_.ask("SELECT @@global.sql_mode")) {
    root_.run("SET GLOBAL sql_mode = ''");
  }
  ~LenientServer() { root_.run("SET GLOBAL sql_mode = '" + mode_ + "'"); }
  LenientServer(const LenientServer&) = delete;
  LenientServer& operator=(const LenientServer&) = delete;

 private:
  User root_{""};
  std::string mode_;
};

}  // namespace syncline::mariadb
