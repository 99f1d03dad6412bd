#include "host/app/arguments.hpp"

#include <array>
#include <iostream>

#include <CLI/CLI.hpp>

#include "host/config/config.hpp"

namespace syncline::app {
namespace {

constexpr const char* kVersion = "syncline 0.1.0";

struct CommandRow {
  const char* name;
  const char* help;
  CommandFunction run;
};

const std::vector<CommandRow>& command_table() {
  static const std::vector<CommandRow> kTable = {
      {"demo", "Two SQLite databases, live writers, conflicts; ends with a proof of convergence",
       run_demo},
      {"init", "Write a commented config from two or more connection URLs", run_init},
      {"check", "Validate the config: every error with file:line:column and what was meant",
       run_check},
      {"doctor", "Check machine, engines, systems and permissions; each finding with its fix",
       run_doctor},
      {"plan", "What the first sync would do, per system; changes nothing", run_plan},
      {"run", "Run the appliance until SIGTERM", run_run},
      {"reload", "Have the running appliance take over a changed config", run_reload},
      {"status", "What the appliance is doing, once", run_status},
      {"top", "The same as a live screen", run_top},
      {"lag", "How far behind each source and target is, in seconds, rows and bytes", run_lag},
      {"pause", "Pause a dataset, a system, or everything", run_pause},
      {"resume", "Let what was paused go on", run_resume},
      {"verify", "Compare the systems cell by cell; exit 0 equal, 1 different", run_verify},
      {"conflicts", "Conflicts: list, show ID", run_conflicts},
      {"quarantine", "Changes that a target would not take: list, show ID, retry ID",
       run_quarantine},
      {"resync", "Start a system anew after a gap: compare by key, deliver what differs",
       run_resync},
      {"detach", "Remove everything of ours from a system", run_detach},
      {"audit", "The journal: verify", run_audit},
      {"engines", "Devices, and what each stage costs on them", run_engines},
      {"bench", "The four stages on this machine, beside plain library calls", run_bench},
  };
  return kTable;
}

// "20s", "500ms", "2m", "1h" or plain seconds, in microseconds.
bool parse_duration(const std::string& text, int64_t& out_us) {
  size_t end = 0;
  double number = 0;
  try {
    number = std::stod(text, &end);
  } catch (const std::exception&) {
    return false;
  }
  const std::string unit = text.substr(end);
  const double scale = unit.empty() || unit == "s" ? 1e6
                       : unit == "ms"              ? 1e3
                       : unit == "m"               ? 60e6
                       : unit == "h"               ? 3600e6
                                                   : 0;
  if (scale == 0 || number < 0) return false;
  out_us = static_cast<int64_t>(number * scale);
  return true;
}

void add_duration(CLI::App& command, const char* name, int64_t& target, const char* help) {
  command
      .add_option_function<std::string>(
          name,
          [&target, name](const std::string& text) {
            if (parse_duration(text, target)) return;
            throw CLI::ValidationError(
                name, "'" + text + "' is not a duration; write 500ms, 20s, 2m or 1h");
          },
          help)
      ->type_name("DURATION");
}

void add_size(CLI::App& command, const char* name, uint64_t& target, const char* help) {
  command
      .add_option_function<std::string>(
          name,
          [&target, name](const std::string& text) {
            const auto size = config::parse_size(text);
            if (size && *size > 0) {
              target = *size;
              return;
            }
            throw CLI::ValidationError(
                name, "'" + text + "' is not a size; write 4KiB, 64KiB, 1MiB or 1MB");
          },
          help)
      ->type_name("SIZE");
}

void add_verb(CLI::App& command, Arguments& arguments, const std::vector<std::string>& verbs) {
  command.add_option("verb", arguments.verb, "What to do")->required()->check(CLI::IsMember(verbs));
}

void add_options(const std::string& name, CLI::App& command, Arguments& arguments) {
  command.add_option("--config,-c", arguments.config, "The config file")->capture_default_str();
  command.add_flag("--json", arguments.is_json, "Print JSON");
  if (name == "demo") {
    add_duration(command, "--for", arguments.for_us, "How long the writers write (20s)");
    command.add_option("--keep", arguments.keep, "Leave the databases and the config here");
    command.add_option("--seed", arguments.seed, "Of the writers' choices")->capture_default_str();
    command.add_option("--rate", arguments.rate, "Changes a second on each side (200)")
        ->check(CLI::Range(0.1, 100000.0));
    command.add_option("--engine", arguments.engine, "Force an engine");
  } else if (name == "init") {
    command.add_option("urls", arguments.names, "Two or more connection URLs, or SQLite files")
        ->required()
        ->expected(2, 64);
    command.add_option("--output,-o", arguments.output, "The config to write (syncline.toml)");
    command.add_flag("--force", arguments.is_force, "Write over a file that is there");
  } else if (name == "run") {
    command.add_option("--log-level", arguments.log_level, "debug, info, warning, error or off")
        ->capture_default_str();
    command.add_option("--engine", arguments.engine, "Force an engine");
  } else if (name == "top") {
    add_duration(command, "--for", arguments.for_us, "How long (until interrupted)");
  } else if (name == "reload") {
    command.add_flag("--yes", arguments.is_yes, "Also where datasets, fields or systems change");
  } else if (name == "pause" || name == "resume") {
    command.add_option("name", arguments.names, "A dataset or a system; none: everything")
        ->expected(0, 1);
    if (name == "resume") {
      command.add_flag("--approve-deletes", arguments.is_approving_deletes,
                       "Let the deletes through that are held of this dataset");
    }
  } else if (name == "verify") {
    command.add_option("--dataset", arguments.dataset, "Only this dataset");
    command.add_flag("--repair", arguments.is_repair,
                     "Have the running appliance bring differing records together");
    add_duration(command, "--settle", arguments.settle_us,
                 "Look again at what differs until none of it became equal for this long (2s)");
  } else if (name == "conflicts" || name == "quarantine") {
    add_verb(command, arguments,
             name == "conflicts" ? std::vector<std::string>{"list", "show"}
                                 : std::vector<std::string>{"list", "show", "retry"});
    command.add_option("id", arguments.names, "An id that list printed")->expected(0, 1);
    command.add_option("--dataset", arguments.dataset, "Only this dataset");
    command.add_option("--limit", arguments.limit, "At most so many")->capture_default_str();
  } else if (name == "resync" || name == "detach") {
    command.add_option("--system", arguments.system, "The system")->required();
    command.add_flag("--yes", arguments.is_yes, "Do it; without it, only say what would be done");
  } else if (name == "engines") {
    add_size(command, "--explain", arguments.explain_bytes,
             "Which engine takes each stage of a batch of this size, and why");
  } else if (name == "audit") {
    add_verb(command, arguments, {"verify"});
  }
}

}  // namespace

Parsed parse_command_line(int argc, const char* const* argv) {
  CLI::App app(
      "Syncline keeps the same records in step, both ways, across systems that do not know "
      "of each other.");
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(1);
  app.footer(
      "Exit status: 0 done, 1 different, 2 usage, 3 config, 4 a system, 5 the data folder, "
      "70 a defect. `syncline COMMAND --help` says more.");
  Arguments arguments;
  for (const CommandRow& row : command_table()) {
    CLI::App* command = app.add_subcommand(row.name, row.help);
    add_options(row.name, *command, arguments);
    command->callback([&arguments, &row] { arguments.command = row.name; });
  }
  Parsed parsed;
  try {
    app.parse(argc, argv);
    parsed.arguments = arguments;
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error, std::cout, std::cerr);
    parsed.exit_status = status == 0 ? 0 : static_cast<int>(ExitStatus::kUsage);
  }
  return parsed;
}

CommandFunction find_command(const std::string& name) {
  for (const CommandRow& row : command_table()) {
    if (name == row.name) return row.run;
  }
  return nullptr;
}

}  // namespace syncline::app
