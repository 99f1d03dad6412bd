#!/usr/bin/python3
"""Connections that break where a COMMIT is on its way: what was committed is not written again,
and what was not is.

    commit_test.py PATH/TO/syncline

Needs psycopg2 and pymysql, so it runs under the Python that Debian packages them for.
"""
import itertools
import unittest

from fixture import Appliance
from relay import Relay
from servers import MariadbServer, PostgresServer

OFFICE, SHOP = "office", "shop"
TABLE = "CREATE TABLE customer (email varchar(60) PRIMARY KEY, points bigint)"
BREAKS = 6  # of each kind, in each system
KEYS = 7


class Commits(Appliance):
    @classmethod
    def setUpClass(cls):
        cls.postgres, cls.maria = PostgresServer(), MariadbServer()
        for server in (cls.postgres, cls.maria):
            cls.addClassCleanup(server.remove)
            server.start()

    def setUp(self):
        super().setUp()
        self.postgres.sql("postgres", f"CREATE DATABASE {OFFICE}")
        self.postgres.sql(
            OFFICE, TABLE, "CREATE TABLE told (email text, points bigint)",
            "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO told "
            "VALUES (NEW.email, NEW.points); RETURN NULL; END $$",
            "CREATE TRIGGER tell AFTER INSERT OR UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION "
            "tell()", "ALTER TABLE customer ENABLE ALWAYS TRIGGER tell")
        self.maria.sql("", f"CREATE DATABASE {SHOP}")
        self.maria.sql(
            SHOP, f"{TABLE} COLLATE utf8mb4_bin",
            "CREATE TABLE told (email varchar(60), points bigint)",
            *(f"CREATE TRIGGER tell_{when} AFTER {when} ON customer FOR EACH ROW INSERT INTO told "
              "VALUES (NEW.email, NEW.points)" for when in ("INSERT", "UPDATE")))
        self.relays = {
            OFFICE: Relay(self.path("pg/.s.PGSQL.5432"), self.postgres.folder + "/.s.PGSQL.5432"),
            SHOP: Relay(self.path("my/socket"), self.maria.folder + "/socket")}
        for relay in self.relays.values():
            self.addCleanup(relay.close)
        self.init(f"postgres://postgres@/{OFFICE}?host={self.path('pg')}",
                  f"mariadb://root@localhost/{SHOP}?socket={self.path('my/socket')}")
        for system in (OFFICE, SHOP):
            head = f"[datasets.customer.on.{system}]\n"
            self.change_config(head, head + 'triggers = "fire"\n')

    def sql(self, system, *statements):
        return (self.postgres if system == OFFICE else self.maria).sql(system, *statements)

    def change_rows(self, system, is_over):
        """One row is changed again and again, so that a value that is written twice is seen."""
        for number in itertools.count(1):
            if is_over():
                return
            key = f"{system}{number % KEYS}"
            if number <= KEYS:
                self.sql(system, f"INSERT INTO customer VALUES ('{key}', {number})")
            else:
                self.sql(system, f"UPDATE customer SET points = {number} WHERE email = '{key}'")

    def told(self, system, other):
        """What came to the system of the other's rows, in the order of points."""
        return self.sql(system, f"SELECT email, points FROM told WHERE email LIKE '{other}%' "
                                "ORDER BY points")

    def test_nothing_is_written_twice_and_nothing_is_missing(self):
        self.start()
        self.wait(lambda: self.status()["state"] == "running")
        for relay in self.relays.values():
            relay.is_armed = True

        def disturb():
            self.wait(lambda: all(min(relay.lost_commits, relay.lost_answers) >= BREAKS
                                  for relay in self.relays.values()))
            for relay in self.relays.values():
                relay.is_armed = False

        self.beside([lambda is_over, system=system: self.change_rows(system, is_over)
                     for system in (OFFICE, SHOP)], disturb)
        ask = "SELECT email, points FROM customer ORDER BY email"
        self.wait(lambda: list(map(tuple, self.sql(OFFICE, ask))) ==
                  list(map(tuple, self.sql(SHOP, ask))))
        for system, other in ((OFFICE, SHOP), (SHOP, OFFICE)):
            told = self.told(system, other)
            self.assertEqual(len(told), len(set(told)), "written twice")
            self.assertGreater(len(told), 2 * BREAKS)
        self.wait(lambda: self.control("at_rest")["at_rest"])
        self.assertTrue(self.ask("verify")["is_equal"])
        self.assertEqual(self.ask("quarantine", "list"), [])
        self.assertIsNone(self.daemon.poll())


if __name__ == "__main__":
    unittest.main()
