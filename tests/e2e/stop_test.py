"""SIGTERM: a stop is soon over where the servers answer, however many datasets there are."""
import time
import unittest

from fixture import Appliance
from servers import PostgresServer

TABLES = [f"t{number}" for number in range(27)]
STOP_SECONDS = 8  # on a busy machine; 40 were seen before


class Stops(Appliance):
    numbers = iter(range(1, 1000))

    @classmethod
    def setUpClass(cls):
        cls.server = PostgresServer()
        cls.addClassCleanup(cls.server.remove)
        cls.server.start()

    def setUp(self):
        super().setUp()
        number = next(self.numbers)
        self.office, self.shop = f"office{number}", f"shop{number}"
        for database in (self.office, self.shop):
            self.server.sql("postgres", f"CREATE DATABASE {database}")

    def make(self, tables, row_count):
        for database in (self.office, self.shop):
            self.server.sql(database, *(
                f"CREATE TABLE {table} (id int PRIMARY KEY, name text)" for table in tables))
        self.server.sql(self.office, *(
            f"INSERT INTO {table} SELECT n, 'n' || n FROM generate_series(1, {row_count}) AS n"
            for table in tables))
        self.init(self.server.url(self.office), self.server.url(self.shop))
        self.call("plan")

    def run_it(self):
        self.start()
        self.wait(lambda: self.ask("status")["state"] == "running")

    def stop_soon(self):
        begin = time.monotonic()
        self.stop()
        self.assertLess(time.monotonic() - begin, STOP_SECONDS, self.log())

    def rows_of(self, database, table):
        return self.server.sql(database, f"SELECT * FROM {table} ORDER BY id")

    def test_many_datasets_in_a_first_sync_and_behind_it(self):
        self.make(TABLES, 200)
        self.start()
        self.wait(lambda: self.rows_of(self.shop, TABLES[0]))
        self.stop_soon()
        self.run_it()
        for table in TABLES:  # every lane of every table has something to save
            self.server.sql(self.office, f"UPDATE {table} SET name = 'again'")
        self.wait(lambda: self.rows_of(self.shop, TABLES[-1])[0][1] == "again")
        self.stop_soon()
        self.run_it()
        self.server.sql(self.shop, f"UPDATE {TABLES[7]} SET name = 'theirs' WHERE id = 7")
        self.wait(lambda: self.rows_of(self.office, TABLES[7])[6][1] == "theirs")
        self.wait(lambda: self.control("at_rest")["at_rest"])
        self.assertTrue(self.ask("verify")["is_equal"])
        self.stop_soon()

    def test_a_row_that_a_user_holds_does_not_hold_up_the_stop(self):
        self.make(TABLES[:2], 10)
        self.run_it()
        self.wait(lambda: len(self.rows_of(self.shop, "t1")) == 10)
        user = self.server.connect(self.shop)
        user.cursor().execute("BEGIN; UPDATE t0 SET name = 'mine' WHERE id = 1")
        self.server.sql(self.office, "UPDATE t0 SET name = 'ours' WHERE id = 1")
        self.wait(lambda: self.status_of(self.shop)["delivery"]["retries_total"] > 3)
        self.stop_soon()
        user.cursor().execute("ROLLBACK")
        user.close()
        self.run_it()
        self.wait(lambda: self.rows_of(self.shop, "t0")[0][1] == "ours")


if __name__ == "__main__":
    unittest.main()
