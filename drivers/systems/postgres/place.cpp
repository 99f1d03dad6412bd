#include "drivers/systems/postgres/detail/place.hpp"

#include <algorithm>
#include <charconv>

#include "drivers/systems/postgres/detail/objects.hpp"

namespace syncline::postgres {
namespace {

constexpr size_t kSize = 44;
// Of earlier versions.
constexpr size_t kBareSize = 16;
constexpr size_t kWholeSize = 20;
constexpr size_t kPartSize = 36;

uint64_t number_at(std::string_view bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

void append_number(uint64_t value, size_t size, std::string& out) {
  for (size_t i = size; i-- > 0;) out += static_cast<char>(value >> (8 * i) & 0xff);
}

// A replication connection takes simple statements only.
Result<Answer> ask(Connection& connection, const std::string& command) {
  PGresult* result = PQexec(connection.handle(), command.c_str());
  if (PQresultStatus(result) == PGRES_TUPLES_OK) return Answer(result);
  Error error = connection.error_of(result, connection.place() + " does not say where it stands");
  PQclear(result);
  return error;
}

// Only we move our slot on, and never beyond what is journalled: wherever it came from, it must not
// begin behind that.
Result<Place> check_slot(Connection& connection, const std::string& system, const std::string& slot,
                         Place before) {
  SYN_TRY(const auto begin, begin_of_slot(connection, slot));
  if (!begin) return before;
  if (!before.passed) before.passed = begin;  // an earlier version did not write it
  if (*begin <= before.flushed()) return before;
  return lost_log(system,
                  "the replication slot " + slot + " begins at " + lsn_text(*begin) + ", behind " +
                      lsn_text(before.flushed()) +
                      ", where we had read to: it was made anew, or somebody else read from it",
                  before.reach());
}

}  // namespace

model::Position position_of(const Place& place) {
  model::Position position;
  append_number(place.lsn, 8, position.bytes);
  append_number(place.server, 8, position.bytes);
  append_number(place.timeline, 4, position.bytes);
  append_number(place.part.commit_lsn, 8, position.bytes);
  append_number(place.part.taken, 8, position.bytes);
  append_number(std::max(place.lsn, place.passed.value_or(0)), 8, position.bytes);
  return position;
}

std::optional<Place> place_of(const model::Position& position) {
  const std::string_view bytes = position.bytes;
  const size_t size = bytes.size();
  if (size != kSize && size != kBareSize && size != kWholeSize && size != kPartSize) return {};
  Place place;
  place.lsn = number_at(bytes, 0, 8);
  place.server = number_at(bytes, 8, 8);
  place.passed.reset();
  if (size >= kWholeSize) place.timeline = static_cast<uint32_t>(number_at(bytes, 16, 4));
  if (size >= kPartSize) place.part = {number_at(bytes, 20, 8), number_at(bytes, 28, 8)};
  if (size == kSize) place.passed = number_at(bytes, kPartSize, 8);
  return place;
}

Result<Place> where_it_stands(Connection& connection) {
  SYN_TRY(const Answer row, ask(connection, "IDENTIFY_SYSTEM"));
  Place place;
  const std::string_view server = row.text(0, 0);
  std::from_chars(server.data(), server.data() + server.size(), place.server);
  place.timeline = static_cast<uint32_t>(row.integer(0, 1));
  SYN_TRY(place.lsn, parse_lsn(row.text(0, 2)));
  return place;
}

Result<Place> identify(Connection& connection) {
  SYN_TRY(const Place place, where_it_stands(connection));
  SYN_TRY(const Answer standby, ask(connection, "SELECT pg_is_in_recovery()"));
  if (!standby.is_true(0, 0)) return place;
  return fail(ErrorCode::kSystemOpen, connection.place() + " is a standby",
              "it takes no writes, and its log is another's",
              "name the primary in `url`, or wait until this one is");
}

Error lost_log(const std::string& system, std::string why, Lsn read_to) {
  return {ErrorCode::kSystemLost, "system " + system + " has lost the log that was kept for us",
          std::move(why),
          "what its users changed since the last change read" +
              (read_to == 0 ? "" : ", which was committed at " + lsn_text(read_to) + ",") +
              " is not known any more: run `syncline resync --system " + system +
              "`, which compares all records anew"};
}

Error lost_slot(const std::string& system, const std::string& slot, const Place& before,
                const Place& now) {
  const bool is_other = before.timeline != 0 && before.timeline != now.timeline;
  return lost_log(system,
                  "the replication slot " + slot + " is gone: " +
                      (is_other ? "another server took over without it, on timeline " +
                                      std::to_string(now.timeline) + " instead of " +
                                      std::to_string(before.timeline)
                                : "it was dropped"),
                  before.reach());
}

std::optional<Lsn> end_of_timeline(std::string_view history, uint32_t timeline) {
  while (!history.empty()) {
    const size_t end = std::min(history.find('\n'), history.size());
    const std::string_view line = history.substr(0, end);
    history.remove_prefix(std::min(end + 1, history.size()));
    const size_t tab = line.find('\t');
    uint32_t number = 0;
    const auto read =
        std::from_chars(line.data(), line.data() + std::min(tab, line.size()), number);
    if (tab == std::string_view::npos || read.ec != std::errc() || number != timeline) continue;
    const size_t next = std::min(line.find('\t', tab + 1), line.size());
    const auto lsn = parse_lsn(line.substr(tab + 1, next - tab - 1));
    if (lsn) return lsn.value();
  }
  return {};
}

Result<std::optional<Lsn>> begin_of_slot(Connection& connection, const std::string& slot) {
  SYN_TRY(const Answer row, ask(connection,
                                "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE "
                                "confirmed_flush_lsn IS NOT NULL AND slot_name = " +
                                    literal(slot)));
  if (row.row_count() == 0) return std::optional<Lsn>();
  SYN_TRY(const Lsn begin, parse_lsn(row.text(0, 0)));
  return std::optional(begin);
}

Result<Place> check_place(Connection& connection, const std::string& system,
                          const std::string& slot, const Place& before, const Place& now) {
  if (before.server != now.server) {
    return lost_log(system, "the URL leads to another server than before");
  }
  const bool is_other = before.timeline != 0 && before.timeline != now.timeline;
  const Lsn reach = before.reach();
  const Lsn seen = std::max(reach, is_other ? 0 : before.passed.value_or(0));
  if (seen > now.lsn) {
    return lost_log(system,
                    "its log ends at " + lsn_text(now.lsn) + ", before " + lsn_text(seen) +
                        ", where we had read to: the server was restored from an older "
                        "backup",
                    reach);
  }
  if (!is_other) return check_slot(connection, system, slot, before);
  const std::string number = std::to_string(now.timeline);
  std::optional<Lsn> end;
  if (now.timeline > before.timeline) {
    SYN_TRY(const Answer history, ask(connection, "TIMELINE_HISTORY " + number));
    end = end_of_timeline(history.text(0, 1), before.timeline);
  }
  if (end && *end > reach) {
    Place here = before;
    if (here.passed) here.passed = std::min(*here.passed, *end);
    SYN_TRY(here, check_slot(connection, system, slot, here));
    if (here.passed.value_or(0) <= *end) return here;
    return lost_log(system,
                    "the replication slot " + slot + " begins behind the end of timeline " +
                        std::to_string(before.timeline) + ": it was made anew",
                    reach);
  }
  return lost_log(
      system,
      "another timeline goes on there, " + number + " instead of " +
          std::to_string(before.timeline) +
          (end ? ": it branched off at " + lsn_text(*end) + ", before " + lsn_text(reach) +
                     ", where we had read to, so it lacks what was committed between"
               : ", which does not come from ours"),
      reach);
}

}  // namespace syncline::postgres
