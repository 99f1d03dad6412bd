#!/usr/bin/python3
"""The real program against a real PostgreSQL server, as a user would run it by hand.

    postgres_test.py PATH/TO/syncline

One server for all tests, two databases and a folder of its own for each. Needs psycopg2, so it runs
under the Python that Debian packages it for.
"""
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import psycopg2

from fixture import ENGINE, NOT_THERE, SYNCLINE, UsesEngine, ask_daemon

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER = os.path.join(HERE, "..", "support", "postgres_server")
TABLE = """CREATE TABLE customer (
    email text PRIMARY KEY, name varchar(40), points int, price numeric(12,2),
    seen timestamptz(3), doc jsonb, photo bytea)"""
MEMORY_MEBIBYTES = 512  # at the most, beside the fingerprint tables
KEYS = [f"k{number}@x" for number in range(60)]


class Postgres(UsesEngine):
    @classmethod
    def setUpClass(cls):
        os.environ["POSTGRES_OWNER"] = str(os.getpid())
        cls.server = tempfile.mkdtemp(prefix="syncline-pg-")
        cls.addClassCleanup(cls.call_server, "remove")
        cls.call_server("start")

    @classmethod
    def call_server(cls, command, *more):
        subprocess.run([SERVER, command, cls.server, *more], check=True)

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="syncline-e2e-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.daemon = None
        self.addCleanup(self.end_daemon)
        end = self._testMethodName[-20:]
        self.databases = ["office_" + end, "shop_" + end]
        for database in self.databases:
            self.sql("postgres", f"CREATE DATABASE {database}")
            self.sql(database, TABLE)

    def end_daemon(self):
        if self.daemon and self.daemon.poll() is None:
            self.note_engine()
            self.kill()

    def connect(self, database):
        user = psycopg2.connect(host=self.server, dbname=database, user="postgres")
        user.autocommit = True
        return user

    def sql(self, database, *statements):
        user = self.connect(database)
        try:
            cursor = user.cursor()
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None
        finally:
            user.close()

    def url(self, database):
        return f"postgres://postgres@/{database}?host={self.server}"

    def path(self, name):
        return os.path.join(self.folder, name)

    def call(self, *arguments, expect=0):
        done = subprocess.run([SYNCLINE, *arguments], cwd=self.folder, capture_output=True,
                              text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, expect, f"{arguments}: {done.stdout} {done.stderr}")
        return done

    def init(self, *urls):
        self.call("init", *urls)
        with open(self.path("syncline.toml"), encoding="utf-8") as file:
            config = file.read()
        self.assertIn('engine = "auto"', config)
        with open(self.path("syncline.toml"), "w", encoding="utf-8") as file:
            file.write(config.replace('engine = "auto"', f'engine = "{ENGINE}"'))

    def ask(self, *arguments, expect=0):
        return json.loads(self.call(*arguments, "--json", expect=expect).stdout)

    def launch(self, level="error"):
        """What the daemon says goes to a file: a pipe that nobody reads would hold it up."""
        with open(self.path("daemon.log"), "ab") as log:
            self.daemon = subprocess.Popen([SYNCLINE, "run", "--log-level", level],
                                           cwd=self.folder, stderr=log)

    def log(self):
        with open(self.path("daemon.log"), encoding="utf-8") as log:
            return log.read()

    def start(self, level="error"):
        self.launch(level)
        self.wait(self.is_there)

    def status(self):
        return ask_daemon(self.path("syncline-data"), "status")

    def is_there(self):
        self.assertIsNone(self.daemon.poll(), "the daemon did not stay: " + self.log())
        try:
            return bool(self.status())
        except NOT_THERE:
            return False

    def stop(self):
        self.note_engine()
        self.daemon.send_signal(signal.SIGTERM)
        self.assertEqual(self.daemon.wait(timeout=60), 0)

    def kill(self):
        self.daemon.kill()
        self.daemon.wait()

    def wait(self, holds, seconds=60):
        deadline = time.monotonic() + seconds
        pause = threading.Event()
        while not holds():
            self.assertLess(time.monotonic(), deadline, "it did not happen in time")
            pause.wait(0.02)

    def rows(self, database, table="customer"):
        rows = self.sql(database, f"SELECT * FROM {table} ORDER BY 1")
        return [tuple(bytes(cell) if isinstance(cell, memoryview) else cell for cell in row)
                for row in rows]

    def expect_equal(self, seconds=60):
        office, shop = self.databases
        self.wait(lambda: self.rows(office) == self.rows(shop), seconds)
        self.assertTrue(self.ask("verify")["is_equal"])

    def begin(self):
        office, shop = self.databases
        self.init(self.url(office), self.url(shop))
        self.call("check")
        self.call("plan")
        self.start()

    def write_at_random(self, database, seed, is_over):
        """A user on keys that the other side writes too; lives through a server that goes away."""
        chance = random.Random(seed)
        user = None
        while not is_over():
            key = chance.choice(KEYS)
            number = chance.randrange(1000)
            try:
                user = user or self.connect(database)
                cursor = user.cursor()
                kind = chance.randrange(10)
                if kind == 0:
                    cursor.execute("DELETE FROM customer WHERE email = %s", (key,))
                elif kind < 3:
                    cursor.execute("INSERT INTO customer VALUES (%s, %s, %s, 1.5, now(), "
                                   "'{\"a\": 1}', 'x') ON CONFLICT DO NOTHING",
                                   (key, f"{database} {number}", number))
                elif kind < 6:
                    cursor.execute("UPDATE customer SET name = %s WHERE email = %s",
                                   (f"{database} {number}", key))
                else:
                    cursor.execute("UPDATE customer SET points = %s, seen = now() WHERE email = %s",
                                   (number, key))
            except psycopg2.Error:
                user = None
                threading.Event().wait(0.05)

    def with_writers(self, disturb):
        over = threading.Event()
        writers = [threading.Thread(target=self.write_at_random, args=(database, seed, over.is_set))
                   for seed, database in enumerate(self.databases)]
        for writer in writers:
            writer.start()
        try:
            disturb()
        finally:
            over.set()
            for writer in writers:
                writer.join()

    def test_a_truncate_waits_for_its_approval(self):
        office, shop = self.databases
        self.sql(office, "INSERT INTO customer SELECT 'k' || i, 'x', i FROM "
                 "generate_series(1, 1500) AS i")
        self.begin()
        self.expect_equal()
        self.sql(office, "TRUNCATE customer", "INSERT INTO customer VALUES ('new@x', 'New', 1)")
        self.wait(lambda: self.phase(office) == "held")
        self.assertIn("lost 1,500 of ", self.dataset(office)["error"])
        self.assertGreaterEqual(len(self.rows(shop)), 1500)
        self.call("resume", "--approve-deletes", "customer")
        self.wait(lambda: [row[0] for row in self.rows(shop)] == ["new@x"])
        self.expect_equal()
        self.assertEqual(self.phase(office), "live")

    def test_a_wrong_password_at_the_start_is_said_and_waited_for(self):
        office, shop = self.databases
        self.begin()
        self.expect_equal()
        self.stop()
        self.sql("postgres", "DROP ROLE IF EXISTS keeper",
                 "CREATE ROLE keeper LOGIN SUPERUSER PASSWORD 'theirs'")
        self.addCleanup(self.sql, "postgres", "DROP ROLE keeper")
        self.addCleanup(self.sql, shop, "REASSIGN OWNED BY keeper TO postgres")
        self.addCleanup(self.end_daemon)
        with open(self.path("secret"), "w", encoding="utf-8") as file:
            file.write("ours")
        os.chmod(self.path("secret"), 0o600)
        with open(self.path("syncline.toml"), encoding="utf-8") as file:
            config = file.read()
        url = f'"{self.url(shop)}"'
        self.assertIn(url, config)
        with open(self.path("syncline.toml"), "w", encoding="utf-8") as file:
            file.write(config.replace(url, f'"postgres://keeper@/{shop}?host={self.server}"\n'
                                      'password = { file = "secret" }'))
        self.sql(office, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)")
        self.start()
        self.wait(lambda: self.system(office)["rows_captured_total"] >= 1)
        self.assertEqual(self.system(shop)["state"], "retrying")
        self.assertIn("password", self.system(shop)["error"])
        self.sql("postgres", "ALTER ROLE keeper PASSWORD 'ours'")
        self.wait(lambda: len(self.rows(shop)) == 1)
        self.expect_equal()

    def system(self, name):
        return next(one for one in self.status()["systems"] if one["name"] == name)

    def dataset(self, system, name="customer"):
        return next(one for one in self.system(system)["datasets"] if one["name"] == name)

    def phase(self, system):
        return self.dataset(system)["phase"]

    def test_from_two_urls_to_a_running_sync(self):
        office, shop = self.databases
        self.sql(office, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1, 9.99, "
                         "'2026-01-01 00:00:00.123+01', '{\"b\": [1, 2.50], \"a\": null}', "
                         "'\\x00ff')",
                 "INSERT INTO customer VALUES ('bob@x', 'Bob', 2)")
        self.sql(shop, "INSERT INTO customer VALUES ('bob@x', 'Rob', 2), ('cy@x', 'Cy', 3)")
        self.init(self.url(office), self.url(shop))
        plan = self.ask("plan")["datasets"][0]
        self.assertEqual((plan["update"], plan["equal"]), (1, 0))
        self.assertEqual(self.sql(office, "SELECT count(*) FROM pg_publication"), [(0,)])
        self.start()
        self.expect_equal()
        self.assertEqual(self.rows(shop)[0], self.rows(office)[0])
        self.assertEqual(self.rows(shop)[1][1], "Bob")
        self.sql(shop, "UPDATE customer SET name = 'Anna' WHERE email = 'ann@x'",
                 "DELETE FROM customer WHERE email = 'cy@x'",
                 "UPDATE customer SET email = 'rob@x' WHERE email = 'bob@x'")
        self.sql(office, "UPDATE customer SET points = 9 WHERE email = 'ann@x'")
        self.wait(lambda: [row[:3] for row in self.rows(office)] ==
                  [("ann@x", "Anna", 9), ("rob@x", "Bob", 2)])
        self.expect_equal()
        self.sql(office, "TRUNCATE customer")
        self.wait(lambda: self.rows(shop) == [])
        self.stop()
        self.call("detach", "--system", office, "--yes")
        slots = "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"
        self.assertEqual(self.sql(office, slots), [(0,)])
        self.assertEqual(self.sql(office, "SELECT count(*) FROM pg_publication"), [(0,)])

    def test_idle_systems_cause_no_writes(self):
        office, shop = self.databases
        self.begin()
        self.sql(office, "INSERT INTO customer VALUES ('ann@x', 'Ann')")
        self.wait(lambda: len(self.rows(shop)) == 1)
        count = "SELECT sum(seq) FROM syncline.syncline_checkpoint"
        self.expect_equal()
        before = [self.sql(database, count) for database in self.databases]
        for _ in range(20):  # a while
            self.ask("status")
        self.assertEqual(before, [self.sql(database, count) for database in self.databases])
        self.assertEqual(before[0], [(0,)])

    def test_a_first_sync_under_writers_and_a_kill(self):
        for database, numbers in zip(self.databases, ((1, 6000), (3000, 9000))):
            self.sql(database, "INSERT INTO customer SELECT 'k' || g || '@x', "
                               f"'{database} ' || g, g FROM generate_series(%d, %d) g" % numbers)
        office, shop = self.databases
        self.init(self.url(office), self.url(shop))

        def disturb():
            self.launch()
            threading.Event().wait(0.4)
            self.kill()
            self.start()
            self.wait(lambda: self.status()["state"] == "running")

        self.with_writers(disturb)
        self.expect_equal()
        self.assertGreater(len(self.rows(office)), 8900)

    def start_reading_many(self, database):
        """The first sync stands in the midst of this database, which is read last."""
        self.sql(database, "INSERT INTO customer SELECT 'k' || g || '@x', 'many', g "
                           "FROM generate_series(1, 150000) g")
        self.init(*[self.url(each) for each in self.databases])
        self.start()
        self.wait(lambda: self.is_reading(database))

    def is_reading(self, database):
        status = self.status()
        self.assertEqual(status["state"], "first sync", "it was over before it was looked at")
        progress = status.get("first_sync") or {}
        return progress.get("system") == database and progress["rows"] > 0

    def test_what_a_user_deletes_before_it_was_read_stays_deleted(self):
        office, shop = self.databases
        for database in self.databases:
            self.sql(database, "INSERT INTO customer VALUES ('zz@x', 'Zoe', 1)")
        self.start_reading_many(shop)
        self.sql(shop, "DELETE FROM customer WHERE email = 'zz@x'")
        self.assertTrue(self.is_reading(shop))
        self.wait(lambda: self.status()["state"] == "running")
        self.expect_equal()
        self.assertEqual(self.sql(office, "SELECT count(*) FROM customer WHERE email = 'zz@x'"),
                         [(0,)])

    def test_a_row_that_is_changed_before_it_was_read_is_no_news_of_its_other_cells(self):
        office, shop = self.databases
        self.sql(office, "INSERT INTO customer VALUES ('zz@x', 'Zoe', 1)")  # its rows win
        self.sql(shop, "INSERT INTO customer VALUES ('zz@x', 'Zo', 2)")
        self.start_reading_many(shop)
        self.kill()
        self.sql(shop, "UPDATE customer SET points = 3 WHERE email = 'zz@x'")
        self.start()
        self.wait(lambda: self.status()["state"] == "running")
        self.expect_equal()
        self.assertEqual(self.sql(shop, "SELECT name, points FROM customer WHERE email = 'zz@x'"),
                         [("Zoe", 1)])

    def test_kills_under_writers_on_both_sides(self):
        self.begin()

        def disturb():
            for _ in range(6):
                threading.Event().wait(0.7)
                self.kill()
                self.start()

        self.with_writers(disturb)
        self.expect_equal()
        self.assertGreater(len(self.rows(self.databases[0])), 10)
        self.assertEqual(self.ask("quarantine", "list"), [])
        self.call("audit", "verify")

    def test_servers_that_stop_at_once_under_writers(self):
        self.begin()

        def disturb():
            for _ in range(3):
                threading.Event().wait(0.7)
                self.call_server("stop", "immediate")
                self.call_server("start")

        self.with_writers(disturb)
        self.expect_equal()
        self.assertIsNone(self.daemon.poll())
        self.assertGreater(len(self.rows(self.databases[0])), 10)

    def test_a_users_long_transaction_only_delays(self):
        office, shop = self.databases
        self.sql(office, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)")
        self.begin()
        self.wait(lambda: len(self.rows(shop)) == 1)
        user = self.connect(shop)
        user.autocommit = False
        user.cursor().execute("UPDATE customer SET points = 5 WHERE email = 'ann@x'")
        self.sql(office, "UPDATE customer SET name = 'Anna' WHERE email = 'ann@x'")
        self.wait(lambda: any(system["delivery"]["retries_total"] > 0
                              for system in self.status()["systems"]))
        user.commit()
        user.close()
        self.wait(lambda: self.rows(office)[0][:3] == ("ann@x", "Anna", 5))
        self.expect_equal()

    def test_a_dropped_slot_is_said_and_a_resync_mends_it(self):
        office, shop = self.databases
        self.sql(office, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)")
        self.begin()
        self.wait(lambda: len(self.rows(shop)) == 1)
        self.sql(office, "UPDATE customer SET points = 2")
        self.expect_equal()
        self.stop()
        self.wait(lambda: self.sql(office, "SELECT count(*) FROM pg_replication_slots WHERE active "
                                           "AND database = current_database()") == [(0,)])
        self.sql(office, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
                         "WHERE database = current_database()",
                 "UPDATE customer SET name = 'unseen'", "INSERT INTO customer VALUES ('bob@x')")
        self.start()
        self.wait(lambda: self.system(office)["state"] == "stopped")
        self.assertIn("SYN-3005", self.system(office)["error"])
        self.assertIn("syncline resync --system " + office, self.system(office)["error"])
        self.call("resync", "--system", office, "--yes")
        # What was accepted stands against what was not seen to change; that is told as a conflict.
        self.wait(lambda: [row[:2] for row in self.rows(shop)] ==
                  [("ann@x", "Ann"), ("bob@x", None)])
        self.wait(lambda: self.rows(office)[0][1] == "Ann")
        self.expect_equal()
        self.assertIn("unseen", self.call("conflicts", "list", "--json").stdout)

    def test_a_truncation_outlives_a_kill(self):
        office, shop = self.databases
        self.begin()
        for turn in range(3):
            self.sql(office, f"INSERT INTO customer VALUES ('ann{turn}@x', 'Ann', 1)")
            self.wait(lambda: len(self.rows(shop)) == 1)
            self.sql(office, "TRUNCATE customer")
            self.kill()
            self.start()
            self.wait(lambda: self.rows(shop) == [])
        self.expect_equal()

    def test_tables_that_are_altered_while_the_appliance_is_down_are_read_anew(self):
        office, shop = self.databases
        for database in self.databases:
            self.sql(database, "CREATE TABLE item(id bigint PRIMARY KEY, name text)" +
                     (" PARTITION BY RANGE (id)" if database == office else ""))
        self.sql(office, "CREATE TABLE low PARTITION OF item FOR VALUES FROM (0) TO (100)",
                 "CREATE TABLE high PARTITION OF item FOR VALUES FROM (100) TO (200)",
                 "INSERT INTO item VALUES (1, 'one'), (101, 'two')",
                 "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)")
        self.begin()
        self.wait(lambda: self.rows(shop, "item") == [(1, "one"), (101, "two")])
        self.wait(lambda: len(self.rows(shop)) == 1)
        self.stop()
        self.sql(office, "ALTER TABLE customer ALTER name TYPE text USING upper(name)",
                 "DROP TABLE low")
        self.start()
        self.wait(lambda: self.rows(shop, "item") == [(101, "two")])
        self.wait(lambda: self.rows(shop)[0][1] == "ANN")
        self.expect_equal()

    def test_with_a_sqlite_file(self):
        office = self.databases[0]
        self.sql(office, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1, 9.99, "
                         "'2026-01-01 00:00:00.123+01', '{\"b\": 1, \"a\": [true]}', '\\x00ff')")
        file = sqlite3.connect(self.path("till.db"), isolation_level=None)
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("CREATE TABLE customer (email TEXT PRIMARY KEY NOT NULL, name TEXT, points "
                     "INTEGER, price TEXT, seen TEXT, doc TEXT, photo BLOB)")
        self.init(self.url(office), "till.db")
        self.call("plan")
        self.start()
        self.wait(lambda: file.execute("SELECT count(*) FROM customer").fetchone() == (1,))
        self.assertEqual(file.execute("SELECT * FROM customer").fetchall(), [
            ("ann@x", "Ann", 1, "9.99", "2025-12-31 23:00:00.123", '{"a":[true],"b":1}',
             b"\x00\xff")])
        file.execute("INSERT INTO customer VALUES ('bob@x', 'Bob', 2, '1.5', "
                     "'2026-02-01T10:00:00+02:00', '[1]', x'01')")
        file.execute("UPDATE customer SET points = 7 WHERE email = 'ann@x'")
        self.wait(lambda: [row[2] for row in self.rows(office)] == [7, 2])
        self.sql(office, "DELETE FROM customer WHERE email = 'ann@x'")
        self.wait(lambda: file.execute("SELECT email FROM customer").fetchall() == [("bob@x",)])
        self.assertTrue(self.ask("verify")["is_equal"])
        file.close()

    def peak_mebibytes(self):
        """Of the daemon's memory, since it started."""
        with open(f"/proc/{self.daemon.pid}/status", encoding="utf-8") as status:
            peak = next(line for line in status if line.startswith("VmHWM"))
        return int(peak.split()[1]) // 1024

    def is_sanitized(self):
        with open(f"/proc/{self.daemon.pid}/maps", encoding="utf-8") as maps:
            return re.search("lib[at]san", maps.read()) is not None

    def test_a_transaction_of_many_rows_needs_no_more_memory_than_many_small(self):
        office, shop = self.databases
        self.begin()
        rows = 200_000
        self.sql(office, "INSERT INTO customer SELECT 'k' || g || '@x', 'name ' || g, g, 1.5, "
                         "now(), '{\"a\": [1, 2, 3]}', convert_to(repeat('x', 200), 'UTF8') FROM "
                         f"generate_series(1, {rows}) g")
        count = "SELECT count(*) FROM customer"
        self.wait(lambda: self.sql(shop, count) == [(rows,)], 300)
        peak = self.peak_mebibytes()
        tables = self.status()["table_size_bytes"] // 2**20
        print(f"peak memory {peak} MiB, {tables} of them tables", file=sys.stderr)
        if not self.is_sanitized():  # that alone takes more
            self.assertLess(peak, tables + MEMORY_MEBIBYTES)
        self.sql(office, "UPDATE customer SET points = points + 1 WHERE points <= 40000")
        self.wait(lambda: self.sql(shop, "SELECT sum(points) FROM customer") ==
                  self.sql(office, "SELECT sum(points) FROM customer"), 120)
        self.assertEqual(os.listdir(self.path("syncline-data/spool")), [])

    def limit_log(self, lines):
        """More lines in the section of the first database."""
        path = self.path("syncline.toml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        head = f"[systems.{self.databases[0]}]\n"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(head, head + lines))

    def test_log_that_is_kept_for_us_is_alarming_and_given_up_at_the_limit(self):
        office, shop = self.databases
        self.init(self.url(office), self.url(shop))
        self.limit_log('log_alarm = "10MiB"\nlog_limit = "60MiB"\n')
        self.start("warning")
        self.sql(office, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)")
        self.wait(lambda: len(self.rows(shop)) == 1)
        self.call("pause", office)
        grow = ("INSERT INTO big SELECT (SELECT string_agg(md5(g::text || h::text), '') FROM "
                "generate_series(1, 3000) h) FROM generate_series(1, %d) g")
        self.sql(office, "CREATE TABLE big (a text)",
                 "ALTER TABLE big ALTER a SET STORAGE EXTERNAL", grow % 200)
        self.wait(lambda: "more than log_alarm (10 MiB): it is paused" in self.log())
        kept = {one["name"]: one for one in self.status()["systems"]}[office]
        self.assertGreater(kept["retained_bytes"], 10 << 20)
        self.assertIn("log kept", self.call("lag").stdout)
        self.sql(office, grow % 600)
        slots = "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"
        self.wait(lambda: self.sql(office, slots) == [(0,)])
        self.call("resume", office)
        self.wait(lambda: "SYN-3005" in self.log())
        self.assertIn("syncline resync --system " + office, self.log())
        self.kill()
        self.call("resync", "--system", office, "--yes")
        self.start()
        self.expect_equal()

    def test_writes_wait_while_a_users_transaction_holds_more_log_than_the_limit(self):
        office, shop = self.databases
        self.init(self.url(office), self.url(shop))
        self.limit_log('log_limit = "40MiB"\nlog_limit_action = "pause"\n')
        self.start("info")
        self.sql(office, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)",
                 "CREATE TABLE big (a text)", "ALTER TABLE big ALTER a SET STORAGE EXTERNAL")
        self.wait(lambda: len(self.rows(shop)) == 1)
        user = self.connect(office)
        user.autocommit = False
        cursor = user.cursor()
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
        cursor.execute("INSERT INTO customer VALUES ('open@x', 'still open', 1)")
        self.sql(office, "INSERT INTO big SELECT (SELECT string_agg(md5(g::text || h::text), '') "
                 "FROM generate_series(1, 3000) h) FROM generate_series(1, 600) g")

        def one():
            return next(one for one in self.status()["systems"] if one["name"] == office)
        self.wait(lambda: one()["state"] == "writes paused")
        self.wait(lambda: f"pid {pid} of role" in one()["error"])
        self.assertIn("SYN-3012", one()["error"])
        self.sql(shop, "INSERT INTO customer VALUES ('bob@x', 'Bob', 2)")
        self.sql(office, "INSERT INTO customer VALUES ('cy@x', 'Cy', 3)")
        self.wait(lambda: len(self.rows(shop)) == 3)  # it is read on
        self.assertEqual(len(self.rows(office)), 2)
        self.call("pause", office)
        self.wait(lambda: one()["state"] == "paused")
        self.call("resume", office)
        self.assertEqual(one()["state"], "writes paused")
        self.assertIn("our writes there pause", self.call("doctor").stdout)
        self.kill()
        self.start("info")
        self.wait(lambda: one()["state"] == "writes paused")
        self.assertEqual(len(self.rows(office)), 2)
        user.commit()
        user.close()
        self.sql(office, "CHECKPOINT")
        self.wait(lambda: len(self.rows(office)) == 4)
        self.wait(lambda: one()["state"] == "running")
        self.assertIn("its log was let go", self.log())
        self.expect_equal()

    def test_a_password_is_taken_from_where_the_config_says_and_never_shown(self):
        office, shop = self.databases
        self.sql(office, "DROP ROLE IF EXISTS keeper",
                 "CREATE ROLE keeper LOGIN SUPERUSER PASSWORD 'let me in'")
        url = f"postgres://keeper:let%20me%20in@/{office}?host={self.server}"
        self.init(url, self.url(shop))
        with open(self.path("syncline.toml"), encoding="utf-8") as file:
            text = file.read()
        self.assertNotIn("let%20me", text)
        self.call("init", "--force", f"postgres://keeper@/{office}?password=let%20me%20in&host="
                  f"{self.server}&password=let%20me%20in", self.url(shop))
        with open(self.path("syncline.toml"), encoding="utf-8") as file:
            text = file.read()
        self.assertNotIn("let%20me", text)
        self.assertIn(f'url  = "postgres://keeper@/{office}?host={self.server}"', text)
        name = office.upper() + "_PASSWORD"
        self.assertIn(f'password = {{ env = "{name}" }}', text)
        done = self.call("check", expect=3)
        self.assertIn(name, done.stdout)
        os.environ[name] = "wrong one"
        try:
            done = self.call("check", expect=4)
            self.assertIn("password authentication failed", done.stdout)
            self.assertNotIn("wrong one", done.stdout + done.stderr)
            os.environ[name] = "let me in"
            self.call("check")
        finally:
            del os.environ[name]

    def name_replica(self, database, folder):
        with open(self.path("syncline.toml"), encoding="utf-8") as file:
            lines = file.read().split("\n")
        lines = [line for line in lines if not line.startswith("replica")]
        at = lines.index(f'url  = "{self.url(database)}"') + 1
        lines.insert(at, f'replica = "{self.url(database).replace(self.server, folder)}"')
        with open(self.path("syncline.toml"), "w", encoding="utf-8") as file:
            file.write("\n".join(lines))

    def test_first_sync_from_a_replica_that_goes_away(self):
        """Users go on writing to the primary: nothing is lost, and it is said once."""
        office, shop = self.databases
        rows = 200_000
        self.sql(office, f"INSERT INTO customer (email, name, points) SELECT 'k' || n, 'n', 0 "
                         f"FROM generate_series(1, {rows}) n")
        replica = tempfile.mkdtemp(prefix="syncline-pg-")
        subprocess.run([SERVER, "standby", replica, self.server], check=True)
        self.addCleanup(subprocess.run, [SERVER, "remove", replica], check=True)
        self.init(self.url(office), self.url(shop))
        self.name_replica(office, self.server)
        self.assertIn("not in recovery", self.call("doctor", expect=1).stdout)
        self.name_replica(office, replica)
        self.assertIn("from the replica", self.call("doctor").stdout)
        self.launch("warning")
        self.wait(lambda: self.sql(shop, "SELECT count(*) FROM customer")[0][0] > 0)
        system = next(each["name"] for each in self.status()["systems"]
                      if each["name"].startswith("office"))
        self.call("pause", system)  # stops between two chunks
        self.assertNotIn("replica", self.log())
        subprocess.run([SERVER, "stop", replica, "immediate"], check=True)
        self.call("resume", system)
        with self.connect(office) as user, user.cursor() as cursor:
            for number in range(1, rows, 517):
                cursor.execute("UPDATE customer SET points = points + 1 WHERE email = %s",
                               (f"k{number}",))
            cursor.execute("DELETE FROM customer WHERE email = %s", (f"k{rows}",))
        total = "SELECT count(*), sum(points), min(name), max(name) FROM customer"
        self.wait(lambda: self.sql(office, total) == self.sql(shop, total))
        self.wait(lambda: self.status()["state"] == "running")
        self.assertTrue(self.ask("verify")["is_equal"])
        self.assertEqual(self.log().count("the replica does not serve"), 1, self.log())


if __name__ == "__main__":
    unittest.main(verbosity=2)
