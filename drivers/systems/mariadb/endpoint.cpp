#include "drivers/systems/mariadb/detail/endpoint.hpp"

#include <charconv>

namespace syncline::mariadb {
namespace {

auto not_a_url(const std::string& system, std::string why) {
  return fail(ErrorCode::kConfigValue, "the url of system '" + system + "' cannot be used",
              std::move(why),
              "write it as mariadb://user@host:3306/database, and the password's source in "
              "`password`");
}

std::string decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    const bool is_escape = text[i] == '%' && i + 2 < text.size();
    const char* digits = text.data() + i + 1;
    if (is_escape && std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// Takes what stands before the first `mark` off the front; everything where there is none.
std::string_view take_until(std::string_view& text, char mark) {
  const size_t at = std::min(text.find(mark), text.size());
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return part;
}

bool set_option(Endpoint& endpoint, std::string_view name, std::string value) {
  if (name == "socket") {
    endpoint.socket = std::move(value);
  } else if (name == "sslrootcert") {
    endpoint.ca_file = std::move(value);
  } else if (name == "sslcert") {
    endpoint.certificate_file = std::move(value);
  } else if (name == "sslkey") {
    endpoint.key_file = std::move(value);
  } else if (name == "sslmode") {
    if (value != "disable" && value != "require" && value != "verify-full") return false;
    endpoint.tls = value == "disable"   ? Tls::kDisabled
                   : value == "require" ? Tls::kRequired
                                        : Tls::kVerified;
  } else {
    return false;
  }
  return true;
}

bool set_host(Endpoint& endpoint, std::string_view text) {
  const bool is_bracketed = text.starts_with('[') && text.find(']') != std::string_view::npos;
  const size_t end = is_bracketed ? text.find(']') + 1 : std::min(text.rfind(':'), text.size());
  endpoint.host = decoded(is_bracketed ? text.substr(1, end - 2) : text.substr(0, end));
  if (end == text.size()) return true;
  const std::string_view port = text.substr(end + 1);
  const auto read = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  return text[end] == ':' && read.ec == std::errc() && read.ptr == port.data() + port.size();
}

}  // namespace

Result<Endpoint> parse_endpoint(const std::string& system, std::string_view url) {
  const size_t scheme_end = url.find("://");
  const std::string_view scheme = url.substr(0, std::min(scheme_end, url.size()));
  if (scheme != "mariadb" && scheme != "mysql")
    return not_a_url(system, "it names neither a MariaDB nor a MySQL");
  std::string_view options = url.substr(scheme_end + 3);
  std::string_view path = take_until(options, '?');
  std::string_view authority = take_until(path, '/');
  Endpoint endpoint;
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view user = authority.substr(0, at);
    if (user.find(':') != std::string_view::npos) return not_a_url(system, "a password is in it");
    endpoint.user = decoded(user);
    authority.remove_prefix(at + 1);
  }
  if (!set_host(endpoint, authority)) return not_a_url(system, "its port is no number");
  endpoint.database = decoded(path);
  if (endpoint.database.empty()) return not_a_url(system, "it names no database");
  while (!options.empty()) {
    std::string_view value = take_until(options, '&');
    const std::string name(take_until(value, '='));
    if (!set_option(endpoint, name, decoded(value))) {
      return not_a_url(system,
                       "its option '" + name +
                           "' is unknown or has an unknown value; there "
                           "are socket, sslmode (disable, require, verify-full), sslrootcert, "
                           "sslcert and sslkey");
    }
  }
  return endpoint;
}

}  // namespace syncline::mariadb
