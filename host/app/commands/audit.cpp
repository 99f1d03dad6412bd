#include "host/app/command_support.hpp"
#include "host/app/daemon.hpp"
#include "host/app/engines.hpp"
#include "host/journal/journal.hpp"

namespace syncline::app {

Result<ExitStatus> run_audit(const Arguments& arguments) {
  SYN_TRY(const config::Config config, read_config(arguments));
  SYN_TRY(const std::string key, load_wrapping_key(config));
  SYN_TRY(const auto disk, make_posix_disk(config.appliance.data));
  SYN_TRY(const auto dispatcher, make_dispatcher("cpu", system_clock()));
  SYN_TRY(const journal::AuditReport report, journal::audit(*disk, *dispatcher, key));
  const std::string head = to_hex(report.head);
  const boost::json::object data{{"segments", report.segment_count},
                                 {"blocks", report.block_count},
                                 {"entries", report.entry_count},
                                 {"signed_heads", report.signed_head_count},
                                 {"head", head}};
  print(arguments, data,
        "the journal holds: " + std::to_string(report.segment_count) + " segments, " +
            std::to_string(report.block_count) + " blocks, " + std::to_string(report.entry_count) +
            " entries, " + std::to_string(report.signed_head_count) + " signed heads\n  head " +
            head + "\n");
  return ExitStatus::kOk;
}

}  // namespace syncline::app
