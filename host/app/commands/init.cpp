#include "host/config/init.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "host/app/command_support.hpp"
#include "host/app/systems.hpp"
#include "host/config/nearest.hpp"

namespace syncline::app {
namespace {

constexpr size_t kNameMax = 48;  // leaves room for a number behind it

// The scheme names the kind; a plain path is a SQLite file.
Result<std::string> kind_of(const std::string& url) {
  const size_t colon = url.find("://");
  if (colon == std::string::npos) return std::string(system_table().front().kind);
  const std::string scheme = url.substr(0, colon);
  std::string lower = scheme;
  std::ranges::transform(lower, lower.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  });
  std::vector<std::string> known;
  std::string list;
  for (const SystemRow& row : system_table()) {
    for (const std::string_view one : row.schemes) {
      if (one == scheme) return std::string(row.kind);
      known.emplace_back(one);
      list += (list.empty() ? "" : ", ") + std::string(one) + "://";
    }
  }
  const auto meant = std::ranges::find(known, lower);
  return fail(
      ErrorCode::kConfigValue, "no system is known by \"" + scheme + "://\"",
      "this version knows: " + list,
      meant != known.end() ? "did you mean \"" + *meant + "\"?" : config::suggest(lower, known));
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    const std::string digits(text.substr(i + 1, 2));
    if (text[i] == '%' && digits.size() == 2 && std::sscanf(digits.c_str(), "%2x", &byte) == 1) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// user:password@host
std::string take_password_of_user(std::string& url, size_t start) {
  const size_t end = std::min(url.find_first_of("/?", start), url.size());
  const size_t at = url.rfind('@', end);
  if (at == std::string::npos || at < start) return {};
  const size_t colon = url.find(':', start);
  if (colon >= at) return {};
  std::string password = percent_decoded(std::string_view(url).substr(colon + 1, at - colon - 1));
  url.erase(colon, at - colon);
  return password;
}

// ?password=..., wherever it stands among the parameters; of several the last counts.
std::string take_password_of_query(std::string& url, size_t start) {
  constexpr std::string_view kName = "password=";
  std::string password;
  size_t at = url.find('?', start);
  while (at != std::string::npos) {
    const size_t next = url.find('&', at + 1);
    const bool is_password = url.compare(at + 1, kName.size(), kName) == 0;
    if (!is_password) {
      at = next;
      continue;
    }
    const size_t end = std::min(next, url.size());
    const size_t value = at + 1 + kName.size();
    password = percent_decoded(std::string_view(url).substr(value, end - value));
    url.erase(at + 1, end - at - (next == std::string::npos ? 1 : 0));
    if (next != std::string::npos) continue;  // the next parameter stands in its place
    url.pop_back();                           // the ? or & before it
    break;
  }
  return password;
}

// The password is taken out of the URL: it does not stand in a config.
std::string take_password(std::string& url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string::npos) return {};
  std::string of_user = take_password_of_user(url, scheme + 3);
  std::string of_query = take_password_of_query(url, scheme + 3);
  return of_query.empty() ? of_user : of_query;
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
  name.resize(std::min(name.size(), kNameMax));
  const bool is_begun_by_digit = !name.empty() && name[0] >= '0' && name[0] <= '9';
  if (name.empty() || is_begun_by_digit || config::is_reserved_system(name)) {
    name = "system_" + name;
  }
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
    SYN_TRY(system.kind, kind_of(url));
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
    system.tables = shapes_of(tables, system.kind);
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
  const bool has_datasets = text.find("\n[datasets.") != std::string::npos;
  print(arguments, boost::json::object{{"written", path}, {"has_datasets", has_datasets}},
        "wrote " + path +
            (has_datasets ? "; look it over, then `syncline plan -c " + path + "`\n"
                          : ", but found no table to sync: it says why, and datasets are to be "
                            "written by hand\n"));
  return has_datasets ? ExitStatus::kOk : ExitStatus::kDifferent;
}

}  // namespace syncline::app
