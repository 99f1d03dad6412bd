// What `plan` says of a database, and its SQL run as a user would.
#pragma once

#include <string>
#include <vector>

#include "tests/unit/mariadb/mariadb_fixture.hpp"

namespace syncline::mariadb {

class Catalog : public MariadbTest {
 protected:
  // Without opening anything: the config alone.
  void describe(std::vector<model::Schema> schemas, const std::string& user = "root") {
    start(std::move(schemas));
    system_.catalog->detach().value();
    config_.url = url(user);
    system_ = make_mariadb(config_, system_clock()).value();
  }
  // As `init` does: no dataset is known yet.
  void look() {
    config_ = {};
    config_.appliance = "zurich";
    config_.name = "shop";
    config_.url = url();
    system_ = make_mariadb(config_, system_clock()).value();
  }
  std::vector<ports::Finding> findings(ports::Severity severity) {
    auto found = system_.catalog->findings();
    expect_ok(found);
    std::vector<ports::Finding> out;
    if (!found) return out;
    for (const ports::Finding& finding : found.value()) {
      if (finding.severity == severity) out.push_back(finding);
    }
    return out;
  }
  std::vector<ports::Finding> stopping() { return findings(ports::Severity::kStops); }
  // Before the server tells of a trigger, all of them stop plan and writes, unless they may fire.
  void expect_blind_to_triggers() {
    const auto stops = stopping();
    ASSERT_THAT(stops, testing::SizeIs(1));
    EXPECT_THAT(stops[0].what,
                testing::HasSubstr("user 'plain'@'%' is not told of triggers on customer"));
    connect();
    expect_stopped({"put 1 name=Ann"});
    config_.datasets[0].triggers = "fire";
    system_ = make_mariadb(config_, system_clock()).value();
    EXPECT_THAT(stopping(), testing::IsEmpty());
    expect_ok(system_.catalog->detach());
    config_.datasets[0].triggers = "suppress";
    system_ = make_mariadb(config_, system_clock()).value();
  }
  // Every statement of a fix, up to the words that are no SQL.
  void mend(const std::string& fix) {
    size_t at = 0;
    for (size_t end = fix.find(';'); end != std::string::npos; end = fix.find(';', at)) {
      const std::string statement = fix.substr(at, end - at);
      if (statement.find(" and in ") == std::string::npos) user_.run(statement);
      at = end + 1;
    }
  }
};

}  // namespace syncline::mariadb
