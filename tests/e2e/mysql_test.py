#!/usr/bin/python3
"""The real program between a real MySQL server and PostgreSQL, as a user would run it by hand.

    mysql_test.py PATH/TO/syncline

MYSQL_BIN names the server's programs: tests/support/with_server mysql VERSION sets it. Needs
pymysql and psycopg2, so it runs under the Python that Debian packages them for.
"""
import unittest

from fixture import Appliance
from servers import MysqlServer, PostgresServer

TABLE = """CREATE TABLE customer (
    id int PRIMARY KEY, name varchar(40), price numeric(12,2), seen timestamp(3) %s)"""


class Mysql(Appliance):
    @classmethod
    def setUpClass(cls):
        cls.mysql, cls.postgres = MysqlServer(), PostgresServer()
        for server in (cls.mysql, cls.postgres):
            cls.addClassCleanup(server.remove)
            server.start()

    def setUp(self):
        super().setUp()
        end = self._testMethodName[-20:]
        self.shop, self.office = "shop_" + end, "office_" + end
        self.mysql.sql("", f"CREATE DATABASE {self.shop} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        self.mysql.sql(self.shop, TABLE % "NULL")
        self.postgres.sql("postgres", f"CREATE DATABASE {self.office}")
        self.postgres.sql(self.office, TABLE % "with time zone")
        self.init(self.postgres.url(self.office), self.mysql.url(self.shop))

    def rows(self):
        both = []
        for server, database in ((self.mysql, self.shop), (self.postgres, self.office)):
            rows = server.sql(database, "SELECT * FROM customer ORDER BY id")
            both.append([(*row[:3], row[3] and row[3].replace(tzinfo=None)) for row in rows])
        return both

    def expect_both(self, count):
        self.wait(lambda: self.rows()[0] == self.rows()[1] and len(self.rows()[0]) == count)
        self.assertTrue(self.ask("verify")["is_equal"])

    def scan_shop(self):
        """The section of the dataset in MySQL; its table has no schema in front."""
        self.change_config('table = "customer"',
                           'table = "customer"\ncapture = "scan"\nevery = "1s"')

    def test_its_log_is_refused_with_what_is_to_be_done(self):
        told = self.call("doctor", expect=None)
        said = told.stdout + told.stderr
        self.assertIn("is a MySQL 5.6", said)
        self.assertIn("does not tell which column is which", said)
        self.assertIn('capture = "scan"', said)

    def test_scanned_and_written_both_ways(self):
        self.mysql.sql(self.shop, "INSERT INTO customer VALUES (1, 'Ann', 1.50, "
                       "'2026-01-02 03:04:05.678'), (2, 'it''s \\\\ ?', NULL, NULL)")
        self.postgres.sql(self.office, "INSERT INTO customer VALUES (3, 'Cy', 3, now())")
        self.scan_shop()
        self.call("check")
        self.call("plan")
        self.start()
        self.expect_both(3)
        self.mysql.sql(self.shop, "UPDATE customer SET name = 'Anna' WHERE id = 1",
                       "DELETE FROM customer WHERE id = 3")
        self.postgres.sql(self.office, "UPDATE customer SET price = -7.25 WHERE id = 2",
                          "INSERT INTO customer SELECT n, 'n' || n, n, NULL "
                          "FROM generate_series(10, 1009) AS n")
        self.expect_both(1002)
        self.wait(lambda: self.rows()[1][0][1] == "Anna")
        self.assertEqual([row[0] for row in self.rows()[0][:3]], [1, 2, 10])
        self.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
