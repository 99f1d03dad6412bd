#include "host/config/init.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "host/app/command_support.hpp"
#include "host/app/systems.hpp"

namespace syncline::app {
namespace {

// The scheme names the kind; a plain path is a SQLite file.
std::string kind_of(const std::string& url) {
  const size_t colon = url.find("://");
  if (colon == std::string::npos) return std::string(system_table().front().kind);
  std::string scheme = url.substr(0, colon);
  for (const SystemRow& row : system_table()) {
    for (const std::string_view known : row.schemes) {
      if (known == scheme) return std::string(row.kind);
    }
  }
  return scheme;
}

// The password is taken out of the URL: it does not stand in a config.
std::string take_password(std::string& url) {
  const size_t start = url.find("://");
  if (start == std::string::npos) return {};
  const size_t end = std::min(url.find_first_of("/?", start + 3), url.size());
  const size_t at = url.rfind('@', end);
  if (at == std::string::npos || at < start) return {};
  const size_t colon = url.find(':', start + 3);
  if (colon >= at) return {};
  std::string password;
  for (size_t i = colon + 1; i < at; ++i) {
    unsigned byte = 0;
    if (url[i] == '%' && i + 2 < at && std::sscanf(&url[i + 1], "%2x", &byte) == 1) {
      password += static_cast<char>(byte);
      i += 2;
    } else {
      password += url[i];
    }
  }
  url.erase(colon, at - colon);
  return password;
}

// A file's stem or a database's name, as a name the config takes; unique by a number behind it.
std::string name_of(const std::string& url, const std::vector<config::InitSystem>& taken) {
  std::string name;
  const bool has_scheme = url.find("://") != std::string::npos;
  const std::string path = has_scheme ? url.substr(0, url.find('?')) : url;
  for (const char from : std::filesystem::path(path).stem().string()) {
    const bool is_plain = (from >= 'a' && from <= 'z') || (from >= '0' && from <= '9');
    const bool is_upper = from >= 'A' && from <= 'Z';
    name += is_plain ? from : is_upper ? static_cast<char>(from - 'A' + 'a') : '_';
  }
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) name = "system_" + name;
  std::string unique = name;
  for (int number = 2;; ++number) {
    bool is_taken = false;
    for (const config::InitSystem& system : taken) is_taken |= system.name == unique;
    if (!is_taken) return unique;
    unique = name + std::to_string(number);
  }
}

}  // namespace

Result<ExitStatus> run_init(const Arguments& arguments) {
  std::vector<config::InitSystem> systems;
  for (std::string url : arguments.names) {
    const std::string password = take_password(url);
    config::InitSystem system;
    system.name = name_of(url, systems);
    system.kind = kind_of(url);
    const bool is_path = url.find("://") == std::string::npos;
    system.url = is_path ? std::filesystem::absolute(url).string() : url;
    ports::SystemConfig bare;
    bare.appliance = "main";
    bare.name = system.name;
    bare.url = url;
    bare.password = password;
    if (!password.empty()) {
      system.password_environment = system.name + "_password";
      std::ranges::transform(
          system.password_environment, system.password_environment.begin(), [](char letter) {
            return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
          });
    }
    SYN_TRY(const auto made, make_system(system.kind, bare, system_clock()));
    SYN_TRY(const auto tables, made.catalog->tables());
    system.tables = shapes_of(tables);
    systems.push_back(std::move(system));
  }
  const std::string text = config::make_sample({}, systems);
  const std::string path = arguments.output.empty() ? arguments.config : arguments.output;
  if (std::filesystem::exists(path) && !arguments.is_force) {
    return fail(ErrorCode::kUsage, path + " is there already", "init does not write over a config",
                "name another with --output, or use --force");
  }
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) {
    return fail(ErrorCode::kConfigFile, path + " cannot be written", "",
                "check the folder's permissions and free space");
  }
  print(arguments, boost::json::object{{"written", path}},
        "wrote " + path + "; look it over, then `syncline plan -c " + path + "`\n");
  return ExitStatus::kOk;
}

}  // namespace syncline::app
