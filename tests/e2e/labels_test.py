#!/usr/bin/python3
"""A label of an enum that is renamed changes what rows say, and no log tells of it.

    labels_test.py PATH/TO/syncline

Two PostgreSQL databases. Needs psycopg2.
"""
import unittest

from fixture import Appliance
from servers import PostgresServer

DATABASES = ("erp", "web")
COUNT = 40
TABLES = ("CREATE TYPE state AS ENUM ('new', 'old')",
          "CREATE TABLE customer (email text PRIMARY KEY, state state, points int)")


class Labels(Appliance):
    @classmethod
    def setUpClass(cls):
        cls.server = PostgresServer()
        cls.addClassCleanup(cls.server.remove)
        cls.server.start()

    def setUp(self):
        super().setUp()
        for database in DATABASES:
            self.server.sql("postgres", f"CREATE DATABASE {database}")
            self.server.sql(database, *TABLES)
        self.server.sql("erp", "INSERT INTO customer SELECT 'e' || n, CASE n % 2 WHEN 0 THEN "
                               f"'new' ELSE 'old' END::state, n FROM generate_series(1, {COUNT}) n")
        self.init(*(self.server.url(database) for database in DATABASES))
        self.start()
        self.wait(lambda: self.status()["state"] == "running")
        self.expect_both({"new": COUNT // 2, "old": COUNT // 2})

    def tearDown(self):
        self.end_daemon()
        self.wait(lambda: not self.server.sql("postgres", "SELECT 1 FROM pg_replication_slots "
                                                          "WHERE active"))
        for database in DATABASES:
            self.server.sql(database, "SELECT pg_drop_replication_slot(slot_name) FROM "
                                      "pg_replication_slots WHERE database = current_database()")
            self.server.sql("postgres", f"DROP DATABASE {database} WITH (FORCE)")
        super().tearDown()

    def counts(self, database):
        return dict(self.server.sql(database, "SELECT state::text, count(*) FROM customer GROUP "
                                              "BY 1"))

    def expect_both(self, counts):
        self.wait(lambda: all(self.counts(database) == counts for database in DATABASES))

    def rename(self, database, before="new", now="fresh"):
        self.server.sql(database, f"ALTER TYPE state RENAME VALUE '{before}' TO '{now}'")

    def change(self, database, key, label, points):
        self.server.sql(database, f"UPDATE customer SET state = '{label}', points = {points} "
                                  f"WHERE email = '{key}'")

    def expect_quiet(self):
        """All rows say the same, and nobody is asked for anything."""
        self.wait(lambda: self.ask("verify", expect=None)["is_equal"])
        self.expect_both({"fresh": COUNT // 2 + 2, "old": COUNT // 2 - 2})
        self.assertEqual(self.ask("conflicts", "list"), [])
        self.assertEqual(self.ask("quarantine", "list"), [])

    def test_one_that_is_renamed_alike_on_both_sides_is_no_conflict(self):
        for database in DATABASES:
            self.rename(database)
        self.change("erp", "e1", "fresh", 100)
        self.change("web", "e3", "fresh", 300)
        self.expect_quiet()

    def test_one_that_is_renamed_on_one_side_first_waits_for_the_other(self):
        """Until then the other side has no such value."""
        self.rename("erp")
        self.change("erp", "e1", "fresh", 100)
        self.wait(lambda: self.ask("quarantine", "list"))
        self.rename("web")
        self.change("web", "e3", "fresh", 300)
        for held in self.ask("quarantine", "list"):
            self.call("quarantine", "retry", str(held["id"]))
        self.expect_quiet()

    def test_one_that_is_renamed_comes_to_where_labels_are_texts(self):
        self.stop()
        self.server.sql("web", "ALTER TABLE customer ALTER state TYPE text")
        self.start()
        self.rename("erp")
        self.expect_both({"fresh": COUNT // 2, "old": COUNT // 2})
        self.assertEqual(self.ask("conflicts", "list"), [])

    def test_one_that_is_renamed_alike_while_nobody_reads_is_no_conflict(self):
        self.stop()
        for database in DATABASES:
            self.rename(database)
        self.change("erp", "e1", "fresh", 100)
        self.change("web", "e3", "fresh", 300)
        self.start()
        self.expect_quiet()


if __name__ == "__main__":
    unittest.main(verbosity=2)
