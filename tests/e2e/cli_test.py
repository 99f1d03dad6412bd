#!/usr/bin/env python3
"""The real program against real SQLite files, as a user would run it by hand.

    cli_test.py PATH/TO/syncline

Each test makes a folder of its own and removes it. Nothing but Python's own library is needed.
"""
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SYNCLINE = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "syncline"
TABLE = "CREATE TABLE customer (email TEXT PRIMARY KEY NOT NULL, name TEXT, points INTEGER)"


def connect(path):
    return sqlite3.connect(path, timeout=20, isolation_level=None)


class Appliance(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="syncline-e2e-")
        self.daemon = None
        self.office, self.shop = self.path("office.db"), self.path("shop.db")
        for path in (self.office, self.shop):
            user = connect(path)
            user.execute("PRAGMA journal_mode = WAL")
            user.execute(TABLE)
            user.close()

    def tearDown(self):
        if self.daemon and self.daemon.poll() is None:
            self.daemon.kill()
            self.daemon.wait()
        shutil.rmtree(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def call(self, *arguments, expect=0):
        done = subprocess.run([SYNCLINE, *arguments], cwd=self.folder, capture_output=True,
                              text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, expect, f"{arguments}: {done.stdout} {done.stderr}")
        return done

    def ask(self, *arguments, expect=0):
        return json.loads(self.call(*arguments, "--json", expect=expect).stdout)

    def start(self):
        self.daemon = subprocess.Popen([SYNCLINE, "run", "--log-level", "error"], cwd=self.folder,
                                       stderr=subprocess.PIPE, text=True)
        self.wait(lambda: subprocess.run([SYNCLINE, "status"], cwd=self.folder, check=False,
                                         capture_output=True).returncode == 0)

    def stop(self):
        self.daemon.send_signal(signal.SIGTERM)
        self.assertEqual(self.daemon.wait(timeout=60), 0)
        self.daemon.stderr.close()

    def kill(self):
        self.daemon.kill()
        self.daemon.wait()
        self.daemon.stderr.close()

    def wait(self, holds, seconds=60):
        deadline = time.monotonic() + seconds
        pause = threading.Event()
        while not holds():
            self.assertLess(time.monotonic(), deadline, "it did not happen in time")
            pause.wait(0.02)

    def rows(self, path):
        user = connect(path)
        rows = user.execute("SELECT * FROM customer ORDER BY email").fetchall()
        user.close()
        return rows

    def write(self, path, *statements):
        user = connect(path)
        for statement in statements:
            user.execute(statement)
        user.close()

    def expect_equal(self):
        self.wait(lambda: self.rows(self.office) == self.rows(self.shop))
        self.assertTrue(self.ask("verify")["is_equal"])

    def test_demo_converges(self):
        report = self.ask("demo", "--for", "3s")
        self.assertTrue(report["is_converged"])
        self.assertGreater(report["status"]["changes_total"], 100)

    def test_from_two_files_to_a_running_sync(self):
        self.write(self.office, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)",
                   "INSERT INTO customer VALUES ('bob@x', 'Bob', 2)")
        self.write(self.shop, "INSERT INTO customer VALUES ('bob@x', 'Rob', 2), ('cy@x', 'Cy', 3)")
        self.call("init", "office.db", "shop.db")
        self.call("check")
        plan = self.ask("plan")["datasets"][0]
        self.assertEqual((plan["update"], plan["equal"]), (1, 0))
        self.start()
        self.expect_equal()
        self.assertEqual(self.rows(self.shop)[1], ("bob@x", "Bob", 2))
        self.write(self.shop, "UPDATE customer SET name = 'Anna' WHERE email = 'ann@x'",
                   "DELETE FROM customer WHERE email = 'cy@x'")
        self.wait(lambda: self.rows(self.office) == [("ann@x", "Anna", 1), ("bob@x", "Bob", 2)])
        self.assertEqual(self.ask("conflicts", "list")[0]["type"], "insert_exists")
        self.assertEqual(self.ask("status")["state"], "running")
        self.call("pause", "shop")
        self.write(self.office, "UPDATE customer SET points = 9 WHERE email = 'ann@x'")
        self.call("resume", "shop")
        self.expect_equal()
        self.stop()
        self.call("audit", "verify")
        self.call("detach", "--system", "office", "--yes")
        ours = connect(self.office).execute(
            "SELECT count(*) FROM sqlite_master WHERE name LIKE 'syncline%'").fetchone()
        self.assertEqual(ours[0], 0)

    def test_a_killed_daemon_loses_nothing_and_doubles_nothing(self):
        self.call("init", "office.db", "shop.db")
        dice, last = random.Random(7), {}
        stopping = threading.Event()

        def write(path, side):
            user, chooser = connect(path), random.Random(side)
            number = 0
            while not stopping.wait(0.002):
                number += 1
                key = f"{side}-{chooser.randrange(40)}@x"
                user.execute("INSERT INTO customer VALUES (?, ?, 0) ON CONFLICT (email) DO UPDATE "
                             "SET name = excluded.name, points = points + 1", (key, str(number)))
                last[key] = str(number)
            user.close()

        writers = [threading.Thread(target=write, args=(self.office, "office")),
                   threading.Thread(target=write, args=(self.shop, "shop"))]
        for writer in writers:
            writer.start()
        try:
            for _ in range(15):
                self.start()
                threading.Event().wait(dice.uniform(0.0, 0.5))
                self.kill()
            self.start()
        finally:
            stopping.set()
            for writer in writers:
                writer.join()
        self.expect_equal()
        self.assertEqual({email: name for email, name, _ in self.rows(self.shop)}, last)
        self.stop()
        self.call("audit", "verify")

    def test_bad_input_is_named_with_its_place_and_its_cure(self):
        self.call("init", "office.db", "shop.db")
        config = self.path("syncline.toml")
        with open(config, encoding="utf-8") as file:
            text = file.read()
        with open(config, "w", encoding="utf-8") as file:
            file.write(text.replace("engine =", "engin ="))
        told = self.call("run", expect=3).stderr
        self.assertIn("syncline.toml:", told)
        self.assertIn("engine", told)
        with open(config, "w", encoding="utf-8") as file:
            file.write(text.replace("office.db", "nowhere.db"))
        self.assertIn("SYN-3001", self.call("run", expect=4).stderr)
        with open(config, "w", encoding="utf-8") as file:
            file.write(text)
        self.start()
        self.assertIn("SYN-4002", self.call("run", expect=5).stderr)
        self.write(self.office, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)")
        self.expect_equal()
        self.kill()
        journal = self.path("syncline-data/journal")
        segment = os.path.join(journal, sorted(
            name for name in os.listdir(journal) if name != "heads")[0])
        with open(segment, "r+b") as file:
            file.seek(os.path.getsize(segment) // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 1]))
        self.assertIn("SYN-4005", self.call("audit", "verify", expect=5).stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
