#!/usr/bin/python3
"""capture = "scan" and "poll" against real servers, in step with systems whose log is read.

    scan_test.py PATH/TO/syncline

Needs psycopg2 and pymysql, so it runs under the Python that Debian packages them for.
"""
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import psycopg2
import pymysql

from fixture import ENGINE, NOT_THERE, SYNCLINE, UsesEngine, ask_daemon

SUPPORT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support")
SECONDS = 120
RECORDS = 30


class Postgres:
    create = ("CREATE TABLE customer (id int PRIMARY KEY, name varchar(40), city varchar(40), "
              "changed_at timestamptz NOT NULL DEFAULT clock_timestamp())",
              "CREATE INDEX ON customer (changed_at, id)")
    touch = ", changed_at = clock_timestamp()"
    table = "public.customer"

    def __init__(self, folder, database):
        self.folder, self.database = folder, database
        self.url = f"postgres://postgres@/{database}?host={folder}"
        self.connect("postgres").cursor().execute(f"CREATE DATABASE {database}")
        user = self.connect()
        for statement in self.create:
            user.cursor().execute(statement)

    def connect(self, database=None):
        user = psycopg2.connect(host=self.folder, dbname=database or self.database,
                                user="postgres")
        user.autocommit = True
        return user


class Mariadb:
    create = ("CREATE TABLE customer (id int PRIMARY KEY, name varchar(40), city varchar(40), "
              "changed_at timestamp(6) NOT NULL DEFAULT current_timestamp(6))",
              "CREATE INDEX by_change ON customer (changed_at, id)")
    touch = ", changed_at = current_timestamp(6)"
    table = "customer"

    def __init__(self, folder, database):
        self.folder, self.database = folder, database
        self.url = f"mariadb://root@localhost/{database}?socket={folder}/socket"
        self.connect("").cursor().execute(f"CREATE DATABASE {database} CHARACTER SET utf8mb4")
        user = self.connect()
        for statement in self.create:
            user.cursor().execute(statement)

    def connect(self, database=None):
        name = self.database if database is None else database
        return pymysql.connect(unix_socket=self.folder + "/socket", user="root",
                               database=name or None, autocommit=True, charset="utf8mb4")


SERVERS = {Postgres: "postgres_server", Mariadb: "mariadb_server"}
SCAN = 'capture = "scan"\nevery = "300ms"\n'
POLL = 'capture = "poll"\npoll_by = "changed_at"\nevery = "300ms"\n'
SOME_LOOKS = 1.2  # seconds


class Scan(UsesEngine):
    @classmethod
    def setUpClass(cls):
        os.environ["POSTGRES_OWNER"] = str(os.getpid())
        cls.servers = {}
        for kind, script in SERVERS.items():
            cls.servers[kind] = tempfile.mkdtemp(prefix="syncline-scan-")
            cls.addClassCleanup(cls.call_server, kind, "remove")
            cls.call_server(kind, "start")

    @classmethod
    def call_server(cls, kind, command):
        subprocess.run([os.path.join(SUPPORT, SERVERS[kind]), command, cls.servers[kind]],
                       check=True)

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="syncline-e2e-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.daemon = None
        self.addCleanup(self.end_daemon)

    def make(self, *chosen):
        """Of each system its kind and what its section of the dataset says beside the table."""
        name = self._testMethodName[5:35]
        self.systems = [kind(self.servers[kind], f"s{at}_{name}")
                        for at, (kind, _) in enumerate(chosen)]
        self.users = [system.connect() for system in self.systems]
        lines = ["[appliance]", 'name = "e2e"', 'data = "data"', f'engine = "{ENGINE}"']
        for at, system in enumerate(self.systems):
            lines += [f"[systems.s{at}]", f'kind = "{type(system).__name__.lower()}"',
                      f'url = "{system.url}"']
        lines += ["[datasets.customer]", 'key = ["id"]', 'first = "s0"',
                  'exclude = ["changed_at"]']
        for at, (system, (_, more)) in enumerate(zip(self.systems, chosen)):
            triggers = 'triggers = "fire"\n' if isinstance(system, Mariadb) else ""
            lines += [f"[datasets.customer.on.s{at}]", f'table = "{system.table}"', triggers + more]
        with open(os.path.join(self.folder, "syncline.toml"), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def end_daemon(self):
        if self.daemon is not None and self.daemon.poll() is None:
            self.note_engine()
            self.daemon.kill()
            self.daemon.wait()

    def call(self, *arguments, expect=0):
        done = subprocess.run([SYNCLINE, *arguments], cwd=self.folder, capture_output=True,
                              text=True, timeout=SECONDS, check=False)
        self.assertEqual(done.returncode, expect, f"{arguments}: {done.stdout} {done.stderr}")
        return done.stdout

    def ask(self, *arguments):
        return json.loads(self.call(*arguments, "--json"))

    def log(self):
        with open(os.path.join(self.folder, "daemon.log"), encoding="utf-8") as log:
            return log.read()[-4000:]

    def start(self):
        self.start_daemon()
        self.wait(self.is_running, "the start")

    def start_daemon(self):
        with open(os.path.join(self.folder, "daemon.log"), "ab") as log:
            self.daemon = subprocess.Popen([SYNCLINE, "run", "--log-level", "warning"],
                                           cwd=self.folder, stderr=log)

    def is_running(self):
        self.assertIsNone(self.daemon.poll(), self.log())
        try:
            return self.status()["state"] == "running"
        except NOT_THERE:
            return False

    def status(self):
        return ask_daemon(os.path.join(self.folder, "data"), "status")

    def wait(self, holds, what):
        deadline = time.monotonic() + SECONDS
        pause = threading.Event()
        while not holds():
            self.assertLess(time.monotonic(), deadline, f"{what}: {self.log()}")
            pause.wait(0.1)

    def run_sql(self, at, sql, values=None):
        self.users[at].cursor().execute(sql, values)

    def rows(self, at):
        cursor = self.users[at].cursor()
        cursor.execute("SELECT id, name, city FROM customer ORDER BY id")
        return list(cursor.fetchall())

    def expect_equal(self):
        self.wait(lambda: all(self.rows(at) == self.rows(0) for at in range(len(self.systems))),
                  "they are not equal")
        self.wait(lambda: self.ask("verify")["is_equal"], "verify")

    def edit(self, at, id_number, column, value):
        self.run_sql(at, f"UPDATE customer SET {column} = %s{self.systems[at].touch} WHERE id = %s",
                     (value, id_number))

    def written(self):
        return [one["delivery"]["rows_written_total"] for one in self.status()["systems"]]

    def fill(self, at, count=RECORDS):
        for number in range(count):
            self.run_sql(at, "INSERT INTO customer (id, name, city) VALUES (%s, 'n', 'c')",
                         (number,))

    def write_column(self, at, column, stopping, last, failures):
        """Every value is told apart; of each record the last one has to stand everywhere."""
        dice = random.Random(at)
        user = self.systems[at].connect()
        count = 0
        try:
            while not stopping.wait(0.01):
                count += 1
                number = dice.randrange(RECORDS)
                user.cursor().execute(
                    f"UPDATE customer SET {column} = %s{self.systems[at].touch} WHERE id = %s",
                    (f"{column} {count}", number))
                last[number] = f"{column} {count}"
        except Exception as error:  # told to the test, which fails
            failures.append(repr(error))
        user.close()

    def check_lost_edits(self, kills):
        """A user of the first system edits one field, a user of the second another one."""
        self.fill(0)
        self.start()
        self.expect_equal()
        stopping, failures, names, cities = threading.Event(), [], {}, {}
        writers = [threading.Thread(target=self.write_column,
                                    args=(0, "name", stopping, names, failures)),
                   threading.Thread(target=self.write_column,
                                    args=(1, "city", stopping, cities, failures))]
        for writer in writers:
            writer.start()
        dice = random.Random(3)
        for _ in range(kills):
            threading.Event().wait(dice.uniform(0.3, 1) * SOME_LOOKS)
            self.end_daemon()
            self.start()
        threading.Event().wait(SOME_LOOKS)
        stopping.set()
        for writer in writers:
            writer.join()
        self.assertEqual(failures, [])
        self.expect_equal()
        expected = [(number, names.get(number, "n"), cities.get(number, "c"))
                    for number in range(RECORDS)]
        self.assertEqual(self.rows(0), expected)
        self.expect_rest()

    def expect_rest(self):
        """No echo: systems at rest are written nothing."""
        self.wait(lambda: all(one["delivery"]["pending_entries"] == 0
                              for one in self.status()["systems"]), "it is not done")
        before = self.written()
        threading.Event().wait(SOME_LOOKS)
        self.assertEqual(self.written(), before)

    def check_both_ways(self):
        self.fill(0, 5)
        self.run_sql(1, "INSERT INTO customer (id, name, city) VALUES (100, 'from 1', 'c')")
        self.start()
        self.expect_equal()
        last = len(self.systems) - 1
        for at in range(len(self.systems)):
            self.run_sql(at, "INSERT INTO customer (id, name, city) VALUES (%s, 'x', 'y')",
                         (200 + at,))
            self.edit(at, at, "name", f"edit of {at}")
        self.expect_equal()
        self.assertEqual(len(self.rows(last)), 6 + len(self.systems))
        self.run_sql(1, "DELETE FROM customer WHERE id = 200")
        self.expect_equal()
        self.assertNotIn(200, [row[0] for row in self.rows(0)])

    def test_scan_finds_deletes(self):
        self.make((Postgres, SCAN), (Mariadb, ""))
        self.check_both_ways()
        self.run_sql(0, "DELETE FROM customer WHERE id = 201")
        self.expect_equal()
        self.end_daemon()
        self.run_sql(0, "DELETE FROM customer WHERE id = 4")
        self.start()
        self.expect_equal()
        self.assertEqual([row[0] for row in self.rows(1)], [0, 1, 2, 3, 100])
        self.expect_rest()
        self.note_engine()
        self.daemon.send_signal(signal.SIGTERM)
        self.assertEqual(self.daemon.wait(timeout=SECONDS), 0)
        self.call("detach", "--system", "s0", "--yes")
        cursor = self.users[0].cursor()
        cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 'syncline'")
        self.assertEqual(cursor.fetchone()[0], 0)

    def test_edits_beside_a_scan(self):
        self.make((Postgres, SCAN), (Mariadb, ""))
        self.check_lost_edits(kills=3)

    def test_a_first_sync_that_writes_over_what_is_there(self):
        """More than may wait for a system, into one that is polled: each record is looked at."""
        self.make((Mariadb, ""), (Postgres, POLL))
        for at in range(2):
            cursor = self.users[at].cursor()
            cursor.executemany("INSERT INTO customer (id, name, city) VALUES (%s, %s, 'c')",
                               [(number, f"of {at}") for number in range(1500)])
        self.start()
        self.expect_equal()
        self.assertEqual({row[1] for row in self.rows(1)}, {"of 0"})

    def test_a_row_filter_that_is_changed_takes_nothing_away(self):
        """What it hides from then on was not deleted: a resync forgets it."""
        self.make((Postgres, SCAN), (Mariadb, ""))
        self.fill(0, 6)
        self.start()
        self.expect_equal()
        self.end_daemon()
        with open(os.path.join(self.folder, "syncline.toml"), encoding="utf-8") as file:
            config = file.read()
        with open(os.path.join(self.folder, "syncline.toml"), "w", encoding="utf-8") as file:
            file.write(config.replace(SCAN, SCAN + 'where = "id < 3"\n'))
        self.start()
        self.wait(lambda: "row filter" in self.call("status"), "it is not said")
        self.assertIn("syncline resync --system s0", self.call("status"))
        self.run_sql(1, "INSERT INTO customer (id, name, city) VALUES (100, 'x', 'y')")
        self.call("resync", "--system", "s0", "--yes")
        self.wait(self.is_running, "the resync")
        self.run_sql(0, "UPDATE customer SET name = 'edit' WHERE id = 1")
        self.run_sql(0, "DELETE FROM customer WHERE id = 2")
        self.wait(lambda: [row[:2] for row in self.rows(1)] ==
                  [(0, "n"), (1, "edit"), (3, "n"), (4, "n"), (5, "n"), (100, "x")], "the edits")
        self.assertEqual([row[0] for row in self.rows(0)], [0, 1, 3, 4, 5])

    def check_bad_filter(self, kind, other):
        self.make((kind, SCAN + 'where = "region = 1"\n'), (other, ""))
        with open(os.path.join(self.folder, "syncline.toml"), "a", encoding="utf-8") as file:
            file.write('[datasets.product]\nkey = ["id"]\nfirst = "s0"\n')
            for at, system in enumerate(self.systems):
                triggers = 'triggers = "fire"\n' if isinstance(system, Mariadb) else ""
                table = system.table.replace("customer", "product")
                self.run_sql(at, "CREATE TABLE product (id int PRIMARY KEY, name varchar(40))")
                file.write(f'[datasets.product.on.s{at}]\ntable = "{table}"\n' + triggers +
                           (SCAN if at == 0 else ""))
        self.start_daemon()
        for name in "ab":
            self.run_sql(0, "DELETE FROM product")
            self.run_sql(0, "INSERT INTO product VALUES (1, %s)", (name,))
            self.wait(lambda name=name: self.product(1) == [(1, name)], "the other dataset")
        told = next(one for one in self.status()["systems"][0]["datasets"]
                    if one["name"] == "customer")
        self.assertEqual(told["phase"], "stopped")
        self.assertIn("`where` is region = 1", told["error"])

    def product(self, at):
        cursor = self.users[at].cursor()
        cursor.execute("SELECT id, name FROM product")
        return list(cursor.fetchall())

    def test_a_bad_row_filter_in_postgresql_stops_its_dataset_alone(self):
        self.check_bad_filter(Postgres, Mariadb)

    def test_a_bad_row_filter_in_mariadb_stops_its_dataset_alone(self):
        self.check_bad_filter(Mariadb, Postgres)

    def test_mariadb_scanned(self):
        self.make((Mariadb, SCAN), (Postgres, ""))
        self.check_lost_edits(kills=2)
        self.run_sql(0, "DELETE FROM customer WHERE id = 3")
        self.expect_equal()
        self.assertEqual(len(self.rows(1)), RECORDS - 1)

    def dues(self, at):
        cursor = self.users[at].cursor()
        cursor.execute("SELECT id, CAST(due AS char(20)), name FROM customer ORDER BY id")
        return [(number, due and due.strip(), name) for number, due, name in cursor.fetchall()]

    def test_zero_dates_in_a_table_that_is_scanned(self):
        """Rejected, then NULL elsewhere, by scan and log alike; where they are they stay."""
        self.make((Mariadb, SCAN), (Postgres, ""))
        for at in (0, 1):
            self.run_sql(at, "ALTER TABLE customer ADD COLUMN due date")
        self.run_sql(0, "SET sql_mode = ''")
        self.run_sql(0, "INSERT INTO customer (id, name, due) VALUES (1, 'a', '0000-00-00'), "
                        "(2, 'b', '2026-11-27')")
        self.start()
        self.wait(lambda: self.dues(1) == [(2, "2026-11-27", "b")], "the date that is one")
        held = self.ask("quarantine", "list")
        self.assertEqual([item["key"] for item in held], ["id=1"])
        path = os.path.join(self.folder, "syncline.toml")
        with open(path, encoding="utf-8") as file:
            config = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(config.replace("exclude =", 'zero_dates = "null"\nexclude ='))
        self.call("reload", "--yes")
        self.wait(self.is_running, "the reload")
        self.call("quarantine", "retry", held[0]["id"])
        self.wait(lambda: (1, None, "a") in self.dues(1), "what was rejected")
        self.run_sql(0, "INSERT INTO customer (id, name, due) VALUES (3, 'c', '2026-00-10')")
        self.run_sql(1, "INSERT INTO customer (id, name, due) VALUES (4, 'd', 'infinity')")
        self.run_sql(1, "UPDATE customer SET name = 'edit' WHERE id = 1")
        self.wait(lambda: self.dues(0) == [
            (1, "0000-00-00", "edit"), (2, "2026-11-27", "b"), (3, "2026-00-10", "c"),
            (4, None, "d")], "MariaDB's")
        self.wait(lambda: self.dues(1) == [
            (1, None, "edit"), (2, "2026-11-27", "b"), (3, None, "c"), (4, "infinity", "d")],
            "PostgreSQL's")
        self.assertTrue(self.ask("verify")["is_equal"])
        self.expect_rest()

    def test_log_scan_and_poll(self):
        self.make((Postgres, SCAN), (Mariadb, ""), (Postgres, POLL))
        self.check_both_ways()
        for number in range(20):
            self.edit(number % 3, 100, ("name", "city")[number % 2], f"edit {number}")
            threading.Event().wait(0.06)
        self.expect_equal()
        self.expect_rest()

    def test_edits_beside_polls(self):
        self.make((Postgres, POLL), (Mariadb, POLL))
        self.check_lost_edits(kills=2)

    def test_plan_says_what_is_not_seen(self):
        self.make((Postgres, SCAN), (Postgres, POLL))
        self.run_sql(1, "DROP INDEX customer_changed_at_id_idx")
        told = self.call("doctor", expect=1)
        for words in ("of several changes between two looks the last is seen",
                      "does not see deletes", "CREATE INDEX CONCURRENTLY ON"):
            self.assertIn(words, told)


if __name__ == "__main__":
    unittest.main()
