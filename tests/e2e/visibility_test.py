#!/usr/bin/python3
"""A commit of PostgreSQL's that waits for a synchronous standby is in the log before anybody is
shown it: what is read of the table by then is older than what the log has told, and counts for
nothing.

    visibility_test.py PATH/TO/syncline

A database beside an SQLite file. Needs psycopg2.
"""
import threading
import unittest

from fixture import NOT_THERE, Appliance
from servers import PostgresServer

ERP = "erp"
COUNT = 40
MORE = 200_000  # than are read in the moment that a user's commit takes
# Who changes a row of one partition leaves the other to be truncated.
TABLES = (
    "CREATE TABLE customer (email text PRIMARY KEY, name text, points int) PARTITION BY RANGE "
    "(email)",
    "CREATE TABLE first PARTITION OF customer FOR VALUES FROM ('a') TO ('b')",
    "CREATE TABLE second PARTITION OF customer FOR VALUES FROM ('b') TO ('c')",
    f"INSERT INTO customer SELECT substr('ab', n % 2 + 1, 1) || n, 'n', n FROM "
    f"generate_series(1, {COUNT}) n",
)
KEY = "a2"


class Visibility(Appliance):
    @classmethod
    def setUpClass(cls):
        cls.server = PostgresServer()
        cls.addClassCleanup(cls.server.remove)
        cls.server.start()

    def setUp(self):
        super().setUp()
        # The appliance's own commits wait for nobody, nor do other users'.
        self.server.sql("postgres", f"CREATE DATABASE {ERP}",
                        f"ALTER DATABASE {ERP} SET synchronous_commit = local")
        self.erp(*TABLES)
        self.init(self.server.url(ERP), "office.db")
        self.held_back = None
        self.end = None  # of the log, when it had told that

    def tearDown(self):
        self.end_daemon()
        self.let_go()
        self.wait(lambda: not self.erp("SELECT 1 FROM pg_replication_slots WHERE active"))
        self.erp("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
        self.server.sql("postgres", f"DROP DATABASE {ERP} WITH (FORCE)")
        super().tearDown()

    def erp(self, *statements):
        return self.server.sql(ERP, *statements)

    def name_in_erp(self):
        return self.erp(f"SELECT name FROM customer WHERE email = '{KEY}'")[0][0]

    def name_in_office(self):
        return self.one(self.office, f"SELECT max(name) FROM customer WHERE email = '{KEY}'")

    # The standby that does not come.

    def set_standbys(self, names):
        self.server.sql("postgres", f"ALTER SYSTEM SET synchronous_standby_names = '{names}'",
                        "SELECT pg_reload_conf()")

    def hold_back(self):
        """A user's commit. The server takes the setting over some time after it was asked to: until
        then none is held."""
        self.set_standbys("nobody")
        statements = ("SET synchronous_commit = on",
                      f"UPDATE customer SET name = 'held back' WHERE email = '{KEY}'")

        def is_waiting():
            if not self.held_back.is_alive():
                self.erp(f"UPDATE customer SET name = 'n' WHERE email = '{KEY}'")
                self.start_user(statements)
            return self.erp("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")

        self.start_user(statements)
        self.wait(is_waiting)

    def start_user(self, statements):
        self.held_back = threading.Thread(target=self.erp, args=statements)
        self.held_back.start()

    def let_go(self):
        self.set_standbys("")
        if self.held_back:
            self.held_back.join()

    def expect_it_stands(self):
        self.let_go()
        self.wait(lambda: self.name_in_office() == "held back")
        self.wait(lambda: self.ask("verify", expect=None)["is_equal"])
        self.assertEqual(self.name_in_erp(), "held back")
        self.assertEqual(self.name_in_office(), "held back")
        self.assertEqual(self.ask("quarantine", "list"), [])
        self.assertEqual(self.ask("conflicts", "list"), [])

    def run_it(self):
        self.start()
        self.wait(lambda: self.status()["state"] == "running")
        self.wait(lambda: len(self.rows(self.office)) == COUNT)

    def hold_back_what_the_log_tells(self):
        self.run_it()
        self.hold_back()
        self.wait(lambda: self.name_in_office() == "held back")
        self.assertEqual(self.name_in_erp(), "n")
        self.end = self.erp("SELECT pg_current_wal_lsn()")[0][0]

    def is_read_waited_for(self):
        """The appliance looks again and again whether it is shown what the log has told."""
        return self.erp("SELECT 1 FROM pg_stat_activity WHERE application_name LIKE "
                        "'syncline%/read' AND query LIKE '%pg_sleep%'")

    def test_a_table_that_is_read_anew_shows_nothing_older_than_the_log(self):
        self.hold_back_what_the_log_tells()
        self.erp("TRUNCATE second")
        self.wait(self.is_read_waited_for)
        self.assertEqual(len(self.rows(self.office)), COUNT)
        self.assertEqual(self.name_in_office(), "held back")
        self.expect_it_stands()
        self.assertEqual(len(self.rows(self.office)), COUNT // 2)

    def test_a_comparison_repairs_nothing_by_it(self):
        self.hold_back_what_the_log_tells()
        self.refuse("verify", "--repair", status=4, code="SYN-3002",
                    says=["does not show yet what its log says"])
        self.assertEqual(self.name_in_office(), "held back")
        self.expect_it_stands()

    def test_a_comparison_behind_a_restart_repairs_nothing_by_it(self):
        self.hold_back_what_the_log_tells()
        self.wait(self.is_told_durable)
        self.stop()
        self.start()
        self.refuse("verify", "--repair", status=4, code="SYN-3002",
                    says=["does not show yet what its log says"])
        self.assertEqual(self.name_in_office(), "held back")
        self.expect_it_stands()

    def is_told_durable(self):
        """Behind a restart the log does not tell it again."""
        return self.erp("SELECT 1 FROM pg_replication_slots WHERE confirmed_flush_lsn >= "
                        f"'{self.end}'")

    def test_a_table_that_is_read_anew_behind_a_restart_shows_nothing_older(self):
        self.hold_back_what_the_log_tells()
        self.wait(self.is_told_durable)
        self.stop()
        self.erp("TRUNCATE second")
        self.start()
        self.wait(self.is_read_waited_for)
        self.assertEqual(self.name_in_office(), "held back")
        self.expect_it_stands()
        self.assertEqual(len(self.rows(self.office)), COUNT // 2)

    def test_a_first_sync_that_reads_the_table_as_it_was_takes_on_what_the_log_tells(self):
        self.erp("INSERT INTO customer SELECT 'a0' || n, 'more', n "
                 f"FROM generate_series(1, {MORE}) n")
        self.set_standbys("nobody")
        self.launch()
        self.wait(self.is_syncing)
        self.hold_back()
        self.assertTrue(self.is_syncing(), "it was over before: more rows")
        self.wait(lambda: self.status()["state"] == "running")
        self.wait(lambda: self.name_in_office() == "held back")
        self.assertEqual(self.name_in_erp(), "n")
        self.expect_it_stands()

    def is_syncing(self):
        try:
            return (self.status().get("first_sync") or {}).get("rows", 0) > 0
        except NOT_THERE:
            return False


if __name__ == "__main__":
    unittest.main(verbosity=2)
