"""A folder with two files, their writers and the daemon between them, as the tortures use them."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import office

HERE = os.path.dirname(os.path.abspath(__file__))
RUNNING_SECONDS = 60
SETTLE_SECONDS = 90
IDLE_SECONDS = 1.0
POLL_SECONDS = 0.02


class Broken(Exception):
    """A promise was broken in a way that ends the torture."""


def remove(folder):
    shutil.rmtree(folder)


class Office:
    def __init__(self, syncline, folder, seed, bulk_rows, data="syncline-data"):
        self.syncline, self.folder, self.seed = syncline, folder, seed
        self.data = os.path.join(folder, data)
        office.make_office(folder, bulk_rows, data)
        self.files = {side: office.connect(office.path_of(folder, side)) for side in office.SIDES}
        self.writers = []
        self.daemon = None
        self.has_run = False   # since this start
        self.has_drained = False
        self.live = None       # where the histories stood when the first sync was known to be over

    # The writers.

    def start_writers(self, count, per_second):
        for side in office.SIDES:
            for number in range(count):
                self.writers.append(subprocess.Popen(
                    [sys.executable, os.path.join(HERE, "writer.py"), self.folder, side,
                     str(number), self.seed, str(per_second)],
                    stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True))

    def stop_writers(self):
        for writer in self.writers:
            writer.stdin.close()
        for writer in self.writers:
            status = writer.wait(timeout=2 * office.BUSY_SECONDS)
            words = writer.stderr.read()
            writer.stderr.close()
            if status != 0:
                raise Broken(f"0 writers: one ended with {status}: {words[-500:]}")
        self.writers = []

    # The daemon.

    def start(self):
        self.has_run = False
        self.has_drained = False
        with open(os.path.join(self.folder, "daemon.log"), "ab") as log:
            self.daemon = subprocess.Popen([self.syncline, "run"], cwd=self.folder, stderr=log)

    def wait_for_end(self, seconds):
        """Its exit status if it ends within that time, None if it is still alive then."""
        try:
            return self.daemon.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self):
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait()

    def ask(self, command):
        """The daemon's answer, or None where nobody listens (yet)."""
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(20)
        try:
            peer.connect(os.path.join(self.data, "control.sock"))
            peer.sendall(json.dumps({"command": command}).encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                part = peer.recv(1 << 16)
                if not part:
                    return None
                answer += part
        except OSError:
            return None
        finally:
            peer.close()
        return json.loads(answer).get("data")

    def wait_until(self, holds, what, seconds):
        deadline = time.monotonic() + seconds
        while not holds():
            ended = self.wait_for_end(POLL_SECONDS)
            if ended is not None:
                raise Broken(f"13 stays alive: the daemon ended with {ended} instead of {what}: "
                             f"{self.last_words()}")
            if time.monotonic() > deadline:
                raise Broken(f"13 catches up: not {what} after {seconds} s: {self.last_words()} "
                             f"{self.ask('status')}")

    def wait_until_running(self):
        """Returns how long it took."""
        began = time.monotonic()
        self.wait_until(lambda: (self.ask("status") or {}).get("state") == "running", "running",
                        RUNNING_SECONDS)
        self.has_run = True
        if self.live is None:
            self.live = self.history_ends()
        return time.monotonic() - began

    def is_live(self):
        return self.live is not None

    def history_ends(self):
        return {side: file.execute("SELECT coalesce(max(n), 0) FROM torture_history").fetchone()[0]
                for side, file in self.files.items()}

    def moment_of_kill(self, aimed):
        """What it really was in the middle of."""
        if aimed == "drain" or self.has_run:
            return aimed
        if self.ask("status") is not None:
            return "steady"
        if not os.path.exists(os.path.join(self.data, "format")):
            return "start"
        if not self.is_live():
            return "first sync"
        return "start" if aimed == "start" else "recovery"

    def last_words(self):
        with open(os.path.join(self.folder, "daemon.log"), encoding="utf-8") as log:
            return " | ".join(log.read().splitlines()[-4:])

    # At rest.

    def is_at_rest(self):
        answer = self.ask("at_rest")
        return answer is not None and answer["at_rest"]

    def settle(self):
        self.wait_until(self.is_at_rest, "at rest", SETTLE_SECONDS)
        self.wait_until(self.is_at_rest, "at rest", SETTLE_SECONDS)
        at_rest = self.history_ends()
        ended = self.wait_for_end(IDLE_SECONDS)  # what is shown is that nothing happens
        if ended is not None:
            raise Broken(f"13 stays alive: the daemon ended with {ended}: {self.last_words()}")
        self.save("idle.json", {"at_rest": at_rest, "later": self.history_ends()})
        self.save("live.json", self.live)
        self.save("status.json", self.ask("status"))
        self.save("conflicts.json", self.call("conflicts", "list", "--limit", "100000"))
        self.save("quarantine.json", self.call("quarantine", "list", "--limit", "1000"))

    def save(self, name, what):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            json.dump(what, file)

    def call(self, *arguments, expect=0):
        done = subprocess.run([self.syncline, *arguments, "--json"], cwd=self.folder, timeout=120,
                              capture_output=True, text=True, check=False)
        if done.returncode != expect:
            raise Broken(f"0 commands: {arguments} ended with {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def stop(self):
        self.daemon.send_signal(signal.SIGTERM)
        status = self.daemon.wait(timeout=60)
        if status != 0:
            raise Broken(f"13 drains: SIGTERM ended with {status}: {self.last_words()}")

    def audit(self):
        self.call("audit", "verify")
        if not self.call("verify", "--settle", "0s")["is_equal"]:
            raise Broken("4 equal at rest: `syncline verify` finds differences")

    def end_all(self):
        """Whatever happened, nothing that was started here goes on."""
        for process in [self.daemon, *self.writers]:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        for file in self.files.values():
            file.close()
