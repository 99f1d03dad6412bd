"""What the end-to-end tests share: a folder with two SQLite files, the real program, its daemon.

Each test makes a folder of its own and removes it. Nothing but Python's own library is needed.
"""
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SYNCLINE = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "syncline"
TABLES = ("CREATE TABLE customer (email TEXT PRIMARY KEY NOT NULL, name TEXT, points INTEGER)",
          "CREATE TABLE product (sku TEXT PRIMARY KEY NOT NULL, title TEXT UNIQUE)")
SECONDS = 60
# The engine that all configs ask for: the same tests hold for each.
ENGINE = os.environ.get("SYNCLINE_E2E_ENGINE", "auto")
# What asking a daemon meets that does not listen yet, is not so far, or ends.
NOT_THERE = (OSError, ValueError, KeyError)


def ask_daemon(folder, command):
    """What `syncline COMMAND --json` prints, without a program to start for each look."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(SECONDS)
        control.connect(os.path.join(folder, "control.sock"))
        control.sendall(json.dumps({"command": command}).encode() + b"\n")
        with control.makefile(encoding="utf-8") as answer:
            return json.loads(answer.readline())["data"]


def connect(path):
    return sqlite3.connect(path, timeout=20, isolation_level=None)


class UsesEngine(unittest.TestCase):
    """A test whose configs ask for ENGINE: that did the work and never failed, as the CPU stands in
    for an engine that does. Needs status()."""
    engine_reports = ()

    def note_engine(self):
        """Before a daemon is ended, if it has not ended by itself."""
        if ENGINE == "auto":
            return
        try:
            engines = self.status()["engines"]
        except NOT_THERE:
            return
        if not self.engine_reports:
            self.addCleanup(self.expect_engine)
        self.engine_reports += tuple(engines)

    def expect_engine(self):
        """Any did something: then that one too. A daemon with nothing to read has nothing to do."""
        batches = dict.fromkeys((one["name"] for one in self.engine_reports), 0)
        for one in self.engine_reports:
            batches[one["name"]] += one["batches_total"]
            self.assertEqual(one["faults_total"], 0, one)
        if any(batches.values()):
            self.assertGreater(batches[ENGINE], 0, f"{ENGINE} did nothing: {batches}")


class Appliance(UsesEngine):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="syncline-e2e-")
        self.daemon = None
        self.office, self.shop = self.path("office.db"), self.path("shop.db")
        for path in (self.office, self.shop):
            self.write(path, "PRAGMA journal_mode = WAL", *TABLES)

    def tearDown(self):
        self.end_daemon()
        shutil.rmtree(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    # The files.

    def write(self, path, *statements):
        user = connect(path)
        for statement in statements:
            user.execute(statement)
        user.close()

    def rows(self, path, table="customer"):
        user = connect(path)
        rows = user.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
        user.close()
        return rows

    def one(self, path, sql):
        user = connect(path)
        row = user.execute(sql).fetchone()
        user.close()
        return row[0]

    # The config.

    def init(self, *urls):
        self.call("init", *(urls or ("office.db", "shop.db")))
        self.change_config('engine = "auto"', f'engine = "{ENGINE}"')

    def config(self):
        with open(self.path("syncline.toml"), encoding="utf-8") as file:
            return file.read()

    def set_config(self, text, name="syncline.toml"):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def change_config(self, before, after):
        text = self.config()
        self.assertIn(before, text)
        self.set_config(text.replace(before, after))

    # The program.

    def call(self, *arguments, expect=0):
        done = subprocess.run([SYNCLINE, *arguments], cwd=self.folder, capture_output=True,
                              text=True, timeout=120, check=False)
        if expect is not None:
            self.assertEqual(done.returncode, expect, f"{arguments}: {done.stdout} {done.stderr}")
        return done

    def ask(self, *arguments, expect=0):
        return json.loads(self.call(*arguments, "--json", expect=expect).stdout)

    def refuse(self, *arguments, status, code, says=()):
        """It ends with this status, and says so with this code and these words, once."""
        told = self.call(*arguments, expect=status).stderr
        self.assertIn(code, told)
        for words in says:
            self.assertIn(words, told)
        self.assertEqual(told.count(code), 1, told)
        return told

    # The daemon.

    def launch(self, *arguments):
        with open(self.path("daemon.log"), "ab") as log:
            self.daemon = subprocess.Popen([SYNCLINE, "run", *arguments], cwd=self.folder,
                                           stderr=log)

    def start(self, *arguments):
        self.assertIn(f'engine = "{ENGINE}"', self.config(), "it runs on another engine")
        self.launch(*arguments)
        self.wait(self.is_running)

    def is_running(self):
        self.assertIsNone(self.daemon.poll(), self.log())
        try:
            return bool(self.status())
        except NOT_THERE:
            return False

    def log(self):
        with open(self.path("daemon.log"), encoding="utf-8", errors="replace") as log:
            return log.read()

    def stop(self):
        self.note_engine()
        self.daemon.send_signal(signal.SIGTERM)
        self.assertEqual(self.daemon.wait(timeout=SECONDS), 0, self.log())

    def kill(self):
        self.daemon.kill()
        self.daemon.wait()

    def end_daemon(self):
        """When a test is over."""
        if self.daemon and self.daemon.poll() is None:
            self.note_engine()
            self.kill()

    @staticmethod
    def beside(writers, disturb):
        """Each writer in a thread until disturb has ended; it is called with what says so."""
        over = threading.Event()
        threads = [threading.Thread(target=writer, args=(over.is_set,)) for writer in writers]
        for thread in threads:
            thread.start()
        try:
            disturb()
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def expect_end(self, status, *words):
        """The daemon ends by itself."""
        self.assertEqual(self.daemon.wait(timeout=SECONDS), status, self.log())
        for said in words:
            self.assertIn(said, self.log())

    def wait(self, holds, seconds=SECONDS):
        deadline = time.monotonic() + seconds
        pause = threading.Event()
        while not holds():
            self.assertLess(time.monotonic(), deadline, "it did not happen in time: " + self.log())
            pause.wait(0.02)

    def metrics(self):
        return self.control("metrics")

    def control(self, command):
        data = re.search(r'(?m)^data\s*= "(.*?)"', self.config())[1]
        return ask_daemon(self.path(data), command)

    def status(self):
        return self.control("status")

    def status_of(self, system):
        return next(one for one in self.status()["systems"] if one["name"] == system)

    def phase_of(self, system, dataset):
        return next(one for one in self.status_of(system)["datasets"] if one["name"] == dataset)

    def expect_equal(self, table="customer"):
        self.wait(lambda: self.rows(self.office, table) == self.rows(self.shop, table))
        self.assertTrue(self.ask("verify")["is_equal"])
