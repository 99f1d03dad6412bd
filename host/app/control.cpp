#include "host/app/control.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>

#include <boost/json/src.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace syncline::app {
namespace {

constexpr size_t kRequestSizeMax = 1 << 20;
constexpr size_t kAnswerSizeMax = 256u << 20;
constexpr int kAcceptWaitMs = 100;
constexpr int kRequestWaitMs = 5'000;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  Socket& operator=(Socket&&) = delete;
  int fd() const { return fd_; }

  bool is_ready(short events, int timeout_ms) const {
    pollfd waiting{fd_, events, 0};
    return ::poll(&waiting, 1, timeout_ms) > 0;
  }

  bool send_all(std::string_view text) const {
    while (!text.empty()) {
      if (!is_ready(POLLOUT, kRequestWaitMs)) return false;
      const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  // Up to the newline. Empty: the other side went away, was too slow, or sent too much.
  std::string read_line(size_t size_max, int timeout_ms) const {
    std::string line;
    char bytes[65536];
    while (line.size() <= size_max && is_ready(POLLIN, timeout_ms)) {
      const ssize_t count = ::recv(fd_, bytes, sizeof bytes, 0);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return {};
      line.append(bytes, static_cast<size_t>(count));
      if (line.back() == '\n') return line;
    }
    return {};
  }

 private:
  int fd_;
};

std::string socket_path(const std::string& data_folder) {
  return data_folder + "/control.sock";
}

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(
        ErrorCode::kStorageOpen, "the control socket's path is too long: " + path,
        "a socket's path has at most " + std::to_string(sizeof address.sun_path - 1) + " bytes",
        "set [appliance] data to a shorter path");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

class ControlServerImpl final : public ControlServer {
 public:
  ControlServerImpl(std::string path, Socket&& socket, ControlHandler&& handler)
      : path_(std::move(path)),
        socket_(std::move(socket)),
        handler_(std::move(handler)),
        thread_([this] { serve(); }) {}

  ~ControlServerImpl() override {
    is_closing_ = true;
    thread_.join();
    ::unlink(path_.c_str());
  }

 private:
  void serve() {
    while (!is_closing_) {
      if (!socket_.is_ready(POLLIN, kAcceptWaitMs)) continue;
      const Socket peer(::accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
      if (peer.fd() >= 0) answer(peer);
    }
  }

  void answer(const Socket& peer) {
    const std::string line = peer.read_line(kRequestSizeMax, kRequestWaitMs);
    if (line.empty()) return;
    boost::json::object answer;
    boost::system::error_code code;
    const boost::json::value request = boost::json::parse(line, code);
    const auto done = code || !request.is_object()
                          ? Result<boost::json::value>(Error{
                                ErrorCode::kUsage, "a request that is not one JSON object", "", ""})
                          : handler_(request.get_object());
    answer["ok"] = done.has_value();
    if (done) {
      answer["data"] = done.value();
    } else {
      answer["error"] = error_to_json(done.error());
    }
    peer.send_all(boost::json::serialize(answer) + "\n");
  }

  std::string path_;
  Socket socket_;
  ControlHandler handler_;
  std::atomic<bool> is_closing_{false};
  std::thread thread_;
};

Error error_from_json(const boost::json::object& object) {
  const auto text = [&](const char* name) {
    const boost::json::value* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
  };
  Error error{ErrorCode::kInternal, text("what"), text("why"), text("fix")};
  const std::string code = text("code");
  if (code.starts_with("SYN-")) error.code = static_cast<ErrorCode>(std::atoi(code.c_str() + 4));
  return error;
}

void append_pretty(const boost::json::value& value, const std::string& indent, std::string& out) {
  const std::string inner = indent + "  ";
  const char* separator = "";
  if (value.is_object() && !value.get_object().empty()) {
    out += "{";
    for (const auto& [name, member] : value.get_object()) {
      out += std::exchange(separator, ",");
      out += "\n" + inner + boost::json::serialize(name) + ": ";
      append_pretty(member, inner, out);
    }
    out += "\n" + indent + "}";
  } else if (value.is_array() && !value.get_array().empty()) {
    out += "[";
    for (const boost::json::value& element : value.get_array()) {
      out += std::exchange(separator, ",");
      out += "\n" + inner;
      append_pretty(element, inner, out);
    }
    out += "\n" + indent + "]";
  } else {
    out += boost::json::serialize(value);
  }
}

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::open(const std::string& data_folder,
                                                           ControlHandler handler) {
  const std::string path = socket_path(data_folder);
  SYN_TRY(const sockaddr_un address, address_of(path));
  ::unlink(path.c_str());
  Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const mode_t before = ::umask(0177);
  const bool is_open =
      socket.fd() >= 0 &&
      ::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::listen(socket.fd(), 16) == 0;
  const int error = errno;
  ::umask(before);
  if (!is_open) {
    return fail(ErrorCode::kStorageOpen, "the control socket " + path + " cannot be opened",
                std::strerror(error), "check the data folder's permissions and file system");
  }
  return std::make_unique<ControlServerImpl>(path, std::move(socket), std::move(handler));
}

Result<boost::json::value> control(const std::string& data_folder,
                                   const boost::json::object& request, int timeout_ms) {
  const std::string path = socket_path(data_folder);
  SYN_TRY(const sockaddr_un address, address_of(path));
  const Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail(ErrorCode::kNotRunning, "no appliance answers on " + path, std::strerror(errno),
                "start it with `syncline run`");
  }
  if (!socket.send_all(boost::json::serialize(request) + "\n")) {
    return fail(ErrorCode::kNotRunning, "the appliance did not take the request", "",
                "try again; if it stays so, look at its log");
  }
  const std::string line = socket.read_line(kAnswerSizeMax, timeout_ms);
  boost::system::error_code code;
  const boost::json::value answer = boost::json::parse(line, code);
  if (code || !answer.is_object()) {
    return fail(ErrorCode::kNotRunning, "the appliance did not answer in time", "",
                "try again; if it stays so, look at its log");
  }
  const boost::json::object& object = answer.get_object();
  if (const auto* data = object.if_contains("data")) return *data;
  return error_from_json(object.at("error").get_object());
}

boost::json::object error_to_json(const Error& error) {
  return {{"code", code_text(error.code)},
          {"what", error.what},
          {"why", error.why},
          {"fix", error.fix}};
}

std::string pretty(const boost::json::value& value) {
  std::string out;
  append_pretty(value, "", out);
  return out;
}

}  // namespace syncline::app
