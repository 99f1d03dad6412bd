"""Between the program and a server: breaks connections where a COMMIT is on its way."""
import os
import select
import socket
import threading

COMMITS = (b"COMMIT\0", b"\x03COMMIT")  # PostgreSQL's message of a statement, MariaDB's COM_QUERY
EVERY = 4
SIZE = 1 << 16


class Relay:
    """Listens at `path` for the server at `server`. While it is armed, every fourth COMMIT breaks
    its connection: by turns before the server has it, and behind it, with the answer on its way."""

    def __init__(self, path, server):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.server = server
        self.is_armed = False
        self.lost_commits = self.lost_answers = self.seen = 0
        self.lock = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.is_armed = False
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.relay, args=(client,), daemon=True).start()

    def relay(self, client):
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self.server)
            while self.pass_on(client, server):
                pass
        except OSError:
            pass
        finally:
            client.close()
            server.close()

    def pass_on(self, client, server):
        for ready in select.select([client, server], [], [])[0]:
            data = ready.recv(SIZE)
            if not data:
                return False
            if ready is server:
                client.sendall(data)
                continue
            how = self.what_breaks(data)
            if how == "commit":
                return False
            server.sendall(data)
            if how == "answer":
                return server.recv(SIZE) == b""  # it has committed
        return True

    def what_breaks(self, data):
        if not self.is_armed or not any(commit in data for commit in COMMITS):
            return None
        with self.lock:
            self.seen += 1
            if self.seen % EVERY:
                return None
            if self.lost_commits > self.lost_answers:
                self.lost_answers += 1
                return "answer"
            self.lost_commits += 1
            return "commit"
