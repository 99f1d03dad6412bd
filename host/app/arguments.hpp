// The command line, parsed: one struct for all commands, and the table of commands.
//
// Every command prints data to standard output and messages to standard error, and ends with a
// documented exit status (docs/errors.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/base/error.hpp"
#include "host/base/result.hpp"

namespace syncline::app {

struct Arguments {
  std::string command;  // "conflicts list" is "conflicts" with verb "list"
  std::string verb;
  std::string config = "syncline.toml";
  bool is_json = false;
  std::vector<std::string> names;  // what follows: URLs, datasets, systems, ids

  int64_t for_us = 20'000'000;        // demo --for, top --for
  std::string keep;                   // demo --keep: a folder to leave the databases in
  uint64_t seed = 1;                  // demo --seed
  double rate = 0;                    // demo --rate: changes a second on each side; 0: its default
  bool is_repair = false;             // verify --repair
  int64_t settle_us = 2'000'000;      // verify --settle
  std::string system;                 // --system NAME
  std::string dataset;                // --dataset NAME
  std::string output;                 // init --output
  bool is_force = false;              // init --force, detach --force
  bool is_approving_deletes = false;  // resume
  bool is_yes = false;                // resync --yes, detach --yes
  std::string log_level = "info";     // run --log-level
  std::string engine;                 // --engine NAME: forces it over the config's
  uint64_t limit = 100;               // conflicts list --limit
  uint64_t explain_bytes = 0;         // engines --explain SIZE; 0: not asked
};

// One command: what it does, returning its exit status; an error is printed by main.
using CommandFunction = Result<ExitStatus> (*)(const Arguments&);

// What the user asked for; nothing when the text was printed (help, version) with that status.
struct Parsed {
  std::optional<Arguments> arguments;
  int exit_status = 0;
};
Parsed parse_command_line(int argc, const char* const* argv);

// Null for an unknown command.
CommandFunction find_command(const std::string& name);

// The commands, one file each in commands/.
Result<ExitStatus> run_demo(const Arguments& arguments);
Result<ExitStatus> run_init(const Arguments& arguments);
Result<ExitStatus> run_check(const Arguments& arguments);
Result<ExitStatus> run_plan(const Arguments& arguments);
Result<ExitStatus> run_run(const Arguments& arguments);
Result<ExitStatus> run_reload(const Arguments& arguments);
Result<ExitStatus> run_status(const Arguments& arguments);
Result<ExitStatus> run_top(const Arguments& arguments);
Result<ExitStatus> run_lag(const Arguments& arguments);
Result<ExitStatus> run_pause(const Arguments& arguments);
Result<ExitStatus> run_resume(const Arguments& arguments);
Result<ExitStatus> run_verify(const Arguments& arguments);
Result<ExitStatus> run_conflicts(const Arguments& arguments);
Result<ExitStatus> run_quarantine(const Arguments& arguments);
Result<ExitStatus> run_resync(const Arguments& arguments);
Result<ExitStatus> run_detach(const Arguments& arguments);
Result<ExitStatus> run_audit(const Arguments& arguments);
Result<ExitStatus> run_engines(const Arguments& arguments);
Result<ExitStatus> run_bench(const Arguments& arguments);
Result<ExitStatus> run_doctor(const Arguments& arguments);

}  // namespace syncline::app
