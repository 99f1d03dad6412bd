#!/usr/bin/python3
"""A PostgreSQL server that is killed, and its standby that is promoted, under the running program.

    failover_test.py PATH/TO/syncline

The URL names both, and wants the one that takes writes. A database of that pair beside an SQLite
file. Needs PostgreSQL 17 or newer (POSTGRES_BIN) and psycopg2.
"""
import itertools
import os
import sqlite3
import threading
import unittest

import psycopg2

from fixture import Appliance, connect
from servers import PostgresServer, run_on

OFFICE = "office"


class Failover(Appliance):
    @classmethod
    def setUpClass(cls):
        os.environ["POSTGRES_OWNER"] = str(os.getpid())
        cls.fresh = PostgresServer()
        cls.addClassCleanup(cls.fresh.remove)
        cls.fresh.start()
        cls.fresh.stop()

    def setUp(self):
        super().setUp()
        self.first, self.second = PostgresServer(), PostgresServer()
        for server in (self.first, self.second):
            self.addCleanup(server.remove)
        self.first.copy(self.fresh)
        self.first.start()
        self.second.follow(
            self.first, "primary_slot_name = 'second'", "hot_standby_feedback = on",
            f"primary_conninfo = 'host={self.first.folder} user=postgres dbname=postgres'")
        self.first.sql("postgres", "SELECT pg_create_physical_replication_slot('second')",
                       "CREATE DATABASE erp")
        self.first.sql("erp", "CREATE TABLE customer (email text PRIMARY KEY, name text, "
                       "points bigint)")
        # No commit is told before the standby has it, and none is shown to us.
        self.set(self.first, "synchronous_standby_names = '*'",
                 "synchronized_standby_slots = 'second'")
        self.init("office.db", f"postgres://postgres@/erp?host={self.first.folder},"
                               f"{self.second.folder}&target_session_attrs=read-write")

    @staticmethod
    def set(server, *settings):
        server.sql("postgres", *(f"ALTER SYSTEM SET {setting}" for setting in settings),
                   "SELECT pg_reload_conf()")

    def keep_slots_on_the_standby(self):
        self.set(self.second, "sync_replication_slots = on")
        slots = ("SELECT slot_name FROM pg_replication_slots WHERE synced AND NOT temporary AND "
                 "invalidation_reason IS NULL")

        def is_there():
            self.first.sql("postgres", "SELECT pg_log_standby_snapshot()")
            return self.second.sql("postgres", slots) == [("syncline_main_erp",)]

        self.wait(is_there)

    def fail_over(self):
        self.first.stop("immediate")
        self.second.promote()

    def connect_erp(self):
        session = psycopg2.connect(host=f"{self.first.folder},{self.second.folder}", dbname="erp",
                                   user="postgres", target_session_attrs="read-write")
        session.autocommit = True
        return session

    def customers(self):
        there = run_on(self.connect_erp(), ["SELECT email, name, points FROM customer"])
        return sorted(self.rows(self.office)), sorted(there)

    def expect_equal(self):
        self.wait(lambda: self.customers()[0] == self.customers()[1])
        self.assertTrue(self.ask("verify")["is_equal"])
        self.assertEqual(self.ask("quarantine", "list"), [])

    def write_until(self, who, open_session, mark, made, is_over):
        """Rows of its own, each made, changed and, one in three, deleted; every statement is tried
        until it is done."""
        user = None
        for number in itertools.count():
            if is_over():
                break
            key = f"{who}{number}"
            steps = [(f"INSERT INTO customer VALUES ({mark}, 'new', 0) ON CONFLICT DO NOTHING",
                      (key,)),
                     (f"UPDATE customer SET points = {mark} WHERE email = {mark}", (number, key))]
            made[key] = (key, "new", number)
            if number % 3 == 2:
                last = f"{who}{number - 1}"
                steps.append((f"DELETE FROM customer WHERE email = {mark}", (last,)))
                del made[last]
            while steps:
                try:
                    user = user or open_session()
                    user.cursor().execute(*steps[0])
                    steps.pop(0)
                except (psycopg2.Error, sqlite3.Error):
                    user = None
                    threading.Event().wait(0.02)
        if user:
            user.close()

    def test_it_goes_on_at_the_standby_under_writers_on_both_sides(self):
        self.start()
        self.keep_slots_on_the_standby()
        made = {}

        def disturb():
            before = len(made)
            self.wait(lambda: len(made) > before + 200)
            self.fail_over()
            before = len(made)
            self.wait(lambda: len(made) > before + 200)

        self.beside([lambda is_over: self.write_until("erp", self.connect_erp, "%s", made, is_over),
                     lambda is_over: self.write_until("office", lambda: connect(self.office), "?",
                                                      made, is_over)], disturb)
        self.expect_equal()
        self.assertEqual(self.customers()[0], sorted(made.values()))
        self.assertIsNone(self.daemon.poll())
        self.assertNotIn("SYN-3005", self.log())
        # A restart reads on in the new primary's log.
        self.kill()
        self.second.sql("erp", "UPDATE customer SET name = 'behind the restart'")
        self.start()
        self.expect_equal()
        self.assertEqual(self.one(self.office, "SELECT count(DISTINCT name) FROM customer"), 1)
        self.assertNotIn("SYN-3005", self.log())

    def test_a_standby_without_the_slot(self):
        self.start()
        self.first.sql("erp", "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)")
        self.expect_equal()
        self.fail_over()
        self.second.sql("erp", "INSERT INTO customer VALUES ('bob@x', 'Bob', 2)")
        self.expect_lost("another server took over without it", "timeline 2 instead of 1")

    def test_a_slot_that_somebody_made_anew(self):
        self.start()
        self.first.sql("erp", "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)")
        self.expect_equal()
        self.kill()
        self.fail_over()
        self.second.sql("erp", "INSERT INTO customer VALUES ('bob@x', 'Bob', 2)",
                 "SELECT pg_create_logical_replication_slot('syncline_main_erp', 'pgoutput')")
        self.start()
        self.expect_lost("made anew")

    def test_a_standby_that_never_comes_back_is_named(self):
        """As where the new primary has the settings of the old one."""
        slot = "SELECT pg_create_physical_replication_slot('gone')"
        self.first.sql("postgres", slot)
        self.set(self.first, "synchronized_standby_slots = 'gone, second'")
        self.first.sql("postgres", slot.replace("create_physical", "drop"))
        self.start()
        self.first.sql("erp", "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)")
        self.wait(lambda: self.status_of("erp")["state"] == "retrying")
        self.assertIn("synchronized_standby_slots names gone,", self.status_of("erp")["error"])
        mend = "ALTER SYSTEM SET synchronized_standby_slots = second; SELECT pg_reload_conf();"
        self.assertIn(mend, self.status_of("erp")["error"])
        self.assertIn(mend, "".join(one["fix"] for one in self.findings()))
        self.mend(mend)
        self.expect_equal()
        self.wait(lambda: self.status_of("erp")["state"] == "running")
        self.assertEqual(self.log().count("holds its log back"), 1, self.log())

    def findings(self, words=""):
        return [one for one in self.ask("doctor", expect=None)["findings"] if words in one["what"]]

    def mend(self, fix):
        """Does what it says, here or there."""
        server = self.second if fix.startswith("there: ") else self.first
        server.sql("postgres", *fix.removeprefix("there: ").split(";")[:-1])

    def test_what_a_standby_lacks_for_a_failover_is_named_with_what_mends_it(self):
        lacking = "if it is to take over"
        self.set(self.first, "synchronized_standby_slots = ''")
        self.set(self.second, "hot_standby_feedback = off")
        self.wait(lambda: len(self.findings(lacking)) == 3)
        for one in self.findings(lacking):
            self.mend(one["fix"])
        self.wait(lambda: not self.findings(lacking))
        self.assertEqual(self.findings("holds its log back"), [])

    def expect_lost(self, *words):
        """It is told once, with what is lost, and a resync mends it."""
        self.wait(lambda: self.status_of("erp")["state"] == "stopped")
        for said in ("SYN-3005", "resync --system erp", *words):
            self.assertIn(said, self.status_of("erp")["error"])
        self.assertEqual(self.log().count("SYN-3005"), 1, self.log())
        self.call("resync", "--system", "erp", "--yes")
        self.expect_equal()
        self.assertEqual([row[0] for row in self.customers()[0]], ["ann@x", "bob@x"])
        self.assertEqual(self.second.sql("postgres", "SELECT failover FROM pg_replication_slots"),
                         [(True,)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
