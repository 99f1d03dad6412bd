// Servers of one replication: each reached by a port too, for a replica comes that way.
#pragma once

#include <string>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/mariadb/mariadb_fixture.hpp"

namespace syncline::mariadb {

inline int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(0, ::bind(socket, reinterpret_cast<sockaddr*>(&address), size));
  EXPECT_EQ(0, ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size));
  ::close(socket);
  return ntohs(address.sin_port);
}

class Node {
 public:
  Node(int number, const std::string& options)
      : port_(free_port()),
        options_(" --server-id=" + std::to_string(number) +
                 " --skip-networking=0 --bind-address=127.0.0.1 --port=" + std::to_string(port_) +
                 " " + options) {
    std::string pattern = std::filesystem::temp_directory_path() / "syncline-maria-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~Node() { call("remove", ""); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  void start() { call("start", options_); }
  void kill() { call("stop", "immediate"); }
  void stop() { call("stop", ""); }
  const std::string& folder() const { return folder_; }
  std::string socket() const { return folder_ + "/socket"; }
  User user(const std::string& database = "") const { return User(database, socket()); }
  std::string url(const std::string& database, const std::string& user = "root") const {
    return "mariadb://" + user + "@localhost/" + database + "?socket=" + socket();
  }

  void let_copy() const {
    user().run("CREATE USER copier@'%' IDENTIFIED BY 'x'",
               "GRANT REPLICATION SLAVE ON *.* TO copier@'%'");
  }
  // more: ", MASTER_DELAY = 1"
  void follow(const Node& primary, const std::string& more = "") const {
    user().run(
        "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=" + std::to_string(primary.port_) +
            ", MASTER_USER='copier', MASTER_PASSWORD='x', MASTER_USE_GTID=slave_pos, "
            "MASTER_SSL=0, MASTER_SSL_VERIFY_SERVER_CERT=0, MASTER_CONNECT_RETRY=1" +
            more,
        "START SLAVE");
  }
  void wait_for(const Node& primary) const {
    const std::string end = primary.user().ask("SELECT @@gtid_binlog_pos");
    EXPECT_EQ("0", user().ask("SELECT MASTER_GTID_WAIT('" + end + "', 60)")) << end;
  }

 private:
  void call(const std::string& command, const std::string& more) {
    const std::string line = "tests/support/mariadb_server " + command + " " + folder_ + " " + more;
    EXPECT_EQ(0, std::system(line.c_str())) << line;
  }

  int port_;
  std::string folder_;
  std::string options_;
};

}  // namespace syncline::mariadb
