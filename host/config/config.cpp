#include "host/config/config.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include <sys/wait.h>

#include "host/config/detail/reader.hpp"

namespace syncline::config {
namespace {

constexpr size_t kConfigSizeMax = 16U << 20;
constexpr size_t kSecretSizeMax = 64U << 10;

Result<std::string> read_file(const std::string& path, size_t size_max, const std::string& what) {
  std::ifstream in(path, std::ios::binary);
  std::string text(size_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.eof() || in.bad()) {
    const bool is_large = in.good();
    return fail(ErrorCode::kConfigFile, what + " \"" + path + "\" cannot be read",
                is_large ? "it is larger than " + std::to_string(size_max >> 10) + " KiB"
                         : std::strerror(errno),
                "check the path and its rights");
  }
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

std::string without_newline(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

// Between single quotes for the shell.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char letter : text) {
    if (letter == '\'') {
      out += "'\\''";
    } else {
      out.push_back(letter);
    }
  }
  return out + "'";
}

Result<std::string> run_command(const std::string& command) {
  FILE* pipe = popen(("timeout 10 sh -c " + quoted(command) + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) {
    return fail(ErrorCode::kConfigFile, "the command for a password cannot be started",
                std::strerror(errno), "check the command in the config");
  }
  std::string out;
  std::array<char, 4096> buffer{};
  while (const size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    if (out.size() < kSecretSizeMax) out.append(buffer.data(), count);
  }
  const int status = pclose(pipe);
  if (status != 0) {
    return fail(ErrorCode::kConfigFile, "the command for a password failed",
                "exit status " + std::to_string(WEXITSTATUS(status)), "run it by hand: " + command);
  }
  return without_newline(std::move(out));
}

}  // namespace

const SystemSettings* Config::find_system(std::string_view name) const {
  const auto found = std::ranges::find(systems, name, &SystemSettings::name);
  return found == systems.end() ? nullptr : &*found;
}

const Dataset* Config::find_dataset(std::string_view name) const {
  const auto found = std::ranges::find(datasets, name, &Dataset::name);
  return found == datasets.end() ? nullptr : &*found;
}

Parsed load_config(const std::string& path, const Offer& offer) {
  const auto text = read_file(path, kConfigSizeMax, "config file");
  if (text.has_value()) return parse_config(text.value(), path, offer);
  Parsed parsed;
  parsed.config.file = path;
  parsed.errors.push_back(text.error());
  parsed.errors.back().fix = "name it with --config, or make one with syncline init";
  return parsed;
}

Result<Config> first_error_or_config(Parsed parsed) {
  if (parsed.errors.empty()) return std::move(parsed.config);
  Error error = std::move(parsed.errors.front());
  const size_t more = parsed.errors.size() - 1;
  if (more > 0) {
    error.why += " (and " + std::to_string(more) + " more: syncline check lists them)";
  }
  return boost::outcome_v2::failure(std::move(error));
}

std::string place_text(const Config& config, const Place& place) {
  return config.file + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) + ": ";
}

Result<std::string> read_secret(const Secret& secret) {
  switch (secret.source) {
    case SecretSource::kNone:
      return std::string();
    case SecretSource::kEnvironment: {
      const char* value = std::getenv(secret.name.c_str());
      if (value != nullptr) return std::string(value);
      return fail(ErrorCode::kConfigFile, "the environment has no " + secret.name,
                  "the config takes a password from it", "set it where syncline is started");
    }
    case SecretSource::kFile: {
      SYN_TRY(std::string text, read_file(secret.name, kSecretSizeMax, "password file"));
      return without_newline(std::move(text));
    }
    case SecretSource::kCommand:
      return run_command(secret.name);
  }
  return std::string();
}

std::optional<uint64_t> parse_size(std::string_view text) {
  return detail::parse_size(text);
}

}  // namespace syncline::config
