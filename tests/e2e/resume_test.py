#!/usr/bin/python3
"""A long first sync of a server's table that is killed goes on where it was, by keys as that server
orders them.

    resume_test.py PATH/TO/syncline

Needs psycopg2 and pymysql, so it runs under the Python that Debian packages them for.
"""
import unittest

from fixture import Appliance
from servers import MariadbServer, PostgresServer

OFFICE, SHOP = "office", "shop"
COUNT = 340_000
NOTED = 262_144  # rows: where the first place is noted
# Keys of two columns, the first of which the one server orders by letters, the other by bytes.
TABLE = ("CREATE TABLE stock (region varchar(20){collation} NOT NULL, number bigint NOT NULL, "
         "level bigint, PRIMARY KEY (region, number))")
REGIONS = ("Öst", "nord", "Nordwest", "öde", "Süd", "sud west", "a", "Z")
ROWS = "SELECT {region}, n, n FROM {numbers} WHERE n <= %d" % COUNT


class Resume(Appliance):
    @classmethod
    def setUpClass(cls):
        cls.postgres, cls.maria = PostgresServer(), MariadbServer()
        for server in (cls.postgres, cls.maria):
            cls.addClassCleanup(server.remove)
            server.start()

    def setUp(self):
        super().setUp()
        self.postgres.sql("postgres", f"DROP DATABASE IF EXISTS {OFFICE}",
                          f"CREATE DATABASE {OFFICE}")
        self.maria.sql("", f"DROP DATABASE IF EXISTS {SHOP}", f"CREATE DATABASE {SHOP}")
        self.sql(OFFICE, TABLE.format(collation=""))
        self.sql(SHOP, TABLE.format(collation=" COLLATE utf8mb4_bin"))

    def sql(self, system, *statements):
        return (self.postgres if system == OFFICE else self.maria).sql(system, *statements)

    def fill(self, system):
        which = ", ".join(f"'{region}'" for region in REGIONS)
        if system == OFFICE:
            region, numbers = f"(ARRAY[{which}])[n % 8 + 1]", f"generate_series(1, {COUNT}) n"
        else:
            region = f"ELT(n MOD 8 + 1, {which})"
            numbers = f"(SELECT seq n FROM seq_1_to_{COUNT}) s"
        self.sql(system, "INSERT INTO stock " + ROWS.format(region=region, numbers=numbers))

    def rows_read(self):
        return (self.status().get("first_sync") or {}).get("rows", 0)

    def see_it_go_on(self, system, other):
        self.fill(system)
        self.init(self.postgres.url(OFFICE), self.maria.url(SHOP))
        self.start()
        self.wait(lambda: self.rows_read() > NOTED, seconds=180)
        self.kill()
        self.sql(system, "DELETE FROM stock WHERE number IN (1, 2)",
                 "UPDATE stock SET level = -1 WHERE number IN (3, 4)")
        self.start()
        self.wait(lambda: self.status()["state"] == "running", seconds=180)
        self.assertIn("goes on behind", self.log())
        self.assertLess(self.status_of(system)["rows_captured_total"], COUNT - NOTED // 2)
        ask = "SELECT count(*), sum(level), count(DISTINCT region) FROM stock"
        self.wait(lambda: self.sql(other, ask)[0] == self.sql(system, ask)[0], seconds=180)
        self.assertEqual(self.sql(other, "SELECT count(*) FROM stock WHERE level = -1")[0][0], 2)
        self.wait(lambda: self.call("verify", expect=None).returncode == 0)
        self.assertEqual(self.ask("quarantine", "list"), [])

    def test_a_table_of_postgresql(self):
        self.see_it_go_on(OFFICE, SHOP)

    def test_a_table_of_mariadb(self):
        self.see_it_go_on(SHOP, OFFICE)


if __name__ == "__main__":
    unittest.main()
