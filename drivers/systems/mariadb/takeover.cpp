#include "drivers/systems/mariadb/detail/takeover.hpp"

#include <algorithm>
#include <charconv>

#include "drivers/systems/mariadb/detail/stream.hpp"
#include "host/model/ids.hpp"

namespace syncline::mariadb {
namespace {

// "0-11-41 to 0-11-42": what of a server's transactions is not there, behind the last that is.
std::string missing(const Gtid& last, uint64_t known) {
  const Gtid first{last.domain, last.server, known + 1};
  if (known == 0 || first == last) return to_string(last);
  return to_string(first) + " to " + to_string(last);
}

}  // namespace

Result<uint32_t> server_number(Connection& connection) {
  if (connection.kind().is_mysql()) {  // a server that was copied has another uuid, if not number
    SYN_TRY(const std::string uuid, connection.query_text("SELECT @@global.server_uuid"));
    return model::stable_id(uuid);
  }
  SYN_TRY(const std::string text, connection.query_text("SELECT @@global.server_id"));
  uint32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Result<void> learn_history(Connection& connection, uint32_t server, LogPosition& position) {
  if (connection.kind().is_mysql()) return success();  // no other's log is followed
  const GroupMark& from = position.from;
  const bool is_read = from.gtid.sequence != 0;
  if (is_read && from.place != position.place) return success();
  const std::string file = file_name(position.base, from.place.file);
  SYN_TRY(const std::string told,
          connection.query_text("SELECT concat('=', BINLOG_GTID_POS(" + literal(file) + ", " +
                                std::to_string(from.place.offset) + "))"));
  if (told.empty()) return success();
  const std::vector<Gtid> gtids = parse_gtids(std::string_view(told).substr(1));
  const Gtid before = gtids.empty() ? Gtid{} : gtids.front();
  History& history = position.history;
  history.server = server;
  history.last = is_read ? from.gtid : before;
  history.has_domains =
      gtids.size() > 1 || (before.sequence != 0 && before.domain != history.last.domain);
  position.from.before = before;
  return success();
}

Result<void> check_takeover(Connection& connection, const std::string& system, uint32_t now,
                            const LogPosition& position) {
  const History& history = position.history;
  const std::string others = "the URL leads to another server, number " + std::to_string(now) +
                             " instead of " + std::to_string(history.server) + ", ";
  if (history.has_domains) {
    return lost_log(system, others +
                                "and the log has several GTID domains: the order of their "
                                "transactions may be another there");
  }
  const Gtid& last = position.part.taken > 0 ? position.part.gtid : history.last;
  if (last.sequence == 0) {
    return lost_log(system, others + "and no GTID was read by which its log could be followed");
  }
  if (position.place.turn == kTurnMax) {
    return lost_log(system, others + "for the " + std::to_string(kTurnMax + 1) + "th time");
  }
  SYN_TRY(const std::string state, connection.query_text("SELECT @@global.gtid_binlog_state"));
  uint64_t known = 0;
  for (const Gtid& gtid : parse_gtids(state)) {
    const bool is_of_it = gtid.domain == last.domain && gtid.server == last.server;
    if (is_of_it) known = std::max(known, gtid.sequence);
  }
  if (known >= last.sequence) return success();
  return lost_log(system, others +
                              "whose log lacks transactions that were read from the one before "
                              "and may stand in the other systems: " +
                              missing(last, known) +
                              " (they had not come to it, or it runs without log_slave_updates)");
}

}  // namespace syncline::mariadb
